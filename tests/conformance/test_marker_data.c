/* SPDX-License-Identifier: BSD-3-Clause */
/* The contract of a marker store: storing, and failing.
 * Every backend passes all of it unmodified. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "marker_fixture.h"
#include "util/math.h"

#define THREADS 4u

/* ---- storing -------------------------------------------------------------------- */

static void words_come_back(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	for (uint64_t i = 0; i < FIXTURE_BYTES / 8; i += 65)
		nv_store8(f->store, fixture_word(f, i), i);
	nv_and8(f->store, fixture_word(f, 1), ~5ull);
	nv_and8(f->store, fixture_word(f, 1), ~2ull);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	for (uint64_t i = 0; i < FIXTURE_BYTES / 8; i++)
		if (i != 1)
			assert_int_equal(*fixture_word(f, i), i % 65 ? UINT64_MAX : i);
	assert_int_equal(*fixture_word(f, 1), ~7ull);
}

/* A plain store counts from its nv_flush() on. */
static void flushed_ranges_come_back(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	memset(f->store->map + 1000, 0x11, 5000);
	nv_flush(f->store, f->store->map + 1000, 5000);
	memset(f->store->map + FIXTURE_BYTES - 3, 0x22, 3);
	nv_flush(f->store, f->store->map + FIXTURE_BYTES - 3, 3);
	nv_flush(f->store, f->store->map + FIXTURE_BYTES, 0);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	for (uint64_t i = 0; i < FIXTURE_BYTES; i++) {
		bool first = i >= 1000 && i < 6000;
		bool last = i >= FIXTURE_BYTES - 3;

		assert_int_equal(f->store->map[i], first ? 0x11 : last ? 0x22 : 0xff);
	}
}

static void copies_come_back(void **state)
{
	static const size_t lengths[] = { 8,   16,  56,   64,   72,   128,
					  200, 512, 1024, 4096, 4104, 8192 };
	struct fixture *f = &fixture;
	uint8_t source[8192 + 16];
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 131 + i / 256);
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	/* every length, at line starts and off them, from unaligned sources */
	for (size_t i = 0; i < 2 * ARRAY_COUNT(lengths); i++) {
		nv_copy(f->store, f->store->map + at, source + i % 9, lengths[i / 2]);
		at += lengths[i / 2] + (i % 2 ? 8 : 64);
	}
	assert_true(at < FIXTURE_BYTES);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	at = 0;
	for (size_t i = 0; i < 2 * ARRAY_COUNT(lengths); i++) {
		size_t gap = i % 2 ? 8 : 64;

		assert_memory_equal(f->store->map + at, source + i % 9, lengths[i / 2]);
		at += lengths[i / 2];
		for (size_t k = 0; k < gap; k++)
			assert_int_equal(f->store->map[at + k], 0xff);
		at += gap;
	}
}

/* What was not fenced is old or new, word by word, and nothing else. */
static void unfenced_is_old_or_new(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	for (uint64_t i = 0; i < 64; i++)
		nv_store8(f->store, fixture_word(f, i), 1000 + i);
	assert_int_equal(fixture_settle(f), 0);
	for (uint64_t i = 0; i < 64; i++)
		nv_store8(f->store, fixture_word(f, i), 2000 + i);
	fixture_reopen(f, 0);
	for (uint64_t i = 0; i < 64; i++)
		assert_true(*fixture_word(f, i) == 1000 + i || *fixture_word(f, i) == 2000 + i);
	assert_int_equal(*fixture_word(f, 64), UINT64_MAX);
}

static void settle_and_be_killed(struct fixture *f)
{
	for (uint64_t i = 0; i < 64; i++)
		nv_store8(f->store, fixture_word(f, i * 16), i);
	if (fixture_settle(f))
		_exit(1);
	(void)raise(SIGKILL);
}

