/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of a sealed segment says where its records are.  Damaged, it is not believed: the
 * segment is read whole.  And where it verifies, and is wrong, what it names and does not have
 * is lost by its id, and nothing else stands in for it.  Where there is no table the bits tell.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crash_clean.h"
#include "crash_place.h"
#include "format/summary.h"
#include "txn/segment.h"
#include "util/crc32c.h"

#define COUNT 4u

struct sealed {
	struct place *p;
	uint64_t ids[COUNT];
	uint32_t number, seed;
	struct summary_head *head; /* in the segment */
	uint8_t *table;
};

/* the next digest of that segment on @map from @at on */
static struct summary_head *digest_from(struct crash_map *map, uint64_t at, uint32_t number)
{
	struct summary_head *head;

	for (; at < map->bytes; at += 64) {
		head = (struct summary_head *)(void *)(map->durable + at);
		if (get_le32(head->magic) == SUMMARY_MAGIC && get_le32(head->segment) == number &&
		    get_le16(head->sealed) && get_le32(head->entries) == COUNT)
			return head;
	}
	return NULL;
}

static void make(struct sealed *s)
{
	struct place *p = place_make(NULL);
	uint64_t base;
	uint32_t i;

	*s = (struct sealed){ .p = p };
	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, i, &s->ids[i]), 0);
	s->number = where_segment(p->j->slots[s->ids[0] & 511].where);
	s->seed = p->j->segments.all[s->number].seed;
	base = segment_base(p->j, s->number);
	assert_int_equal(crash_leave(p->j, HEAD_STREAM), 0);
	place_crash(p);
	s->head = digest_from(&p->world.log, base, s->number);
	assert_non_null(s->head);
	s->table = p->world.log.durable + base + get_le32(s->head->table_offset);
}

/* what is seen is what is durable */
static void show(struct crash_map *map)
{
	memcpy(map->now, map->durable, map->bytes);
}

static void all_live(const struct sealed *s)
{
	uint32_t i;

	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_state(s->p, s->ids[i]), JOURNAL_LIVE);
}

static void p10_a_damaged_table_is_not_believed(void **state)
{
	struct sealed s;
	uint32_t i;

	(void)state;
	make(&s);
	for (i = 0; i < summary_table_bytes(s.head); i++) {
		place_spoil(&s.p->world.log, s.table + i);
		assert_int_equal(place_check(s.p), -EUCLEAN);
		assert_int_equal(place_open(s.p), 0);
		all_live(&s);
		place_crash(s.p);
		place_spoil(&s.p->world.log, s.table + i); /* good again */
	}
	assert_int_equal(place_check(s.p), 0);
	place_remove(s.p);
}

/* The first entry says where the second is; all copies of the digest vouch for it. */
static void vouch(struct sealed *s)
{
	struct crash_map *maps[] = { &s->p->world.log, &s->p->world.marker };
	struct summary_entry *table = (struct summary_entry *)(void *)s->table;
	struct summary_head *head;
	uint32_t crc, i, copies = 0;

	table[0] = table[1];
	crc = crc32c(s->seed, table, summary_table_bytes(s->head));
	for (i = 0; i < 2; i++) {
		for (head = digest_from(maps[i], 0, s->number); head;
		     head = digest_from(maps[i], (uint64_t)((uint8_t *)head - maps[i]->durable) +
					64, s->number)) {
			head->table_crc = put_le32(crc);
			summary_seal(head, s->p->j->geometry.nonce);
			copies++;
		}
		show(maps[i]);
	}
	assert_int_equal(copies, 2);
}

static void p10_nothing_stands_in_for_another(void **state)
{
	struct sealed s;
	uint32_t i, lost = 0;

	(void)state;
	make(&s);
	assert_int_equal(place_open(s.p), 0);
	vouch(&s);
	place_crash(s.p);
	assert_int_equal(place_check(s.p), -EUCLEAN);
	assert_int_equal(place_open(s.p), 0);
	for (i = 0; i < COUNT; i++)
		lost += place_state(s.p, s.ids[i]) == JOURNAL_LOST;
	/* that of the first; and two that name one place are as a group, lost together */
	assert_true(lost && place_state(s.p, s.ids[0]) == JOURNAL_LOST);
	assert_int_equal(place_live(s.p), COUNT); /* all are named */
	assert_int_equal(place_lost_unnamed(s.p), 0);
	place_remove(s.p);
}

/* Of an extent in a segment that is open nothing tells but its bit. */
static void p9_a_bit_without_its_record(void **state)
{
	struct place *p = place_make(NULL);
	uint64_t ids[3];
	uint8_t *payload;
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, i, &ids[i]), 0);
	place_crash(p);
	payload = place_find(&p->world.log, 1);
	memset(payload - LOG_RECORD_BYTES, 0, LOG_RECORD_BYTES + PLACE_BYTES);
	show(&p->world.log);
	assert_int_equal(place_check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(place_state(p, ids[i]), i == 1 ? JOURNAL_LOST : JOURNAL_LIVE);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p10_a_damaged_table_is_not_believed),
		cmocka_unit_test(p10_nothing_stands_in_for_another),
		cmocka_unit_test(p9_a_bit_without_its_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
