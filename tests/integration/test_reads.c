/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many reads at a time: each answer is right, comes once, and comes whatever the
 * depth is, wherever the transactions are, and while they move or are retired.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/fault.h"

#define UNKNOWN (~0ull >> 20) /* an id that nobody gets here */

/* ---- what is to be read --------------------------------------------------- */

/* Transactions of all sizes and paths, in the stage, in the log, in groups and in
 * several pieces; every fifth is retired again. */
static void put_mix(struct bed *bed, struct model *model, unsigned int count)
{
	static const uint64_t sizes[] = { 0, 1, 100, 4000, 4096, 9000, 16000, 16300, 70000 };
	struct journal_receipt receipt;

	for (unsigned int i = 0; i < count; i++) {
		uint64_t bytes = sizes[i % 9] + i / 9 * 8 % 300;
		enum journal_path path = i % 4 == 3 ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO;

		assert_int_equal(bed_put(bed, model, bytes, i, path, &receipt), 0);
		if (i % 5 == 4) {
			assert_int_equal(journal_retire(bed->j, receipt.id), 0);
			model_retire(model, receipt.id);
		}
	}
}

static void put_pieces(struct bed *bed, struct model *model, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(bed_put(bed, model, (1300u << 10) + i, 1000 + i,
					 JOURNAL_PATH_AUTO, NULL), 0);
}

/* The answer for entry @got->cookie of @model is right. */
static void is_right(struct model *model, const struct journal_read_result *got)
{
	struct model_entry *entry = &model->all[got->cookie];
	uint8_t *expected = bed_payload(entry->bytes, entry->seed);

	assert_int_equal(got->id, entry->id);
	assert_int_equal(got->error, entry->retired ? -ENOENT : 0);
	assert_int_equal(got->bytes, entry->retired ? 0 : entry->bytes);
	if (entry->retired)
		assert_null(got->data);
	else if (got->bytes)
		assert_memory_equal(got->data, expected, got->bytes);
	free(expected);
}

static struct journal_reads *reads_of(struct bed *bed, unsigned int depth)
{
	struct journal_reads *reads;

	assert_int_equal(journal_reads_open(bed->j, depth, &reads), 0);
	return reads;
}

/* All of @model, each once, with the queue kept full. */
static void read_model(struct model *model, struct bed *bed, unsigned int depth)
{
	struct journal_reads *reads = reads_of(bed, depth);
	bool *seen = calloc(model->count, sizeof(*seen));
	struct journal_read_result got;
	size_t submitted = 0, taken;

	for (taken = 0; taken < model->count; taken++) {
		while (submitted < model->count && submitted - taken < depth) {
			assert_int_equal(journal_reads_submit(reads, model->all[submitted].id,
							      submitted), 0);
			submitted++;
		}
		assert_int_equal(journal_reads_next(reads, -1, &got), 0);
		assert_true(got.cookie < model->count && !seen[got.cookie]);
		seen[got.cookie] = true;
		is_right(model, &got);
	}
	assert_int_equal(journal_reads_next(reads, -1, &got), -ENODATA);
	journal_reads_close(reads);
	free(seen);
}

/* ---- tests -------------------------------------------------------------- */

static void every_depth(enum bed_medium medium)
{
	static const unsigned int depths[] = { 1, 2, 5, 32, 256 };
	struct journal_open_options rdonly = { .flags = JOURNAL_RDONLY };
	struct journal_open_options plain = { .flags = JOURNAL_NO_URING };
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 48u << 20, 0);
	model_make(&model);
	put_pieces(&bed, &model, 3);
	put_mix(&bed, &model, 400);
	for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++)
		read_model(&model, &bed, depths[i]);
	bed_close(&bed);
	bed_open(&bed, &plain);
	read_model(&model, &bed, 7);
	bed_close(&bed);
	bed_open(&bed, &rdonly);
	read_model(&model, &bed, 64);
	model_free(&model);
	bed_remove(&bed);
}

