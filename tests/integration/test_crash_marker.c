/* SPDX-License-Identifier: BSD-3-Clause */
/* diskless */
/*
 * The power goes at each operation of journal_set_marker() and journal_rescue(): each
 * fence, log write, flush, checkpoint.  What is left is one journal, with all of it:
 * on the medium that journal.conf names.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/crash_place.h"

#define ITS 12u

struct its {
	uint64_t id, seed;
	bool retired, lost;
};

/* a journal with some of each path, the second medium beside it */
struct move {
	struct place *p;
	struct crash_world other;
	const char *uri; /* of the second medium */
	struct its its[ITS];
};

static void move_make(struct move *m, bool to_file)
{
	const struct crash_plan plan = { .checkpointed = !to_file };
	static const enum journal_path nvram[] = { JOURNAL_PATH_STAGED, JOURNAL_PATH_DIRECT,
						   JOURNAL_PATH_SYNCED };
	uint32_t i;

	memset(m, 0, sizeof(*m));
	m->p = place_make(&plan);
	crash_world_make(&m->other);
	m->other.checkpointed = to_file;
	m->other.main = &m->p->world;
	m->p->world.other = &m->other;
	m->uri = to_file ? "file:/elsewhere" : "sim:/elsewhere";
	m->p->world.other_scheme = to_file ? "file:" : "sim:";
	for (i = 0; i < ITS; i++) {
		m->its[i].seed = 100 + i;
		assert_int_equal(place_put(m->p, to_file ? nvram[i % 3] : JOURNAL_PATH_AUTO,
					   100 + i, &m->its[i].id), 0);
	}
	for (i = 0; i < ITS; i += 4) {
		assert_int_equal(journal_retire(m->p->j, m->its[i].id), 0);
		m->its[i].retired = true;
	}
}

static void move_free(struct move *m)
{
	m->p->world.other = NULL;
	place_remove(m->p);
	crash_world_free(&m->other);
}

static void move_cut(struct move *m, enum crash_how how, uint64_t seed)
{
	crash_world_cut(&m->p->world, how, seed);
	if (m->other.marker.now)
		crash_world_cut(&m->other, how, seed + 1);
}

static bool move_is_done(const struct move *m)
{
	char path[PATH_MAX + 16], text[4096] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/journal.conf", m->p->look.path[0]);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	return strstr(text, m->uri);
}

static int move_set(struct move *m)
{
	struct journal_marker_options options = { .marker = m->uri, .marker_bytes = 1 << 20 };
	char message[512];

	return journal_set_marker(m->p->look.path[0], &options, message, sizeof(message));
}

/* What the whole journal says, exactly; then that it goes on. */
static void move_verify(struct move *m)
{
	uint8_t payload[PLACE_BYTES], got[PLACE_BYTES];
	uint32_t i, live = 0;
	uint64_t id;
	size_t bytes;

	for (i = 0; i < ITS; i++) {
		live += !m->its[i].retired;
		if (m->its[i].retired) {
			assert_int_equal(place_state(m->p, m->its[i].id), 0);
			continue;
		}
		oracle_payload(m->its[i].seed, payload, PLACE_BYTES);
		assert_int_equal(journal_read(m->p->j, m->its[i].id, got, sizeof(got), &bytes), 0);
		assert_int_equal(bytes, PLACE_BYTES);
		assert_memory_equal(got, payload, PLACE_BYTES);
	}
	assert_int_equal(place_live(m->p), live);
	assert_int_equal(place_lost_unnamed(m->p), 0);
	assert_int_equal(place_put(m->p, JOURNAL_PATH_AUTO, 99, &id), 0);
	for (i = 0; i < ITS; i++)
		assert_int_not_equal(id, m->its[i].id);
	assert_int_equal(journal_retire(m->p->j, id), 0);
	assert_int_equal(journal_retire(m->p->j, m->its[1].id), 0);
	m->its[1].retired = true;
}

static void move_verify_again(struct move *m)
{
	assert_int_equal(place_open(m->p), 0);
	move_verify(m);
	place_crash(m->p);
	m->its[1].retired = true;
	assert_int_equal(place_open(m->p), 0);
	assert_int_equal(place_state(m->p, m->its[1].id), 0);
	assert_int_equal(place_state(m->p, m->its[2].id), JOURNAL_LIVE);
}

/* Return: whether the call ended before its operation @at */
static bool move_cut_at(bool to_file, uint64_t at, enum crash_how how, uint64_t *moved)
{
	struct move m;
	bool done;
	int error;

	move_make(&m, to_file);
	place_close(m.p);
	m.p->world.die_at = m.p->world.operations + at;
	error = move_set(&m);
	done = !m.p->world.dead;
	m.p->world.die_at = 0;
	if (done)
		assert_int_equal(error, 0);
	*moved += move_is_done(&m);
	/* what it has told to be durable is that */
	move_cut(&m, done ? CRASH_DROP : how, at);
	move_verify_again(&m);
	/* and whatever the attempt has left, the next one succeeds */
	if (!move_is_done(&m)) {
		assert_int_equal(journal_close(m.p->j), 0);
		m.p->j = NULL;
		assert_int_equal(move_set(&m), 0);
		move_cut(&m, CRASH_DROP, 0);
		assert_true(move_is_done(&m));
		assert_int_equal(place_open(m.p), 0);
		assert_int_equal(place_state(m.p, m.its[2].id), JOURNAL_LIVE);
	}
	move_free(&m);
	return done;
}

