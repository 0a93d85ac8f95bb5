/* SPDX-License-Identifier: BSD-3-Clause */
/* The log store where the kernel forbids things, or does them in part. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/child.h"
#include "../lib/log_place.h"
#include "log/log_file.h"
#include "store/log_queue.h"

/* ---- io_uring forbidden ------------------------------------------------- */

static bool forbid(unsigned int call, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

enum child_end { FELL_BACK, NO_SECCOMP, NOT_OPENED, WRONG_PATH, NOT_WORKING };

static enum child_end without_io_uring(struct log_place *place, int error, const char *name)
{
	bool right;

	if (!forbid(SYS_io_uring_setup, error))
		return NO_SECCOMP;
	if (log_place_open(place, "log", LOG_CREATE | LOG_FORCE, PLACE_MIB))
		return NOT_OPENED;
	right = !strcmp(place->store->ops->backend, "pwrite") &&
		strstr(place->store->routine, name);
	if (!right)
		return WRONG_PATH;
	right = log_place_works(place->store);
	log_store_close(place->store);
	return right ? FELL_BACK : NOT_WORKING;
}

static void falls_back_where_io_uring_is_forbidden(void **state)
{
	static const struct {
		int error;
		const char *name;
	} refusals[] = { { EPERM, "EPERM" }, { ENOSYS, "ENOSYS" }, { EACCES, "EACCES" },
			 { ENOMEM, "ENOMEM" } };
	struct log_place *place = *state;

	if (under_valgrind()) {
		printf("skip: io_uring is left out under valgrind\n");
		skip();
	}
	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(without_io_uring(place, refusals[i].error, refusals[i].name));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NO_SECCOMP) {
			printf("skip: seccomp: filters cannot be installed here\n");
			skip();
		}
		assert_int_equal(WEXITSTATUS(status), FELL_BACK);
	}
}

/* ... and where it stops working later */
static enum child_end with_broken_ring(struct log_place *place, int error)
{
	if (log_place_open(place, "log", LOG_CREATE | LOG_FORCE, PLACE_MIB))
		return NOT_OPENED;
	if (!forbid(SYS_io_uring_enter, error))
		return NO_SECCOMP;
	return log_place_works(place->store) ? FELL_BACK : NOT_WORKING;
}

