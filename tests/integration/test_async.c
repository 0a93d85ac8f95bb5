/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commits that nobody waits for: each comes back once, what came back with 0 is there
 * after the next open, also when the process was killed with thousands under way.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/fault.h"

#define LOG_BYTES (48ull << 20)

static uint64_t size_of(uint64_t i)
{
	static const uint64_t sizes[] = { 0, 1, 100, 4000, 4096, 9000, 16000, 16300, 30000 };

	return i % 700 == 699 ? 1300000 + i : i % 50 == 49 ? 70000 : sizes[i % 9];
}

static struct journal_async *async_of(struct bed *bed, unsigned int depth)
{
	struct journal_async *async;

	assert_int_equal(journal_async_open(bed->j, depth, &async), 0);
	return async;
}

static struct journal_txn *txn_of(struct journal *j, uint64_t bytes, uint64_t seed)
{
	struct journal_txn *txn;
	uint8_t *payload = bed_payload(bytes, seed);

	assert_int_equal(journal_begin(j, NULL, &txn), 0);
	if (bytes)
		assert_int_equal(journal_append(txn, payload, bytes), 0);
	free(payload);
	return txn;
}

/* Return: as journal_async_next() */
static int take(struct journal_async *async, struct model *model, int timeout_ms)
{
	struct journal_completion done;
	int error = journal_async_next(async, timeout_ms, &done);

	if (error)
		return error;
	assert_int_equal(done.error, 0);
	assert_int_equal(done.receipt.count, 1);
	assert_null(model_find(model, done.receipt.id));
	model_add(model, done.receipt.id, size_of(done.cookie), done.cookie);
	return 0;
}

/* Submit cookies from @from to @to, taking completions only when it must. */
static void submit_all(struct bed *bed, struct journal_async *async, struct model *model,
		       uint64_t from, uint64_t to)
{
	struct journal_txn *txn;
	int error;

	for (; from < to; from++) {
		txn = txn_of(bed->j, size_of(from), from);
		while ((error = journal_submit(async, txn, from)) == -EAGAIN)
			assert_int_equal(take(async, model, -1), 0);
		assert_int_equal(error, 0);
	}
}

static void take_all(struct journal_async *async, struct model *model)
{
	int error;

	while (!(error = take(async, model, -1)))
		;
	assert_int_equal(error, -ENODATA);
}

static void begin(struct bed *bed, struct model *model, enum bed_medium medium)
{
	bed_make(bed, medium, LOG_BYTES, 0);
	model_make(model);
}

static void end(struct bed *bed, struct model *model)
{
	model_free(model);
	bed_remove(bed);
}

/* ---- tests ------------------------------------------------------------------ */

static void thousands(enum bed_medium medium)
{
	static const unsigned int depths[] = { 1, 7, 2048 };
	struct model model;
	struct bed bed;

	begin(&bed, &model, medium);
	for (unsigned int i = 0; i < 3; i++) {
		struct journal_async *async = async_of(&bed, depths[i]);

		submit_all(&bed, async, &model, i * 3000, i * 3000 + (i < 2 ? 60 : 2500));
		take_all(async, &model);
		assert_int_equal(journal_async_close(async), 0);
	}
	assert_int_equal(model.count, 2620);
	model_verify_reopened(&model, &bed);
	end(&bed, &model);
}

/* Without NVRAM all go one way, and come back in the order in which they were sent. */
static void in_order(enum bed_medium medium)
{
	struct journal_completion done;
	struct journal_async *async;
	struct model model;
	struct bed bed;

	begin(&bed, &model, medium);
	async = async_of(&bed, 0);
	for (uint64_t i = 0; i < JOURNAL_ASYNC_DEFAULT; i++)
		assert_int_equal(journal_submit(async, txn_of(bed.j, 3000, i), i), 0);
	for (uint64_t i = 0; i < JOURNAL_ASYNC_DEFAULT; i++) {
		assert_int_equal(journal_async_next(async, -1, &done), 0);
		assert_int_equal(done.cookie, i);
		assert_int_equal(done.receipt.path, JOURNAL_PATH_SYNCED);
	}
	assert_int_equal(journal_async_close(async), 0);
	end(&bed, &model);
}

static bool is_readable(int epoll, int timeout_ms)
{
	struct epoll_event event;
	int got;

	do
		got = epoll_wait(epoll, &event, 1, timeout_ms);
	while (got < 0 && errno == EINTR);
	return got == 1;
}