static void limits_and_refusals(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct journal_read_result got;
	struct journal_reads *reads;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	assert_int_equal(journal_reads_open(bed.j, JOURNAL_READS_MAX + 1, &reads), -EINVAL);
	assert_non_null(strstr(journal_error(bed.j), "limit of 1024"));
	assert_int_equal(journal_put(bed.j, "0123", 4, &receipt), 0);
	reads = reads_of(&bed, JOURNAL_READS_MAX);
	journal_reads_close(reads);
	reads = reads_of(&bed, 0);
	assert_int_equal(journal_reads_next(reads, -1, &got), -ENODATA);
	for (uint64_t i = 0; i < JOURNAL_READS_DEFAULT; i++)
		assert_int_equal(journal_reads_submit(reads, i ? receipt.id : UNKNOWN, i), 0);
	assert_int_equal(journal_reads_submit(reads, receipt.id, 99), -EAGAIN);
	assert_non_null(strstr(journal_error(bed.j), "take a result first"));
	for (uint64_t i = 0; i < JOURNAL_READS_DEFAULT; i++) {
		assert_int_equal(journal_reads_next(reads, 60000, &got), 0);
		assert_int_equal(got.error, got.cookie ? 0 : -ENOENT);
		if (got.error)
			assert_non_null(strstr(journal_error(bed.j), "no such transaction"));
		else
			assert_memory_equal(got.data, "0123", 4);
	}
	assert_int_equal(journal_reads_next(reads, 0, &got), -ENODATA);
	journal_reads_close(reads);
	journal_reads_close(NULL);
	bed_remove(&bed);
}

/* a result stays until the next call, also when its place is asked for at once */
static void a_result_stays_until_the_next(enum bed_medium medium)
{
	struct journal_receipt receipt[3];
	struct journal_read_result got;
	struct journal_reads *reads;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(bed_put(&bed, NULL, 5000, i, JOURNAL_PATH_SYNCED, &receipt[i]), 0);
	reads = reads_of(&bed, 1);
	assert_int_equal(journal_reads_submit(reads, receipt[0].id, 0), 0);
	for (uint64_t i = 0; i < 3; i++) {
		uint8_t *expected = bed_payload(5000, i);

		assert_int_equal(journal_reads_next(reads, -1, &got), 0);
		if (i < 2)
			assert_int_equal(journal_reads_submit(reads, receipt[i + 1].id, 0), 0);
		assert_int_equal(got.id, receipt[i].id);
		assert_memory_equal(got.data, expected, 5000);
		free(expected);
	}
	journal_reads_close(reads);
	bed_remove(&bed);
}

static void not_waiting_and_waiting_for_a_while(enum bed_medium medium)
{
	struct journal_read_result got;
	struct journal_reads *reads;
	struct model model;
	struct bed bed;
	int error;

	bed_make(&bed, medium, 24u << 20, 0);
	model_make(&model);
	put_mix(&bed, &model, 60);
	reads = reads_of(&bed, 60);
	for (uint64_t i = 0; i < 60; i++)
		assert_int_equal(journal_reads_submit(reads, model.all[i].id, i), 0);
	for (unsigned int taken = 0; taken < 60;) {
		error = journal_reads_next(reads, taken & 1 ? 1 : 0, &got);
		if (error) {
			assert_int_equal(error, -ETIMEDOUT);
			continue;
		}
		is_right(&model, &got);
		taken++;
	}
	journal_reads_close(reads);
	model_free(&model);
	bed_remove(&bed);
}

static void closed_with_reads_outstanding(enum bed_medium medium)
{
	struct journal_read_result got;
	struct journal_reads *reads;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 24u << 20, 0);
	model_make(&model);
	put_pieces(&bed, &model, 1);
	put_mix(&bed, &model, 100);
	for (uint64_t round = 0; round < 30; round++) {
		reads = reads_of(&bed, 64);
		for (uint64_t i = 0; i < 1 + round * 2; i++)
			assert_int_equal(journal_reads_submit(reads, model.all[i].id, i), 0);
		for (uint64_t i = 0; i < round % 3; i++) {
			assert_int_equal(journal_reads_next(reads, -1, &got), 0);
			is_right(&model, &got);
		}
		journal_reads_close(reads);
	}
	read_model(&model, &bed, 16);
	model_free(&model);
	bed_remove(&bed);
}

