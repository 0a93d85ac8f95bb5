/* SPDX-License-Identifier: BSD-3-Clause */
/* What they leave who are killed on the way back to NVRAM (returning.h, 1). */
#ifndef TXN_RETURN_LEFT_H
#define TXN_RETURN_LEFT_H

/* Files named @path and a suffix of who goes back go.  Context: nobody does just now. */
void return_left_remove(const char *path);

#endif
