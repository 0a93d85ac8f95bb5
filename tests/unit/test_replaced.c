/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * While a process opens or leaves a journal, DIR is moved away and another journal is made in its
 * place, and is in use.  It is left alone, and who opened finds that one.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"
#include "lib/scratch.h"
#include "txn/entry.h"
#include "journal_info.h"
#include "txn/shared.h"
#include "txn/shared_file.h"

extern __typeof__(entry_come) __real_entry_come, __wrap_entry_come;
extern __typeof__(entry_exclusive) __real_entry_exclusive, __wrap_entry_exclusive;
extern __typeof__(shared_sweep) __real_shared_sweep, __wrap_shared_sweep;
extern __typeof__(shared_file_announce) __real_shared_file_announce, __wrap_shared_file_announce;
extern __typeof__(shared_file_remove) __real_shared_file_remove, __wrap_shared_file_remove;

enum moment { NEVER, LOCKED, LOCKED_ALONE, SWEEPS, ANNOUNCES, REMOVES };

static struct {
	struct scratch scratch;
	char dir[PATH_MAX], index[1024];
	enum moment moment;
	struct journal *other;
	unsigned int firsts; /* so many opened one as the first */
} s;

static void read_index(char text[1024])
{
	char path[PATH_MAX];
	ssize_t got;
	int fd = open(scratch_path(&s.scratch, "journal/index", path), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	got = read(fd, text, 1023);
	assert_true(got > 0);
	text[got] = '\0';
	close(fd);
}

static void make_journal(void)
{
	const struct journal_format_options options = { .log_bytes = 16u << 20,
							.require = JOURNAL_CLASS_PROCESS };
	char message[512];

	assert_int_equal(journal_format(s.dir, &options, message, sizeof(message)), 0);
}

static void at(enum moment moment)
{
	char gone[PATH_MAX];

	if (s.moment != moment)
		return;
	s.moment = NEVER;
	assert_int_equal(rename(s.dir, scratch_path(&s.scratch, "gone", gone)), 0);
	make_journal();
	assert_int_equal(journal_open(s.dir, NULL, &s.other), 0);
	read_index(s.index);
}

int __wrap_entry_come(const char *dir, unsigned int mode, int *fd, enum entry_role *role,
		      struct message *message)
{
	int error = __real_entry_come(dir, mode, fd, role, message);

	at(LOCKED);
	return error;
}

int __wrap_entry_exclusive(const char *dir, unsigned int mode, int *fd, struct message *message)
{
	int error = __real_entry_exclusive(dir, mode, fd, message);

	at(LOCKED_ALONE);
	return error;
}

void __wrap_shared_sweep(struct journal *j)
{
	at(SWEEPS);
	s.firsts++;
	__real_shared_sweep(j);
}

int __wrap_shared_file_announce(const char *dir, int lock_fd, const struct shared_file *file,
				struct message *message)
{
	at(ANNOUNCES);
	return __real_shared_file_announce(dir, lock_fd, file, message);
}

void __wrap_shared_file_remove(const char *dir, int lock_fd, const struct shared_file *file)
{
	at(REMOVES);
	__real_shared_file_remove(dir, lock_fd, file);
}

static int make(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	if (scratch_make(&s.scratch, NULL))
		return -1;
	scratch_path(&s.scratch, "journal", s.dir);
	make_journal();
	return 0;
}

static int clean(void **state)
{
	(void)state;
	scratch_remove(&s.scratch);
	return 0;
}

/* who comes joins it */
static void the_other_is_left_alone(void)
{
	struct journal_info info;
	struct journal *joins;
	struct journal_receipt receipt;
	char now[1024];

	assert_non_null(s.other);
	read_index(now);
	assert_string_equal(now, s.index);
	assert_int_equal(journal_open(s.dir, NULL, &joins), 0);
	assert_int_equal(journal_put(joins, "x", 1, &receipt), 0);
	assert_int_equal(journal_info(s.other, &info), 0);
	assert_int_equal(info.live, 1);
	assert_int_equal(info.members, 2);
	assert_int_equal(journal_retire(s.other, receipt.id), 0);
	assert_int_equal(journal_close(joins), 0);
	assert_int_equal(journal_close(s.other), 0);
}

static void opens_at(enum moment moment)
{
	struct journal_info info;
	struct journal *j;

	s.moment = moment;
	assert_int_equal(journal_open(s.dir, NULL, &j), 0);
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.members, 2);
	assert_int_equal(journal_close(j), 0);
	the_other_is_left_alone();
}

static void before_journal_conf_is_read(void **state)
{
	(void)state;
	opens_at(LOCKED);
	assert_int_equal(s.firsts, 1); /* the other: its media are not recovered beside it */
}

static void before_a_stale_index_is_removed(void **state)
{
	(void)state;
	opens_at(SWEEPS);
}

static void before_the_index_is_announced(void **state)
{
	(void)state;
	opens_at(ANNOUNCES);
}

static void before_the_index_is_removed(void **state)
{
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open(s.dir, NULL, &j), 0);
	s.moment = REMOVES;
	assert_int_equal(journal_close(j), 0);
	the_other_is_left_alone();
}

static void before_it_is_destroyed(void **state)
{
	char message[512];

	(void)state;
	s.moment = LOCKED_ALONE;
	assert_int_equal(journal_destroy(s.dir, NULL, message, sizeof(message)), -ESTALE);
	assert_non_null(strstr(message, "another journal"));
	the_other_is_left_alone();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(before_journal_conf_is_read, make, clean),
		cmocka_unit_test_setup_teardown(before_a_stale_index_is_removed, make, clean),
		cmocka_unit_test_setup_teardown(before_the_index_is_announced, make, clean),
		cmocka_unit_test_setup_teardown(before_the_index_is_removed, make, clean),
		cmocka_unit_test_setup_teardown(before_it_is_destroyed, make, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
