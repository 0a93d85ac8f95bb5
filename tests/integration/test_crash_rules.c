/* SPDX-License-Identifier: BSD-3-Clause */
/* diskless */
/*
 * Rules of the protocol, each with runs made so that dropping it is found: the
 * operations that it is about, over and over, cut everywhere.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_look.h"
#include "crash_run.h"

static void runs(const struct crash_plan *plan, uint64_t seed, uint32_t count)
{
	assert_int_equal(crash_runs(plan, crash_seed(plan->name, seed), crash_count(count)), 0);
}

/* Moved over and over, from whatever path it was committed by, retired meanwhile. */
static void p2_a_moved_one_is_there_once(void **state)
{
	static const struct crash_plan plan = {
		.name = "p2", .generations = 5, .ops = 60, .ring_bytes = 4096, .live_max = 60,
		.payload_max = 400,
		.weight = { [CRASH_PUT] = 10, [CRASH_DIRECT] = 6, [CRASH_SYNCED] = 6,
			    [CRASH_GROUP] = 3, [CRASH_PREPARE] = 2, [CRASH_RETIRE] = 6,
			    [CRASH_RETIRE_MANY] = 2, [CRASH_CLEAN] = 25 },
	};
	struct crash_plan file = plan;

	(void)state;
	runs(&plan, 150, 2);
	file.name = "p2-file";
	file.checkpointed = true;
	runs(&file, 170, 2);
}

/* Lines turn over within a few operations: what was finished in one stays so. */
static void p1_a_recycled_line_revives_nothing(void **state)
{
	static const struct crash_plan plan = {
		.name = "p1", .generations = 4, .ops = 60, .lines = 4, .live_max = 150,
		.payload_max = 100,
		.weight = { [CRASH_GROUP] = 10, [CRASH_PUT] = 3, [CRASH_SYNCED] = 2,
			    [CRASH_DIRECT] = 2, [CRASH_RETIRE_MANY] = 4, [CRASH_RETIRE_ALL] = 3,
			    [CRASH_ABORT] = 2 },
	};

	(void)state;
	runs(&plan, 100, 4);
}

static void p4_ids_are_never_reissued(void **state)
{
	static const struct crash_plan plan = {
		.name = "p4", .generations = 40, .ops = 4, .payload_max = 64,
		.weight = { [CRASH_PUT] = 5, [CRASH_GROUP] = 1, [CRASH_PREPARE] = 2,
			    [CRASH_SYNCED] = 1, [CRASH_DIRECT] = 1, [CRASH_RETIRE] = 3,
			    [CRASH_CLOSE] = 1 },
	};
	struct crash_plan file = plan;

	(void)state;
	runs(&plan, 200, 2);
	file.name = "p4-file";
	file.checkpointed = true;
	runs(&file, 250, 2);
}

/* A ring that wraps all the time, and transactions that are given up in it. */
static void p5_a_ring_holds_what_was_acknowledged(void **state)
{
	static const struct crash_plan plan = {
		.name = "p5", .generations = 8, .ops = 60, .ring_bytes = 4096, .live_max = 10,
		.payload_max = 300,
		.weight = { [CRASH_PUT] = 10, [CRASH_ABORT] = 4, [CRASH_PREPARE] = 4,
			    [CRASH_GROUP] = 1, [CRASH_RETIRE] = 8, [CRASH_RETIRE_MANY] = 2 },
	};

	(void)state;
	runs(&plan, 300, 3);
}

/* More than the stage holds stays live. */
static void p6_destaged_and_not_lost_on_the_way(void **state)
{
	static const struct crash_plan plan = {
		.name = "p6", .generations = 5, .ops = 80, .ring_bytes = 4096, .live_max = 200,
		.payload_max = 400,
		.weight = { [CRASH_PUT] = 20, [CRASH_GROUP] = 2, [CRASH_RETIRE] = 3 },
	};

	(void)state;
	runs(&plan, 400, 4);
}

/* The log fills up: what was accepted can still be destaged and retired. */
static void p8_a_full_log_holds_nothing_hostage(void **state)
{
	static const struct crash_plan plan = {
		.name = "p8", .generations = 3, .ops = 120, .ring_bytes = 8192, .live_max = 1000,
		.payload_max = 120000, .every = 3,
		.weight = { [CRASH_PUT] = 20, [CRASH_SYNCED] = 5, [CRASH_DIRECT] = 5,
			    [CRASH_LARGE] = 1, [CRASH_GROUP] = 10, [CRASH_RETIRE] = 8,
			    [CRASH_RETIRE_MANY] = 1 },
	};
	struct crash_plan file = plan;

	(void)state;
	runs(&plan, 450, 2);
	file.name = "p8-file";
	file.checkpointed = true;
	runs(&file, 470, 2);
}

