/* SPDX-License-Identifier: BSD-3-Clause */
/* The head of a leg of a mirrored log, and what two of them say together. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "format/leg.h"
#include "format/super.h"

#define MEDIUM (LEG_HEAD_BYTES + 65536u)

static struct leg_meta some(uint32_t leg, uint64_t events, uint32_t good)
{
	return (struct leg_meta){ .uuid = { 1, 2, 3 }, .pair = 77, .bytes = 65536,
				  .events = events, .left_ns = 5, .leg = leg, .good = good };
}

static void what_is_written_is_read(void **state)
{
	struct leg_meta meta = some(1, 9, 2), back = { .leg = 7 };
	struct leg_super super;
	const char *why;

	(void)state;
	leg_super_encode(&meta, &super);
	assert_int_equal(leg_super_decode(&super, MEDIUM, false, &back, &why), 0);
	assert_memory_equal(back.uuid, meta.uuid, sizeof(meta.uuid));
	assert_true(back.pair == 77 && back.bytes == 65536 && back.events == 9 &&
		    back.left_ns == 5 && back.leg == 1 && back.good == 2);
	/* it may be shorter by now than it was formatted, but not without a log */
	assert_int_equal(leg_super_decode(&super, MEDIUM - 1, false, &back, &why), 0);
	assert_int_equal(leg_super_decode(&super, LEG_HEAD_BYTES, false, &back, &why), -EUCLEAN);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct leg_meta meta = some(0, 1, 3);
	struct leg_super super;
	uint8_t *bytes = (uint8_t *)&super;
	const char *why;
	size_t bit;

	(void)state;
	leg_super_encode(&meta, &super);
	for (bit = 0; bit < sizeof(super) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(leg_super_decode(&super, MEDIUM, true, &meta, &why), 0);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* @super says something else, and is whole */
static int changed(struct leg_super super)
{
	struct leg_meta meta;
	const char *why;

	super.crc = put_le32(super_crc(&super, offsetof(struct leg_super, crc)));
	return leg_super_decode(&super, MEDIUM, false, &meta, &why);
}

static void nonsense_is_refused(void **state)
{
	struct leg_meta meta = some(0, 1, 3);
	struct leg_super super, other;

	(void)state;
	leg_super_encode(&meta, &super);
	assert_int_equal(changed(super), 0);
	other = super;
	other.leg = put_le32(2);
	assert_int_equal(changed(other), -EUCLEAN);
	other = super;
	other.good = 0;
	assert_int_equal(changed(other), -EUCLEAN);
	other.good = put_le32(4);
	assert_int_equal(changed(other), -EUCLEAN);
	other = super;
	other.bytes = put_le64(100);
	assert_int_equal(changed(other), -EUCLEAN);
	other.bytes = put_le64(UINT64_MAX & ~4095ull);
	assert_int_equal(changed(other), -EUCLEAN);
	other.bytes = 0;
	assert_int_equal(changed(other), -EUCLEAN);
	other = super;
	other.incompat = put_le64(1);
	assert_int_equal(changed(other), -EPROTO);
	other = super;
	other.version = put_le32(1);
	assert_int_equal(changed(other), -EPROTO);
	memcpy(other.magic, "LJLOG\0\0\0", 8);
	assert_int_equal(changed(other), -ENODATA);
}

/* A change was cut off between the two copies. */
static void the_copy_with_more_events_counts(void **state)
{
	struct leg_meta meta = some(0, 4, 3);
	struct leg_super super[LEG_SUPERS];
	const char *why;
	unsigned int newer;

	(void)state;
	for (newer = 0; newer < LEG_SUPERS; newer++) {
		meta = some(0, 4, 3);
		leg_super_encode(&meta, &super[!newer]);
		meta = some(0, 5, 1);
		leg_super_encode(&meta, &super[newer]);
		assert_int_equal(leg_supers_decode(super, MEDIUM, false, &meta, &why), 0);
		assert_int_equal(meta.good, 1);
		super[newer].pair ^= 1;
		assert_int_equal(leg_supers_decode(super, MEDIUM, false, &meta, &why), 0);
		assert_int_equal(meta.good, 3);
		super[!newer].pair ^= 1;
		assert_int_equal(leg_supers_decode(super, MEDIUM, false, &meta, &why), -EUCLEAN);
		memset(&super[newer], 0, sizeof(super[newer]));
		assert_int_equal(leg_supers_decode(super, MEDIUM, false, &meta, &why), -EUCLEAN);
		memset(&super[!newer], 0, sizeof(super[!newer]));
		assert_int_equal(leg_supers_decode(super, MEDIUM, false, &meta, &why), -ENODATA);
	}
	/* not the one that counts until then is written first */
	assert_int_not_equal(leg_super_offset(4), leg_super_offset(5));
	assert_int_equal(leg_super_offset(7) % LEG_SUPER_BYTES, 0);
}

/* What a newer library has written, whole, is not. */
static void a_damaged_copy_is_told(void **state)
{
	struct leg_meta meta = some(0, 4, 3);
	struct leg_super super[LEG_SUPERS];
	unsigned int i;

	(void)state;
	for (i = 0; i < LEG_SUPERS; i++) {
		leg_super_encode(&meta, &super[0]);
		leg_super_encode(&meta, &super[1]);
		assert_int_equal(leg_supers_bad(super), 0);
		super[i].incompat = put_le64(1ull << 63);
		assert_int_equal(leg_supers_bad(super), 1u << i);
		super[i].crc = put_le32(super_crc(&super[i], offsetof(struct leg_super, crc)));
		assert_int_equal(leg_supers_bad(super), 0);
		super[i].version = put_le32(7);
		assert_int_equal(leg_supers_bad(super), 1u << i);
		memset(&super[i], 0, sizeof(super[i]));
		assert_int_equal(leg_supers_bad(super), 1u << i);
		memset(&super[!i], 0, sizeof(super[!i]));
		assert_int_equal(leg_supers_bad(super), 3);
	}
}

static uint32_t judged(uint32_t first, uint32_t second)
{
	const struct leg_meta meta[LEGS] = { some(0, 1, first), some(1, 1, second) };

	return legs_judge(meta);
}

static void which_leg_is_out_of_date(void **state)
{
	(void)state;
	assert_int_equal(judged(3, 3), 0);
	/* the first one went on alone, and the second one did not know, or did */
	assert_int_equal(judged(1, 3), 2);
	assert_int_equal(judged(1, 1), 2);
	assert_int_equal(judged(3, 2), 1);
	assert_int_equal(judged(2, 2), 1);
	/* it is being copied; the other one has been told that it is done, or not yet */
	assert_int_equal(judged(2, 3), 1);
	assert_int_equal(judged(3, 1), 2);
	/* each alone; or neither is whole */
	assert_int_equal(judged(1, 2), LEGS_ALL);
	assert_int_equal(judged(2, 1), LEGS_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_copy_with_more_events_counts),
		cmocka_unit_test(a_damaged_copy_is_told),
		cmocka_unit_test(which_leg_is_out_of_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
