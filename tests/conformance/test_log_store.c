/* SPDX-License-Identifier: BSD-3-Clause */
/* serial */
/*
 * What every log store does, whatever is below: each backend passes all of it
 * unmodified, and so does the fault filter with no fault armed.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fault.h"
#include "../lib/fault_log.h"
#include "../lib/scratch.h"
#include "log/log_file.h"
#include "log/log_mirror.h"
#include "util/math.h"

#define STORE_BYTES (16u << 20)
#define UNIT        4096u /* whole blocks everywhere */

struct backend {
	const char *name;
	const char *parent; /* directory to work in */
	unsigned int flags;
	bool device;
	bool filter, mirror;
};

static struct backend backends[] = {
	{ .name = "io_uring" },
	{ .name = "pwrite", .flags = LOG_NO_URING },
	{ .name = "block device", .device = true },
	{ .name = "tmpfs", .parent = "/dev/shm" },
	{ .name = "fault filter", .filter = true },
	{ .name = "mirror", .mirror = true },
	{ .name = "mirror, pwrite", .mirror = true, .flags = LOG_NO_URING },
};

struct place {
	const struct backend *backend;
	struct scratch scratch;
	char path[PATH_MAX], mirror[PATH_MAX];
	struct log_store *store;
	struct message message;
	uint8_t *buffer; /* 1 MiB */
	bool skip;
};

/* ---- setting up --------------------------------------------------------- */

static bool place_usable(struct place *place)
{
	struct statfs fs;

	if (place->backend->device)
		return !scratch_loop(&place->scratch, STORE_BYTES);
	if (!place->backend->parent)
		return true;
	if (!statfs(place->backend->parent, &fs) && fs.f_type == TMPFS_MAGIC)
		return true;
	printf("skip: %s: %s is none\n", place->backend->name, place->backend->parent);
	return false;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	place->backend = *state;
	place->buffer = aligned_alloc(UNIT, LOG_BUFFER_BYTES);
	memset(place->buffer, 0, LOG_BUFFER_BYTES);
	if (scratch_make(&place->scratch, place->backend->parent))
		return -1;
	place->skip = !place_usable(place);
	if (place->backend->device)
		strcpy(place->path, place->scratch.device);
	else
		scratch_path(&place->scratch, "log", place->path);
	scratch_path(&place->scratch, "mirror", place->mirror);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	log_store_close(place->store);
	scratch_remove(&place->scratch);
	free(place->buffer);
	free(place);
	return 0;
}

static int open_store(struct place *place, unsigned int flags, uint64_t bytes)
{
	static const uint8_t uuid[16] = { 7 };
	struct log_legs_of legs = {
		.path = { place->path, place->mirror }, .uuid = uuid, .open = log_file_open,
	};
	int error;

	flags |= place->backend->flags;
	error = place->backend->mirror ?
			log_mirror_open(&legs, flags, bytes, NULL, &place->store,
					&place->message) :
			log_file_open(place->path, flags, bytes, NULL, &place->store,
				      &place->message);
	if (!error && place->backend->filter)
		place->store = fault_log_wrap(place->store);
	return error;
}

static void close_store(struct place *place)
{
	log_store_close(place->store);
	place->store = NULL;
}

static struct log_store *create(struct place *place)
{
	int error = open_store(place, LOG_CREATE, STORE_BYTES);

	if (error)
		print_message("%s\n", place->message.text);
	assert_int_equal(error, 0);
	return place->store;
}

static struct log_store *reopen(struct place *place, unsigned int flags)
{
	close_store(place);
	assert_int_equal(open_store(place, flags, 0), 0);
	return place->store;
}

/* content of a block that is told from every other one */
static void pattern(uint8_t *at, uint64_t offset, uint64_t seed, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i += 8) {
		uint64_t state = seed + offset + i, word = fault_random(&state);

		memcpy(at + i, &word, 8);
	}
}

static int write_at(struct log_store *store, uint8_t *buffer, uint64_t offset, uint64_t seed,
		    bool durable)
{
	struct log_io io = { offset, buffer, UNIT, 0 };

	pattern(buffer, offset, seed, UNIT);
	return log_store_write(store, &io, 1, durable);
}