/* A loop as a server has it: it sleeps in epoll_wait() alone. */
static void event_loop(enum bed_medium medium)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct journal_async *async;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct model model;
	struct bed bed;
	uint64_t next = 0;

	begin(&bed, &model, medium);
	async = async_of(&bed, 300);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, journal_async_fd(async), &event), 0);
	assert_false(is_readable(epoll, 0));
	submit_all(&bed, async, &model, 0, next = 40);
	while (model.count < 1000) {
		assert_true(is_readable(epoll, -1));
		while (!take(async, &model, 0)) {
			/* each answer lets the client send two more */
			for (int i = 0; i < 2 && next < 1000; i++, next++)
				submit_all(&bed, async, &model, next, next + 1);
		}
	}
	assert_int_equal(take(async, &model, 0), -ENODATA);
	assert_false(is_readable(epoll, 0));
	assert_int_equal(journal_async_close(async), 0);
	model_verify_reopened(&model, &bed);
	close(epoll);
	end(&bed, &model);
}

static void close_with_many_under_way(enum bed_medium medium)
{
	struct journal_entry entry = { 0 };
	struct journal_async *async;
	struct model model;
	struct bed bed;
	size_t count = 0;

	begin(&bed, &model, medium);
	async = async_of(&bed, 2000);
	submit_all(&bed, async, &model, 0, 600);
	assert_int_equal(journal_async_close(async), 0);
	bed_check(&bed, 0);
	bed_reopen(&bed);
	for (; !journal_next(bed.j, entry.id, &entry); count++)
		assert_int_equal(entry.state, JOURNAL_LIVE);
	assert_int_equal(count, 600);
	end(&bed, &model);
}

static void put_prepared(struct bed *bed, struct journal_async *async, struct model *model)
{
	struct journal_txn *txn = txn_of(bed->j, size_of(49), 49);

	assert_int_equal(journal_prepare(txn), 0);
	assert_int_equal(journal_submit(async, txn, 49), 0);
	assert_int_equal(take(async, model, -1), 0);
}

/* A group, one of nothing at all, and one that is prepared. */
static void all_kinds(enum bed_medium medium)
{
	struct journal_completion done;
	struct journal_async *async;
	struct journal_txn *txn;
	struct model model;
	struct bed bed;

	begin(&bed, &model, medium);
	async = async_of(&bed, 4);
	for (uint64_t bytes = 100; bytes < 10000; bytes *= 99) {
		txn = txn_of(bed.j, bytes, 7);
		for (uint64_t i = 1; i < 20; i++) {
			uint8_t *payload = bed_payload(bytes + i, 7 + i);

			assert_int_equal(journal_group_next(txn), 0);
			assert_int_equal(journal_append(txn, payload, bytes + i), 0);
			free(payload);
		}
		assert_int_equal(journal_submit(async, txn, 1), 0);
		assert_int_equal(journal_async_next(async, -1, &done), 0);
		assert_int_equal(done.error, 0);
		assert_int_equal(done.receipt.count, 20);
		for (uint64_t i = 0; i < 20; i++)
			model_add(&model, done.receipt.id + i, bytes + i, 7 + i);
	}
	submit_all(&bed, async, &model, 0, 1);
	assert_int_equal(take(async, &model, -1), 0);
	put_prepared(&bed, async, &model);
	assert_int_equal(journal_async_close(async), 0);
	model_verify_reopened(&model, &bed);
	end(&bed, &model);
}

static void refused_when_full(enum bed_medium medium)
{
	struct journal_async *async;
	struct journal_txn *txn;
	struct model model;
	struct bed bed;
	uint64_t next = 0;
	int error = 0;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	async = async_of(&bed, 64);
	for (; !error; next++) {
		uint64_t cookie = next % 9;
		uint8_t *payload = bed_payload(size_of(cookie), cookie);

		error = journal_begin(bed.j, NULL, &txn);
		if (error) /* it may be noticed as early as that */
			break;
		error = journal_append(txn, payload, size_of(cookie));
		assert_int_equal(error, 0);
		while ((error = journal_submit(async, txn, cookie)) == -EAGAIN)
			if (take(async, &model, -1))
				fail();
		free(payload);
		assert_true(next < 100000);
	}
	assert_int_equal(error, -ENOSPC);
	assert_non_null(strstr(journal_error(bed.j), "full"));
	take_all(async, &model);
	assert_true(model.count > 100);
	/* what was refused has left nothing, and room comes back with a retire */
	for (size_t i = 0; i < model.count; i++) {
		assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
		model_retire(&model, model.all[i].id);
	}
	submit_all(&bed, async, &model, 100, 110);
	take_all(async, &model);
	assert_int_equal(journal_async_close(async), 0);
	model_verify_reopened(&model, &bed);
	end(&bed, &model);
}

