/* SPDX-License-Identifier: BSD-3-Clause */
/* serial */
/*
 * What every queue of reads does: that on a ring, the one that reads one after
 * the other, and the one of the fault filter over either.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fault.h"
#include "../lib/fault_log.h"
#include "../lib/scratch.h"
#include "log/log_file.h"
#include "log/log_mirror.h"
#include "store/log_queue.h"
#include "util/math.h"

#define STORE_BYTES (8u << 20)
#define UNIT        4096u
#define BLOCKS      (STORE_BYTES / UNIT)
#define DEPTH_MOST  256u

struct backend {
	const char *name;
	const char *parent; /* directory to work in */
	unsigned int flags;
	bool filter, hold, mirror;
};

static struct backend backends[] = {
	{ .name = "io_uring" },
	{ .name = "tmpfs", .parent = "/dev/shm" },
	{ .name = "pwrite", .flags = LOG_NO_URING },
	{ .name = "fault filter", .filter = true },
	{ .name = "fault filter that holds", .filter = true, .hold = true },
	{ .name = "fault filter, pwrite", .filter = true, .flags = LOG_NO_URING },
	{ .name = "mirror", .mirror = true },
	{ .name = "mirror, pwrite", .mirror = true, .flags = LOG_NO_URING },
};

/* a store whose blocks tell which they are, and buffers for the deepest queue */
struct place {
	const struct backend *backend;
	struct scratch scratch;
	char path[PATH_MAX], mirror[PATH_MAX];
	struct log_store *store;
	struct message message;
	struct iovec arena;
	struct log_io io[DEPTH_MOST];
	bool out[DEPTH_MOST];
};

static void pattern(uint8_t *at, uint64_t block)
{
	for (uint32_t i = 0; i < UNIT; i += 8) {
		uint64_t state = block * UNIT + i, word = fault_random(&state);

		memcpy(at + i, &word, 8);
	}
}

static bool is_block(const struct log_io *io)
{
	uint8_t expected[UNIT];

	pattern(expected, io->offset / UNIT);
	return !memcmp(io->buffer, expected, UNIT);
}

static void fill(struct log_store *store)
{
	uint8_t *buffer = log_store_buffer(store);

	for (uint64_t at = 0; at < STORE_BYTES; at += LOG_BUFFER_BYTES) {
		struct log_io io = { at, buffer, LOG_BUFFER_BYTES, 0 };

		for (uint32_t i = 0; i < LOG_BUFFER_BYTES; i += UNIT)
			pattern(buffer + i, (at + i) / UNIT);
		assert_int_equal(log_store_write(store, &io, 1, false), 0);
	}
	log_store_buffer_done(store, buffer);
}

static int open_store(struct place *place)
{
	static const uint8_t uuid[16] = { 7 };
	struct log_legs_of legs = {
		.path = { place->path, place->mirror }, .uuid = uuid, .open = log_file_open,
	};
	unsigned int flags = LOG_CREATE | place->backend->flags;

	if (place->backend->mirror)
		return log_mirror_open(&legs, flags, STORE_BYTES, NULL, &place->store,
				       &place->message);
	return log_file_open(place->path, flags, STORE_BYTES, NULL, &place->store,
			     &place->message);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	place->backend = *state;
	*state = place;
	place->arena.iov_len = (size_t)DEPTH_MOST * UNIT;
	place->arena.iov_base = aligned_alloc(UNIT, place->arena.iov_len);
	memset(place->arena.iov_base, 0, place->arena.iov_len);
	if (scratch_make(&place->scratch, place->backend->parent))
		return -1;
	scratch_path(&place->scratch, "log", place->path);
	scratch_path(&place->scratch, "mirror", place->mirror);
	if (open_store(place))
		return -1;
	if (place->backend->filter)
		place->store = fault_log_wrap(place->store);
	if (place->backend->hold)
		fault_log_hold(place->store);
	fill(place->store);
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	log_store_close(place->store);
	scratch_remove(&place->scratch);
	free(place->arena.iov_base);
	free(place);
	return 0;
}

