/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which leg of a mirrored log is out of date, in DIR: an empty file, whose name says all.
 *
 *   DIR/left-<uuid>-<log>-<leg>    both counted from 1
 *
 * Not a line of journal.conf: that is replaced by who gives NVRAM up, goes back to it, or
 * resizes, and of two who read and replace it at a time, one of whom may be stopped in the
 * middle, one loses what the other has written.  Here each makes the same name, at any time.
 */
#ifndef TXN_LEFT_H
#define TXN_LEFT_H

#include <stdint.h>

#include "txn/conf.h"

/* Return: 0 and *@left is 1, 2, or 0: neither is, or (half changed) both; or negative errno */
int left_find(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t *left);
/* Durable on return 0. */
int left_say(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t left);
/* That of both which is not @left (0: both) goes.  Durable on return 0. */
int left_forget(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t left);

#endif
