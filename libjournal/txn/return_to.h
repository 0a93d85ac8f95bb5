/* SPDX-License-Identifier: BSD-3-Clause */
/* NVRAM that was given up, and is to be trusted again. */
#ifndef TXN_RETURN_TO_H
#define TXN_RETURN_TO_H

#include "txn/conf.h"

/**
 * return_to() - go back to @conf->return_to, if it is there, sound, and nobody has the
 * journal open
 *
 * It is written anew under a higher incarnation, whatever it holds (set_marker.c).  Then
 * @conf is what journal.conf says now.  If anything is in the way, all stays as it is.
 */
void return_to(const char *dir, struct conf *conf);

#endif