static struct log_queue *queue_of(struct place *place, unsigned int depth)
{
	struct log_queue *queue = NULL;

	assert_int_equal(log_queue_open(place->store, depth, &place->arena, &queue), 0);
	assert_int_equal(queue->depth, depth);
	return queue;
}

/* read @block into buffer @i */
static void submit(struct place *place, struct log_queue *queue, unsigned int i, uint64_t block)
{
	place->io[i] = (struct log_io){ block * UNIT,
					(uint8_t *)place->arena.iov_base + (size_t)i * UNIT,
					UNIT, 0 };
	assert_false(place->out[i]);
	place->out[i] = true;
	memset(place->io[i].buffer, 0, UNIT);
	log_queue_submit(queue, &place->io[i]);
}

/* Return: number of the buffer that came back, for the first time */
static unsigned int came_back(struct place *place, const struct log_io *io)
{
	for (unsigned int i = 0; i < DEPTH_MOST; i++)
		if (io == &place->io[i]) {
			assert_true(place->out[i]);
			place->out[i] = false;
			return i;
		}
	fail_msg("what came back was never submitted");
	return 0;
}

/* Keep @queue full until @count were read.  @expected: what each must give. */
static void read_many(struct place *place, struct log_queue *queue, unsigned int count,
		      int expected)
{
	uint64_t seed = fault_seed(place->backend->name);
	unsigned int i, submitted, taken;

	for (submitted = 0; submitted < queue->depth && submitted < count; submitted++)
		submit(place, queue, submitted, fault_random(&seed) % BLOCKS);
	for (taken = 0; taken < count; taken++) {
		struct log_io *io = log_queue_complete(queue, true);

		i = came_back(place, io);
		assert_int_equal(io->result, expected);
		assert_true(expected || is_block(io));
		if (submitted < count && ++submitted)
			submit(place, queue, i, fault_random(&seed) % BLOCKS);
	}
	assert_int_equal(queue->under_way, 0);
}

/* ---- tests -------------------------------------------------------------- */

static void every_depth(void **state)
{
	static const unsigned int depths[] = { 1, 2, 3, 7, 32, 100, DEPTH_MOST };
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_COUNT(depths); i++) {
		struct log_queue *queue = queue_of(place, depths[i]);

		read_many(place, queue, 3 * depths[i] + 5, 0);
		read_many(place, queue, depths[i], 0);
		log_queue_close(queue);
	}
}

static void what_comes_back_is_counted(void **state)
{
	struct place *place = *state;
	uint64_t reads = place->store->counters.reads, bytes = place->store->counters.bytes_read;
	struct log_queue *queue = queue_of(place, 8);

	read_many(place, queue, 20, 0);
	log_queue_close(queue);
	assert_int_equal(place->store->counters.reads, reads + 20);
	assert_int_equal(place->store->counters.bytes_read, bytes + 20 * UNIT);
}

static void it_need_not_be_waited_for(void **state)
{
	struct place *place = *state;
	struct log_queue *queue = queue_of(place, 16);
	unsigned int i, taken = 0;

	for (i = 0; i < 16; i++)
		submit(place, queue, i, i);
	while (taken < 16) {
		struct log_io *io = log_queue_complete(queue, false);
		struct pollfd fd = { log_queue_fd(queue), POLLIN, 0 };

		if (io) {
			(void)came_back(place, io);
			assert_true(is_block(io));
			taken++;
		} else {
			assert_true(fd.fd >= 0);
			assert_int_equal(poll(&fd, 1, 60000), 1);
		}
	}
	log_queue_close(queue);
}