static bool reads_back(struct log_store *store, uint8_t *buffer, uint64_t offset,
		       uint64_t seed)
{
	struct log_io io = { offset, buffer, UNIT, 0 };
	uint8_t expected[UNIT];

	pattern(expected, offset, seed, UNIT);
	return !log_store_read(store, &io, 1) && !memcmp(buffer, expected, UNIT);
}

#define PLACE                                     \
	struct place *place = *state;             \
	if (place->skip)                          \
		skip()

/* ---- tests -------------------------------------------------------------- */

static void is_made_zeroed_and_described(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	struct stat status;

	if (!place->backend->flags && !strcmp(store->ops->backend, "pwrite")) {
		printf("skip: %s: no io_uring here: %s\n", place->backend->name,
		       store->routine);
		skip();
	}
	assert_int_equal(store->bytes, STORE_BYTES);
	assert_in_range(store->block_bytes, 512, 4096);
	assert_true(store->evidence[0] && store->routine[0]);
	for (uint64_t at = 0; at < STORE_BYTES; at += LOG_BUFFER_BYTES) {
		struct log_io io = { at, place->buffer, LOG_BUFFER_BYTES, 0 };

		memset(place->buffer, 0xff, LOG_BUFFER_BYTES);
		assert_int_equal(log_store_read(store, &io, 1), 0);
		assert_true(!place->buffer[0] && !memcmp(place->buffer, place->buffer + 1,
							  LOG_BUFFER_BYTES - 1));
	}
	assert_int_equal(stat(place->path, &status), 0);
	if (!place->backend->device)
		assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(reopen(place, 0)->bytes, STORE_BYTES);
}

static void never_over_content_without_force(void **state)
{
	PLACE;
	struct log_store *store = create(place);

	assert_int_equal(write_at(store, place->buffer, 8 * UNIT, 1, true), 0);
	close_store(place);
	assert_int_equal(open_store(place, LOG_CREATE, STORE_BYTES), -EEXIST);
	assert_non_null(strstr(place->message.text, place->path));
	assert_int_equal(open_store(place, 0, 0), 0);
	assert_true(reads_back(place->store, place->buffer, 8 * UNIT, 1));
	close_store(place);
	assert_int_equal(open_store(place, LOG_CREATE | LOG_FORCE, STORE_BYTES), 0);
	assert_false(reads_back(place->store, place->buffer, 8 * UNIT, 1));
}

static void a_size_must_make_sense(void **state)
{
	PLACE;
	assert_int_equal(open_store(place, LOG_CREATE, STORE_BYTES + 512), -EINVAL);
	assert_non_null(strstr(place->message.text, place->path));
	if (place->backend->device) {
		assert_int_equal(open_store(place, LOG_CREATE, 2 * STORE_BYTES), -ENOSPC);
		return;
	}
	assert_int_equal(open_store(place, LOG_CREATE, 0), -EINVAL);
	assert_int_equal(access(place->path, F_OK), -1); /* nothing is left behind */
	assert_int_equal(open_store(place, 0, 0), -ENOENT);
}

static void data_comes_back_in_any_order(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	uint64_t seed = fault_seed(place->backend->name), order = seed;
	unsigned int blocks = STORE_BYTES / UNIT / 8;
	uint64_t step = fault_random(&order) | 1; /* odd: visits every block once */

	for (unsigned int i = 0; i < blocks; i++)
		assert_int_equal(write_at(store, place->buffer, i * step % blocks * UNIT, seed,
					  i % 64 == 0), 0);
	assert_int_equal(log_store_flush(store), 0);
	store = reopen(place, 0);
	for (unsigned int i = 0; i < blocks; i++)
		assert_true(reads_back(store, place->buffer, i * UNIT, seed));
	/* the block beyond was never touched */
	assert_false(reads_back(store, place->buffer, blocks * UNIT, seed));
}

#define BATCH 200u /* more than a ring has entries */

