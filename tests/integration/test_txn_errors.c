/* SPDX-License-Identifier: BSD-3-Clause */
/* Every error that journal.h documents, with a text that names thing and reason. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"

static void refuse(const char *dir, const struct journal_format_options *options, int expected,
		   const char *thing, const char *reason)
{
	char message[512] = "";
	int error = journal_format(dir, options, message, sizeof(message));

	if (error != expected || !strstr(message, thing) || !strstr(message, reason))
		print_error("%d: %s\n", error, message);
	assert_int_equal(error, expected);
	assert_non_null(strstr(message, thing));
	assert_non_null(strstr(message, reason));
}

static void cannot_open(const char *dir, const struct journal_open_options *options,
			int expected, const char *thing, const char *reason)
{
	char message[512] = "";
	struct journal *j;
	int error = journal_open(dir, options, &j);

	if (error != expected || !strstr(journal_error(j), thing) ||
	    !strstr(journal_error(j), reason))
		print_error("%d: %s\n", error, journal_error(j));
	assert_int_equal(error, expected);
	assert_non_null(strstr(journal_error(j), thing));
	assert_non_null(strstr(journal_error(j), reason));
	journal_close(j);
	/* the check says the same */
	if (expected == -EBUSY)
		return;
	assert_int_equal(journal_check(dir, options, NULL, NULL, message, sizeof(message)),
			 expected);
	assert_non_null(strstr(message, reason));
}

static const struct journal_format_options small = {
	.log_bytes = 9u << 20, .require = JOURNAL_CLASS_PROCESS,
};

static void format_refuses(enum bed_medium medium)
{
	static const char *const no_dir[] = { "/nonexistent" };
	struct journal_format_options o = small;
	char missing[PATH_MAX + 64], fresh[PATH_MAX + 64];
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	refuse(bed.dir, &o, -EBUSY, bed.dir, "in use by pid");
	bed_close(&bed);
	refuse(bed.dir, &o, -EEXIST, bed.dir, "already");
	(void)snprintf(missing, sizeof(missing), "%s/a/b", bed.dir);
	refuse(missing, &o, -ENOENT, missing, "No such file");
	(void)snprintf(fresh, sizeof(fresh), "%s.new", bed.dir);
	o.mode = 0644;
	refuse(fresh, &o, -EINVAL, "0644", "owner and group");
	o.mode = 0060;
	refuse(fresh, &o, -EINVAL, "0060", "owner");
	o = small;
	o.log_bytes = 1u << 20;
	refuse(fresh, &o, -EINVAL, "1M", "at least");
	o = small;
	o.marker = "nocolon";
	refuse(fresh, &o, -EINVAL, "nocolon", "scheme");
	o.marker = "floppy:a";
	refuse(fresh, &o, -ENOTSUP, "floppy", "");
	o = small;
	o.logs = no_dir;
	o.log_count = 1;
	refuse(fresh, &o, -ENOENT, "/nonexistent", "No such file");
	o.log_count = 17;
	refuse(fresh, &o, -EINVAL, "17 logs", "at most 16");
	o = small;
	o.require = 9;
	refuse(fresh, &o, -EINVAL, "class", "");
	o = small;
	o.log_bytes = 1ull << 43;
	refuse(fresh, &o, -ENOSPC, fresh, "");
	/* nothing is left of any of them */
	assert_int_equal(access(fresh, F_OK), -1);
	bed_open(&bed, NULL);
	bed_remove(&bed);
}

static void replace_in(const char *dir, const char *name, const char *from, const char *to)
{
	char path[PATH_MAX + 32], text[8192], out[8192 + 256];
	char *at;
	FILE *file;
	size_t got;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r+");
	assert_non_null(file);
	got = fread(text, 1, sizeof(text) - 1, file);
	text[got] = '\0';
	at = strstr(text, from);
	assert_non_null(at);
	*at = '\0';
	(void)snprintf(out, sizeof(out), "%s%s%s", text, to, at + strlen(from));
	rewind(file);
	assert_int_equal(ftruncate(fileno(file), 0), 0);
	assert_true(fwrite(out, 1, strlen(out), file) == strlen(out));
	fclose(file);
}

static void poke(const char *path, off_t offset, const void *bytes, size_t count)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, count, offset), count);
	close(fd);
}

