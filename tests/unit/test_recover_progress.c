/* SPDX-License-Identifier: BSD-3-Clause */
/* Who opens first, checks or rescues is told how far recovery is: journal_open_options. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "image.h"

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, image_drop)

struct told {
	pthread_t thread; /* the one that calls the library */
	uint64_t done, total; /* last */
	uint32_t calls, between, falls;
	_Atomic uint32_t elsewhere; /* calls in other threads */
};

static void tell(void *context, uint64_t done, uint64_t total)
{
	struct told *told = context;

	if (!pthread_equal(told->thread, pthread_self())) {
		told->elsewhere++;
		return;
	}
	assert_true(done <= total);
	assert_true(done >= told->done);
	assert_true(!told->calls || total <= told->total);
	told->falls += told->calls && total < told->total;
	told->between += done && done < total;
	told->calls++;
	told->done = done;
	told->total = total;
}

static struct journal_open_options with(struct told *told, uint32_t threads)
{
	*told = (struct told){ .thread = pthread_self() };
	return (struct journal_open_options){
		.recover_threads = threads, .progress = { .report = tell, .context = told },
	};
}

/* all of it, and on the way there */
static void was_told(const struct told *told)
{
	assert_int_equal(told->elsewhere, 0);
	assert_true(told->calls > 1);
	assert_true(told->between > 0);
	assert_int_equal(told->falls, 1);
	assert_int_equal(told->done, told->total);
	/* it has free segments, and those that are not */
	assert_true(told->total >= image_geometry.segment_bytes);
	assert_true(told->total < IMAGE_LOG_BYTES);
}

static int filled(int error)
{
	if (!error)
		image_in_a_process(image_fill_segments);
	return error;
}

/* sealed segments are read for what is live */
static int nvram(void **state)
{
	return filled(image_synced_bits(state));
}

/* and these whole */
static int file(void **state)
{
	return filled(image_synced(state));
}

static void opens(uint32_t threads)
{
	struct told told;
	struct journal_open_options options = with(&told, threads);

	assert_int_equal(journal_open(image_dir, &options, &image_journal), 0);
	was_told(&told);
}

static void the_first_is_told(void **state)
{
	(void)state;
	opens(1);
}

static void whoever_reads_one_thread_is_told(void **state)
{
	(void)state;
	opens(8);
}

static void who_joins_is_told_nothing(void **state)
{
	struct told told;
	struct journal_open_options options = with(&told, 0);
	struct journal *joined;

	(void)state;
	opens(0);
	assert_int_equal(journal_open(image_dir, &options, &joined), 0);
	assert_int_equal(journal_close(joined), 0);
	assert_int_equal(told.calls, 0);
}

static void check_is_told(void **state)
{
	struct told told;
	struct journal_open_options options = with(&told, 0);

	(void)state;
	assert_int_equal(journal_check(image_dir, &options, NULL, NULL, NULL, 0), 0);
	was_told(&told);
}

static void rescue_is_told(void **state)
{
	struct journal_marker_options options = { .dry_run = 1 };
	struct told told;
	char path[200], message[256];

	(void)state;
	options.progress = with(&told, 0).progress;
	/* also who is refused, after a look at all of it */
	assert_int_equal(journal_rescue(image_dir, &options, message, sizeof(message)), -EALREADY);
	was_told(&told);
	snprintf(path, sizeof(path), "%s/../markers", image_dir);
	assert_int_equal(unlink(path), 0);
	options.progress = with(&told, 0).progress;
	if (journal_rescue(image_dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	was_told(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_is_told, nvram),
		TEST(the_first_is_told, file),
		TEST(whoever_reads_one_thread_is_told, nvram),
		TEST(whoever_reads_one_thread_is_told, file),
		TEST(who_joins_is_told_nothing, file),
		TEST(check_is_told, nvram),
		TEST(rescue_is_told, nvram),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
