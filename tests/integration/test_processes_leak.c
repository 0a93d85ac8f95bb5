/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill -9 of random ones among processes that put and retire one journal, while one
 * that does nothing has it open all the time, so that nobody recovers: once everything
 * is retired, the journal is as empty as when it was made.  What a killed one held and
 * nobody gave up would stay for as long as anybody has the journal open.
 *
 * KILLS: so many for each kind of marker, 100 by default.  SEED: workloads and victims.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/crowd.h"
#include "lib/fault.h"

#define TOGETHER   6u
#define GENERATION 20u /* kills, until all end and it is looked at what is there */

static uint64_t kills_wanted(void)
{
	const char *given = getenv("KILLS");

	return given && *given ? strtoull(given, NULL, 0) : 100;
}

static uint64_t generation(struct crowd *crowd)
{
	uint64_t kills;
	uint32_t who;

	crowd_start_all(crowd);
	for (kills = 0; kills < GENERATION; kills++) {
		who = (uint32_t)(fault_random(&crowd->random) % crowd->count);
		crowd_sleep_us(fault_random(&crowd->random) % 15000);
		crowd_kill(crowd, who);
		crowd_goes_on(crowd, who);
		crowd_start(crowd, who);
	}
	crowd_end_all(crowd);
	crowd_compare(crowd);
	return kills;
}

static void retire_all(struct journal *j)
{
	struct journal_entry entry = { 0 };

	/* what the last ones had staged as they were killed is there once they are taken over */
	assert_int_equal(journal_maintain(j, NULL, NULL), 0);
	while (!journal_next(j, 0, &entry))
		assert_int_equal(journal_retire(j, entry.id), 0);
	/* a checkpoint, where that is what frees them */
	assert_int_equal(journal_maintain(j, NULL, NULL), 0);
}

/* Lines and segments that are half full stay with whoever goes on with them. */
static void nothing_is_left(enum bed_medium medium)
{
	struct journal_info info;
	struct journal *holder;
	uint64_t kills = 0;
	struct crowd crowd;
	struct bed bed;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	bed_close(&bed);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_ALL, fault_seed("nothing is left"));
	assert_int_equal(journal_open(bed.dir, NULL, &holder), 0);
	while (kills < kills_wanted())
		kills += generation(&crowd);
	retire_all(holder);
	assert_int_equal(journal_info(holder, &info), 0);
	printf("# %" PRIu64 " killed: %u of %u segments and %u of %u lines are free\n", kills,
	       info.segments_free, info.segments, info.lines_free, info.lines);
	assert_int_equal(info.live, 0);
	assert_true(info.takeovers >= kills / 2);
	assert_true(info.segments_free + 3 * TOGETHER >= info.segments);
	assert_true(info.lines_free + 5 * TOGETHER >= info.lines);
	assert_int_equal(journal_close(holder), 0);
	crowd_free(&crowd);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "nothing is left", nothing_is_left, 1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, 1);
}
