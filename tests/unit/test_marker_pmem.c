/* SPDX-License-Identifier: BSD-3-Clause */
/* What is particular to pmem: the module and where it is looked for, msync,
 * files with holes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "marker/pmem_load.h"
#include "marker/pmem_open.h"

#define BYTES (64u << 10)

/* how the program ends when it is asked to load the module and nothing else */
#define LOADED  10
#define REFUSED 11
#define MISSING 12

static char directory[256];
static char path[300];

/* in place of the system's: fails when told, and tells how it was called */
static int msync_error;
static unsigned int msync_calls;
static uint8_t *msync_start;
static size_t msync_bytes;

int msync(void *start, size_t bytes, int flags)
{
	msync_calls++;
	msync_start = start;
	msync_bytes = bytes;
	if (!msync_error)
		return (int)syscall(SYS_msync, start, bytes, flags);
	errno = msync_error;
	return -1;
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(directory, sizeof(directory), "%s/jnl-pmem-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%.250s/m", directory);
	return 0;
}

static int teardown(void **state)
{
	char command[400];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static struct marker_store *must_open(unsigned int flags, uint64_t bytes)
{
	struct marker_store *store = NULL;
	struct message message;

	if (marker_pmem_open(path, flags, bytes, &store, &message))
		fail_msg("%s", message.text);
	return store;
}

/* ---- the module ---------------------------------------------------------------- */

/* all the places where there was none */
static bool says_where(const char *text)
{
	char self[300], places[400];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self));

	while (length > 0 && self[length - 1] != '/')
		length--;
	(void)snprintf(places, sizeof(places), "is not installed: looked for %.*s" PMEM_MODULE_FILE
		       ", " JOURNAL_LIBDIR "/" PMEM_MODULE_FILE ", and where the system looks",
		       (int)length, self);
	return strstr(text, places);
}

static int load_only(void)
{
	const struct pmem_module *module = NULL;
	struct message message = { { 0 } };
	int error = pmem_load(&module, &message);

	if (!error)
		return module->map && module->unmap && module->auto_flush && module->error ?
		       LOADED : 1;
	return error == -ENOTSUP && strstr(message.text, "pmem: cannot be used: ") &&
	       strstr(message.text, PMEM_MODULE_FILE) ?
		       (says_where(message.text) ? MISSING : REFUSED) : 2;
}

static void copy_file(const char *from, const char *name, mode_t mode)
{
	char to[400];
	char block[65536];
	int in, out;
	ssize_t got;

	(void)snprintf(to, sizeof(to), "%.250s/a/b/%.100s", directory, name);
	in = open(from, O_RDONLY);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(in >= 0 && out >= 0);
	while ((got = read(in, block, sizeof(block))) > 0)
		assert_int_equal(write(out, block, (size_t)got), got);
	assert_int_equal(got, 0);
	(void)close(in);
	assert_int_equal(close(out), 0);
}

/* This program, copied to where no module is (its rpath leads two up). */
static void copy_program(void)
{
	char deeper[300];

	(void)snprintf(deeper, sizeof(deeper), "%.250s/a", directory);
	assert_int_equal(mkdir(deeper, 0700), 0);
	(void)snprintf(deeper, sizeof(deeper), "%.250s/a/b", directory);
	assert_int_equal(mkdir(deeper, 0700), 0);
	copy_file("/proc/self/exe", "program", 0700);
}

static int run_copy(void)
{
	char program[300];
	int status;
	pid_t pid;

	(void)snprintf(program, sizeof(program), "%.250s/a/b/program", directory);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)unsetenv("LD_LIBRARY_PATH");
		(void)execl(program, program, "load-only", (char *)NULL);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void module_missing(void **state)
{
	(void)state;
	if (!access(JOURNAL_LIBDIR "/" PMEM_MODULE_FILE, F_OK)) {
		print_message("not run: a module is installed in " JOURNAL_LIBDIR "\n");
		skip();
	}
	copy_program();
	assert_int_equal(run_copy(), MISSING);
	/* one that is there and is none */
	copy_file("/proc/self/status", PMEM_MODULE_FILE, 0700);
	assert_int_equal(run_copy(), REFUSED);
}

static void module_beside(void **state)
{
	char module[1024];
	ssize_t length;
	char *slash;

	(void)state;
	length = readlink("/proc/self/exe", module, sizeof(module) - 64);
	assert_true(length > 0);
	module[length] = 0;
	for (unsigned int i = 0; i < 3; i++) {
		slash = strrchr(module, '/');
		assert_non_null(slash);
		*slash = 0;
	}
	(void)snprintf(slash, 64, "/" PMEM_MODULE_FILE);
	copy_program();
	copy_file(module, PMEM_MODULE_FILE, 0700);
	assert_int_equal(run_copy(), LOADED);
}

