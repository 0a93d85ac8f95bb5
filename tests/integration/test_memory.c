/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Each allocation of each call fails once: the call says -ENOMEM and nothing has
 * happened, or it did without; and what comes after goes on.  The allocator is
 * replaced at link time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

static atomic_int until = -1; /* allocations until one fails; below 0: none does */
static atomic_bool failed;

static bool fails(void)
{
	if (atomic_load(&until) < 0 || atomic_fetch_sub(&until, 1))
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return fails() ? NULL : __real_realloc(old, bytes);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes)
{
	return fails() ? ENOMEM : __real_posix_memalign(out, alignment, bytes);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static void arm(int after)
{
	failed = false;
	until = after;
}

/* Return: whether one failed */
static bool disarm(void)
{
	until = -1;
	return failed;
}

#define MANY 100000 /* allocations: more than a call makes */

/* 0 or -ENOMEM, nothing else; Return: whether to go on with the next one */
static bool told(const char *what, int n, int error, bool hit)
{
	if (error && (error != -ENOMEM || !hit))
		fail_msg("%s, allocation %d: %s", what, n, strerror(-error));
	assert_true(n < MANY);
	return hit;
}

static int put(struct journal *j, enum journal_path path, const uint8_t *payload, size_t bytes,
	       struct journal_receipt *receipt)
{
	struct journal_txn_options options = { .path = path };
	struct journal_txn *txn;
	int error = journal_begin(j, &options, &txn);

	if (error)
		return error;
	error = journal_append(txn, payload, bytes);
	if (!error)
		return journal_commit(txn, receipt);
	assert_int_equal(journal_abort(txn), 0);
	return error;
}

static void puts_of(struct bed *bed, struct model *model, enum journal_path path, size_t bytes)
{
	uint8_t *payload = bed_payload(bytes, bytes);
	struct journal_receipt receipt;
	bool hit = true;
	int n, error;

	for (n = 0; hit; n++) {
		bed_reopen(bed);
		arm(n);
		error = put(bed->j, path, payload, bytes, &receipt);
		hit = told("put", n, error, disarm());
		if (!error)
			model_add(model, receipt.id, bytes, bytes);
		/* the same handle goes on */
		assert_int_equal(put(bed->j, path, payload, bytes, &receipt), 0);
		model_add(model, receipt.id, bytes, bytes);
		assert_int_equal(journal_retire(bed->j, receipt.id), 0);
		model_retire(model, receipt.id);
	}
	free(payload);
}

static void a_put_without_memory(enum bed_medium medium)
{
	static const size_t sizes[] = { 100, 3000000 };
	struct model model;
	struct bed bed;
	size_t i;
	int path;

	bed_make(&bed, medium, 32u << 20, 0);
	model_make(&model);
	for (i = 0; i < 2; i++)
		for (path = JOURNAL_PATH_AUTO; path <= JOURNAL_PATH_SYNCED; path++)
			if ((bed_has_nvram(&bed) && (path != JOURNAL_PATH_STAGED || !i)) ||
			    path == JOURNAL_PATH_AUTO || path == JOURNAL_PATH_SYNCED)
				puts_of(&bed, &model, path, sizes[i]);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

static void some(struct bed *bed, struct model *model)
{
	static const size_t sizes[] = { 1, 900, 17000, 300000, 2500000 };
	size_t i;

	for (i = 0; i < 20; i++)
		assert_int_equal(bed_put(bed, model, sizes[i % 5], i, 0, NULL), 0);
}

static void an_open_without_memory(enum bed_medium medium)
{
	char message[512];
	struct model model;
	struct bed bed;
	bool hit = true;
	int n, error;

	bed_make(&bed, medium, 32u << 20, 0);
	model_make(&model);
	some(&bed, &model);
	bed_close(&bed);
	for (n = 0; hit; n++) {
		arm(n);
		error = journal_open(bed.dir, NULL, &bed.j);
		hit = told("open", n, error, disarm());
		assert_true(journal_error(bed.j)[0] != '\0');
		if (!error)
			model_verify(&model, bed.j);
		(void)journal_close(bed.j);
	}
	for (n = 0, hit = true; hit; n++) {
		memset(message, 'x', sizeof(message));
		arm(n);
		error = journal_check(bed.dir, NULL, NULL, NULL, message, sizeof(message));
		hit = told("check", n, error, disarm());
		assert_true(!error || strstr(message, "memory"));
	}
	bed_open(&bed, NULL);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* all of @model, with 3 reads at a time.  Return: 0, or the last error */
static int read_many(struct bed *bed, const struct model *model)
{
	struct journal_read_result got;
	struct journal_reads *reads;
	size_t submitted = 0, taken;
	int error = journal_reads_open(bed->j, 3, &reads);

	for (taken = 0; !error && taken < model->count; taken++) {
		while (submitted < model->count && submitted - taken < 3) {
			assert_int_equal(journal_reads_submit(reads, model->all[submitted].id,
							      submitted), 0);
			submitted++;
		}
		assert_int_equal(journal_reads_next(reads, -1, &got), 0);
		if (!got.error)
			assert_int_equal(got.bytes, model->all[got.cookie].bytes);
		else
			error = got.error;
	}
	if (error != -ENOMEM || taken)
		journal_reads_close(reads);
	return error;
}

static void reading_and_retiring_without_memory(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	bool hit = true;
	int n, error;

	bed_make(&bed, medium, 32u << 20, 0);
	model_make(&model);
	some(&bed, &model);
	for (size_t i = 0; i < model.count; i++) {
		uint8_t *buffer = malloc(model.all[i].bytes);
		size_t got;

		for (n = 0, hit = true; hit; n++) {
			arm(n);
			error = journal_read(bed.j, model.all[i].id, buffer, model.all[i].bytes,
					     &got);
			hit = told("read", n, error, disarm());
		}
		free(buffer);
	}
	for (n = 0, hit = true; hit; n++) {
		arm(n);
		error = read_many(&bed, &model);
		hit = told("reads", n, error, disarm());
	}
	for (n = 0, hit = true; hit; n++) {
		uint64_t ids[3];
		int results[3];

		for (int k = 0; k < 3; k++) {
			assert_int_equal(bed_put(&bed, &model, 50, 7, 0, NULL), 0);
			ids[k] = model.all[model.count - 1].id;
		}
		arm(n);
		error = journal_retire_many(bed.j, ids, 3, results);
		hit = told("retire_many", n, error, disarm());
		for (int k = 0; k < 3 && !error; k++)
			model_retire(&model, ids[k]);
		model_verify(&model, bed.j);
	}
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

static void format_without_memory(enum bed_medium medium)
{
	struct journal_format_options options = {
		.log_bytes = 9u << 20, .require = JOURNAL_CLASS_PROCESS,
	};
	char dir[PATH_MAX + 16], message[512];
	struct bed bed;
	bool hit = true;
	int n, error;

	bed_make(&bed, medium, 0, 0);
	(void)snprintf(dir, sizeof(dir), "%s.new", bed.dir);
	for (n = 0; hit; n++) {
		memset(message, 'x', sizeof(message));
		arm(n);
		error = journal_format(dir, &options, message, sizeof(message));
		hit = told("format", n, error, disarm());
		assert_true(!error || strstr(message, "memory"));
		/* nothing is left behind that would keep the next one from it */
		if (!error && hit)
			options.force = 1;
	}
	bed_remove(&bed);
}

/* What one call could not end, another does. */
static void destroy_without_memory(enum bed_medium medium)
{
	struct journal_format_options options = {
		.log_bytes = 9u << 20, .require = JOURNAL_CLASS_PROCESS,
	};
	char dir[PATH_MAX + 16], message[512];
	struct bed bed;
	bool hit = true;
	int n, error;

	bed_make(&bed, medium, 0, 0);
	(void)snprintf(dir, sizeof(dir), "%s.new", bed.dir);
	for (n = 0; hit; n++) {
		assert_int_equal(journal_format(dir, &options, NULL, 0), 0);
		memset(message, 'x', sizeof(message));
		arm(n);
		error = journal_destroy(dir, NULL, message, sizeof(message));
		hit = told("destroy", n, error, disarm());
		assert_true(!error || strstr(message, "memory"));
		if (error)
			assert_int_equal(journal_destroy(dir, NULL, NULL, 0), 0);
		assert_int_equal(access(dir, F_OK), -1);
	}
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_put_without_memory", a_put_without_memory, 1u << BED_FILE | 1u << BED_PMEM },
		{ "an_open_without_memory", an_open_without_memory,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "reading_and_retiring_without_memory", reading_and_retiring_without_memory,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "format_without_memory", format_without_memory, 1u << BED_FILE },
		{ "destroy_without_memory", destroy_without_memory, 1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
