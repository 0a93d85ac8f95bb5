/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls that fail in opening: the error is theirs.  What test_faults has found,
 * one after the other; calls are replaced at link time.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "lib/bed.h"

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_unlinkat(int directory, const char *path, int flags);
int __wrap_unlinkat(int directory, const char *path, int flags);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);

static int no_locks; /* the error of each that is wanted */
static int failing_stats, good_stats; /* after so many, so many fail */

int __wrap_fcntl(int fd, int command, ...)
{
	va_list list;
	void *argument;

	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	if (no_locks && command == F_OFD_SETLK) {
		errno = no_locks;
		return -1;
	}
	return __real_fcntl(fd, command, argument);
}

int __wrap_fstat(int fd, struct stat *st)
{
	if (!failing_stats || good_stats-- > 0)
		return __real_fstat(fd, st);
	failing_stats--;
	errno = ENOMEM;
	return -1;
}

ssize_t __real_pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags);

static bool no_supers; /* of logs can be written */

ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	if (!no_supers || at >= 8192)
		return __real_pwritev2(fd, iov, count, at, flags);
	errno = ENOSPC;
	return -1;
}

static const char *no_open, *no_unlink; /* what cannot be opened, or removed: it ends so */

static bool is_it(const char *path, const char *which)
{
	size_t chars = which ? strlen(which) : 0, all = strlen(path);

	return chars && all >= chars && !strcmp(path + all - chars, which);
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	if (!is_it(path, no_open))
		return __real_open(path, flags, mode);
	errno = EMFILE;
	return -1;
}

int __wrap_unlinkat(int directory, const char *path, int flags)
{
	if (!is_it(path, no_unlink))
		return __real_unlinkat(directory, path, flags);
	errno = EIO;
	return -1;
}

static void refused(struct bed *bed, int error, const char *text)
{
	struct journal *j;

	assert_int_equal(journal_open(bed->dir, NULL, &j), error);
	if (!strstr(journal_error(j), text))
		fail_msg("not \"%s\": %s", text, journal_error(j));
	journal_close(j);
}

/* a file system without them: it is told at once, and nobody has the journal in use */
static void a_file_system_without_locks(enum bed_medium medium)
{
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	no_locks = ENOLCK;
	refused(&bed, -ENOLCK, "/lock: lock: No locks available");
	no_locks = 0;
	bed_open(&bed, NULL);
	bed_remove(&bed);
}

/* a file that cannot be looked at is not damaged */
static void a_file_that_cannot_be_looked_at(enum bed_medium medium)
{
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	for (int stat = 0; stat < 2; stat++) {
		failing_stats = 1;
		good_stats = stat;
		refused(&bed, -ENOMEM, "Cannot allocate memory");
	}
	bed_open(&bed, NULL);
	bed_remove(&bed);
}

/* What is announced without the boot's id nobody could join, as long as we are there. */
static void a_boot_id_that_cannot_be_read(enum bed_medium medium)
{
	struct journal *j;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	no_open = "/boot_id";
	refused(&bed, -EMFILE, "Too many open files");
	no_open = NULL;
	bed_open(&bed, NULL);
	no_open = "/boot_id";
	refused(&bed, -EMFILE, "Too many open files");
	no_open = NULL;
	assert_int_equal(journal_open(bed.dir, NULL, &j), 0);
	assert_int_equal(journal_close(j), 0);
	bed_remove(&bed);
}

/* what one who was killed has left */
static void an_index_that_cannot_be_removed(enum bed_medium medium)
{
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	scratch_put(&bed.disk, "journal/index", "of one who was killed\n");
	no_unlink = "index";
	refused(&bed, -EIO, "/index: Input/output error");
	no_unlink = NULL;
	bed_open(&bed, NULL);
	bed_remove(&bed);
}

/* What says that the journal was resized cannot be written: nothing is cut off. */
static void a_mark_that_cannot_be_written(enum bed_medium medium)
{
	struct journal_open_options plain = { .flags = JOURNAL_NO_URING };
	struct journal_resize_options grow = { .bytes = 14u << 20 };
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 0);
	bed_close(&bed);
	bed_open(&bed, &plain);
	no_supers = true;
	assert_int_equal(journal_resize(bed.j, &grow, NULL), -ENOSPC);
	no_supers = false;
	(void)journal_close(bed.j);
	bed_open(&bed, NULL);
	assert_int_equal(journal_put(bed.j, "goes on", 7, NULL), 0);
	assert_int_equal(journal_resize(bed.j, &grow, NULL), 0);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_file_system_without_locks", a_file_system_without_locks, 1u << BED_FILE },
		{ "a_boot_id_that_cannot_be_read", a_boot_id_that_cannot_be_read,
		  1u << BED_FILE },
		{ "an_index_that_cannot_be_removed", an_index_that_cannot_be_removed,
		  1u << BED_FILE },
		{ "a_mark_that_cannot_be_written", a_mark_that_cannot_be_written,
		  1u << BED_FILE },
		{ "a_file_that_cannot_be_looked_at", a_file_that_cannot_be_looked_at,
		  1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
