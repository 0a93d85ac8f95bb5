/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A leg was opened anew, and one process has no memory to do so, too: what it has open is
 * the one from before, which is nothing by now.  What it writes there is on no leg, and is
 * not acknowledged; nor is the leg left by the others for that.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mirror_hooks.h"
#include "store/log_copies.h"

void *__real_calloc(size_t count, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_calloc(size_t count, size_t bytes);
char *__wrap_strdup(const char *text);

static bool no_calloc, no_strdup;

void *__wrap_calloc(size_t count, size_t bytes)
{
	return no_calloc ? NULL : __real_calloc(count, bytes);
}

char *__wrap_strdup(const char *text)
{
	return no_strdup ? NULL : __real_strdup(text);
}

/* who: it cannot open a leg, or not even note that it cannot */
static int put_without(struct mirror_place *p, bool calloc_too, uint64_t block, int content)
{
	int error;

	no_strdup = true;
	no_calloc = calloc_too;
	error = put_by(p, second, block, content);
	no_strdup = no_calloc = false;
	return error;
}

/* The second leg is to be another file, and what the second process has open of the
 * one before can be written. */
static void another_one(struct mirror_place *p, char path[PATH_MAX])
{
	assert_int_equal(renew(p), 0);
	assert_whole(p, 7, 7);
	assert_int_equal(put_by(p, second, 5, 50), 0);
	log_store_fail(mirror_of(p->store)->leg[1], -EIO);
	assert_int_equal(put_by(p, p->store, 5, 51), 0);
	assert_int_equal(mirror_place_good(p), 1);
	p->of.path[1] = mirror_of(p->store)->of.path[1] = scratch_path(&p->scratch, "second.new",
									path);
	opening = 0; /* what is opened next, the first one opens */
}

static void now_at(struct mirror_place *p, const char *path)
{
	(void)snprintf(p->path[1], sizeof(p->path[1]), "%s", path);
}

static void nothing_of_it_counts(struct mirror_place *p, bool calloc_too)
{
	char path[PATH_MAX];

	another_one(p, path);
	assert_int_equal(renew(p), 0);
	assert_int_equal(mirror_place_good(p), 3);
	now_at(p, path);
	/* on the first leg alone: not acknowledged */
	assert_int_equal(put_without(p, calloc_too, 5, 55), -ENOMEM);
	assert_int_equal(mirror_place_get_of(p, 1, 5), 51);
	assert_int_equal(mirror_place_good(p), LEGS_ALL);
	assert_int_equal(mirror_place_says(p, 0), LEGS_ALL);
}

static void a_good_one_stays_good(void **state)
{
	nothing_of_it_counts(*state, false);
}

static void also_without_a_store_that_fails(void **state)
{
	nothing_of_it_counts(*state, true);
}

/* nor what was to be there, where it cannot be opened at all */
static void one_that_cannot_be_opened_is_left(void **state)
{
	struct mirror_place *p = *state;
	char path[PATH_MAX];

	another_one(p, path);
	assert_int_equal(renew(p), 0);
	now_at(p, path);
	cannot_join = true;
	assert_int_equal(put_by(p, second, 5, 55), 0);
	assert_int_equal(mirror_place_get_of(p, 1, 5), 51);
	assert_int_equal(mirror_place_good(p), 1);
	assert_int_equal(mirror_place_says(p, 0), 1);
}

static void second_puts_without(struct mirror_place *p)
{
	assert_int_equal(put_without(p, false, 5, 55), -ENOMEM);
}

static void one_that_is_copied_goes_on(void **state)
{
	struct mirror_place *p = *state;
	char path[PATH_MAX];

	another_one(p, path);
	hook = (struct hook){ 0, 1, CALL_FLUSH, 1, second_puts_without };
	assert_int_equal(renew(p), 0);
	assert_null(hook.run);
	now_at(p, path);
	assert_int_equal(put_by(p, p->store, 5, 56), 0);
	assert_whole(p, 5, 56);
}

/* With memory again: what failed stays so, for that one, and for nobody else. */
static void the_next_time(void **state)
{
	struct mirror_place *p = *state;
	char path[PATH_MAX];

	another_one(p, path);
	assert_int_equal(renew(p), 0);
	now_at(p, path);
	assert_int_equal(put_without(p, false, 5, 55), -ENOMEM);
	assert_int_equal(put_by(p, second, 5, 56), -ENOMEM);
	assert_int_equal(put_by(p, p->store, 5, 56), 0);
	assert_whole(p, 5, 56);
}

/* Both are others by now; the first one is to say that it is alone. */
static void the_mark_is_not_written_to_the_one_from_before(void **state)
{
	struct mirror_place *p = *state;
	uint64_t unmarked;
	char path[PATH_MAX];

	another_one(p, path);
	assert_int_equal(renew(p), 0);
	now_at(p, path);
	/* the first leg was left, and a copier of it was killed in the end */
	unmarked = word_make(word_gen(mirror_word(mirror_of(p->store))) + 1, FILL_UNMARKED, 1, 1);
	share[0].legs.word = unmarked;
	no_strdup = true;
	log_copies_died(second, false);
	no_strdup = false;
	assert_int_equal(share[0].legs.word, unmarked);
	assert_int_equal(mirror_place_says(p, 1), LEGS_ALL);
	/* nor is anything copied from it */
	no_strdup = true;
	assert_int_equal(log_copies_renew(second, NULL, &p->message), -ENOMEM);
	no_strdup = false;
	assert_int_equal(share[0].legs.word, unmarked);
	log_copies_died(second, false);
	assert_int_equal(word_fill(share[0].legs.word), FILL_NONE);
	assert_int_equal(mirror_place_says(p, 1), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FILL_TEST(a_good_one_stays_good),
		FILL_TEST(also_without_a_store_that_fails),
		FILL_TEST(one_that_cannot_be_opened_is_left),
		FILL_TEST(one_that_is_copied_goes_on),
		FILL_TEST(the_next_time),
		FILL_TEST(the_mark_is_not_written_to_the_one_from_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
