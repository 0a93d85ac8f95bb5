/* SPDX-License-Identifier: BSD-3-Clause */
#include "bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char *const medium_names[] = { "file", "pmem", "msync", "sim" };

static const char *const schemes[] = { "file", "pmem", "pmem", "sim" };

static void bed_format(struct bed *bed, uint64_t log_bytes, uint64_t marker_bytes)
{
	char uri[PATH_MAX + 16], message[512] = "", name[32];
	const char *logs[BED_LOGS_MAX], *mirrors[BED_LOGS_MAX];
	struct journal_format_options options = {
		.marker = uri,
		.logs = logs,
		.log_count = bed->log_count,
		.mirrors = mirrors,
		.mirror_count = !bed->mirrored ? 0 : bed->log_count ? bed->log_count : 1,
		.log_bytes = log_bytes ? log_bytes : BED_LOG_BYTES,
		.marker_bytes = marker_bytes ? marker_bytes : 4ull << 20,
		.require = JOURNAL_CLASS_PROCESS,
	};
	unsigned int i;
	int error;

	(void)snprintf(uri, sizeof(uri), "%s:%s", schemes[bed->medium], bed->marker);
	for (i = 0; i < bed->log_count; i++) {
		(void)snprintf(name, sizeof(name), "disk%u", i);
		logs[i] = scratch_path(&bed->disk, name, bed->logs[i]);
		assert_int_equal(mkdir(logs[i], 0700), 0);
	}
	for (i = 0; i < options.mirror_count; i++) {
		(void)snprintf(name, sizeof(name), "mirror%u", i);
		mirrors[i] = scratch_path(&bed->disk, name, bed->mirrors[i]);
		assert_int_equal(mkdir(mirrors[i], 0700), 0);
	}
	error = journal_format(bed->dir, &options, message, sizeof(message));
	if (error)
		print_error("format: %s\n", message);
	assert_int_equal(error, 0);
}

static void bed_make_how(struct bed *bed, enum bed_medium medium, unsigned int logs,
			 bool mirrored, uint64_t log_bytes, uint64_t marker_bytes)
{
	assert_in_range(logs, 0, BED_LOGS_MAX);
	memset(bed, 0, sizeof(*bed));
	bed->medium = medium;
	bed->log_count = logs;
	bed->mirrored = mirrored || getenv("BED_MIRROR");
	assert_int_equal(scratch_make(&bed->disk, NULL), 0);
	assert_int_equal(scratch_make(&bed->memory, "/dev/shm"), 0);
	scratch_path(&bed->disk, "journal", bed->dir);
	scratch_path(medium == BED_PMEM ? &bed->memory : &bed->disk, "markers", bed->marker);
	bed_format(bed, log_bytes, marker_bytes);
	bed_open(bed, NULL);
}

void bed_make(struct bed *bed, enum bed_medium medium, uint64_t log_bytes,
	      uint64_t marker_bytes)
{
	const char *given = getenv("BED_LOGS");
	unsigned int logs = given ? (unsigned int)strtoul(given, NULL, 0) : 0;

	log_bytes = log_bytes ? log_bytes : BED_LOG_BYTES;
	bed_make_logs(bed, medium, logs, logs ? logs * log_bytes : log_bytes, marker_bytes);
}

void bed_make_logs(struct bed *bed, enum bed_medium medium, unsigned int logs,
		   uint64_t log_bytes, uint64_t marker_bytes)
{
	bed_make_how(bed, medium, logs, false, log_bytes, marker_bytes);
}

void bed_make_mirrored(struct bed *bed, enum bed_medium medium)
{
	bed_make_how(bed, medium, 1, true, BED_LOG_BYTES, 0);
}

void bed_remove(struct bed *bed)
{
	bed_close(bed);
	scratch_remove(&bed->disk);
	scratch_remove(&bed->memory);
}

void bed_open(struct bed *bed, const struct journal_open_options *options)
{
	int error = journal_open(bed->dir, options, &bed->j);

	if (error)
		print_error("open: %s\n", journal_error(bed->j));
	assert_int_equal(error, 0);
}

void bed_close(struct bed *bed)
{
	if (bed->j)
		assert_int_equal(journal_close(bed->j), 0);
	bed->j = NULL;
}

void bed_reopen(struct bed *bed)
{
	bed_close(bed);
	bed_open(bed, NULL);
}

bool bed_has_nvram(const struct bed *bed)
{
	return bed->medium != BED_FILE;
}

struct journal_info bed_info(struct bed *bed)
{
	struct journal_info info;

	assert_int_equal(journal_info(bed->j, &info), 0);
	return info;
}

struct bed_findings {
	char text[4096];
	size_t used;
};

static void bed_found(void *context, const struct journal_finding *finding)
{
	struct bed_findings *findings = context;

	if (findings->used < sizeof(findings->text))
		findings->used += (size_t)snprintf(findings->text + findings->used,
						   sizeof(findings->text) - findings->used,
						   "%s: %s\n",
						   finding->damage ? "damage" : "remark",
						   finding->text);
}

void bed_check(struct bed *bed, int expected)
{
	struct bed_findings findings = { .used = 0 };
	char message[512] = "";
	int error = journal_check(bed->dir, NULL, bed_found, &findings, message,
				  sizeof(message));

	if (error != expected)
		print_error("check: %s\n%s", message, findings.text);
	assert_int_equal(error, expected);
}