static void open_refuses(enum bed_medium medium)
{
	struct journal_open_options o = { .require = JOURNAL_CLASS_POWER };
	struct journal_open_options flags = { .flags = 0x80 }, class = { .require = 9 };
	char log[PATH_MAX + 64], other_log[PATH_MAX + 64];
	struct bed bed, other;
	uint8_t zero[8192] = { 0 };

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	cannot_open(bed.dir, &flags, -EINVAL, "0x80", "known");
	cannot_open(bed.dir, &class, -EINVAL, "9", "class");
	bed_open(&bed, NULL);
	bed_make(&other, medium, 9u << 20, 0);
	if (medium == BED_SIM) /* its memory is the process's own */
		cannot_open(bed.dir, NULL, -EBUSY, bed.dir, "in use by pid");
	bed_close(&bed);
	bed_close(&other);
	cannot_open("/nonexistent", NULL, -ENOENT, "/nonexistent", "no journal");
	if (medium == BED_PMEM || medium == BED_SIM)
		cannot_open(bed.dir, &o, -EPERM, "markers", "\"power\" is required");
	replace_in(bed.dir, "journal.conf", "format = 0", "format = 77");
	cannot_open(bed.dir, NULL, -EPROTO, "journal.conf", "version");
	replace_in(bed.dir, "journal.conf", "format = 77", "format = 0\nnonsense");
	cannot_open(bed.dir, NULL, -EUCLEAN, "journal.conf", "makes no sense");
	replace_in(bed.dir, "journal.conf", "\nnonsense", "");
	replace_in(bed.dir, "journal.conf", "marker = ", "marker = gone:");
	cannot_open(bed.dir, NULL, -ENOTSUP, "gone", "");
	replace_in(bed.dir, "journal.conf", "marker = gone:", "marker = ");
	/* another's log */
	(void)snprintf(log, sizeof(log), "%s/log", bed.dir);
	(void)snprintf(other_log, sizeof(other_log), "%s/log", other.dir);
	assert_int_equal(rename(other_log, log), 0);
	cannot_open(bed.dir, NULL, -EXDEV, log, "uuid");
	/* a log that is none, and one that ends early */
	poke(log, 0, zero, sizeof(zero));
	cannot_open(bed.dir, NULL, -EUCLEAN, log, "");
	assert_int_equal(truncate(log, 100), 0);
	cannot_open(bed.dir, NULL, -EUCLEAN, log, "");
	bed_remove(&bed);
	bed_remove(&other);
}

static void markers_of_another(enum bed_medium medium)
{
	struct bed bed, other;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_make(&other, medium, 9u << 20, 0);
	bed_close(&bed);
	bed_close(&other);
	assert_int_equal(rename(other.marker, bed.marker), 0);
	cannot_open(bed.dir, NULL, -EXDEV, bed.marker, "uuid");
	assert_int_equal(truncate(bed.marker, 1000), 0);
	cannot_open(bed.dir, NULL, -EUCLEAN, bed.marker, "");
	assert_int_equal(unlink(bed.marker), 0);
	cannot_open(bed.dir, NULL, -ENOENT, bed.marker, "");
	bed_remove(&bed);
	bed_remove(&other);
}

static void classes_are_kept(enum bed_medium medium)
{
	struct journal_open_options power = { .require = JOURNAL_CLASS_POWER };
	struct journal_format_options o = {
		.log_bytes = 9u << 20, .assume_log = JOURNAL_CLASS_POWER,
	};
	char uri[PATH_MAX + 64], dir[PATH_MAX + 64], message[512];
	struct journal_info info;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	(void)snprintf(uri, sizeof(uri), "pmem:%s.second", bed.marker);
	(void)snprintf(dir, sizeof(dir), "%s.second", bed.dir);
	o.marker = uri;
	o.marker_bytes = 2u << 20;
	refuse(dir, &o, -EPERM, uri, "\"power\" is required");
	o.assume_marker = JOURNAL_CLASS_OS;
	refuse(dir, &o, -EPERM, uri, "asserted");
	o.assume_marker = JOURNAL_CLASS_POWER;
	assert_int_equal(journal_format(dir, &o, message, sizeof(message)), 0);
	bed_close(&bed);
	assert_int_equal(journal_open(dir, &power, &bed.j), 0);
	info = bed_info(&bed);
	assert_int_equal(info.marker.survives, JOURNAL_CLASS_POWER);
	assert_true(info.marker.assumed && strlen(info.marker.evidence) > 4);
	assert_int_equal(info.require, JOURNAL_CLASS_POWER);
	bed_remove(&bed);
}

