/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged marker lines, and who makes them anew is killed in the middle of it, or the
 * power goes.  For tests linked with CRASH_LDFLAGS.
 */
#ifndef TESTS_LIB_MENDING_H
#define TESTS_LIB_MENDING_H

#include "crash_place.h"
#include "format/marker.h"

/* @line as it is durable; after a change of it mending_show() */
struct marker_line *mending_line(struct place *p, uint32_t line);
/* how many lines there are */
uint32_t mending_lines(struct place *p);
/* what is seen is what is durable */
void mending_show(struct place *p);

/* Of each line that was ever used the first @bytes read @value. */
void mending_spoil_lines(struct place *p, int value, size_t bytes);

/*
 * Open it as it is now, closed: each time the power goes before another operation of
 * that, in each way, and in some of them once more in the open that comes after.  In the
 * end one goes through.
 * @is_mended: looks at the open journal, and leaves it closed
 */
void mending_each_crash(struct place *p, void (*is_mended)(struct place *p, const void *context),
			const void *context);

#endif
