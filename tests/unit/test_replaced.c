/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * While a process opens or leaves a journal, or gives its NVRAM up, resizes or moves it, DIR is
 * moved away and another journal is made in its place, and is in use.  It is left alone, and who
 * opened finds that one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"
#include "lib/scratch.h"
#include "journal_health.h"
#include "journal_info.h"
#include "journal_marker.h"
#include "journal_resize.h"
#include "txn/conf.h"
#include "txn/entry.h"
#include "txn/shared.h"
#include "txn/shared_file.h"
#include "txn/stand_in.h"

extern __typeof__(entry_come) __real_entry_come, __wrap_entry_come;
extern __typeof__(entry_exclusive) __real_entry_exclusive, __wrap_entry_exclusive;
extern __typeof__(shared_sweep) __real_shared_sweep, __wrap_shared_sweep;
extern __typeof__(shared_file_announce) __real_shared_file_announce, __wrap_shared_file_announce;
extern __typeof__(shared_file_remove) __real_shared_file_remove, __wrap_shared_file_remove;
extern __typeof__(stand_in_first) __real_stand_in_first, __wrap_stand_in_first;
extern __typeof__(conf_rewrite) __real_conf_rewrite, __wrap_conf_rewrite;
extern __typeof__(conf_enforce) __real_conf_enforce, __wrap_conf_enforce;

enum moment { NEVER, LOCKED, LOCKED_ALONE, SWEEPS, ANNOUNCES, REMOVES, STANDS_IN, REWRITES,
	      ENFORCES, NOW };

/* what a file in DIR is, and when it was changed last */
struct file {
	char name[256];
	struct stat st;
};

#define FILES_MAX 32

static struct {
	struct scratch scratch;
	char dir[PATH_MAX], index[1024];
	bool nvram;
	enum moment moment;
	struct journal *other;
	struct file files[FILES_MAX];
	unsigned int file_count, journals;
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
	char message[512], path[PATH_MAX], name[32], uri[PATH_MAX + 8];
	const struct journal_format_options options = { .log_bytes = 16u << 20,
							.marker_bytes = s.nvram ? 4u << 20 : 0,
							.marker = s.nvram ? uri : NULL,
							.require = JOURNAL_CLASS_PROCESS };

	(void)snprintf(name, sizeof(name), "nvram%u", s.journals++);
	(void)snprintf(uri, sizeof(uri), "pmem:%s", scratch_path(&s.scratch, name, path));
	assert_int_equal(journal_format(s.dir, &options, message, sizeof(message)), 0);
}

/* Return: how many are in DIR.  The log is written in the background. */
static unsigned int look(struct file files[FILES_MAX])
{
	struct dirent *entry;
	unsigned int count = 0;
	DIR *dir = opendir(s.dir);

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "log"))
			continue;
		assert_in_range(count, 0, FILES_MAX - 1);
		memset(&files[count], 0, sizeof(files[count]));
		(void)snprintf(files[count].name, sizeof(files[count].name), "%s", entry->d_name);
		assert_int_equal(fstatat(dirfd(dir), entry->d_name, &files[count++].st, 0), 0);
	}
	closedir(dir);
	return count;
}