/* Does closing the journal before its reads stop the process? */
static void the_journal_is_closed_last(enum bed_medium medium)
{
	struct journal_reads *reads;
	struct bed bed;
	int status;
	pid_t child;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	child = fork();
	if (!child) {
		(void)close(STDERR_FILENO);
		(void)signal(SIGABRT, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		if (!journal_open(bed.dir, NULL, &bed.j) && !journal_reads_open(bed.j, 4, &reads))
			(void)journal_close(bed.j);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	bed_remove(&bed);
}

/* the child of a fork is told, and its parent goes on */
static void a_fork_in_between(enum bed_medium medium)
{
	struct journal_read_result got;
	struct journal_reads *reads, *other;
	struct model model;
	struct bed bed;
	int status;
	pid_t child;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	put_mix(&bed, &model, 40);
	reads = reads_of(&bed, 40);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(journal_reads_submit(reads, model.all[i].id, i), 0);
	child = fork();
	if (!child) {
		status = journal_reads_submit(reads, model.all[0].id, 0) != -ECHILD ||
			 journal_reads_next(reads, -1, &got) != -ECHILD ||
			 journal_reads_open(bed.j, 4, &other) != -ECHILD;
		journal_reads_close(reads);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (uint64_t i = 0; i < 40; i++) {
		assert_int_equal(journal_reads_next(reads, -1, &got), 0);
		is_right(&model, &got);
	}
	journal_reads_close(reads);
	model_free(&model);
	bed_remove(&bed);
}

/* each log has a queue, and all are waited for together */
static void several_logs(enum bed_medium medium)
{
	char message[512], uri[PATH_MAX + 32], one[PATH_MAX + 8], two[PATH_MAX + 8];
	const char *logs[] = { one, two };
	struct journal_format_options options = {
		.marker = uri, .marker_bytes = 4u << 20, .logs = logs, .log_count = 2,
		.log_bytes = 48u << 20, .require = JOURNAL_CLASS_PROCESS, .force = 1,
	};
	struct journal_open_options plain = { .flags = JOURNAL_NO_URING };
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	bed_close(&bed);
	(void)snprintf(one, sizeof(one), "%s.one", bed.dir);
	(void)snprintf(two, sizeof(two), "%s.two", bed.dir);
	(void)snprintf(uri, sizeof(uri), "%s:%s", medium == BED_FILE ? "file" : "pmem", bed.marker);
	assert_int_equal(mkdir(one, 0700) | mkdir(two, 0700), 0);
	assert_int_equal(journal_format(bed.dir, &options, message, sizeof(message)), 0);
	bed_open(&bed, NULL);
	model_make(&model);
	put_mix(&bed, &model, 400);
	read_model(&model, &bed, 1);
	read_model(&model, &bed, 32);
	bed_close(&bed);
	bed_open(&bed, &plain);
	read_model(&model, &bed, 32);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- damage ---------------------------------------------------------------- */

/* Turn round a byte in the middle of what @seed makes, in the log. */
static void damage(struct bed *bed, uint64_t bytes, uint64_t seed)
{
	uint8_t *needle = bed_payload(bytes, seed), *log, *at;
	off_t size;
	char path[PATH_MAX + 8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log", bed->dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	log = malloc((size_t)size);
	assert_int_equal(pread(fd, log, (size_t)size, 0), size);
	at = memmem(log, (size_t)size, needle, bytes);
	assert_non_null(at);
	needle[bytes / 2] ^= 1;
	assert_int_equal(pwrite(fd, needle + bytes / 2, 1,
				at - log + (off_t)(bytes / 2)), 1);
	assert_int_equal(fsync(fd), 0);
	(void)close(fd);
	free(log);
	free(needle);
}

static void damage_is_named(enum bed_medium medium)
{
	struct journal_receipt receipt[40];
	struct journal_read_result got;
	struct journal_reads *reads;
	char id[JOURNAL_ID_CHARS];
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(bed_put(&bed, NULL, 3000, i, JOURNAL_PATH_SYNCED, &receipt[i]), 0);
	damage(&bed, 3000, 7);
	damage(&bed, 3000, 31);
	reads = reads_of(&bed, 40);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(journal_reads_submit(reads, receipt[i].id, i), 0);
	for (uint64_t i = 0; i < 40; i++) {
		assert_int_equal(journal_reads_next(reads, -1, &got), 0);
		if (got.cookie != 7 && got.cookie != 31) {
			assert_int_equal(got.error, 0);
			continue;
		}
		assert_int_equal(got.error, -EBADMSG);
		journal_id_print(got.id, id);
		assert_non_null(strstr(journal_error(bed.j), id));
		assert_non_null(strstr(journal_error(bed.j), "COMMITTED_BUT_LOST"));
	}
	journal_reads_close(reads);
	bed_remove(&bed);
}

/* ---- while others are at work ------------------------------------------------ */

#define CHURN 512u

/* @seeds: of the transaction in place i, told by its cookie; 0: none */
struct churn {
	struct bed *bed;
	_Atomic uint64_t ids[CHURN];
	_Atomic bool stop;
	_Atomic unsigned int failures;
};

static uint64_t churn_bytes(uint64_t id)
{
	return id * 0x9e3779b97f4a7c15ull >> 49; /* below 32768 */
}

/* A payload begins with its place and its round; the rest follows from these. */
static int churn_put(struct churn *churn, uint64_t place, uint64_t round, uint64_t *id)
{
	uint64_t seed = place << 40 | round;
	size_t bytes = 8 + churn_bytes(seed);
	uint8_t *data = bed_payload(bytes, seed);
	struct journal_receipt receipt;
	int error;

	memcpy(data, &seed, 8);
	error = journal_put(churn->bed->j, data, bytes, &receipt);
	free(data);
	*id = receipt.id;
	return error;
}

static void *churn_on(void *argument)
{
	struct churn *churn = argument;
	uint64_t state = 12345, round, place, id, old;

	for (round = 1; !churn->stop; round++) {
		place = fault_random(&state) % CHURN;
		if (churn_put(churn, place, round, &id)) {
			churn->failures++;
			break;
		}
		old = atomic_exchange(&churn->ids[place], id);
		if (old && journal_retire(churn->bed->j, old))
			churn->failures++;
	}
	return NULL;
}

/* What was retired is gone, or it is whole; what is not retired is there. */
static void churn_check(struct churn *churn, const struct journal_read_result *got)
{
	uint64_t seed;
	uint8_t *expected;

	if (got->error) {
		assert_int_equal(got->error, -ENOENT);
		assert_true(atomic_load(&churn->ids[got->cookie]) != got->id);
		return;
	}
	assert_true(got->bytes >= 8);
	memcpy(&seed, got->data, 8);
	assert_int_equal(seed >> 40, got->cookie);
	assert_int_equal(got->bytes, 8 + churn_bytes(seed));
	expected = bed_payload(got->bytes, seed);
	assert_memory_equal((const uint8_t *)got->data + 8, expected + 8, got->bytes - 8);
	free(expected);
}

static void read_beside(struct churn *churn, unsigned int depth, unsigned int count)
{
	struct journal_reads *reads = reads_of(churn->bed, depth);
	uint64_t state = depth, place;
	struct journal_read_result got;
	unsigned int submitted = 0, taken;

	for (taken = 0; taken < count; taken++) {
		while (submitted < count && submitted - taken < depth) {
			place = fault_random(&state) % CHURN;
			assert_int_equal(journal_reads_submit(reads,
							      atomic_load(&churn->ids[place]),
							      place), 0);
			submitted++;
		}
		assert_int_equal(journal_reads_next(reads, -1, &got), 0);
		churn_check(churn, &got);
	}
	journal_reads_close(reads);
}

static void beside_who_retires_and_destages(enum bed_medium medium)
{
	struct churn churn = { .stop = false };
	pthread_t thread;
	uint64_t place, id;
	struct bed bed;

	bed_make(&bed, medium, 64u << 20, 0);
	churn.bed = &bed;
	for (place = 0; place < CHURN; place++) {
		assert_int_equal(churn_put(&churn, place, 0, &id), 0);
		churn.ids[place] = id;
	}
	assert_int_equal(pthread_create(&thread, NULL, churn_on, &churn), 0);
	for (unsigned int round = 0; round < 4; round++) {
		read_beside(&churn, 1, 100);
		read_beside(&churn, 32, 1000);
		read_beside(&churn, 256, 1000);
	}
	churn.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(churn.failures, 0);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "every_depth", every_depth, BED_ALL },
		{ "limits_and_refusals", limits_and_refusals, BED_ALL },
		{ "a_result_stays_until_the_next", a_result_stays_until_the_next, BED_ALL },
		{ "not_waiting_and_waiting_for_a_while", not_waiting_and_waiting_for_a_while,
		  BED_ALL },
		{ "closed_with_reads_outstanding", closed_with_reads_outstanding, BED_ALL },
		{ "the_journal_is_closed_last", the_journal_is_closed_last, 1u << BED_PMEM },
		{ "a_fork_in_between", a_fork_in_between, BED_ALL },
		{ "several_logs", several_logs, 1u << BED_FILE | 1u << BED_PMEM },
		{ "damage_is_named", damage_is_named, BED_ALL },
		{ "beside_who_retires_and_destages", beside_who_retires_and_destages, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
