/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill -9 at random moments: a process with threads commits and retires, and
 * tells memory shared with this one what was acknowledged; it is killed, the
 * journal recovered and compared, and the next process goes on.
 *
 * KILL_SECONDS: how long for each kind of marker, 1 by default.
 * SEED: workloads and moments; what the machine does in between is its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_oracle.h"
#include "fault.h"
#include "journal.h"
#include "scratch.h"

#define THREADS     3
#define KEPT        48u /* transactions of one thread */
#define PAYLOAD_MIN 16u /* so that content tells them apart */
#define PAYLOAD_MAX 300000u

enum { NONE, COMMITTING, LIVE, RETIRING };

struct kept {
	_Atomic int state;
	uint32_t bytes;
	uint64_t id, seed;
	bool seen;
};

/* shared with the processes that are killed */
struct shared {
	_Atomic uint64_t commits, retires;
	_Atomic bool open;
	char wrong[256];
	struct kept kept[THREADS][KEPT];
};

struct worker {
	struct journal *j;
	struct shared *shared;
	struct kept *kept;
	uint64_t random;
	uint8_t *payload;
};

static uint64_t below(struct worker *w, uint64_t limit)
{
	return fault_random(&w->random) % limit;
}

/* ---- the process that is killed ------------------------------------------------ */

static void wrong(struct shared *shared, const char *what, int error)
{
	(void)snprintf(shared->wrong, sizeof(shared->wrong), "%s: %s", what, strerror(-error));
	_exit(1);
}

static void worker_commit(struct worker *w, struct kept *kept)
{
	struct journal_receipt receipt;
	int error;

	kept->seed = fault_random(&w->random);
	kept->bytes = (uint32_t)(PAYLOAD_MIN + below(w, below(w, 16) ? 6000 :
						     PAYLOAD_MAX - PAYLOAD_MIN));
	oracle_payload(kept->seed, w->payload, kept->bytes);
	atomic_store(&kept->state, COMMITTING);
	error = journal_put(w->j, w->payload, kept->bytes, &receipt);
	if (error && error != -ENOSPC)
		wrong(w->shared, "commit", error);
	kept->id = receipt.id;
	atomic_store(&kept->state, error ? NONE : LIVE);
	atomic_fetch_add(&w->shared->commits, 1);
}

static void worker_retire(struct worker *w, struct kept *kept)
{
	int error;

	atomic_store(&kept->state, RETIRING);
	error = journal_retire(w->j, kept->id);
	if (error && error != -ENOSPC)
		wrong(w->shared, "retire", error);
	atomic_store(&kept->state, error ? LIVE : NONE);
	atomic_fetch_add(&w->shared->retires, 1);
}

static void *worker_run(void *argument)
{
	struct worker *w = argument;
	struct kept *kept;

	for (;;) {
		kept = &w->kept[below(w, KEPT)];
		if (atomic_load(&kept->state) == NONE)
			worker_commit(w, kept);
		else
			worker_retire(w, kept);
	}
	return NULL;
}

static void process_run(const char *dir, struct shared *shared, uint64_t seed)
{
	struct worker workers[THREADS];
	struct journal *j;
	pthread_t thread;
	int i, error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	error = journal_open(dir, NULL, &j);
	if (error)
		wrong(shared, journal_error(j), error);
	atomic_store(&shared->open, true);
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .j = j, .shared = shared,
					      .kept = shared->kept[i],
					      .random = seed + (uint64_t)i,
					      .payload = malloc(PAYLOAD_MAX) };
		if (!workers[i].payload ||
		    pthread_create(&thread, NULL, worker_run, &workers[i]))
			wrong(shared, "a thread", -ENOMEM);
	}
	for (;;)
		(void)pause();
}

/* ---- the one that watches -------------------------------------------------------- */

static struct kept *kept_next(struct shared *shared, uint32_t *at)
{
	return *at < THREADS * KEPT ? &shared->kept[0][0] + (*at)++ : NULL;
}

/* the transaction that an entry is: by id, else one whose commit was in flight */
static struct kept *kept_of(struct shared *shared, const struct journal_entry *entry,
			    const uint8_t *is, uint8_t *should)
{
	struct kept *kept;
	uint32_t at = 0;
	int state;

	while ((kept = kept_next(shared, &at))) {
		state = atomic_load(&kept->state);
		if (state == NONE || kept->seen || kept->bytes != entry->bytes ||
		    (state != COMMITTING && kept->id != entry->id))
			continue;
		oracle_payload(kept->seed, should, kept->bytes);
		if (!memcmp(is, should, kept->bytes))
			return kept;
	}
	return NULL;
}

