/* SPDX-License-Identifier: BSD-3-Clause */
/* A text in shared memory: what is read is one of those that were set, whole (and under
 * ThreadSanitizer nobody races). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/shared_text.h"

#define TURNS 200000u

static void what_is_set_is_read(void **state)
{
	static struct shared_text shared;
	char text[SHARED_TEXT_BYTES], long_one[2 * SHARED_TEXT_BYTES];

	(void)state;
	memset(text, 'x', sizeof(text));
	shared_text_get(&shared, text);
	assert_string_equal(text, "");
	shared_text_set(&shared, "the battery is empty");
	shared_text_get(&shared, text);
	assert_string_equal(text, "the battery is empty");
	shared_text_set(&shared, "it is gone");
	shared_text_get(&shared, text);
	assert_string_equal(text, "it is gone");
	memset(long_one, 'y', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	shared_text_set(&shared, long_one);
	shared_text_get(&shared, text);
	assert_int_equal(strlen(text), SHARED_TEXT_BYTES - 1);
	assert_memory_equal(text, long_one, SHARED_TEXT_BYTES - 1);
}

/* Who set the half of it was killed: there is no text, until the next one. */
static void half_a_text_is_none(void **state)
{
	static struct shared_text shared;
	char text[SHARED_TEXT_BYTES];

	(void)state;
	shared_text_set(&shared, "the first reason");
	atomic_store(&shared.word[1], 0x6161616161616161ull);
	shared_text_get(&shared, text);
	assert_string_equal(text, "");
	shared_text_set(&shared, "the second reason");
	shared_text_get(&shared, text);
	assert_string_equal(text, "the second reason");
}

/* All bytes that are not zero are of one letter. */
struct letters {
	struct shared_text shared;
	_Atomic uint32_t running;
};

static void *sets(void *context)
{
	static _Atomic uint32_t next;
	struct letters *l = context;
	char text[SHARED_TEXT_BYTES];
	uint32_t i, letter = atomic_fetch_add(&next, 1);

	for (i = 0; i < TURNS; i++) {
		memset(text, 'a' + (int)((letter + i) % 26), sizeof(text) - 1);
		text[sizeof(text) - 1 - i % 100] = '\0';
		shared_text_set(&l->shared, text);
	}
	atomic_fetch_sub(&l->running, 1);
	return NULL;
}

static void what_is_read_is_whole(void **state)
{
	static struct letters l = { .running = 2 };
	uint64_t empty = 0, read = 0;
	char text[SHARED_TEXT_BYTES];
	pthread_t threads[2];
	size_t i, length;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sets, &l), 0);
	while (atomic_load(&l.running)) {
		shared_text_get(&l.shared, text);
		length = strlen(text);
		for (i = 1; i < length; i++)
			assert_int_equal(text[i], text[0]);
		empty += !length;
		read++;
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	print_message("# read %llu times, %llu times nothing\n", (unsigned long long)read,
		      (unsigned long long)empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_is_read),
		cmocka_unit_test(half_a_text_is_none),
		cmocka_unit_test(what_is_read_is_whole),
	};

	return cmocka_run_group_tests_name("test_shared_text", tests, NULL, NULL);
}