static void move_at_each(bool to_file)
{
	static const enum crash_how how[] = { CRASH_DROP, CRASH_KEEP, CRASH_MIXED, CRASH_KILL };
	uint64_t at = 0, moved = 0;

	do
		at++;
	while (!move_cut_at(to_file, at, how[at % 4], &moved));
	printf("%llu operations\n", (unsigned long long)at);
	/* both before journal.conf and after it */
	assert_in_range(moved, 1, at - 1);
}

static void p14_power_goes_while_it_moves_to_a_file(void **state)
{
	(void)state;
	move_at_each(true);
}

static void p14_power_goes_while_it_moves_to_nvram(void **state)
{
	(void)state;
	move_at_each(false);
}

/* ---- rescue ----------------------------------------------------------------------- */

static void rescue_count(void *context, const struct journal_entry *entry,
			 enum journal_doubt doubt)
{
	(void)entry;
	((uint32_t *)context)[doubt]++;
}

static int move_rescue(struct move *m, uint32_t counts[4])
{
	struct journal_marker_options options = { .marker = m->uri, .context = counts,
						  .undecided = rescue_count };
	char message[512];

	return journal_rescue(m->p->look.path[0], &options, message, sizeof(message));
}

/* NVRAM is gone: as if another one were there, all ones */
static void move_lose_nvram(struct move *m)
{
	memset(m->p->world.marker.now, 0xff, m->p->world.marker.bytes);
	memset(m->p->world.marker.durable, 0xff, m->p->world.marker.bytes);
}

static bool rescue_cut_at(uint64_t at, enum crash_how how)
{
	uint32_t counts[4] = { 0 }, i;
	struct move m;
	bool done;

	move_make(&m, true);
	place_close(m.p);
	move_lose_nvram(&m);
	assert_int_not_equal(place_open(m.p), 0);
	(void)journal_close(m.p->j);
	m.p->j = NULL;
	m.p->world.die_at = m.p->world.operations + at;
	(void)move_rescue(&m, counts);
	done = !m.p->world.dead;
	m.p->world.die_at = 0;
	move_cut(&m, done ? CRASH_DROP : how, at);
	if (!move_is_done(&m)) {
		memset(counts, 0, sizeof(counts));
		assert_int_equal(move_rescue(&m, counts), 0);
		move_cut(&m, CRASH_DROP, 0);
	}
	assert_int_equal(place_open(m.p), 0);
	/* what the log certifies is there, and what may have been committed */
	assert_int_equal(counts[JOURNAL_DOUBT_LOST], 0);
	for (i = 0; i < ITS; i++)
		if (i % 3)
			assert_int_equal(place_state(m.p, m.its[i].id), JOURNAL_LIVE);
		else
			assert_int_equal(place_state(m.p, m.its[i].id), 0); /* staged only */
	assert_int_equal(counts[JOURNAL_DOUBT_COMMITTED], ITS / 3);
	assert_int_equal(counts[JOURNAL_DOUBT_RETIRED], ITS / 3);
	move_free(&m);
	return done;
}

static void p14_power_goes_while_it_is_rescued(void **state)
{
	static const enum crash_how how[] = { CRASH_DROP, CRASH_KEEP, CRASH_MIXED, CRASH_KILL };
	uint64_t at = 0;

	(void)state;
	do
		at++;
	while (!rescue_cut_at(at, how[at % 4]));
	printf("%llu operations\n", (unsigned long long)at);
}

/* P4: an id that was acknowledged, and lost with the stage, is not issued again */
static void p4_a_rescued_journal_issues_no_id_twice(void **state)
{
	uint32_t counts[4] = { 0 }, i, k;
	struct move m;
	uint64_t id;

	(void)state;
	move_make(&m, true);
	for (k = 0; k < 20; k++) {
		place_close(m.p);
		assert_int_equal(place_open(m.p), 0);
	}
	/* lines of this incarnation, and nothing of them in the log */
	for (k = 0; k < 1100; k++) {
		assert_int_equal(place_put(m.p, JOURNAL_PATH_STAGED, 50, &id), 0);
		assert_int_equal(journal_retire(m.p->j, id), 0);
	}
	assert_int_equal(place_put(m.p, JOURNAL_PATH_STAGED, 50, &id), 0);
	m.its[0].id = id;
	place_crash(m.p);
	move_lose_nvram(&m);
	assert_int_equal(move_rescue(&m, counts), 0);
	assert_int_equal(place_open(m.p), 0);
	assert_int_equal(place_state(m.p, m.its[0].id), 0);
	for (i = 0; i < ITS; i++) {
		assert_int_equal(place_put(m.p, JOURNAL_PATH_AUTO, 60 + i, &id), 0);
		assert_true(id > m.its[0].id);
	}
	move_free(&m);
}

/* NVRAM that comes back is nobody's any more: it resurrects nothing */
static void p14_nvram_that_returns_is_not_merged(void **state)
{
	struct move m;

	(void)state;
	move_make(&m, true);
	place_close(m.p);
	/* the move ends before the medium before is overwritten: as if it had been gone */
	assert_int_equal(move_set(&m), 0);
	assert_int_equal(place_open(m.p), 0);
	move_verify(&m);
	place_crash(m.p);
	assert_int_equal(place_open(m.p), 0);
	assert_int_equal(place_state(m.p, m.its[1].id), 0);
	assert_int_equal(place_state(m.p, m.its[0].id), 0);
	move_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_power_goes_while_it_moves_to_a_file),
		cmocka_unit_test(p14_power_goes_while_it_moves_to_nvram),
		cmocka_unit_test(p14_power_goes_while_it_is_rescued),
		cmocka_unit_test(p4_a_rescued_journal_issues_no_id_twice),
		cmocka_unit_test(p14_nvram_that_returns_is_not_merged),
	};

	return cmocka_run_group_tests_name("test_crash_marker", tests, NULL, NULL);
}