static void batches_go_from_any_buffer(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	uint8_t *pooled = log_store_buffer(store);
	struct log_io io[BATCH];

	for (unsigned int i = 0; i < BATCH; i++) {
		uint8_t *from = i & 1 ? place->buffer : pooled;

		io[i] = (struct log_io){ 2ull * i * UNIT, from + i * UNIT, UNIT, 0 };
		pattern(io[i].buffer, io[i].offset, 7, UNIT);
	}
	assert_int_equal(log_store_write(store, io, BATCH, true), 0);
	memset(place->buffer, 0, LOG_BUFFER_BYTES);
	memset(pooled, 0, LOG_BUFFER_BYTES);
	assert_int_equal(log_store_read(store, io, BATCH), 0);
	for (unsigned int i = 0; i < BATCH; i++) {
		uint8_t expected[UNIT];

		pattern(expected, io[i].offset, 7, UNIT);
		assert_int_equal(io[i].result, 0);
		assert_memory_equal(io[i].buffer, expected, UNIT);
	}
	log_store_buffer_done(store, pooled);
}

#define THREADS 16u
#define ROUNDS  24u

struct worker {
	struct log_store *store;
	unsigned int number;
	unsigned int failures;
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct log_store *store = worker->store;
	uint8_t *buffer = log_store_buffer(store);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t offset = 3ull * (i * THREADS + worker->number) * UNIT;
		struct log_io two[2] = { { offset + UNIT, buffer, UNIT, 0 },
					 { offset + 2 * UNIT, buffer, UNIT, 0 } };

		worker->failures += write_at(store, buffer, offset, 3, i % 3 != 0) != 0;
		worker->failures += log_store_write(store, two, 2, i & 1) != 0;
		worker->failures += i % 5 == 0 && log_store_flush(store);
		worker->failures += !reads_back(store, buffer, offset, 3);
	}
	log_store_buffer_done(store, buffer);
	return NULL;
}

static void sixteen_threads_at_once(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ store, i, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].failures, 0);
	}
	store = reopen(place, 0);
	for (unsigned int i = 0; i < THREADS * ROUNDS; i++)
		assert_true(reads_back(store, place->buffer, 3ull * i * UNIT, 3));
}

static void counts_what_it_does(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	struct log_counters *counters = &store->counters;

	assert_int_equal(counters->writes, 0); /* making it is not counted */
	assert_int_equal(write_at(store, place->buffer, 0, 1, false), 0);
	assert_int_equal(counters->writes, 1);
	assert_int_equal(counters->dsyncs + counters->flushes + counters->unsynced, 0);
	assert_int_equal(write_at(store, place->buffer, UNIT, 1, true), 0);
	assert_int_equal(counters->bytes_written, 2 * UNIT);
	assert_int_equal(counters->dsyncs + counters->unsynced, 1);
	assert_int_equal(counters->flushes, 0);
	assert_int_equal(log_store_flush(store), 0);
	assert_int_equal(counters->flushes, counters->unsynced ? 0 : 1);
	assert_true(reads_back(store, place->buffer, 0, 1));
	assert_int_equal(counters->reads, 1);
	assert_int_equal(counters->bytes_read, UNIT);
}

#define FLUSHES 50u

static void *flushes(void *context)
{
	struct worker *worker = context;

	for (unsigned int i = 0; i < FLUSHES; i++)
		worker->failures += log_store_flush(worker->store) != 0;
	return NULL;
}

/* Each that is asked for is sent, or another's has served it. */
static void counts_flushes_that_others_serve(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t wanted = THREADS * FLUSHES;

	assert_int_equal(write_at(store, place->buffer, 0, 1, true), 0);
	if (store->counters.unsynced)
		wanted = 0; /* there is nothing to flush */
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ store, i, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, flushes, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].failures, 0);
	}
	assert_int_equal(log_counted(store, flushes) + log_counted(store, merged), wanted);
	if (wanted)
		assert_true(log_counted(store, flushes) > 0);
}

static void a_durable_batch_is_synced_once(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	struct log_counters *counters = &store->counters;
	struct log_io io[3] = { { 0, place->buffer, UNIT, 0 },
				{ 4 * UNIT, place->buffer, UNIT, 0 },
				{ 2 * UNIT, place->buffer, UNIT, 0 } };

	assert_int_equal(log_store_write(store, io, 3, true), 0);
	assert_int_equal(counters->writes, 3);
	assert_true(counters->flushes == 1 || counters->dsyncs == 3 ||
		    counters->unsynced == 3);
}

