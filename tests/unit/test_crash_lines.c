/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P1 without NVRAM: a checkpoint is begun in the middle of opening a line, by another
 * thread or process: the line is closed under its next number there, its maps are in any
 * state.  What the line commits after that is in the log, and is there after a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "format/marker.h"
#include "lib/crash_place.h"

static void epoch_is_closed(struct place *p, uint64_t number)
{
	struct marker_geometry g;
	struct marker_line *line;
	const char *why;

	assert_int_equal(marker_super_decode((const void *)p->world.marker.durable,
					     p->world.marker.bytes, false, &g, &why), 0);
	line = (struct marker_line *)(void *)(p->world.marker.durable +
					      marker_line_offset(&g, 0));
	memset(line->commit, 0, sizeof(line->commit));
	memset(line->retire, 0, sizeof(line->retire));
	line->epoch = word_seal(number << 1);
	memcpy(p->world.marker.now, p->world.marker.durable, p->world.marker.bytes);
}

static void p1_a_checkpoint_in_the_middle_of_opening_a_line(void **state)
{
	const struct crash_plan plan = { .checkpointed = true };
	struct place *p = place_make(&plan);
	uint64_t kept, retired;
	int i;

	(void)state;
	assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 1, &kept), 0);
	assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 2, &retired), 0);
	assert_int_equal(journal_retire(p->j, retired), 0);
	place_crash(p);
	epoch_is_closed(p, kept >> 9);
	/* the second time by a checkpoint that knows it open */
	for (i = 0; i < 2; i++) {
		assert_int_equal(place_open(p), 0);
		assert_int_equal(place_state(p, kept), JOURNAL_LIVE);
		assert_int_equal(place_state(p, retired), 0);
		assert_int_equal(place_live(p), 1);
		place_crash(p);
	}
	assert_int_equal(place_open(p), 0);
	assert_int_equal(journal_retire(p->j, kept), 0);
	place_close(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 0);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p1_a_checkpoint_in_the_middle_of_opening_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