static void refusals(enum bed_medium medium)
{
	struct journal_open_options rdonly = { .flags = JOURNAL_RDONLY };
	struct journal_completion done;
	struct journal_async *async;
	struct journal_txn *txn;
	struct model model;
	struct bed bed;

	begin(&bed, &model, medium);
	assert_int_equal(journal_async_open(bed.j, JOURNAL_ASYNC_MAX + 1, &async), -EINVAL);
	async = async_of(&bed, 1);
	assert_int_equal(journal_async_next(async, -1, &done), -ENODATA);
	txn = txn_of(bed.j, 10, 1);
	assert_int_equal(journal_submit(async, txn, 1), 0);
	txn = txn_of(bed.j, 20, 2);
	assert_int_equal(journal_submit(async, txn, 2), -EAGAIN);
	assert_int_equal(journal_async_next(async, 10000, &done), 0);
	assert_int_equal(done.cookie, 1);
	assert_int_equal(journal_async_next(async, 10000, &done), -ENODATA);
	/* it is as it was */
	assert_int_equal(journal_append(txn, "more", 4), 0);
	assert_int_equal(journal_submit(async, txn, 3), 0);
	assert_int_equal(journal_async_close(async), 0);
	assert_int_equal(journal_async_close(NULL), 0);
	bed_close(&bed);
	bed_open(&bed, &rdonly);
	assert_int_equal(journal_async_open(bed.j, 1, &async), -EROFS);
	end(&bed, &model);
}

/* ---- fork ---------------------------------------------------------------------- */

static void child_of_fork(struct journal_async *async, struct journal_txn *txn)
{
	struct journal_completion done;

	if (journal_submit(async, txn, 0) != -ECHILD ||
	    journal_async_next(async, -1, &done) != -ECHILD || journal_async_close(async))
		child_exit(1);
	child_exit(0);
}

/* The child is refused, and the parent's go on undisturbed. */
static void forked(enum bed_medium medium)
{
	struct journal_async *async;
	struct journal_txn *txn;
	struct model model;
	struct bed bed;
	pid_t pid;

	begin(&bed, &model, medium);
	async = async_of(&bed, 500);
	submit_all(&bed, async, &model, 0, 300);
	txn = txn_of(bed.j, size_of(5), 5);
	pid = child_fork();
	if (!pid)
		child_of_fork(async, txn);
	submit_all(&bed, async, &model, 300, 400);
	child_ends(pid, 0);
	assert_int_equal(journal_submit(async, txn, 5), 0);
	take_all(async, &model);
	assert_int_equal(model.count, 401);
	assert_int_equal(journal_async_close(async), 0);
	model_verify_reopened(&model, &bed);
	end(&bed, &model);
}

/* ---- several threads ------------------------------------------------------------ */

#define SENDERS 3
#define EACH    300

struct sender {
	struct bed *bed;
	struct journal_async *async;
	uint64_t from;
	int error;
};

static void *send_some(void *context)
{
	struct sender *s = context;
	struct journal_txn *txn;

	for (uint64_t i = s->from; !s->error && i < s->from + EACH; i++) {
		uint8_t *payload = bed_payload(size_of(i), i);

		s->error = journal_begin(s->bed->j, NULL, &txn);
		if (!s->error)
			s->error = journal_append(txn, payload, size_of(i));
		if (!s->error)
			s->error = journal_submit(s->async, txn, i);
		free(payload);
	}
	return NULL;
}

static void threads(enum bed_medium medium)
{
	struct sender senders[SENDERS];
	pthread_t thread[SENDERS];
	struct journal_receipt receipt;
	struct journal_async *async;
	struct model model;
	struct bed bed;

	begin(&bed, &model, medium);
	async = async_of(&bed, SENDERS * EACH);
	for (unsigned int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ &bed, async, i * 1000ull, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, send_some, &senders[i]), 0);
	}
	while (model.count < SENDERS * EACH) {
		int error = take(async, &model, 20);

		/* and commits that are waited for, between them */
		if (!error)
			continue;
		assert_int_equal(journal_put(bed.j, "waited for", 10, &receipt), 0);
		assert_int_equal(journal_retire(bed.j, receipt.id), 0);
	}
	for (unsigned int i = 0; i < SENDERS; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(senders[i].error, 0);
	}
	assert_int_equal(journal_async_close(async), 0);
	model_verify_reopened(&model, &bed);
	end(&bed, &model);
}

/* ---- killed --------------------------------------------------------------------- */

#define KILLED_MOST 4000

struct told {
	_Atomic uint64_t submitted, done;
	_Atomic uint64_t id[KILLED_MOST], cookie[KILLED_MOST];
};