/* in a child, for each error that the kernel may answer with */
static void with_each_error(void **state, enum child_end (*body)(struct log_place *, int))
{
	static const int errors[] = { EPERM, EAGAIN, EBADF };
	struct log_place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(body(place, errors[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NO_SECCOMP) {
			printf("skip: seccomp: filters cannot be installed here\n");
			skip();
		}
		assert_int_equal(WEXITSTATUS(status), FELL_BACK);
	}
}

static void a_ring_that_breaks_is_done_without(void **state)
{
	with_each_error(state, with_broken_ring);
}

/* ... with reads in the kernel's hands, and others that are not yet */
static enum child_end with_broken_queue(struct log_place *place, int error)
{
	struct log_io io[8], *back;
	struct log_queue *queue;
	unsigned int i;
	uint8_t *buffer;

	if (log_place_open(place, "log", LOG_CREATE | LOG_FORCE, PLACE_MIB))
		return NOT_OPENED;
	buffer = log_store_buffer(place->store);
	memset(buffer, 1, 8 * PLACE_UNIT);
	if (log_queue_open(place->store, 8, NULL, &queue))
		return NOT_OPENED;
	for (i = 0; i < 8; i++) {
		io[i] = (struct log_io){ i * PLACE_UNIT, buffer + i * PLACE_UNIT, PLACE_UNIT, 0 };
		if (i < 4)
			log_queue_submit(queue, &io[i]);
	}
	back = log_queue_complete(queue, true);
	if (!forbid(SYS_io_uring_enter, error))
		return NO_SECCOMP;
	for (i = 4; i < 8; i++)
		log_queue_submit(queue, &io[i]);
	for (i = 1; i < 8 && back && !back->result; i++)
		back = log_queue_complete(queue, true);
	if (back->result || queue->under_way)
		return NOT_WORKING;
	/* and one that is never asked for */
	log_queue_submit(queue, &io[0]);
	log_queue_close(queue);
	for (i = 0; i < 8 * PLACE_UNIT && !buffer[i]; i++)
		;
	return i == 8 * PLACE_UNIT ? FELL_BACK : NOT_WORKING;
}

static void a_queue_that_breaks_goes_on(void **state)
{
	with_each_error(state, with_broken_queue);
}

/* ---- no STATX_DIOALIGN, as before Linux 6.1 ------------------------------- */

static enum child_end without_dioalign(struct log_place *place)
{
	struct log_store *store;
	bool right;

	if (!forbid(SYS_statx, ENOSYS))
		return NO_SECCOMP;
	if (log_place_open(place, "log", LOG_CREATE | LOG_FORCE, PLACE_MIB))
		return NOT_OPENED;
	store = place->store;
	right = store->block_bytes == 4096 && log_place_works(store);
	log_store_close(store);
	return right ? FELL_BACK : NOT_WORKING;
}

static void falls_back_where_the_alignment_is_not_told(void **state)
{
	struct log_place *place = *state;
	pid_t child;
	int status;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	child = fork();
	if (!child)
		_exit(without_dioalign(place));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_SECCOMP) {
		printf("skip: seccomp: filters cannot be installed here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), FELL_BACK);
}

/* ---- transfers that come back short ------------------------------------- */

/* two at a time, so that a ring is used where there is one */
static int both(struct log_place *place, bool write, int results[2])
{
	uint8_t *buffer = log_store_buffer(place->store);
	struct log_io io[2] = { { 0, buffer, PLACE_UNIT, 0 },
				{ PLACE_MIB, buffer, 16 * PLACE_UNIT, 0 } };
	int error;

	memset(buffer, 1, LOG_BUFFER_BYTES);
	error = write ? log_store_write(place->store, io, 2, false)
		      : log_store_read(place->store, io, 2);
	results[0] = io[0].result;
	results[1] = io[1].result;
	log_store_buffer_done(place->store, buffer);
	return error;
}

static void a_short_read_is_an_error(void **state)
{
	struct log_place *place = *state;
	int results[2];

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(log_place_open(place, "log", LOG_CREATE | LOG_FORCE |
					  (i ? LOG_NO_URING : 0), 2 * PLACE_MIB), 0);
		assert_int_equal(both(place, false, results), 0);
		assert_int_equal(truncate(place->path, PLACE_MIB + 4 * PLACE_UNIT), 0);
		assert_int_equal(both(place, false, results), -EIO);
		assert_int_equal(results[0], 0);
		assert_int_equal(results[1], -EIO);
		assert_int_equal(place->store->failed, 0);
		log_store_close(place->store);
		place->store = NULL;
	}
}

static void a_short_write_goes_on_until_it_fails(void **state)
{
	struct log_place *place = *state;
	struct rlimit old, small;
	int results[2];

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(log_place_open(place, "log", LOG_CREATE | LOG_FORCE |
					  (i ? LOG_NO_URING : 0), 2 * PLACE_MIB), 0);
		/* the kernel writes up to the limit, and says so */
		small = (struct rlimit){ PLACE_MIB + 4 * PLACE_UNIT, old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_int_equal(both(place, true, results), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(results[0], 0);
		assert_int_equal(results[1], -EFBIG);
		assert_int_equal(both(place, true, results), -EFBIG); /* sticky */
		assert_int_equal(both(place, false, results), 0);
		log_store_close(place->store);
		place->store = NULL;
	}
}

static void the_pwrite_path_may_be_asked_for(void **state)
{
	struct log_place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(log_place_open(place, "log", LOG_CREATE | LOG_NO_URING, PLACE_MIB), 0);
	assert_string_equal(place->store->ops->backend, "pwrite");
	assert_true(log_place_works(place->store));
	assert_int_equal(place->store->counters.async, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(falls_back_where_io_uring_is_forbidden),
		PLACE_TEST(a_ring_that_breaks_is_done_without),
		PLACE_TEST(a_queue_that_breaks_goes_on),
		PLACE_TEST(falls_back_where_the_alignment_is_not_told),
		PLACE_TEST(a_short_read_is_an_error),
		PLACE_TEST(a_short_write_goes_on_until_it_fails),
		PLACE_TEST(the_pwrite_path_may_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
