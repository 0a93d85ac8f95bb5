/* SPDX-License-Identifier: BSD-3-Clause */
/* Standard output whose errors are errors of the command. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

/* write all of it; Return: 0 or negative errno */
int output_write(int fd, const void *data, size_t bytes);

/* all of it to standard output, unbuffered; the error is told on stderr.
 * Return: 0 or negative errno. */
int output_data(const void *data, size_t bytes);

/* the printed id and a newline, unbuffered; otherwise as output_data() */
int output_id(uint64_t id);

/* flush stdio's standard output; told on stderr.  Return: 0 or negative errno. */
int output_flush(void);

/* Have the exit status be 1 when standard output could not be written, and
 * see a closed pipe as an error, not as a signal. */
void output_guard(void);

#endif