static void in_use_by_another_process(enum bed_medium medium)
{
	struct journal *j;
	struct bed bed;
	char expected[64];
	int status;
	pid_t pid;

	bed_make(&bed, medium, 9u << 20, 0);
	(void)snprintf(expected, sizeof(expected), "in use by pid %d", (int)getpid());
	pid = fork();
	if (!pid) {
		status = journal_open(bed.dir, NULL, &j) != -EBUSY ||
			 !strstr(journal_error(j), expected);
		journal_close(j);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	bed_remove(&bed);
}

/* Its index is the writers': theirs to give up. */
static void a_reader_that_is_refused(enum bed_medium medium)
{
	struct journal_open_options power = {
		.flags = JOURNAL_RDONLY, .require = JOURNAL_CLASS_POWER,
	};
	struct journal_open_options reader = { .flags = JOURNAL_RDONLY };
	struct journal_receipt receipt;
	struct journal_entry entry;
	struct journal *j;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	cannot_open(bed.dir, &power, -EPERM, "required", "power");
	assert_int_equal(journal_open(bed.dir, &reader, &j), 0);
	assert_int_equal(journal_put(bed.j, "x", 1, &receipt), 0);
	/* it sees what the writer sees, so the index is still there */
	assert_int_equal(journal_lookup(j, receipt.id, &entry), 0);
	assert_int_equal(journal_close(j), 0);
	bed_remove(&bed);
}

static void calls_refuse(enum bed_medium medium)
{
	struct journal_open_options rdonly = { .flags = JOURNAL_RDONLY };
	struct journal_txn_options staged = { .path = JOURNAL_PATH_STAGED };
	struct journal_txn_options large = { .path = JOURNAL_PATH_STAGED, .bytes = 16385 };
	struct journal_receipt receipt;
	struct journal_entry entry;
	struct journal_txn *txn;
	uint8_t buffer[16];
	struct bed bed;
	size_t got;
	void *piece;

	bed_make(&bed, medium, 9u << 20, 0);
	/* a piece that could not be had makes no shorter transaction */
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, "header", 6), 0);
	assert_int_equal(journal_reserve(txn, JOURNAL_RESERVE_MAX + 1, &piece), -EMSGSIZE);
	assert_int_equal(journal_append(txn, "trailer", 7), -EMSGSIZE);
	assert_int_equal(journal_commit(txn, &receipt), -EMSGSIZE);
	assert_int_equal(journal_put(bed.j, "0123456789abcdef", 16, &receipt), 0);
	assert_int_equal(journal_read(bed.j, receipt.id, buffer, 15, &got), -ENOBUFS);
	assert_int_equal(got, 16);
	assert_int_equal(journal_read(bed.j, receipt.id + 1, buffer, 16, &got), -ENOENT);
	assert_non_null(strstr(journal_error(bed.j), "no such transaction"));
	assert_int_equal(journal_lookup(bed.j, receipt.id + 1, &entry), -ENOENT);
	assert_int_equal(journal_lookup(bed.j, receipt.id, &entry), 0);
	assert_int_equal(entry.bytes, 16);
	assert_true(entry.time_ns > 1500000000ull * 1000000000);
	if (bed_has_nvram(&bed)) {
		assert_int_equal(journal_begin(bed.j, &large, &txn), -EMSGSIZE);
		assert_int_equal(journal_begin(bed.j, &staged, &txn), 0);
		assert_int_equal(journal_append(txn, bed.dir, 10), 0);
		assert_int_equal(journal_abort(txn), 0);
	} else {
		assert_int_equal(journal_begin(bed.j, &staged, &txn), -ENOTSUP);
		assert_non_null(strstr(journal_error(bed.j), "NVRAM"));
	}
	bed_close(&bed);
	bed_open(&bed, &rdonly);
	assert_int_equal(journal_begin(bed.j, NULL, &txn), -EROFS);
	assert_int_equal(journal_put(bed.j, "a", 1, NULL), -EROFS);
	assert_int_equal(journal_retire(bed.j, receipt.id), -EROFS);
	assert_int_equal(journal_retire_many(bed.j, &receipt.id, 1, NULL), -EROFS);
	assert_non_null(strstr(journal_error(bed.j), "read-only"));
	assert_int_equal(journal_read(bed.j, receipt.id, buffer, 16, &got), 0);
	assert_memory_equal(buffer, "0123456789abcdef", 16);
	assert_true(bed_info(&bed).read_only);
	bed_remove(&bed);
}

