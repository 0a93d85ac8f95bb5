/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of an image (image.h) that are damaged, or made by hand. */
#ifndef TESTS_LIB_IMAGE_RECORD_H
#define TESTS_LIB_IMAGE_RECORD_H

#include "image.h"

/* the header of @id's record does not verify any more */
void image_damage(uint64_t id);

/* what the record of image_ids[@which] says */
struct log_meta image_meta(uint32_t which);
/* it says @meta, of the payload that is there */
void image_write(uint32_t which, struct log_meta *meta);
/* The same, and the next one names it so; image_ids[@which] follows.  Return: the next one */
struct log_meta image_make(uint32_t which, struct log_meta *meta);

/* it is closed, as it should be */
void image_close(void);

#endif