/* What is told here was given back as complete: so it is there for ever. */
static void tell(struct journal_async *async, struct told *told, int timeout_ms)
{
	struct journal_completion done;
	uint64_t at;

	while (!journal_async_next(async, timeout_ms, &done)) {
		if (done.error)
			child_exit(2);
		at = atomic_load(&told->done);
		atomic_store(&told->id[at], done.receipt.id);
		atomic_store(&told->cookie[at], done.cookie);
		atomic_store(&told->done, at + 1);
		timeout_ms = 0;
	}
}

static void killed_child(const char *dir, struct told *told)
{
	struct journal_async *async;
	struct journal_txn *txn;
	struct journal *j;
	uint64_t i;

	if (journal_open(dir, NULL, &j) || journal_async_open(j, KILLED_MOST, &async))
		child_exit(1);
	for (i = 0; i < KILLED_MOST; i++) {
		uint8_t *payload = bed_payload(size_of(i % 9), i);

		if (journal_begin(j, NULL, &txn) || journal_append(txn, payload, size_of(i % 9)))
			child_exit(3);
		atomic_store(&told->submitted, i + 1);
		if (journal_submit(async, txn, i))
			child_exit(4);
		free(payload);
		tell(async, told, 0);
	}
	for (;;)
		tell(async, told, -1);
}

static void killed_verify(struct bed *bed, const struct told *told)
{
	struct journal_entry entry = { 0 };
	uint64_t i, live = 0, cookie;

	bed_open(bed, NULL);
	for (i = 0; i < told->done; i++) {
		cookie = told->cookie[i];
		assert_int_equal(bed_verify(bed->j, told->id[i], size_of(cookie % 9), cookie), 0);
	}
	for (; !journal_next(bed->j, entry.id, &entry); live++)
		assert_int_equal(entry.state, JOURNAL_LIVE);
	assert_true(live >= told->done && live <= told->submitted);
	bed_check(bed, 0);
}

static void killed(enum bed_medium medium)
{
	uint64_t random = fault_seed("async, killed");
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model model;
	struct bed bed;
	uint64_t when;
	pid_t pid;

	for (unsigned int i = 0; i < 2; i++) {
		begin(&bed, &model, medium);
		bed_close(&bed);
		memset(told, 0, sizeof(*told));
		when = 1 + fault_random(&random) % (KILLED_MOST * 3 / 4);
		pid = child_fork();
		if (!pid)
			killed_child(bed.dir, told);
		while (atomic_load(&told->done) < when)
			usleep(50);
		assert_int_equal(kill(pid, SIGKILL), 0);
		child_ends(pid, SIGKILL);
		killed_verify(&bed, told);
		end(&bed, &model);
	}
	munmap(told, sizeof(*told));
}

/* ---- one takes what another waits for ------------------------------------------ */

static void *waits_for_all(void *context)
{
	struct journal_completion done;
	int error;

	while (!(error = journal_async_next(context, -1, &done)))
		;
	return (void *)(intptr_t)error;
}

/* With nothing outstanding nobody waits, whoever has taken the last one. */
static void nobody_waits_for_nothing(enum bed_medium medium)
{
	struct journal_completion done;
	struct journal_async *async;
	struct model model;
	struct bed bed;
	pthread_t waiter;
	void *result;

	begin(&bed, &model, medium);
	async = async_of(&bed, 0);
	for (uint64_t i = 0; i < 300; i++) {
		assert_int_equal(journal_submit(async, txn_of(bed.j, 1, i), i), 0);
		assert_int_equal(pthread_create(&waiter, NULL, waits_for_all, async), 0);
		while (journal_async_next(async, 0, &done) != -ENODATA)
			;
		assert_int_equal(pthread_join(waiter, &result), 0);
		assert_int_equal((intptr_t)result, -ENODATA);
	}
	assert_int_equal(journal_async_close(async), 0);
	end(&bed, &model);
}

#define BED_MOST      (BED_ALL & ~(1u << BED_MSYNC))
#define BED_PROCESSES ((1u << BED_FILE) | (1u << BED_PMEM))

int main(void)
{
	static const struct bed_test tests[] = {
		{ "thousands", thousands, BED_MOST },
		{ "in_order", in_order, 1u << BED_FILE },
		{ "event_loop", event_loop, BED_MOST },
		{ "close_with_many_under_way", close_with_many_under_way, BED_PROCESSES },
		{ "all_kinds", all_kinds, BED_MOST },
		{ "refused_when_full", refused_when_full, BED_MOST },
		{ "refusals", refusals, BED_PROCESSES },
		{ "forked", forked, BED_PROCESSES },
		{ "threads", threads, BED_PROCESSES },
		{ "nobody_waits_for_nothing", nobody_waits_for_nothing, 1u << BED_FILE },
		{ "p7_killed", killed, BED_PROCESSES },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