static void read_only_writes_nothing(void **state)
{
	PLACE;
	struct log_store *store = create(place);

	assert_int_equal(write_at(store, place->buffer, 0, 1, true), 0);
	store = reopen(place, LOG_RDONLY);
	assert_int_equal(write_at(store, place->buffer, 0, 2, true), -EROFS);
	assert_int_equal(log_store_flush(store), -EROFS);
	assert_int_equal(store->failed, 0);
	assert_true(reads_back(store, place->buffer, 0, 1));
}

static void lends_buffers_of_its_own(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	uint8_t *buffers[20];

	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < ARRAY_COUNT(buffers); i++) {
			buffers[i] = log_store_buffer(store);
			assert_non_null(buffers[i]);
			assert_int_equal((uintptr_t)buffers[i] % UNIT, 0);
			memset(buffers[i], (int)i, LOG_BUFFER_BYTES);
		}
		for (unsigned int i = 0; i < ARRAY_COUNT(buffers); i++) {
			assert_int_equal(buffers[i][0], i);
			assert_int_equal(buffers[i][LOG_BUFFER_BYTES - 1], i);
			log_store_buffer_done(store, buffers[i]);
		}
	}
}

/* Does the call stop the process that makes it? */
static bool stops(struct log_store *store, struct log_io io)
{
	pid_t child = fork();
	int status;

	if (!child) {
		(void)close(STDERR_FILENO); /* what it says is known */
		(void)signal(SIGABRT, SIG_DFL);
		(void)log_store_read(store, &io, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void misuse_is_asserted(void **state)
{
	PLACE;
	struct log_store *store = create(place);
	uint8_t *buffer = place->buffer;

	assert_false(stops(store, (struct log_io){ 0, buffer, UNIT, 0 }));
	assert_true(stops(store, (struct log_io){ 100, buffer, UNIT, 0 }));
	assert_true(stops(store, (struct log_io){ 0, buffer + 8, UNIT, 0 }));
	assert_true(stops(store, (struct log_io){ 0, buffer, 100, 0 }));
	assert_true(stops(store, (struct log_io){ 0, buffer, 0, 0 }));
	assert_true(stops(store, (struct log_io){ STORE_BYTES, buffer, UNIT, 0 }));
	assert_true(stops(store, (struct log_io){ STORE_BYTES - UNIT, buffer, 2 * UNIT, 0 }));
	assert_true(stops(store, (struct log_io){ (uint64_t)0 - UNIT, buffer, 2 * UNIT, 0 }));
}

/* ---- every test on every backend ---------------------------------------- */

#define TEST(function) { #function, function }

static const struct {
	const char *name;
	CMUnitTestFunction function;
} suite[] = {
	TEST(is_made_zeroed_and_described), TEST(never_over_content_without_force),
	TEST(a_size_must_make_sense),       TEST(data_comes_back_in_any_order),
	TEST(batches_go_from_any_buffer),   TEST(sixteen_threads_at_once),
	TEST(counts_what_it_does),          TEST(read_only_writes_nothing),
	TEST(counts_flushes_that_others_serve),
	TEST(lends_buffers_of_its_own),     TEST(misuse_is_asserted),
	TEST(a_durable_batch_is_synced_once),
};

int main(void)
{
	static struct CMUnitTest tests[ARRAY_COUNT(backends) * ARRAY_COUNT(suite)];
	static char names[ARRAY_COUNT(tests)][80];

	for (size_t i = 0; i < ARRAY_COUNT(tests); i++) {
		struct backend *backend = &backends[i / ARRAY_COUNT(suite)];

		(void)snprintf(names[i], sizeof(names[i]), "%s: %s", backend->name,
			       suite[i % ARRAY_COUNT(suite)].name);
		tests[i] = (struct CMUnitTest){ names[i], suite[i % ARRAY_COUNT(suite)].function,
						set_up, tear_down, backend };
	}
	return cmocka_run_group_tests_name("log store", tests, NULL, NULL);
}