void bed_fill(uint8_t *bytes, size_t count, uint64_t seed)
{
	uint64_t word = seed * 0x9e3779b97f4a7c15ull + 1;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!(i & 7)) {
			word ^= word << 13;
			word ^= word >> 7;
			word ^= word << 17;
		}
		bytes[i] = (uint8_t)(word >> (i & 7) * 8);
	}
}

uint8_t *bed_payload(size_t count, uint64_t seed)
{
	uint8_t *bytes = malloc(count + 1);

	if (bytes)
		bed_fill(bytes, count, seed);
	return bytes;
}

void model_make(struct model *model)
{
	memset(model, 0, sizeof(*model));
	pthread_mutex_init(&model->lock, NULL);
}

void model_free(struct model *model)
{
	free(model->all);
	pthread_mutex_destroy(&model->lock);
}

void model_add(struct model *model, uint64_t id, uint64_t bytes, uint64_t seed)
{
	pthread_mutex_lock(&model->lock);
	if (model->count == model->room) {
		model->room = model->room ? model->room * 2 : 256;
		model->all = realloc(model->all, model->room * sizeof(*model->all));
		if (!model->all)
			abort();
	}
	model->all[model->count++] =
		(struct model_entry){ .id = id, .bytes = bytes, .seed = seed };
	pthread_mutex_unlock(&model->lock);
}

struct model_entry *model_find(struct model *model, uint64_t id)
{
	size_t i = model->count;

	while (i--)
		if (model->all[i].id == id)
			return &model->all[i];
	return NULL;
}

void model_retire(struct model *model, uint64_t id)
{
	struct model_entry *entry;

	pthread_mutex_lock(&model->lock);
	entry = model_find(model, id);
	if (entry)
		entry->retired = true;
	pthread_mutex_unlock(&model->lock);
}

size_t model_live(struct model *model)
{
	size_t i, live = 0;

	for (i = 0; i < model->count; i++)
		live += !model->all[i].retired;
	return live;
}

int bed_verify(struct journal *j, uint64_t id, uint64_t bytes, uint64_t seed)
{
	uint8_t *expected = bed_payload(bytes, seed), *got = malloc(bytes + 1);
	size_t got_bytes = 0;
	int error = expected && got ? journal_read(j, id, got, bytes, &got_bytes) : -ENOMEM;

	if (!error && (got_bytes != bytes || memcmp(expected, got, bytes)))
		error = -EILSEQ;
	free(expected);
	free(got);
	return error;
}

static int entry_order(const void *a, const void *b)
{
	const struct model_entry *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

void model_verify(struct model *model, struct journal *j)
{
	struct journal_entry entry = { 0 };
	size_t i;

	if (model->count)
		qsort(model->all, model->count, sizeof(*model->all), entry_order);
	for (i = 0; i < model->count; i++) {
		if (i)
			assert_int_not_equal(model->all[i].id, model->all[i - 1].id);
		if (model->all[i].retired)
			continue;
		assert_int_equal(journal_next(j, entry.id, &entry), 0);
		assert_int_equal(entry.id, model->all[i].id);
		assert_int_equal(entry.bytes, model->all[i].bytes);
		assert_int_equal(entry.state, JOURNAL_LIVE);
		assert_int_equal(bed_verify(j, entry.id, model->all[i].bytes,
					    model->all[i].seed), 0);
	}
	assert_int_equal(journal_next(j, entry.id, &entry), -ENOENT);
}

void model_verify_reopened(struct model *model, struct bed *bed)
{
	bed_close(bed);
	bed_check(bed, 0);
	bed_open(bed, NULL);
	model_verify(model, bed->j);
}

int bed_put(struct bed *bed, struct model *model, uint64_t bytes, uint64_t seed,
	    enum journal_path path, struct journal_receipt *receipt)
{
	struct journal_txn_options options = { .path = path, .bytes = bytes };
	struct journal_receipt unused;
	struct journal_txn *txn;
	uint8_t *payload;
	int error = journal_begin(bed->j, &options, &txn);

	if (error)
		return error;
	receipt = receipt ? receipt : &unused;
	payload = bed_payload(bytes, seed);
	error = journal_append(txn, payload, bytes);
	free(payload);
	if (error) {
		journal_abort(txn);
		return error;
	}
	error = journal_commit(txn, receipt);
	if (!error && model)
		model_add(model, receipt->id, bytes, seed);
	return error;
}

/* ---- one test, many media ---- */

struct bed_case {
	const struct bed_test *test;
	enum bed_medium medium;
};

static void bed_case_run(void **state)
{
	const struct bed_case *one = *state;

	one->test->function(one->medium);
}

int bed_run(const struct bed_test *tests, size_t count)
{
	struct CMUnitTest *cases = calloc(count * BED_MEDIA, sizeof(*cases));
	struct bed_case *ones = calloc(count * BED_MEDIA, sizeof(*ones));
	size_t i, used = 0;
	char *name;
	int failed;
	enum bed_medium medium;

	for (i = 0; i < count; i++)
		for (medium = 0; medium < BED_MEDIA; medium++) {
			if (!(tests[i].media >> medium & 1) ||
			    asprintf(&name, "%s: %s", medium_names[medium], tests[i].name) < 0)
				continue;
			ones[used] = (struct bed_case){ &tests[i], medium };
			cases[used] = (struct CMUnitTest){ name, bed_case_run, NULL, NULL,
							   &ones[used] };
			used++;
		}
	failed = _cmocka_run_group_tests("journal", cases, used, NULL, NULL);
	for (i = 0; i < used; i++)
		free((char *)cases[i].name);
	free(cases);
	free(ones);
	return failed;
}
