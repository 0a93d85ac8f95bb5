/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill -9 of random ones among processes that put, retire and read one journal:
 * the others go on; when all are dead, what was acknowledged is there, and nothing
 * that was retired.  What was acknowledged stands in memory outside of the library
 * (lib/crowd.h).
 *
 * KILL_SECONDS: how long for each kind of marker, 3 by default; KILLS: at least so
 * many for each.  SEED: workloads and victims; what the machine does in between is
 * its own.
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

#define TOGETHER   8u
#define GENERATION 12u /* kills, until all are killed */

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *given = getenv(name);

	return given && *given ? strtoull(given, NULL, 0) : otherwise;
}

/* Beside those who write: what is stable is in order. */
static void checked_beside(struct crowd *crowd, uint64_t kills)
{
	if (kills % 4 == 0)
		bed_check(crowd->bed, 0);
}

static void kill_one(struct crowd *crowd, uint64_t kills)
{
	uint32_t who = (uint32_t)(fault_random(&crowd->random) % crowd->count);

	crowd_sleep_us(fault_random(&crowd->random) % 15000);
	crowd_kill(crowd, who);
	crowd_goes_on(crowd, who);
	checked_beside(crowd, kills);
	/* the next one may be killed while it opens */
	crowd_start(crowd, who);
}

/* all at once, or so that no one is left who could take over */
static uint64_t generation(struct crowd *crowd)
{
	uint64_t i, kills = 0, commits = crowd_commits(crowd);

	crowd_start_all(crowd);
	for (i = 0; i < GENERATION; i++)
		kill_one(crowd, kills++);
	/* with so many dead there is still room to commit */
	if (crowd_commits(crowd) == commits)
		fail_msg("nothing was committed");
	if (fault_random(&crowd->random) % 4) {
		crowd_kill_all(crowd);
		kills += TOGETHER;
	} else {
		crowd_end_all(crowd);
	}
	crowd_compare(crowd);
	return kills;
}

static void killed_anywhere(enum bed_medium medium)
{
	uint64_t end = crowd_now_ns() + number("KILL_SECONDS", 3) * 1000000000;
	uint64_t least = number("KILLS", 1), kills = 0, seed = fault_seed("killed anywhere");
	struct crowd crowd;
	struct bed bed;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_ALL, seed);
	while (crowd_now_ns() < end || kills < least)
		kills += generation(&crowd);
	printf("# %" PRIu64 " processes killed, %" PRIu64 " commits, %" PRIu64 " retires; "
	       "longest call %.1f ms\n", kills, crowd_commits(&crowd), crowd_retires(&crowd),
	       (double)crowd_longest_ns(&crowd, CROWD_MAX) / 1e6);
	crowd_free(&crowd);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "killed anywhere", killed_anywhere, 1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, 1);
}