static void without_uring(enum bed_medium medium)
{
	struct journal_open_options o = { .flags = JOURNAL_NO_URING };
	struct model model;
	struct bed bed;
	int i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	bed_close(&bed);
	bed_open(&bed, &o);
	assert_string_equal(bed_info(&bed).logs[0].backend, "pwrite");
	for (i = 0; i < 12; i++)
		assert_int_equal(bed_put(&bed, &model, (uint64_t)i * i * i * 700, i,
					 i & 1 ? JOURNAL_PATH_SYNCED : 0, NULL), 0);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

static void swap_logs(struct bed *bed, const char *a, const char *b)
{
	replace_in(bed->dir, "journal.conf", a, "/tmp/-");
	replace_in(bed->dir, "journal.conf", b, a);
	replace_in(bed->dir, "journal.conf", "/tmp/-", b);
}

static void several_logs(enum bed_medium medium)
{
	char a[PATH_MAX], b[PATH_MAX], c[PATH_MAX], dir[PATH_MAX], message[512] = "";
	const char *logs[] = { a, b, c };
	struct journal_format_options o = small;
	struct model model;
	struct bed bed;
	int i;

	bed_make(&bed, medium, 9u << 20, 0);
	model_make(&model);
	bed_close(&bed);
	assert_int_equal(mkdir(scratch_path(&bed.disk, "a", a), 0700), 0);
	assert_int_equal(mkdir(scratch_path(&bed.disk, "b", b), 0700), 0);
	assert_int_equal(mkdir(scratch_path(&bed.memory, "c", c), 0700), 0);
	o.logs = logs;
	o.log_count = 3;
	o.log_bytes = 36u << 20;
	scratch_path(&bed.disk, "three", dir);
	assert_int_equal(journal_format(dir, &o, message, sizeof(message)), 0);
	memcpy(bed.dir, dir, sizeof(dir));
	bed_open(&bed, NULL);
	assert_int_equal(bed_info(&bed).log_count, 3);
	for (i = 0; i < 24; i++)
		assert_int_equal(bed_put(&bed, &model, i % 7 ? 300000 : 3u << 20, i, 0, NULL), 0);
	for (i = 0; i < 3; i++)
		assert_true(bed_info(&bed).logs[i].bytes >= 12u << 20);
	model_verify_reopened(&model, &bed);
	for (i = 0; i < 24; i += 2) {
		assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
		model.all[i].retired = true;
	}
	model_verify_reopened(&model, &bed);
	/* in another order those two are missing; set right, all is there again */
	bed_close(&bed);
	swap_logs(&bed, a, b);
	bed_open(&bed, NULL);
	assert_true(bed_info(&bed).logs[0].failed);
	assert_true(bed_info(&bed).logs[1].failed);
	assert_false(bed_info(&bed).logs[2].failed);
	bed_close(&bed);
	swap_logs(&bed, b, a);
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	bed_remove(&bed);
	model_free(&model);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "format_refuses", format_refuses, 1u << BED_FILE | 1u << BED_PMEM },
		{ "open_refuses", open_refuses, BED_ALL },
		{ "markers_of_another", markers_of_another, BED_ALL },
		{ "classes_are_kept", classes_are_kept, 1u << BED_PMEM },
		{ "in_use_by_another_process", in_use_by_another_process, 1u << BED_SIM },
		{ "a_reader_that_is_refused", a_reader_that_is_refused, 1u << BED_PMEM },
		{ "calls_refuse", calls_refuse, BED_ALL },
		{ "without_uring", without_uring, BED_ALL },
		{ "several_logs", several_logs, 1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
