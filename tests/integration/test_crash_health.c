/* SPDX-License-Identifier: BSD-3-Clause */
/* diskless */
/*
 * P14: the power goes at each operation (fence, log write, flush, checkpoint) while NVRAM
 * is given up, and of what comes after.  Before journal.conf names the stand-in NVRAM
 * counts, and is as it was; after that it may be dead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/sick.h"

#define ITS 9u

enum its_state { ITS_NOT, ITS_LIVE, ITS_RETIRING, ITS_RETIRED };

struct run {
	struct sick sick;
	struct {
		uint64_t id;
		enum its_state state;
	} its[2 * ITS];
	uint32_t begun; /* puts; the last of them is in flight, if @in_flight */
	bool in_flight;
};

static const enum journal_path paths[] = { JOURNAL_PATH_STAGED, JOURNAL_PATH_DIRECT,
					   JOURNAL_PATH_SYNCED };

static int run_put(struct run *r)
{
	uint32_t i = r->begun++;
	int error;

	r->in_flight = true;
	error = place_put(r->sick.p, paths[i % 3], 1000 + i, &r->its[i].id);
	if (error)
		return error;
	r->in_flight = false;
	r->its[i].state = ITS_LIVE;
	return 0;
}

static int run_retire(struct run *r, uint32_t i)
{
	int error;

	r->its[i].state = ITS_RETIRING;
	error = journal_retire(r->sick.p->j, r->its[i].id);
	if (!error)
		r->its[i].state = ITS_RETIRED;
	return error;
}

static int run_all(struct run *r)
{
	uint32_t i;
	int error = journal_distrust(r->sick.p->j, "a test");

	for (i = 0; i < ITS && !error; i++) {
		error = run_put(r);
		if (!error && i < 3)
			error = run_retire(r, i);
		if (!error && i < 3)
			error = run_retire(r, ITS + i);
	}
	return error;
}

static void run_make(struct run *r)
{
	uint32_t i;

	memset(r, 0, sizeof(*r));
	sick_make(&r->sick);
	for (i = 0; i < ITS; i++)
		assert_int_equal(run_put(r), 0);
	assert_int_equal(run_retire(r, 6), 0);
}

static void run_look(struct run *r)
{
	uint8_t want[PLACE_BYTES], got[PLACE_BYTES];
	uint32_t i, least = 0, most = r->in_flight;
	size_t bytes;

	for (i = 0; i < r->begun; i++) {
		if (r->its[i].state == ITS_RETIRED)
			assert_int_equal(place_state(r->sick.p, r->its[i].id), 0);
		least += r->its[i].state == ITS_LIVE;
		most += r->its[i].state == ITS_LIVE || r->its[i].state == ITS_RETIRING;
		if (r->its[i].state != ITS_LIVE)
			continue;
		oracle_payload(1000 + i, want, PLACE_BYTES);
		assert_int_equal(journal_read(r->sick.p->j, r->its[i].id, got, sizeof(got), &bytes),
				 0);
		assert_memory_equal(got, want, PLACE_BYTES);
	}
	assert_in_range(place_live(r->sick.p), least, most);
	assert_int_equal(place_lost_unnamed(r->sick.p), 0);
}

/* Return: whether it came to its end before */
static bool cut_at(uint64_t at, enum crash_how how, bool dead, uint32_t *abandoned)
{
	struct run r;
	bool done;
	int error;

	run_make(&r);
	r.sick.p->world.die_at = r.sick.p->world.operations + at;
	error = run_all(&r);
	done = !r.sick.p->world.dead;
	if (done)
		assert_int_equal(error, 0);
	r.sick.p->world.die_at = 0;
	*abandoned += sick_is_abandoned(&r.sick);
	sick_cut(&r.sick, done ? CRASH_DROP : how, at, dead && sick_is_abandoned(&r.sick));
	error = sick_open(&r.sick);
	if (error)
		printf("# at %llu: %s\n", (unsigned long long)at, journal_error(r.sick.p->j));
	assert_int_equal(error, 0);
	run_look(&r);
	/* and once more, given up or not */
	sick_cut(&r.sick, CRASH_DROP, at, dead && sick_is_abandoned(&r.sick));
	assert_int_equal(sick_open(&r.sick), 0);
	run_look(&r);
	sick_free(&r.sick);
	return done;
}

static void cut_everywhere(bool dead)
{
	static const enum crash_how how[] = { CRASH_DROP, CRASH_KEEP, CRASH_MIXED, CRASH_KILL };
	uint32_t abandoned = 0;
	uint64_t at = 0;

	do
		at++;
	while (!cut_at(at, how[at % 4], dead, &abandoned));
	printf("# %llu operations, %u after journal.conf\n", (unsigned long long)at, abandoned);
	assert_in_range(abandoned, 2, at - 2);
}

static void p14_power_goes_while_nvram_is_given_up(void **state)
{
	(void)state;
	cut_everywhere(false);
}

static void p14_power_goes_and_nvram_is_dead(void **state)
{
	(void)state;
	cut_everywhere(true);
}

/* What the stage does not give back is lost, by id, and nothing else is. */
static void p14_what_cannot_be_read_is_lost_by_id(void **state)
{
	struct run r;
	uint8_t *at;

	(void)state;
	run_make(&r);
	/* the third one that is staged is at 6, and retired; 0 and 3 live */
	at = place_find(&r.sick.p->world.marker, 1003);
	place_spoil(&r.sick.p->world.marker, at);
	assert_int_equal(run_all(&r), 0);
	assert_int_equal(place_state(r.sick.p, r.its[4].id), JOURNAL_LIVE);
	sick_cut(&r.sick, CRASH_DROP, 0, true);
	assert_int_equal(sick_open(&r.sick), 0);
	assert_int_equal(place_state(r.sick.p, r.its[3].id), JOURNAL_LOST);
	assert_int_equal(place_state(r.sick.p, r.its[0].id), 0); /* retired since */
	assert_int_equal(place_state(r.sick.p, r.its[4].id), JOURNAL_LIVE);
	/* it may be retired, and stays so */
	assert_int_equal(journal_retire(r.sick.p->j, r.its[3].id), 0);
	r.its[3].state = ITS_RETIRED;
	run_look(&r);
	sick_cut(&r.sick, CRASH_DROP, 0, true);
	assert_int_equal(sick_open(&r.sick), 0);
	run_look(&r);
	sick_free(&r.sick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_power_goes_while_nvram_is_given_up),
		cmocka_unit_test(p14_power_goes_and_nvram_is_dead),
		cmocka_unit_test(p14_what_cannot_be_read_is_lost_by_id),
	};

	return cmocka_run_group_tests_name("test_crash_health", tests, NULL, NULL);
}