static void outside_the_arena_and_larger(void **state)
{
	struct place *place = *state;
	struct log_queue *queue = queue_of(place, 2);
	uint8_t *buffer = aligned_alloc(UNIT, 16 * UNIT);
	struct log_io *io, two[2] = { { 5 * UNIT, buffer, 15 * UNIT, 0 },
				      { 99 * UNIT, buffer + 15 * UNIT, UNIT, 0 } };

	log_queue_submit(queue, &two[0]);
	log_queue_submit(queue, &two[1]);
	for (int i = 0; i < 2; i++) {
		io = log_queue_complete(queue, true);
		assert_true(io == &two[0] || io == &two[1]);
		assert_true(is_block(io));
	}
	assert_ptr_not_equal(two[0].buffer, two[1].buffer);
	log_queue_close(queue);
	free(buffer);
}

static void closed_with_reads_under_way(void **state)
{
	struct place *place = *state;

	for (unsigned int round = 0; round < 20; round++) {
		struct log_queue *queue = queue_of(place, 64);

		for (unsigned int i = 0; i <= round * 3; i++)
			submit(place, queue, i, i * 7);
		if (round & 1)
			(void)came_back(place, log_queue_complete(queue, true));
		log_queue_close(queue);
		memset(place->out, 0, sizeof(place->out));
		/* the kernel is done with them */
		memset(place->arena.iov_base, (int)round, place->arena.iov_len);
		for (size_t i = 0; i < place->arena.iov_len; i++)
			assert_int_equal(((uint8_t *)place->arena.iov_base)[i], round);
	}
	log_queue_close(NULL);
}

struct worker {
	pthread_t thread;
	struct log_store *store;
	unsigned int number, failures;
};

#define WORKER_DEPTH 16u

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct iovec arena = { aligned_alloc(UNIT, WORKER_DEPTH * UNIT), WORKER_DEPTH * UNIT };
	struct log_io io[WORKER_DEPTH], *done;
	struct log_queue *queue;
	unsigned int i;

	if (log_queue_open(worker->store, WORKER_DEPTH, &arena, &queue))
		return NULL;
	for (i = 0; i < WORKER_DEPTH; i++) {
		io[i] = (struct log_io){ (worker->number * 131 + i) % BLOCKS * UNIT,
					 (uint8_t *)arena.iov_base + (size_t)i * UNIT, UNIT, 0 };
		log_queue_submit(queue, &io[i]);
	}
	for (i = 0; i < 500; i++) {
		done = log_queue_complete(queue, true);
		worker->failures += done->result || !is_block(done);
		done->offset = (done->offset + 17 * UNIT) % STORE_BYTES;
		log_queue_submit(queue, done);
	}
	log_queue_close(queue);
	free(arena.iov_base);
	return worker;
}

static void many_queues_of_one_store(void **state)
{
	struct place *place = *state;
	struct worker workers[8];

	for (unsigned int i = 0; i < ARRAY_COUNT(workers); i++) {
		workers[i] = (struct worker){ .store = place->store, .number = i };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < ARRAY_COUNT(workers); i++) {
		void *ended;

		assert_int_equal(pthread_join(workers[i].thread, &ended), 0);
		assert_ptr_equal(ended, &workers[i]);
		assert_int_equal(workers[i].failures, 0);
	}
}

static void a_failed_write_stops_no_read(void **state)
{
	struct place *place = *state;
	struct log_queue *queue = queue_of(place, 4);

	log_store_fail(place->store, -EIO);
	read_many(place, queue, 10, 0);
	log_queue_close(queue);
}

/* the file is shorter than the store believes */
static void a_short_read_is_an_error(void **state)
{
	struct place *place = *state;
	struct log_queue *queue = queue_of(place, 4);
	struct log_io *io;

	assert_int_equal(truncate(place->path, STORE_BYTES / 2), 0);
	submit(place, queue, 0, BLOCKS - 1);
	submit(place, queue, 1, 1);
	for (int i = 0; i < 2; i++) {
		io = log_queue_complete(queue, true);
		assert_int_equal(io->result, came_back(place, io) ? 0 : -EIO);
	}
	log_queue_close(queue);
}

