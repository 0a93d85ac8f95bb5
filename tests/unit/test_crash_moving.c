/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A journal that was opened with its markers in a file is moved to NVRAM, and back: the
 * power goes at each operation (fence, log write, flush, checkpoint) of that, and of what
 * is put and retired in between.  What was acknowledged is there, and nothing that was
 * retired.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "lib/crash_place.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/return_make.h"
#include "txn/returning.h"

#define ITS 6u

enum its_state { ITS_NOT, ITS_LIVE, ITS_RETIRING, ITS_RETIRED };

struct run {
	struct place *p;
	struct crash_world nvram;
	struct {
		uint64_t id;
		enum its_state state;
	} its[3 * ITS];
	uint32_t begun; /* puts; the last of them is in flight, if @in_flight */
	bool in_flight;
};

extern __typeof__(backend_join_marker) __wrap_backend_join_marker;

int __wrap_backend_join_marker(const char *uri, unsigned int flags, struct marker_share *share,
			       void *map, struct marker_store **store, struct message *message)
{
	(void)uri;
	(void)message;
	assert_true(flags & MARKER_VACANT);
	return crash_marker_join(crash_world_entered()->next, map, share->bytes, store);
}

/* ---- what is done ----------------------------------------------------------------------- */

static int run_put(struct run *r, enum journal_path path)
{
	uint32_t i = r->begun++;
	int error;

	r->in_flight = true;
	error = place_put(r->p, path, 1000 + i, &r->its[i].id);
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
	error = journal_retire(r->p->j, r->its[i].id);
	if (!error)
		r->its[i].state = ITS_RETIRED;
	return error;
}

/* some, and one of each life is retired */
static int run_some(struct run *r, bool nvram)
{
	static const enum journal_path paths[] = { JOURNAL_PATH_STAGED, JOURNAL_PATH_DIRECT,
						   JOURNAL_PATH_SYNCED };
	uint32_t i, first = r->begun;
	int error = 0;

	for (i = 0; i < ITS && !error; i++)
		error = run_put(r, nvram ? paths[i % 3] : JOURNAL_PATH_AUTO);
	for (i = first / ITS; i < r->begun && !error; i += ITS)
		error = run_retire(r, i);
	return error;
}

static int run_to_nvram(struct run *r)
{
	char uri[PATH_MAX + 16], path[PATH_MAX];
	const struct return_where where = { uri, JOURNAL_CLASS_UNSET };

	(void)snprintf(uri, sizeof(uri), "pmem:%s", scratch_path(&r->p->scratch, "nvram", path));
	return returning_try_at(r->p->j, &where);
}

static int run_all(struct run *r)
{
	int error = run_to_nvram(r);

	if (!error)
		error = run_some(r, true);
	if (!error)
		error = journal_distrust(r->p->j, "a test");
	return error ? error : run_some(r, false);
}

/* ---- before and after ----------------------------------------------------------------------- */

static void run_make(struct run *r)
{
	const struct crash_plan plan = { .checkpointed = true };

	memset(r, 0, sizeof(*r));
	r->p = place_make(&plan);
	crash_world_make(&r->nvram);
	r->nvram.main = &r->p->world;
	r->p->world.next = &r->nvram;
	assert_int_equal(run_some(r, false), 0);
}

static void run_free(struct run *r)
{
	r->p->world.other = r->p->world.next = NULL;
	place_remove(r->p);
	crash_world_free(&r->nvram);
}

static bool run_is_on_nvram(const struct run *r)
{
	char path[PATH_MAX + 16], text[4096] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/journal.conf", r->p->look.path[0]);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_int_equal(fclose(file), 0);
	return strstr(text, "\nmarker = pmem:");
}

static void run_cut(struct run *r, enum crash_how how, uint64_t seed)
{
	r->p->world.dead = true;
	crash_throw_away(r->p->j);
	r->p->j = NULL;
	crash_world_cut(&r->p->world, how, seed);
	if (r->nvram.marker.now)
		crash_world_cut(&r->nvram, how, seed + 1);
	/* what journal.conf names is opened there */
	r->p->world.other = &r->nvram;
	r->p->world.other_scheme = "pmem:";
}

static void run_look(struct run *r)
{
	uint8_t want[PLACE_BYTES], got[PLACE_BYTES];
	uint32_t i, least = 0, most = r->in_flight;
	size_t bytes;

	for (i = 0; i < r->begun; i++) {
		if (r->its[i].state == ITS_RETIRED)
			assert_int_equal(place_state(r->p, r->its[i].id), 0);
		least += r->its[i].state == ITS_LIVE;
		most += r->its[i].state == ITS_LIVE || r->its[i].state == ITS_RETIRING;
		if (r->its[i].state != ITS_LIVE)
			continue;
		oracle_payload(1000 + i, want, PLACE_BYTES);
		assert_int_equal(journal_read(r->p->j, r->its[i].id, got, sizeof(got), &bytes), 0);
		assert_memory_equal(got, want, PLACE_BYTES);
	}
	assert_in_range(place_live(r->p), least, most);
	assert_int_equal(place_lost_unnamed(r->p), 0);
}

