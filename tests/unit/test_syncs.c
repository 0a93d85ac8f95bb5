/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is synced to a disk, and before what: the names and files that a format
 * makes, and the checkpoints of a marker file.  No power can be cut under a file
 * system here, so the calls are recorded; wrapped at link time (Makefile).
 */
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/checkpoint.h"
#include "journal.h"
#include "lib/scratch.h"

/* ---- recording ------------------------------------------------------------------ */

struct call {
	enum what { SYNC, RENAME, WRITE } what;
	dev_t device;
	ino_t inode;
	off_t offset; /* of a write */
};

static struct call calls[4096];
static int count;

static void note(enum what what, const struct stat *st, off_t offset)
{
	assert_in_range(count, 0, sizeof(calls) / sizeof(*calls) - 1);
	calls[count].what = what;
	calls[count].device = st->st_dev;
	calls[count].inode = st->st_ino;
	calls[count++].offset = offset;
}

static void note_fd(enum what what, int fd, off_t offset)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	note(what, &st, offset);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
ssize_t __real_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);

int __wrap_fsync(int fd)
{
	note_fd(SYNC, fd, 0);
	return __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	note_fd(SYNC, fd, 0);
	return __real_fdatasync(fd);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;

	assert_int_equal(fstatat(from_dir, from, &st, 0), 0);
	note(RENAME, &st, 0);
	return __real_renameat(from_dir, from, to_dir, to);
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	note_fd(WRITE, fd, offset);
	return __real_pwrite(fd, buffer, bytes, offset);
}

/* Return: the first call @what on @path from number @from on, or -1 */
static int call_of(enum what what, const char *path, int from)
{
	struct stat st;
	int i;

	assert_int_equal(stat(path, &st), 0);
	for (i = from; i < count; i++)
		if (calls[i].what == what && calls[i].device == st.st_dev &&
		    calls[i].inode == st.st_ino)
			return i;
	return -1;
}

static int last_call_of(enum what what, const char *path)
{
	int i, last = -1;

	for (i = call_of(what, path, 0); i >= 0; i = call_of(what, path, i + 1))
		last = i;
	return last;
}

/* ---- a journal in four directories ------------------------------------------------ */

struct paths {
	struct scratch scratch;
	char above[PATH_MAX], dir[PATH_MAX], conf[PATH_MAX];
	char log_dir[PATH_MAX], log[PATH_MAX], marker_dir[PATH_MAX], marker[PATH_MAX];
};

/* its name has the journal's uuid */
static void find_log(struct paths *p)
{
	char pattern[PATH_MAX];
	glob_t found;

	(void)scratch_path(&p->scratch, "logs/*.log", pattern);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	(void)snprintf(p->log, sizeof(p->log), "%s", found.gl_pathv[0]);
	globfree(&found);
}

