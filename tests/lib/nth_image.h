/* SPDX-License-Identifier: BSD-3-Clause */
/* All files under some directories, kept in memory, to be had again. */
#ifndef TESTS_LIB_NTH_IMAGE_H
#define TESTS_LIB_NTH_IMAGE_H

struct nth_image;

struct nth_image *nth_image_take(const char *const *roots, unsigned int count);
/* as it was: what is there besides goes, what is the same stays */
void nth_image_restore(const struct nth_image *image);
void nth_image_free(struct nth_image *image);

#endif
