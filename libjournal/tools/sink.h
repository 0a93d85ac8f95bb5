/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a backup goes: standard output, or a file that is there as a whole or not at all. */
#ifndef TOOLS_SINK_H
#define TOOLS_SINK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINK_BYTES (64u << 10)

/**
 * struct sink - buffered output
 * @fd:        -1: nowhere, nothing is written
 * @name:      for messages
 * @path:      the file to be replaced; "" for standard output
 * @temporary: its new content, beside it, until sink_end()
 * @nameless:  it has no name yet
 * @failed:    0, or the negative errno of the first write that failed; it was told
 */
struct sink {
	int fd;
	const char *name;
	char path[PATH_MAX];
	char temporary[PATH_MAX];
	bool nameless;
	int failed;
	size_t used;
	uint8_t buffer[SINK_BYTES];
};

/* what is written goes nowhere */
void sink_nowhere(struct sink *sink);

/* @path: NULL or "-" is standard output.  Return: 0, or negative errno, told on stderr:
 * also where @path is there and no file. */
int sink_open(struct sink *sink, const char *path);

/* Return: 0, or negative errno, told on stderr once */
int sink_write(struct sink *sink, const void *data, size_t bytes);

/**
 * sink_end() - all was written: make it durable and give it its name
 * @keep: false: there shall be no file; what was there before stays
 * Return: 0, or negative errno, told on stderr
 */
int sink_end(struct sink *sink, bool keep);

#endif