/* not a name more, or less, and none is another file's */
static void nothing_changed(void)
{
	struct file now[FILES_MAX];
	unsigned int i, k;

	assert_int_equal(look(now), s.file_count);
	for (i = 0; i < s.file_count; i++) {
		for (k = 0; k < s.file_count && strcmp(now[k].name, s.files[i].name); k++)
			;
		assert_in_range(k, 0, s.file_count - 1);
		assert_int_equal(now[k].st.st_ino, s.files[i].st.st_ino);
		assert_int_equal(now[k].st.st_size, s.files[i].st.st_size);
		assert_int_equal(now[k].st.st_mtim.tv_sec, s.files[i].st.st_mtim.tv_sec);
		assert_int_equal(now[k].st.st_mtim.tv_nsec, s.files[i].st.st_mtim.tv_nsec);
	}
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
	if (moment == STANDS_IN) {
		/* in use, it could not be had */
		assert_int_equal(journal_close(s.other), 0);
		s.other = NULL;
	}
	s.file_count = look(s.files);
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

int __wrap_stand_in_first(struct journal *j)
{
	bool moved = s.moment == STANDS_IN;
	int error;

	at(STANDS_IN);
	error = __real_stand_in_first(j);
	if (moved)
		nothing_changed();
	return error;
}

int __wrap_conf_rewrite(const char *dir, int lock, const struct conf *conf,
			struct message *message)
{
	at(REWRITES);
	return __real_conf_rewrite(dir, lock, conf, message);
}

int __wrap_conf_enforce(const char *dir, int lock, const char *suffix, struct message *message)
{
	at(ENFORCES);
	return __real_conf_enforce(dir, lock, suffix, message);
}

static int make_with(bool nvram)
{
	memset(&s, 0, sizeof(s));
	s.nvram = nvram;
	if (scratch_make(&s.scratch, NULL))
		return -1;
	scratch_path(&s.scratch, "journal", s.dir);
	make_journal();
	return 0;
}

static int make(void **state)
{
	(void)state;
	return make_with(false);
}

static int make_nvram(void **state)
{
	(void)state;
	return make_with(true);
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

static void before_its_stand_in_is_made(void **state)
{
	struct journal *j;

	(void)state;
	s.moment = STANDS_IN;
	assert_int_equal(journal_open(s.dir, NULL, &j), 0);
	assert_int_equal(s.firsts, 3);
	assert_int_equal(journal_close(j), 0);
}

static struct journal *opened(void)
{
	struct journal *j;

	assert_int_equal(journal_open(s.dir, NULL, &j), 0);
	return j;
}

static void before_its_nvram_is_given_up(void **state)
{
	struct journal *j = opened();

	s.moment = *(const enum moment *)*state;
	at(NOW);
	assert_int_equal(journal_distrust(j, "a test"), -EIO);
	assert_non_null(strstr(journal_error(j), "another journal's by now"));
	(void)journal_close(j);
	nothing_changed();
	the_other_is_left_alone();
}

static void before_it_is_resized(void **state)
{
	const struct journal_resize_options options = { .bytes = 32u << 20 };
	struct journal *j = opened();

	s.moment = *(const enum moment *)*state;
	at(NOW);
	assert_int_equal(journal_resize(j, &options, NULL), -ESTALE);
	assert_non_null(strstr(journal_error(j), "another journal's by now"));
	(void)journal_close(j);
	nothing_changed();
	the_other_is_left_alone();
}

static void before_it_is_moved(void **state)
{
	char path[PATH_MAX], uri[PATH_MAX + 8], message[512];
	const struct journal_marker_options options = { .marker = uri };

	(void)state;
	(void)snprintf(uri, sizeof(uri), "file:%s", scratch_path(&s.scratch, "moved", path));
	s.moment = REWRITES;
	assert_int_equal(journal_set_marker(s.dir, &options, message, sizeof(message)), -ESTALE);
	assert_non_null(strstr(message, "another journal's by now"));
	nothing_changed();
	the_other_is_left_alone();
}

static void before_it_is_moved_in_use(void **state)
{
	struct journal *j = opened();
	char path[PATH_MAX], uri[PATH_MAX + 8], message[512];
	const struct journal_marker_options options = { .marker = uri };

	(void)state;
	(void)snprintf(uri, sizeof(uri), "file:%s", scratch_path(&s.scratch, "moved", path));
	/* twice: NVRAM is given up first */
	s.moment = REWRITES;
	assert_int_not_equal(journal_set_marker(s.dir, &options, message, sizeof(message)), 0);
	assert_non_null(strstr(message, "another journal's by now"));
	(void)journal_close(j);
	nothing_changed();
	the_other_is_left_alone();
}

#define GIVEN(test, moment) \
	cmocka_unit_test_prestate_setup_teardown(test, make_nvram, clean, &(moment))

int main(void)
{
	static enum moment now = NOW, rewrites = REWRITES, enforces = ENFORCES;
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(before_journal_conf_is_read, make, clean),
		cmocka_unit_test_setup_teardown(before_a_stale_index_is_removed, make, clean),
		cmocka_unit_test_setup_teardown(before_the_index_is_announced, make, clean),
		cmocka_unit_test_setup_teardown(before_the_index_is_removed, make, clean),
		cmocka_unit_test_setup_teardown(before_it_is_destroyed, make, clean),
		cmocka_unit_test_setup_teardown(before_its_stand_in_is_made, make_nvram, clean),
		GIVEN(before_its_nvram_is_given_up, now),
		GIVEN(before_its_nvram_is_given_up, rewrites),
		GIVEN(before_it_is_resized, now),
		GIVEN(before_it_is_resized, enforces),
		cmocka_unit_test_setup_teardown(before_it_is_moved, make_nvram, clean),
		cmocka_unit_test_setup_teardown(before_it_is_moved_in_use, make_nvram, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
