/* SPDX-License-Identifier: BSD-3-Clause */
#include "turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/crowd.h"

#define BOUND_NS 20000000000ull

enum journal_trust turns_trust_of(struct bed *bed)
{
	struct journal_health health;

	assert_int_equal(journal_health(bed->j, &health), 0);
	return health.trust;
}

int turns_one_round(struct journal *j)
{
	/* as soon as it was looked at twice */
	const struct journal_maintain_options options = { .sound_for_ns = 1 };

	return journal_maintain(j, &options, NULL);
}

void turns_comes_back(struct bed *bed)
{
	uint64_t end = crowd_now_ns() + BOUND_NS;

	while (turns_trust_of(bed) != JOURNAL_TRUSTED) {
		assert_int_equal(turns_one_round(bed->j), 0);
		assert_true(crowd_now_ns() < end);
		crowd_sleep_us(100);
	}
}

void turns_goes_down(struct bed *bed)
{
	assert_int_equal(journal_distrust(bed->j, "a test"), 0);
	assert_int_equal(turns_trust_of(bed), JOURNAL_ABANDONED);
}

void turns_is_staged(struct bed *bed, struct model *model, uint64_t seed, bool staged)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(bed, model, 300, seed, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, staged ? JOURNAL_PATH_STAGED : JOURNAL_PATH_SYNCED);
}

static const enum journal_path paths[] = { JOURNAL_PATH_STAGED, JOURNAL_PATH_DIRECT,
					   JOURNAL_PATH_SYNCED };

void turns_put_each(struct bed *bed, struct model *model, uint64_t seed, uint64_t ids[3])
{
	struct journal_receipt receipt;
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(bed_put(bed, model, 3000, seed + i, paths[i], &receipt), 0);
		ids[i] = receipt.id;
	}
}

void turns_retire_it(struct bed *bed, struct model *model, uint64_t id)
{
	assert_int_equal(journal_retire(bed->j, id), 0);
	model_retire(model, id);
}