/* A process is killed, the next one serves what it reads, then the power goes. */
static void p7_what_recovery_serves_is_durable(void **state)
{
	struct crash_plan plan = crash_plan_all;

	(void)state;
	plan.name = "p7";
	plan.kill_only = true;
	runs(&plan, 500, 3);
	plan.name = "p7-file";
	plan.checkpointed = true;
	runs(&plan, 550, 1);
}

static void p9_extents_before_their_bit(void **state)
{
	static const struct crash_plan plan = {
		.name = "p9", .generations = 4, .ops = 30, .live_max = 20,
		.weight = { [CRASH_DIRECT] = 12, [CRASH_LARGE] = 3, [CRASH_RETIRE] = 6,
			    [CRASH_RETIRE_ALL] = 2 },
	};

	(void)state;
	runs(&plan, 600, 3);
}

/* A batch in flight is torn, never damage. */
static void p10_a_torn_batch_is_no_damage(void **state)
{
	static const struct crash_plan plan = {
		.name = "p10", .generations = 8, .ops = 25, .payload_max = 2000,
		.ring_bytes = 4096,
		.weight = { [CRASH_PUT] = 10, [CRASH_SYNCED] = 10, [CRASH_GROUP] = 4,
			    [CRASH_RETIRE] = 3, [CRASH_RETIRE_MANY] = 1 },
	};
	struct crash_plan file = plan;

	(void)state;
	runs(&plan, 700, 2);
	file.name = "p10-file";
	file.checkpointed = true;
	runs(&file, 750, 2);
}

/* Markers in a file: retires are records, until a checkpoint has them. */
static void p11_retired_without_nvram(void **state)
{
	static const struct crash_plan plan = {
		.name = "p11", .checkpointed = true, .generations = 5, .ops = 80, .lines = 4,
		.live_max = 60, .payload_max = 60000,
		.weight = { [CRASH_SYNCED] = 10, [CRASH_GROUP] = 6, [CRASH_RETIRE] = 6,
			    [CRASH_RETIRE_MANY] = 3, [CRASH_RETIRE_ALL] = 3, [CRASH_CLOSE] = 1 },
	};

	struct crash_plan rolling = plan;

	(void)state;
	runs(&plan, 800, 3);
	rolling.name = "p11-roll";
	rolling.lines = 0;
	rolling.live_max = 10;
	rolling.payload_max = 250000;
	runs(&rolling, 850, 4);
}

/* On a disk whose cache forgets, a write that is only completed is not enough. */
static void p12_leaving_out_dsync_loses_data_where_it_must_not(void **state)
{
	struct crash_plan plan = crash_plan_all;
	char why[512] = "";
	uint64_t seed = 900;

	(void)state;
	plan.name = "p12";
	plan.no_dsync = true;
	while (!crash_run(&plan, seed, why) && seed < 920)
		seed++;
	print_message("# seed %d: %s\n", (int)seed, why);
	assert_true(*why);
}

/* Pieces of a large transaction are written without sync; one flush is for all. */
static void p13_one_flush_covers_the_pieces(void **state)
{
	static const struct crash_plan plan = {
		.name = "p13", .generations = 4, .ops = 20, .live_max = 3,
		.weight = { [CRASH_LARGE] = 4, [CRASH_RETIRE] = 3, [CRASH_SYNCED] = 1 },
	};
	struct crash_plan file = plan;

	(void)state;
	runs(&plan, 1000, 2);
	file.name = "p13-file";
	file.checkpointed = true;
	runs(&file, 1050, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_a_moved_one_is_there_once),
		cmocka_unit_test(p1_a_recycled_line_revives_nothing),
		cmocka_unit_test(p4_ids_are_never_reissued),
		cmocka_unit_test(p5_a_ring_holds_what_was_acknowledged),
		cmocka_unit_test(p6_destaged_and_not_lost_on_the_way),
		cmocka_unit_test(p8_a_full_log_holds_nothing_hostage),
		cmocka_unit_test(p7_what_recovery_serves_is_durable),
		cmocka_unit_test(p9_extents_before_their_bit),
		cmocka_unit_test(p10_a_torn_batch_is_no_damage),
		cmocka_unit_test(p11_retired_without_nvram),
		cmocka_unit_test(p12_leaving_out_dsync_loses_data_where_it_must_not),
		cmocka_unit_test(p13_one_flush_covers_the_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
