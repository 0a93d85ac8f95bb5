/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tools/words.h"

static void sizes_take_k_m_g_t(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "4096", 4096 }, { "1K", 1024 }, { "3m", 3u << 20 },
		{ "2G", UINT64_C(2) << 30 }, { "1T", UINT64_C(1) << 40 },
		{ "18446744073709551615", UINT64_MAX }, { "16777215T", UINT64_C(16777215) << 40 },
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(words_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const bad[] = { "", "K", "-1", "+1", " 1", "1 ", "1.5G", "1KB", "1PB",
					   "0x10", "1G1", "x" };
	static const char *const large[] = { "18446744073709551616", "16777216T",
					     "99999999999999999999999K", "1P", "9E", "1e" };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(words_size(bad[i], &bytes), -EINVAL);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(words_size(large[i], &bytes), -ERANGE);
}

static void classes_are_read_as_they_are_written(void **state)
{
	(void)state;
	for (enum journal_class c = JOURNAL_CLASS_PROCESS; c <= JOURNAL_CLASS_POWER; c++) {
		enum journal_class class = JOURNAL_CLASS_UNSET;

		assert_int_equal(words_class(words_class_name(c), &class), 0);
		assert_int_equal(class, c);
	}
	assert_int_equal(words_class("unset", &(enum journal_class){ 0 }), -EINVAL);
	assert_int_equal(words_class("POWER", &(enum journal_class){ 0 }), -EINVAL);
}

static void modes_are_octal(void **state)
{
	mode_t mode;

	(void)state;
	assert_int_equal(words_mode("0660", &mode), 0);
	assert_int_equal(mode, 0660);
	assert_int_equal(words_mode("640", &mode), 0);
	assert_int_equal(mode, 0640);
	assert_int_equal(words_mode("680", &mode), -EINVAL);
	assert_int_equal(words_mode("rw", &mode), -EINVAL);
	assert_int_equal(words_mode("", &mode), -EINVAL);
	assert_int_equal(words_mode("10000", &mode), -EINVAL);
}

static void groups_go_by_name_or_number(void **state)
{
	gid_t group;

	(void)state;
	assert_int_equal(words_group("root", &group), 0);
	assert_int_equal(group, 0);
	assert_int_equal(words_group("1234", &group), 0);
	assert_int_equal(group, 1234);
	assert_int_equal(words_group("no such group", &group), -ENOENT);
	assert_int_equal(words_group("12x", &group), -ENOENT);
	assert_int_equal(words_group("4294967295", &group), -ENOENT);
}

static void times_are_utc_with_nanoseconds(void **state)
{
	char text[WORDS_TIME_CHARS];

	(void)state;
	words_time(0, text);
	assert_string_equal(text, "-");
	words_time(UINT64_C(1700000000000000042), text);
	assert_string_equal(text, "2023-11-14T22:13:20.000000042Z");
	words_time(UINT64_MAX, text);
	assert_string_equal(text, "2554-07-21T23:34:33.709551615Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_take_k_m_g_t),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(classes_are_read_as_they_are_written),
		cmocka_unit_test(modes_are_octal),
		cmocka_unit_test(groups_go_by_name_or_number),
		cmocka_unit_test(times_are_utc_with_nanoseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