/* ---- mapping ---------------------------------------------------------------------- */

/* A copied marker file may have holes, and the disk be full when they are
 * stored to: they are filled at open. */
static void holes_are_filled(void **state)
{
	struct marker_store *store;
	struct stat st;
	int fd;

	(void)state;
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0 && !ftruncate(fd, BYTES) && !fstat(fd, &st));
	if ((uint64_t)st.st_blocks * 512 >= BYTES) {
		print_message("not run: this file system makes no holes\n");
		(void)close(fd);
		skip();
	}
	store = must_open(MARKER_RDONLY, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 < BYTES);
	marker_store_close(store);
	store = must_open(0, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= BYTES);
	assert_int_equal(store->map[BYTES - 1], 0);
	marker_store_close(store);
	(void)close(fd);
}

/* What does not fill a page at the end is left alone. */
static void odd_size(void **state)
{
	struct marker_store *store = must_open(MARKER_CREATE, BYTES);

	(void)state;
	marker_store_close(store);
	assert_int_equal(truncate(path, BYTES - 100), 0);
	store = must_open(0, 0);
	assert_int_equal(store->bytes, BYTES - 4096);
	marker_store_close(store);
}

static bool needs_msync(const struct marker_store *store)
{
	if (!strcmp(store->persist.name, "msync"))
		return true;
	print_message("not run: %s needs no msync (%s)\n", path, store->evidence);
	return false;
}

/* One call for all that was flushed, and none for nothing. */
static void one_msync_per_fence(void **state)
{
	struct marker_store *store = must_open(MARKER_CREATE, BYTES);
	uint64_t *words = (uint64_t *)(void *)store->map;

	(void)state;
	if (!needs_msync(store)) {
		marker_store_close(store);
		skip();
	}
	msync_calls = 0;
	assert_int_equal(nv_fence(store), 0);
	assert_int_equal(msync_calls, 0);
	nv_store8(store, &words[3 * 512 + 9], 1);
	nv_store8(store, &words[512], 1);
	nv_store8(store, &words[5 * 512 - 1], 1);
	assert_int_equal(nv_fence(store), 0);
	assert_int_equal(msync_calls, 1);
	assert_ptr_equal(msync_start, store->map + 4096);
	assert_true(msync_start + msync_bytes >= store->map + 5 * 4096);
	assert_int_equal(nv_fence(store), 0);
	assert_int_equal(msync_calls, 1);
	marker_store_close(store);
}

static void failed_msync_sticks(void **state)
{
	struct marker_store *store = must_open(MARKER_CREATE, BYTES);
	uint64_t *words = (uint64_t *)(void *)store->map;

	(void)state;
	if (!needs_msync(store)) {
		marker_store_close(store);
		skip();
	}
	nv_store8(store, words, 1);
	assert_int_equal(nv_fence(store), 0);
	msync_error = EIO;
	nv_store8(store, words, 2);
	assert_int_equal(nv_fence(store), -EIO);
	msync_error = 0;
	nv_store8(store, words, 3);
	assert_int_equal(nv_fence(store), -EIO);
	marker_store_close(store);
}

/* A medium that fails while it is made leaves nothing. */
static void failed_create_leaves_nothing(void **state)
{
	struct marker_store *store = must_open(MARKER_CREATE, BYTES);
	bool needed = needs_msync(store);
	struct message message;

	(void)state;
	marker_store_close(store);
	assert_int_equal(unlink(path), 0);
	if (!needed)
		skip();
	msync_error = EIO;
	assert_int_equal(marker_pmem_open(path, MARKER_CREATE, BYTES, &store, &message), -EIO);
	msync_error = 0;
	assert_non_null(strstr(message.text, path));
	assert_int_equal(access(path, F_OK), -1);
}

/* libpmem can be told to believe anything; the page cache stays what it is. */
static void forced_belief(void **state)
{
	struct marker_store *store;
	bool msync_before;

	(void)state;
	store = must_open(MARKER_CREATE, BYTES);
	msync_before = !strcmp(store->persist.name, "msync");
	marker_store_close(store);
	(void)setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	store = must_open(0, 0);
	assert_int_equal(!strcmp(store->persist.name, "msync"), msync_before);
	marker_store_close(store);
	(void)unsetenv("PMEM_IS_PMEM_FORCE");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(module_missing), T(module_beside), T(holes_are_filled), T(odd_size),
		T(one_msync_per_fence), T(failed_msync_sticks), T(failed_create_leaves_nothing),
		T(forced_belief),
	};

	if (argc > 1 && !strcmp(argv[1], "load-only"))
		return load_only();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
