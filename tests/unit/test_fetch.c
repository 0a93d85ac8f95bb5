/* SPDX-License-Identifier: BSD-3-Clause */
/* tools/fetch.h: whatever the order in which reads complete, this one is kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/fetch.h"
#include "lib/bed.h"

#define ALL   120u
#define ASKED 600u

static const uint64_t sizes[] = { 0, 1, 100, 3000, 20000, 100000, 1500000 };

static uint64_t size_of(uint32_t i)
{
	return sizes[i * 7 % 11 % 7];
}

static enum journal_path path_of(const struct bed *bed, uint32_t i)
{
	return bed_has_nvram(bed) && i % 3 ? JOURNAL_PATH_AUTO : JOURNAL_PATH_SYNCED;
}

/* One of them is as it was put, or is not there if it is one of those that are retired. */
static void is_right(const struct fetched *fetched, uint64_t id, uint32_t i)
{
	uint8_t *wanted;

	assert_int_equal(fetched->entry.id, id);
	if (i % 10 == 9) {
		assert_int_equal(fetched->error, -ENOENT);
		assert_null(fetched->data);
		assert_non_null(strstr(fetched->text, "no such transaction"));
		return;
	}
	assert_int_equal(fetched->error, 0);
	assert_int_equal(fetched->bytes, size_of(i));
	wanted = bed_payload(size_of(i), i);
	if (size_of(i))
		assert_memory_equal(fetched->data, wanted, size_of(i));
	free(wanted);
}

static void in_the_order_asked_for(enum bed_medium medium)
{
	struct journal_receipt receipt[ALL];
	struct journal_entry entry = { 0 };
	uint32_t i, asked = 0, given = 0, deepest = 0;
	struct fetched fetched;
	struct fetch *fetch;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 64ull << 20, 0);
	model_make(&model);
	for (i = 0; i < ALL; i++)
		assert_int_equal(bed_put(&bed, &model, size_of(i), i, path_of(&bed, i),
					 &receipt[i]), 0);
	for (i = 9; i < ALL; i += 10)
		assert_int_equal(journal_retire(bed.j, receipt[i].id), 0);
	fetch = fetch_open(bed.j);
	assert_non_null(fetch);
	assert_false(fetch_next(fetch, &fetched));
	while (given < ASKED) {
		for (; asked < ASKED; asked++) {
			i = asked * 37 % ALL;
			entry.id = receipt[i].id;
			entry.bytes = size_of(i);
			if (!fetch_has_room(fetch, entry.bytes))
				break;
			fetch_ask(fetch, &entry);
		}
		deepest = asked - given > deepest ? asked - given : deepest;
		assert_true(fetch_next(fetch, &fetched));
		i = given++ * 37 % ALL;
		is_right(&fetched, receipt[i].id, i);
	}
	assert_false(fetch_next(fetch, &fetched));
	/* many at a time, and never more than said */
	assert_in_range(deepest, 8, FETCH_DEPTH);
	/* one that is larger than all the room, alone; and left with some under way */
	assert_true(fetch_has_room(fetch, FETCH_BYTES * 2));
	fetch_ask(fetch, &entry);
	assert_false(fetch_has_room(fetch, FETCH_BYTES + 1));
	fetch_close(fetch);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "in the order asked for", in_the_order_asked_for,
		  1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