/* ---- the power goes ------------------------------------------------------------------------- */

/* Return: whether it came to its end before */
static bool cut_at(uint64_t at, enum crash_how how, uint32_t *on_nvram)
{
	struct run r;
	bool done;
	int error;

	run_make(&r);
	r.p->world.die_at = r.p->world.operations + at;
	error = run_all(&r);
	done = !r.p->world.dead;
	if (done)
		assert_int_equal(error, 0);
	r.p->world.die_at = 0;
	*on_nvram += run_is_on_nvram(&r);
	run_cut(&r, done ? CRASH_DROP : how, at);
	error = place_open(r.p);
	if (error)
		printf("# at %llu: %s\n", (unsigned long long)at, journal_error(r.p->j));
	assert_int_equal(error, 0);
	run_look(&r);
	run_cut(&r, CRASH_DROP, at);
	assert_int_equal(place_open(r.p), 0);
	run_look(&r);
	assert_int_equal(place_check(r.p), 0);
	run_free(&r);
	return done;
}

static void p14_the_power_goes_while_it_is_moved(void **state)
{
	static const enum crash_how how[] = { CRASH_DROP, CRASH_KEEP, CRASH_MIXED, CRASH_KILL };
	uint32_t on_nvram = 0, i;
	uint64_t at;

	(void)state;
	for (i = 0; i < 4; i++)
		for (at = 1; !cut_at(at, how[(at + i) % 4], &on_nvram); at++)
			;
	printf("# %llu operations, %u times on NVRAM\n", (unsigned long long)at, on_nvram / 4);
	assert_in_range(on_nvram / 4, 5, at - 5);
}

/* ---- what is so by then --------------------------------------------------------------------- */

static void it_is_on_nvram_by_then(void **state)
{
	struct journal_info info;
	struct journal *j;
	struct run r;

	(void)state;
	run_make(&r);
	j = r.p->j;
	assert_true(health_on_file(j));
	assert_int_equal(run_put(&r, JOURNAL_PATH_STAGED), -ENOTSUP);
	r.begun--;
	r.in_flight = false;
	assert_int_equal(journal_distrust(j, "a test"), -ENOTSUP);
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.abandoned, 0);
	assert_int_equal(info.stage_bytes, 0);
	assert_int_equal(run_to_nvram(&r), 0);
	assert_int_equal(health_now(j), HEALTH_TRUSTED);
	assert_int_equal(run_some(&r, true), 0);
	run_look(&r);
	assert_int_equal(journal_info(j, &info), 0);
	assert_true(info.stage_bytes && info.staged_live);
	run_free(&r);
}

/* P8: what is staged has its room in the log, from the first one on */
static void p8_room_is_set_aside_before_anything_is_staged(void **state)
{
	uint32_t before, after;
	struct run r;

	(void)state;
	run_make(&r);
	before = segments_reserve(r.p->j);
	assert_int_equal(run_to_nvram(&r), 0);
	after = segments_reserve(r.p->j);
	assert_true(after > before);
	run_cut(&r, CRASH_DROP, 0);
	assert_int_equal(place_open(r.p), 0);
	/* as much as who opens it there sets aside */
	assert_int_equal(segments_reserve(r.p->j), after);
	run_free(&r);
}

/* somebody comes, and requires more, while it is made ready */
static void more_is_required(struct crash_world *world, void *context)
{
	const struct run *r = context;

	(void)world;
	if (r->nvram.marker.now)
		atomic_store(&r->p->j->shared->require, JOURNAL_CLASS_POWER + 1);
}

/* It comes to nothing: then it is on its file as before. */
static void called_off_it_is_on_its_file(void **state)
{
	struct run r;

	(void)state;
	run_make(&r);
	r.p->world.hook = more_is_required;
	r.p->world.context = &r;
	assert_int_equal(run_to_nvram(&r), 0);
	r.p->world.hook = NULL;
	assert_int_equal(health_turn(health_word_now(r.p->j)), 2);
	assert_true(health_on_file(r.p->j));
	assert_false(run_is_on_nvram(&r));
	/* and now at once */
	assert_int_equal(run_to_nvram(&r), -EPERM);
	assert_true(health_on_file(r.p->j));
	assert_int_equal(run_some(&r, false), 0);
	run_look(&r);
	atomic_store(&r.p->j->shared->require, JOURNAL_CLASS_PROCESS);
	crash_map_free(&r.nvram.marker);
	r.nvram.marker = (struct crash_map){ .now_fd = -1, .durable_fd = -1 };
	assert_int_equal(run_to_nvram(&r), 0);
	assert_int_equal(run_some(&r, true), 0);
	run_look(&r);
	run_cut(&r, CRASH_DROP, 0);
	assert_true(run_is_on_nvram(&r));
	assert_int_equal(place_open(r.p), 0);
	run_look(&r);
	run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_the_power_goes_while_it_is_moved),
		cmocka_unit_test(it_is_on_nvram_by_then),
		cmocka_unit_test(p8_room_is_set_aside_before_anything_is_staged),
		cmocka_unit_test(called_off_it_is_on_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