static void format(struct paths *p, const char *scheme)
{
	const char *logs[] = { p->log_dir };
	char uri[PATH_MAX + 16], message[512] = "";
	struct journal_format_options options = {
		.marker = uri, .logs = logs, .log_count = 1, .log_bytes = 9 << 20,
		.marker_bytes = 1 << 20, .require = JOURNAL_CLASS_PROCESS,
	};

	assert_int_equal(scratch_make(&p->scratch, NULL), 0);
	(void)scratch_path(&p->scratch, "above", p->above);
	(void)scratch_path(&p->scratch, "above/dir", p->dir);
	(void)scratch_path(&p->scratch, "above/dir/journal.conf", p->conf);
	(void)scratch_path(&p->scratch, "logs", p->log_dir);
	(void)scratch_path(&p->scratch, "markers", p->marker_dir);
	(void)scratch_path(&p->scratch, "markers/marker", p->marker);
	assert_int_equal(mkdir(p->above, 0700) | mkdir(p->log_dir, 0700) |
			 mkdir(p->marker_dir, 0700), 0);
	(void)snprintf(uri, sizeof(uri), "%s:%s", scheme, p->marker);
	count = 0;
	if (journal_format(p->dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	find_log(p);
}

/* ---- tests ------------------------------------------------------------------------ */

/* Once journal.conf is there, so is all that it names, and its own place. */
static void synced_before_the_conf(const char *scheme)
{
	struct paths p;
	int renamed;

	format(&p, scheme);
	renamed = call_of(RENAME, p.conf, 0);
	assert_true(renamed > 0);
	assert_in_range(call_of(SYNC, p.above, 0), 0, renamed - 1);
	assert_in_range(call_of(SYNC, p.log, 0), 0, renamed - 1);
	assert_in_range(call_of(SYNC, p.log_dir, call_of(SYNC, p.log, 0)), 0, renamed - 1);
	assert_in_range(call_of(SYNC, p.marker, 0), 0, renamed - 1);
	assert_in_range(call_of(SYNC, p.marker_dir, call_of(SYNC, p.marker, 0)), 0, renamed - 1);
	assert_in_range(call_of(SYNC, p.conf, 0), 0, renamed - 1);
	assert_in_range(call_of(SYNC, p.dir, renamed), renamed + 1, count - 1);
	scratch_remove(&p.scratch);
}

static void format_syncs_the_directory_above_and_all_files(void **state)
{
	(void)state;
	synced_before_the_conf("file");
	synced_before_the_conf("sim");
}

/* What was written is synced: no write is the last call on a file. */
static void format_writes_nothing_after_its_sync(void **state)
{
	struct paths p;
	int conf;

	(void)state;
	format(&p, "file");
	conf = call_of(RENAME, p.conf, 0);
	assert_in_range(last_call_of(WRITE, p.marker), 0, last_call_of(SYNC, p.marker) - 1);
	assert_in_range(last_call_of(SYNC, p.marker), 0, conf - 1);
	scratch_remove(&p.scratch);
}

/* Its first block makes it a marker file: the empty places for checkpoints are
 * there by then, or those of the file that was there before would count. */
static void a_marker_file_has_its_head_last(void **state)
{
	struct paths p;
	int i, last = -1;

	(void)state;
	format(&p, "file");
	for (i = 0; i < count; i++) {
		if (i != call_of(calls[i].what, p.marker, i))
			continue;
		if (calls[i].what == WRITE && !calls[i].offset)
			break;
		last = i;
	}
	assert_in_range(i, 1, count - 1);
	assert_true(last > 0 && calls[last].what == SYNC);
	assert_in_range(call_of(WRITE, p.marker, 0), 0, last - 1);
	scratch_remove(&p.scratch);
}

static bool is_head(off_t offset, uint64_t capacity)
{
	unsigned int slot;

	for (slot = 0; slot < CHECKPOINT_SLOTS; slot++)
		if ((uint64_t)offset == checkpoint_slot_offset(slot, capacity))
			return true;
	return false;
}

/* One call after the other on the marker file: payload, sync, heads, sync. */
static void p11_a_checkpoint_is_payload_then_heads_then_done(void **state)
{
	struct checkpoint_file head;
	int i, last = -1, heads = 0, fd;
	struct journal *j;
	uint64_t capacity;
	struct paths p;

	(void)state;
	format(&p, "file");
	fd = open(p.marker, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, &head, sizeof(head)), sizeof(head));
	close(fd);
	assert_int_equal(checkpoint_file_decode(&head, false, &capacity), 0);
	count = 0;
	assert_int_equal(journal_open(p.dir, NULL, &j), 0);
	assert_int_equal(journal_put(j, "one", 3, NULL), 0);
	assert_int_equal(journal_close(j), 0);
	for (i = 0; i < count; i++) {
		if (i != call_of(calls[i].what, p.marker, i))
			continue;
		if (calls[i].what == WRITE && is_head(calls[i].offset, capacity)) {
			assert_true(last >= 0 && calls[last].what == SYNC);
			heads++;
		} else if (calls[i].what == WRITE && last >= 0 && calls[last].what == WRITE) {
			assert_false(is_head(calls[last].offset, capacity));
		}
		last = i;
	}
	assert_true(last >= 0 && calls[last].what == SYNC);
	assert_int_equal(heads, 2); /* one at open, one at close */
	scratch_remove(&p.scratch);
}

/* It was the page cache's only, perhaps, of one who is dead: what is decided by it is on
 * the disk before anything else is written there. */
static void p7_what_is_read_at_open_is_durable_first(void **state)
{
	struct journal *j;
	struct paths p;

	(void)state;
	format(&p, "file");
	count = 0;
	assert_int_equal(journal_open(p.dir, NULL, &j), 0);
	assert_in_range(call_of(SYNC, p.marker, 0), 0, call_of(WRITE, p.marker, 0) - 1);
	assert_int_equal(journal_close(j), 0);
	scratch_remove(&p.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_syncs_the_directory_above_and_all_files),
		cmocka_unit_test(format_writes_nothing_after_its_sync),
		cmocka_unit_test(a_marker_file_has_its_head_last),
		cmocka_unit_test(p11_a_checkpoint_is_payload_then_heads_then_done),
		cmocka_unit_test(p7_what_is_read_at_open_is_durable_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