static void watch_entry(struct journal *j, struct shared *shared,
			const struct journal_entry *entry, uint8_t *is, uint8_t *should)
{
	struct kept *kept;
	size_t got;
	int error = journal_read(j, entry->id, is, PAYLOAD_MAX, &got);

	if (error)
		fail_msg("id %" PRIx64 ": %s", entry->id, journal_error(j));
	kept = kept_of(shared, entry, is, should);
	if (!kept)
		fail_msg("id %" PRIx64 ": nobody committed it, or it was retired", entry->id);
	kept->id = entry->id;
	kept->seen = true;
}

/* What was in flight is decided now. */
static void watch_settle(struct shared *shared)
{
	struct kept *kept;
	uint32_t at = 0;

	while ((kept = kept_next(shared, &at))) {
		if (atomic_load(&kept->state) == LIVE && !kept->seen)
			fail_msg("id %" PRIx64 ": acknowledged, not retired, and not there",
				 kept->id);
		atomic_store(&kept->state, kept->seen ? LIVE : NONE);
		kept->seen = false;
	}
}

static void watch_compare(const char *dir, struct shared *shared)
{
	struct journal_entry entry = { 0 };
	uint8_t *is = malloc(PAYLOAD_MAX), *should = malloc(PAYLOAD_MAX);
	struct journal *j;
	char text[256] = "";
	int error = journal_check(dir, NULL, NULL, NULL, text, sizeof(text));

	if (error)
		fail_msg("check: %s: %s", strerror(-error), text);
	error = journal_open(dir, NULL, &j);
	if (error)
		fail_msg("open: %s", journal_error(j));
	while (!journal_next(j, entry.id, &entry))
		watch_entry(j, shared, &entry, is, should);
	watch_settle(shared);
	assert_int_equal(journal_close(j), 0);
	free(is);
	free(should);
}

static void sleep_us(uint64_t us)
{
	struct timespec time = { .tv_sec = (time_t)(us / 1000000),
				 .tv_nsec = (long)(us % 1000000) * 1000 };

	(void)nanosleep(&time, NULL);
}

static void watch_kill(const char *dir, struct shared *shared, uint64_t *random)
{
	uint64_t seed = fault_random(random), us = fault_random(random) % 40000;
	pid_t pid;
	int status, i;

	atomic_store(&shared->open, false);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		process_run(dir, shared, seed);
	/* one of four is killed in its recovery, perhaps */
	for (i = 0; us % 4 && !atomic_load(&shared->open) && i < 100000; i++)
		sleep_us(100);
	sleep_us(us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		fail_msg("the process ended: %s", shared->wrong);
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void kills(const char *marker)
{
	const char *given = getenv("KILL_SECONDS");
	double end = now() + (given ? atof(given) : 1);
	struct journal_format_options options = { .marker_bytes = 2 << 20,
						  .log_bytes = 24 << 20,
						  .require = JOURNAL_CLASS_PROCESS };
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t random = fault_seed(marker), count = 0;
	struct scratch scratch;
	char dir[PATH_MAX], uri[PATH_MAX + 8], text[256];
	int error;

	printf("# again: SEED=%" PRIu64 " KILL_SECONDS=%.0f %s\n", random, end - now(),
	       program_invocation_name);
	assert_true(shared != MAP_FAILED);
	assert_int_equal(scratch_make(&scratch, NULL), 0);
	(void)snprintf(uri, sizeof(uri), "%s:%s/markers", marker, scratch.directory);
	options.marker = uri;
	error = journal_format(scratch_path(&scratch, "j", dir), &options, text, sizeof(text));
	if (error == -ENOTSUP) {
		printf("skip: %s\n", text);
		scratch_remove(&scratch);
		skip();
	}
	if (error)
		fail_msg("format: %s", text);
	while (now() < end || !count) {
		watch_kill(dir, shared, &random);
		watch_compare(dir, shared);
		count++;
	}
	printf("# %s: %" PRIu64 " processes killed, %" PRIu64 " commits, %" PRIu64 " retires\n",
	       marker, count, atomic_load(&shared->commits), atomic_load(&shared->retires));
	scratch_remove(&scratch);
	(void)munmap(shared, sizeof(*shared));
}

static void killed_on_sim(void **state)
{
	(void)state;
	kills("sim");
}

static void killed_on_a_file(void **state)
{
	(void)state;
	kills("file");
}

static void killed_on_pmem(void **state)
{
	(void)state;
	kills("pmem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_on_sim),
		cmocka_unit_test(killed_on_a_file),
		cmocka_unit_test(killed_on_pmem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
