/* SPDX-License-Identifier: BSD-3-Clause */
/* Removing what an earlier journal has left, and nothing else. */
#ifndef TXN_REMOVE_H
#define TXN_REMOVE_H

#include <stdbool.h>
#include <stdint.h>

/* a file, and by its beginning and uuid a log of that journal */
bool remove_is_log(const char *path, const uint8_t uuid[16]);

/* the directory that has the name @path: what was made or removed there is durable.
 * Return: 0 or negative errno */
int remove_sync_above(const char *path);

/* Files beside @path go whose name, and that of @path, @is is true of. */
void remove_beside(const char *path, bool (*is)(const char *name, const char *of));

/* unlink(), durable on return; one that is not there is no error.
 * Return: 0 or negative errno */
int remove_file(const char *path);

#endif
