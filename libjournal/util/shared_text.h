/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A short text in memory that processes share, for people.  There is no lock: who is killed
 * or stopped while he sets it keeps nobody from reading or setting it.  Its checksum says
 * whether what was read is one text, and not parts of two.  All zeros is the empty one.
 */
#ifndef UTIL_SHARED_TEXT_H
#define UTIL_SHARED_TEXT_H

#include <stdatomic.h>
#include <stdint.h>

#define SHARED_TEXT_BYTES 128u /* with the zero at its end */

struct shared_text {
	_Atomic uint64_t word[SHARED_TEXT_BYTES / 8];
	_Atomic uint32_t crc;
};

/* What does not fit is left out.  Context: any, also several at once. */
void shared_text_set(struct shared_text *shared, const char *text);

/* @text: what was set last; empty if somebody is setting it, and does not get on.
 * Context: any */
void shared_text_get(const struct shared_text *shared, char text[SHARED_TEXT_BYTES]);

#endif
