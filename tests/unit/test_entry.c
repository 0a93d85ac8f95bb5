/* SPDX-License-Identifier: BSD-3-Clause */
/* DIR/lock: who holds it, why somebody is alone, and when it is removed meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/scratch.h"
#include "txn/entry.h"

static struct scratch scratch;

static int make(void **state)
{
	(void)state;
	return scratch_make(&scratch, NULL);
}

static int clean(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

/* bytes of DIR/lock, as entry.h has them */
static int lock_bytes(int fd, off_t from, off_t bytes, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = from,
			      .l_len = bytes };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static int lock_file(void)
{
	char path[PATH_MAX];
	int fd = open(scratch_path(&scratch, "lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Between its lock and its pid: a reader must know that somebody writes. */
static void a_holder_that_has_yet_to_say_is_one(void **state)
{
	int fd = lock_file();

	(void)state;
	assert_int_equal(entry_holder(scratch.directory), 0);
	assert_int_equal(lock_bytes(fd, 0, 2, F_WRLCK), 0);
	assert_int_equal(entry_holder(scratch.directory), ENTRY_PID_UNKNOWN);
	assert_int_equal(write(fd, "4711\n", 5), 5);
	assert_int_equal(entry_holder(scratch.directory), 4711);
	close(fd);
	assert_int_equal(entry_holder(scratch.directory), 0);
}

static void who_is_alone_says_why(void **state)
{
	struct message message;
	enum entry_role role;
	char why[100];
	int fd;

	(void)state;
	assert_int_equal(entry_come(scratch.directory, 0600, &fd, &role, &message), 0);
	assert_int_equal(role, ENTRY_FIRST);
	entry_why_alone(scratch.directory, why, sizeof(why));
	assert_string_equal(why, "");
	assert_int_equal(entry_alone(fd, "no memory that others see"), 0);
	entry_why_alone(scratch.directory, why, sizeof(why));
	assert_string_equal(why, "no memory that others see");
	assert_int_equal(entry_holder(scratch.directory), getpid());
	entry_end(fd);
	entry_why_alone(scratch.directory, why, sizeof(why));
	assert_string_equal(why, "");
}

/* ---- removed meanwhile -------------------------------------------------------------- */

struct comer {
	_Atomic int error;
	struct message message;
};

static void *comes(void *context)
{
	struct comer *comer = context;
	enum entry_role role;
	int fd, error = entry_come(scratch.directory, 0600, &fd, &role, &comer->message);

	if (!error)
		entry_end(fd);
	atomic_store(&comer->error, error);
	return NULL;
}

/* how many descriptors of this process are of DIR/lock */
static unsigned int opened(void)
{
	char path[PATH_MAX], fd[32], link[PATH_MAX];
	unsigned int count = 0;
	ssize_t length;

	(void)scratch_path(&scratch, "lock", path);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(fd, sizeof(fd), "/proc/self/fd/%d", i);
		length = readlink(fd, link, sizeof(link) - 1);
		link[length > 0 ? length : 0] = '\0';
		count += !strcmp(link, path);
	}
	return count;
}

/* It waits for somebody who turns out to destroy the journal. */
static void a_removed_lock_is_nobodys(void **state)
{
	struct comer comer = { .error = 1 };
	char path[PATH_MAX];
	pthread_t thread;
	int fd = lock_file();

	(void)state;
	assert_int_equal(lock_bytes(fd, 0, 2, F_WRLCK), 0);
	assert_int_equal(pthread_create(&thread, NULL, comes, &comer), 0);
	while (opened() < 2)
		usleep(1000);
	assert_int_equal(unlink(scratch_path(&scratch, "lock", path)), 0);
	close(fd);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(comer.error, -ESTALE);
	assert_non_null(strstr(comer.message.text, "destroyed"));
}

#define ROUNDS 3000u

/* Format against destroy, again and again: who has it has a file that is there. */
static void *formats_and_destroys(void *context)
{
	_Atomic int *wrong = context;
	char path[PATH_MAX];
	struct message message;
	struct stat st;
	int fd;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (entry_exclusive(scratch.directory, 0600, &fd, &message))
			continue; /* the other has it */
		if (fstat(fd, &st) || !st.st_nlink)
			(*wrong)++;
		(void)unlink(scratch_path(&scratch, "lock", path));
		entry_end(fd);
	}
	return NULL;
}

static void two_never_lock_two_files(void **state)
{
	_Atomic int wrong = 0;
	pthread_t thread[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, formats_and_destroys, &wrong), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_holder_that_has_yet_to_say_is_one, make, clean),
		cmocka_unit_test_setup_teardown(who_is_alone_says_why, make, clean),
		cmocka_unit_test_setup_teardown(a_removed_lock_is_nobodys, make, clean),
		cmocka_unit_test_setup_teardown(two_never_lock_two_files, make, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
