/* SPDX-License-Identifier: BSD-3-Clause */
/* What is made for a journal in use is its owner's: also when root does it. */
#ifndef TXN_LIKE_H
#define TXN_LIKE_H

#include <sys/stat.h>

/* Group and mode of @path as @like's; and its owner, where that may be given.
 * Return: 0 or negative errno */
int like_file(const char *path, const struct stat *like);

#endif