/* All classes hold over the death of the process. */
static void settled_survives_kill(void **state)
{
	struct fixture *f = &fixture;
	int status;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	status = fixture_in_child(settle_and_be_killed, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fixture_reopen(f, 0);
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(*fixture_word(f, i * 16), i);
}

struct worker {
	struct fixture *f;
	uint64_t number;
};

/* Each has lines of its own, and all clear bits of one common word. */
static void *work(void *argument)
{
	struct worker *w = argument;
	struct fixture *f = w->f;
	int error = 0;

	for (uint64_t i = 0; !error && i < 16; i++) {
		uint64_t *own = fixture_word(f, 512 * (w->number + 1) + 8 * i);
		uint64_t line[8];

		for (unsigned int k = 0; k < 8; k++)
			line[k] = w->number << 32 | i;
		nv_copy(f->store, own, line, sizeof(line));
		nv_and8(f->store, fixture_word(f, 0), ~(1ull << (w->number * 16 + i)));
		error = nv_fence(f->store);
	}
	return (void *)(intptr_t)error;
}

static void threads(void **state)
{
	struct fixture *f = &fixture;
	pthread_t thread[THREADS];
	struct worker worker[THREADS];

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	for (unsigned int i = 0; i < THREADS; i++) {
		worker[i] = (struct worker){ f, i };
		assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		void *error;

		assert_int_equal(pthread_join(thread[i], &error), 0);
		assert_null(error);
	}
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	assert_int_equal(*fixture_word(f, 0), 0);
	for (uint64_t n = 0; n < THREADS; n++)
		for (uint64_t i = 0; i < 128; i++)
			assert_int_equal(*fixture_word(f, 512 * (n + 1) + i), n << 32 | i / 8);
}

/* ---- failing ---------------------------------------------------------------------- */

static void failure_sticks(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	marker_store_fail(f->store, -EIO);
	marker_store_fail(f->store, -ENOSPC);
	nv_store8(f->store, fixture_word(f, 0), 1);
	assert_int_equal(nv_fence(f->store), -EIO);
	assert_int_equal(nv_fence(f->store), -EIO);
	assert_int_equal(fixture_settle(f), -EIO);
	if (!f->backend->byte_persistent)
		assert_int_equal(marker_store_checkpoint(f->store, 4096, 1), -EIO);
}

static void store_outside(struct fixture *f)
{
	nv_store8(f->store, fixture_word(f, FIXTURE_BYTES / 8), 1);
}

static void store_unaligned(struct fixture *f)
{
	nv_store8(f->store, (uint64_t *)(void *)(f->store->map + 4), 1);
}

static void copy_over_the_end(struct fixture *f)
{
	static const uint8_t source[128];

	nv_copy(f->store, f->store->map + FIXTURE_BYTES - 64, source, sizeof(source));
}

static void flush_before_the_start(struct fixture *f)
{
	nv_flush(f->store, f->store->map - 64, 64);
}

static void checkpoint_too_much(struct fixture *f)
{
	/* of a store that is not of that kind: any at all */
	(void)marker_store_checkpoint(f->store, FIXTURE_BYTES + 4096, 1);
}

static void misuse_is_asserted(void **state)
{
	static void (*const bodies[])(struct fixture *f) = {
		store_outside, store_unaligned, copy_over_the_end, flush_before_the_start,
		checkpoint_too_much,
	};
	struct fixture *f = &fixture;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		int status = fixture_in_child(bodies[i], f);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("misuse %u: status %x", (unsigned int)i, (unsigned int)status);
	}
}

int main(void)
{
	static const struct fixture_test tests[] = {
		{ "words_come_back", words_come_back },
		{ "flushed_ranges_come_back", flushed_ranges_come_back },
		{ "copies_come_back", copies_come_back },
		{ "unfenced_is_old_or_new", unfenced_is_old_or_new },
		{ "settled_survives_kill", settled_survives_kill },
		{ "threads", threads },
		{ "failure_sticks", failure_sticks },
		{ "misuse_is_asserted", misuse_is_asserted },
	};

	return fixture_run(tests, ARRAY_COUNT(tests));
}
