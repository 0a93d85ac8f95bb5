/* SPDX-License-Identifier: BSD-3-Clause */
/* Two spellings of one place. */
#ifndef TXN_SAME_PLACE_H
#define TXN_SAME_PLACE_H

#include <stdbool.h>

/* both are there, and are one directory, file or device, whatever they are called;
 * @device, which may be NULL: and it is a block device, which has room for one log */
bool same_place(const char *one, const char *other, bool *device);

#endif
