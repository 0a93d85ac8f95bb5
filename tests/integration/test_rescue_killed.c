/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * jnl rescue over a journal's own damaged file (txn/rescue_place.c), killed at each system call
 * that changes something: then the journal has its damaged file, or opens with all that there
 * is, and rescuing it once more succeeds.  The damaged file is kept.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* behind <sys/ptrace.h>, which has a struct of another name for the same */
#include <linux/ptrace.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/traced.h"

#define PUTS  6u
#define BYTES 3000u

struct rescued {
	struct bed bed;
	struct model model;
	uint8_t *conf, *markers; /* as they are before */
	size_t conf_bytes, markers_bytes;
	unsigned int before, after; /* how often it was so when it was killed */
};

/* the files of the markers lie beside DIR */
#define MARKERS "markers"

static const char *beside(const struct rescued *r, const char *suffix)
{
	static char path[PATH_MAX + 300];

	(void)snprintf(path, sizeof(path), "%.*s%s",
		       (int)(strlen(r->bed.marker) - strlen(MARKERS)), r->bed.marker, suffix);
	return path;
}

static uint8_t *load(const char *path, size_t *bytes)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *all;

	assert_true(fd >= 0 && !fstat(fd, &st));
	*bytes = (size_t)st.st_size;
	all = test_malloc(*bytes);
	assert_int_equal(read(fd, all, *bytes), st.st_size);
	close(fd);
	return all;
}

static void store(const char *path, const uint8_t *all, size_t bytes)
{
	int fd;

	/* another file: what is kept of the one before has other names */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, all, bytes), (ssize_t)bytes);
	close(fd);
}

/* Others' than the markers themselves; Return: how many there are.  @remove them. */
static unsigned int others(const struct rescued *r, bool remove)
{
	DIR *dir = opendir(beside(r, ""));
	unsigned int count = 0;
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, MARKERS ".", strlen(MARKERS "."))) {
			count++;
			if (remove)
				assert_int_equal(unlink(beside(r, entry->d_name)), 0);
		}
	closedir(dir);
	return count;
}

static void conf_of(const struct rescued *r, char path[PATH_MAX + 16])
{
	(void)snprintf(path, PATH_MAX + 16, "%s/journal.conf", r->bed.dir);
}

static int rescue(const struct rescued *r, char *text, size_t bytes)
{
	char uri[PATH_MAX + 8];
	struct journal_marker_options options = { .marker = uri };

	(void)snprintf(uri, sizeof(uri), "file:%s", r->bed.marker);
	return journal_rescue(r->bed.dir, &options, text, bytes);
}

static void begin(struct rescued *r)
{
	char conf[PATH_MAX + 16];
	uint64_t i;

	bed_make(&r->bed, BED_FILE, 0, 0);
	model_make(&r->model);
	for (i = 0; i < PUTS; i++)
		assert_int_equal(bed_put(&r->bed, &r->model, BYTES, i, JOURNAL_PATH_SYNCED, NULL),
				 0);
	bed_close(&r->bed);
	conf_of(r, conf);
	r->conf = load(conf, &r->conf_bytes);
	r->markers = load(r->bed.marker, &r->markers_bytes);
	memset(r->markers, 'x', r->markers_bytes);
}

static void again(struct rescued *r)
{
	char conf[PATH_MAX + 16];

	(void)others(r, true);
	conf_of(r, conf);
	store(conf, r->conf, r->conf_bytes);
	store(r->bed.marker, r->markers, r->markers_bytes);
}

/* ---- the one who is killed ------------------------------------------------------------------ */

static pid_t rescuer(struct rescued *r)
{
	pid_t pid = traced_fork();

	if (!pid) {
		(void)raise(SIGSTOP);
		child_exit(rescue(r, NULL, 0) ? 1 : 0);
	}
	return traced_stands(pid) ? pid : 0;
}

/* It is about to begin a call that changes something in a file system. */
static bool changes(pid_t pid)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		fail_msg("the system calls of %d cannot be seen: %s", (int)pid, strerror(errno));
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	switch (info.entry.nr) {
	case SYS_openat:
		return info.entry.args[2] & (O_CREAT | O_TRUNC);
	/* which of the others there are depends on the machine: those that change nothing are
	 * named, as far as there are many */
	case SYS_read:
	case SYS_pread64:
	case SYS_close:
	case SYS_lseek:
	case SYS_fstat:
	case SYS_newfstatat:
	case SYS_statfs:
	case SYS_fstatfs:
	case SYS_fcntl:
	case SYS_ioctl:
	case SYS_getdents64:
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_brk:
	case SYS_futex:
	case SYS_clone3:
	case SYS_rt_sigprocmask:
	case SYS_io_uring_setup:
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
	case SYS_getrandom:
	case SYS_clock_nanosleep:
		return false;
	default:
		return true;
	}
}

/* Killed before the @nth of these; Return: false: there are not so many, and it has ended */
static bool killed_at(pid_t pid, unsigned int nth)
{
	int status;

	while (traced_next(pid))
		if (changes(pid) && !nth--) {
			assert_int_equal(kill(pid, SIGKILL), 0);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_true(WIFSIGNALED(status));
			return true;
		}
	return false;
}

/* ---- and then ------------------------------------------------------------------------------ */

/* Return: whether it opens */
static bool is_one_or_the_other(struct rescued *r)
{
	struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct journal *j;
	int error = journal_open(r->bed.dir, &options, &j);

	if (!error)
		model_verify(&r->model, j);
	journal_close(j);
	if (error)
		assert_int_equal(error, -EUCLEAN);
	return !error;
}

static void damaged_is_kept(struct rescued *r)
{
	size_t bytes;
	uint8_t *kept = load(beside(r, MARKERS ".damaged-1"), &bytes);

	assert_int_equal(bytes, r->markers_bytes);
	assert_memory_equal(kept, r->markers, bytes);
	test_free(kept);
	/* once, wherever it was killed */
	assert_int_equal(others(r, false), 1);
}

static void is_rescued(struct rescued *r)
{
	char text[512];
	int error = rescue(r, text, sizeof(text));

	if (error)
		fail_msg("%s", text);
	assert_true(is_one_or_the_other(r));
}

static void a_kill_anywhere(enum bed_medium medium)
{
	struct rescued r = { .before = 0 };
	unsigned int nth;
	bool killed = true;
	pid_t pid;

	(void)medium;
	begin(&r);
	for (nth = 0; killed; nth++) {
		again(&r);
		assert_false(is_one_or_the_other(&r));
		pid = rescuer(&r);
		if (!pid)
			break;
		killed = killed_at(pid, nth);
		if (is_one_or_the_other(&r)) {
			r.after++;
		} else {
			assert_true(killed);
			r.before++;
			is_rescued(&r);
		}
		damaged_is_kept(&r);
		/* it is one to go on with */
		bed_open(&r.bed, NULL);
		bed_close(&r.bed);
		bed_check(&r.bed, 0);
	}
	printf("# killed at %u calls: %u times before, %u after\n", nth, r.before, r.after);
	if (nth > 1)
		assert_true(r.before > 5 && r.after > 1);
	bed_open(&r.bed, NULL);
	bed_remove(&r.bed);
	model_free(&r.model);
	test_free(r.conf);
	test_free(r.markers);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_kill_anywhere", a_kill_anywhere, 1u << BED_FILE },
	};

	return bed_run(tests, 1);
}