static void injected_errors_come_back(void **state)
{
	struct place *place = *state;
	struct log_queue *queue = queue_of(place, 8);

	for (unsigned int nth = 1; nth <= 8; nth++) {
		unsigned int failed = 0;

		fault_log_arm(place->store, FAULT_LOG_READ, nth, -EIO, false);
		for (unsigned int i = 0; i < 8; i++)
			submit(place, queue, i, i);
		for (unsigned int i = 0; i < 8; i++) {
			struct log_io *io = log_queue_complete(queue, true);

			if (io->result) {
				assert_int_equal(io->result, -EIO);
				assert_int_equal(came_back(place, io), nth - 1);
				failed++;
			} else {
				assert_true(is_block(io));
				(void)came_back(place, io);
			}
		}
		assert_int_equal(failed, 1);
	}
	fault_log_arm(place->store, FAULT_LOG_READ, 1, -EIO, true);
	read_many(place, queue, 20, -EIO);
	log_queue_close(queue);
}

/* Does the call stop the process that makes it? */
static bool stops(struct log_queue *queue, struct log_io io, unsigned int times)
{
	pid_t child = fork();
	struct log_io same[2] = { io, io };
	int status;

	if (!child) {
		(void)close(STDERR_FILENO); /* what it says is known */
		(void)signal(SIGABRT, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		for (unsigned int i = 0; i < times; i++)
			log_queue_submit(queue, &same[i]);
		if (!times)
			(void)log_queue_complete(queue, false);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void misuse_is_asserted(void **state)
{
	struct place *place = *state;
	struct log_queue *queue = queue_of(place, 1);
	uint8_t *buffer = place->arena.iov_base;

	assert_true(stops(queue, (struct log_io){ 0, NULL, 0, 0 }, 0));
	assert_true(stops(queue, (struct log_io){ 0, buffer, UNIT, 0 }, 2));
	assert_true(stops(queue, (struct log_io){ 100, buffer, UNIT, 0 }, 1));
	assert_true(stops(queue, (struct log_io){ 0, buffer + 8, UNIT, 0 }, 1));
	assert_true(stops(queue, (struct log_io){ STORE_BYTES, buffer, UNIT, 0 }, 1));
	log_queue_close(queue);
}

/* ---- every test on every backend that it applies to ----------------------- */

static bool in_the_file(const struct backend *backend)
{
	return !backend->hold && !backend->mirror; /* the other leg has it */
}

static bool with_faults(const struct backend *backend)
{
	return backend->filter;
}

#define TEST(function) { #function, function, NULL }

static const struct {
	const char *name;
	CMUnitTestFunction function;
	bool (*applies)(const struct backend *backend);
} suite[] = {
	TEST(every_depth),
	TEST(what_comes_back_is_counted),
	TEST(it_need_not_be_waited_for),
	TEST(outside_the_arena_and_larger),
	TEST(closed_with_reads_under_way),
	TEST(many_queues_of_one_store),
	TEST(a_failed_write_stops_no_read),
	TEST(misuse_is_asserted),
	{ "a_short_read_is_an_error", a_short_read_is_an_error, in_the_file },
	{ "injected_errors_come_back", injected_errors_come_back, with_faults },
};

int main(void)
{
	static struct CMUnitTest tests[ARRAY_COUNT(backends) * ARRAY_COUNT(suite)];
	static char names[ARRAY_COUNT(tests)][80];
	size_t i, k, used = 0;

	for (i = 0; i < ARRAY_COUNT(backends); i++)
		for (k = 0; k < ARRAY_COUNT(suite); k++) {
			if (suite[k].applies && !suite[k].applies(&backends[i]))
				continue;
			(void)snprintf(names[used], sizeof(names[used]), "%s: %s",
				       backends[i].name, suite[k].name);
			tests[used] = (struct CMUnitTest){ names[used], suite[k].function, set_up,
							   tear_down, &backends[i] };
			used++;
		}
	return _cmocka_run_group_tests("log queue", tests, used, NULL, NULL);
}
