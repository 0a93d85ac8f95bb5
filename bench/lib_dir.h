/* SPDX-License-Identifier: BSD-3-Clause */
/* Scratch directories and files. */
#ifndef BENCH_LIB_DIR_H
#define BENCH_LIB_DIR_H

#include <stddef.h>
#include <stdint.h>

/* mkdir -p; Return: 0 or negative errno */
int dir_make(const char *path);
/* rm -rf; what is not there is no error */
void dir_remove(const char *path);
/* Make @path, @bytes of written zeros, durable.  Return: a descriptor opened
 * with @flags, or negative errno. */
int file_zero_filled(const char *path, uint64_t bytes, int flags);
/* The smallest O_DIRECT write here that rewrites no neighbour's sector. */
uint32_t file_block_bytes(int fd);
/* "DIR/name" into @path; an overlong one is cut and then fails at open */
void path_join(char *path, size_t bytes, const char *dir, const char *name);

#endif
