/* SPDX-License-Identifier: BSD-3-Clause */
/* journal.conf: read, written, refused. */
#include <errno.h>
#include <fcntl.h>
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

#include "txn/conf.h"
#include "txn/left.h"
#include "util/math.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define GOOD "format = 0\nuuid = " UUID "\nmarker = file:markers\nlog = log\nrequire = power\n"

static struct conf conf;
static struct message message;

static int parse(const char *text)
{
	char *copy = strdup(text);
	int error;

	assert_non_null(copy);
	message.text[0] = 0;
	error = conf_parse(copy, "/dir", &conf, &message);
	assert_true(!error || message.text[0]);
	free(copy);
	return error;
}

static void what_a_journal_has(void **state)
{
	static const uint8_t uuid[16] = { 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					  1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };

	(void)state;
	assert_int_equal(parse(GOOD), 0);
	assert_memory_equal(conf.uuid, uuid, 16);
	assert_string_equal(conf.marker, "file:/dir/markers");
	assert_int_equal(conf.log_count, 1);
	assert_string_equal(conf.logs[0], "/dir/log");
	assert_int_equal(conf.require, JOURNAL_CLASS_POWER);
	assert_int_equal(conf.assume_marker, JOURNAL_CLASS_UNSET);
	assert_int_equal(conf.assume_log, JOURNAL_CLASS_UNSET);
}

static void absolute_paths_logs_and_classes(void **state)
{
	(void)state;
	assert_int_equal(parse("format=0\n# a comment\n\n  uuid\t=  " UUID "  \r\n"
			       "marker = pmem:/dev/dax0.0\nlog = /a b/log\nlog=two\n"
			       "require=process\nassume-marker=os\nassume-log=power"), 0);
	assert_string_equal(conf.marker, "pmem:/dev/dax0.0");
	assert_int_equal(conf.log_count, 2);
	assert_string_equal(conf.logs[0], "/a b/log");
	assert_string_equal(conf.logs[1], "/dir/two");
	assert_int_equal(conf.require, JOURNAL_CLASS_PROCESS);
	assert_int_equal(conf.assume_marker, JOURNAL_CLASS_OS);
	assert_int_equal(conf.assume_log, JOURNAL_CLASS_POWER);
}

static void runs_and_removed_logs(void **state)
{
	static const struct log_run second = { 2, 8, 27, 2, 8192, 40960 };

	(void)state;
	assert_int_equal(parse(GOOD "log = -\nlog = /b/log\n"
			       "segments = 0 10 0 1 8192 53248\n"
			       "segments = 2 8 27 2 8192 40960\n"), 0);
	assert_int_equal(conf.log_count, 3);
	assert_int_equal(conf_logs(&conf), 5);
	assert_false(conf_has_log(&conf, 1));
	assert_int_equal(conf.runs.count, 2);
	assert_memory_equal(&conf.runs.of[1], &second, sizeof(second));
	assert_int_equal(parse("format=0\nuuid=" UUID "\nmarker=file:m\nlog=-\n"
			       "require=power\n"), -EUCLEAN);
	assert_int_equal(parse(GOOD "segments = 0 10 0 1 8192\n"), -EUCLEAN);
	assert_int_equal(parse(GOOD "segments = 0 10 0 1 8192 53248 1\n"), -EUCLEAN);
	assert_int_equal(parse(GOOD "segments = 0 10 0 1 8192 53248x\n"), -EUCLEAN);
}

/* the line with the key of @like goes */
static void without(char *text, const char *like)
{
	size_t key = strcspn(like, " =");
	char *line, *end;

	for (line = text; key && *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!strncmp(line, like, key) && line[key] == ' ') {
			memmove(line, end + 1, strlen(end + 1) + 1);
			return;
		}
	}
}

static unsigned int lines_of(const char *text)
{
	unsigned int count = 0;

	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

static void what_makes_no_sense(void **state)
{
	static const char *const lines[] = {
		"nonsense", "nonsense = 1", "= 1", "uuid = 0123", "uuid = " UUID "0",
		"uuid = 0123456789abcdef0123456789abcdef0123",
		"uuid = 01234567-89AB-cdef-0123-456789abcdef",
		"marker = markers", "require = always", "require =", "assume-log = unset",
		"assume-marker = ", "format", "format = ", "format = zero", "log = ",
	};
	char text[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(lines); i++) {
		snprintf(text, sizeof(text), GOOD);
		without(text, lines[i]);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n", lines[i]);
		if (parse(text) != -EUCLEAN)
			fail_msg("accepted: %s", lines[i]);
		/* the line is named */
		assert_non_null(strstr(message.text, lines_of(text) == 5 ? "line 5 makes no sense" :
							     "line 6 makes no sense"));
	}
}

/* Else what is in force depends on which is read last. */
static void what_there_is_one_of(void **state)
{
	static const char *const lines[] = {
		"format = 0", "uuid = " UUID, "marker = file:markers", "require = power",
		"require = process", "assume-log = os", "assume-marker = power",
		"return-to = pmem:/x",
	};
	char text[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(lines); i++) {
		snprintf(text, sizeof(text), GOOD);
		without(text, lines[i]);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n", lines[i]);
		assert_int_equal(parse(text), 0);
		snprintf(text, sizeof(text), GOOD);
		without(text, lines[i]);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n%s\n", lines[i],
			 lines[i]);
		if (parse(text) != -EUCLEAN)
			fail_msg("accepted: %s", lines[i]);
		assert_non_null(strstr(message.text, "there is one of these already"));
	}
}

static void what_is_missing(void **state)
{
	static const char *const keys[] = { "format", "uuid", "marker", "log", "require" };
	char text[] = GOOD, *line;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(keys); i++) {
		memcpy(text, GOOD, sizeof(text));
		line = strstr(text, keys[i]);
		*line = '#';
		if (parse(text) != -EUCLEAN)
			fail_msg("accepted without %s", keys[i]);
	}
	assert_int_equal(parse(""), -EUCLEAN);
}

static void other_version(void **state)
{
	(void)state;
	assert_int_equal(parse("format = 1\n"), -EPROTO);
	assert_int_equal(parse("format = 18446744073709551616\n"), -EPROTO);
	/* whatever a later version brings along */
	assert_int_equal(parse("format = 7\nnews = 1\n"), -EPROTO);
}

static void too_many_logs(void **state)
{
	char text[1024] = GOOD;
	uint32_t i;

	(void)state;
	for (i = 1; i < JOURNAL_LOGS_MAX; i++)
		strcat(text, "log = another\n");
	assert_int_equal(parse(text), 0);
	assert_int_equal(conf.log_count, JOURNAL_LOGS_MAX);
	strcat(text, "log = another\n");
	assert_int_equal(parse(text), -EUCLEAN);
}

static void path_too_long(void **state)
{
	static char text[3 * PATH_MAX] = GOOD "log = ";
	size_t length = strlen(text);

	(void)state;
	memset(text + length, 'a', 2 * PATH_MAX);
	assert_int_not_equal(parse(text), 0);
}

/* ---- in a directory ------------------------------------------------------- */

static char dir[128];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/conf.XXXXXX", tmp ? tmp : "/tmp");
	return !mkdtemp(dir);
}

static int drop_dir(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", dir, CONF_NAME);
	unlink(path);
	return rmdir(dir);
}

static void write_file(const char *text, size_t bytes)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, CONF_NAME);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), bytes);
	close(fd);
}

static void written_and_read(void **state)
{
	struct conf again;
	struct stat st;
	char path[256];

	(void)state;
	assert_int_equal(parse(GOOD "log = /elsewhere/log\nassume-log = power\nlog = -\n"
			       "segments = 0 10 0 1 8192 53248\n"), 0);
	snprintf(conf.marker, sizeof(conf.marker), "file:%s/markers", dir);
	snprintf(conf.logs[0], sizeof(conf.logs[0]), "%s/log", dir);
	assert_int_equal(conf_write(dir, -1, &conf, 0640, &message), 0);
	assert_int_equal(conf_read(dir, &again, &message), 0);
	assert_memory_equal(again.uuid, conf.uuid, 16);
	assert_string_equal(again.marker, conf.marker);
	assert_int_equal(again.log_count, 3);
	assert_int_equal(conf_logs(&again), 3);
	assert_int_equal(again.runs.count, 1);
	assert_memory_equal(&again.runs, &conf.runs, sizeof(conf.runs));
	assert_string_equal(again.logs[0], conf.logs[0]);
	assert_string_equal(again.logs[1], "/elsewhere/log");
	assert_int_equal(again.require, conf.require);
	assert_int_equal(again.assume_log, JOURNAL_CLASS_POWER);
	snprintf(path, sizeof(path), "%s/%s", dir, CONF_NAME);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640, 0);
	snprintf(path, sizeof(path), "%s/%s.new", dir, CONF_NAME);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* what lies below DIR is named relative to it */
static void moved_with_its_directory(void **state)
{
	struct conf again;
	char to[160];

	(void)state;
	assert_int_equal(parse(GOOD), 0);
	snprintf(conf.marker, sizeof(conf.marker), "file:%s/markers", dir);
	snprintf(conf.logs[0], sizeof(conf.logs[0]), "%s/log", dir);
	assert_int_equal(conf_write(dir, -1, &conf, 0600, &message), 0);
	snprintf(to, sizeof(to), "%s-moved", dir);
	assert_int_equal(rename(dir, to), 0);
	assert_int_equal(conf_read(to, &again, &message), 0);
	assert_non_null(strstr(again.marker, "-moved/markers"));
	assert_non_null(strstr(again.logs[0], "-moved/log"));
	assert_int_equal(rename(to, dir), 0);
}

static void not_there(void **state)
{
	(void)state;
	assert_int_equal(conf_read(dir, &conf, &message), -ENOENT);
	assert_non_null(strstr(message.text, dir));
}

static void no_text(void **state)
{
	(void)state;
	write_file("format = 0\n\0more", 16);
	assert_int_equal(conf_read(dir, &conf, &message), -EUCLEAN);
}

static void too_long(void **state)
{
	char *text = malloc(CONF_BYTES_MAX + 100);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', CONF_BYTES_MAX + 100);
	memcpy(text, GOOD, strlen(GOOD));
	write_file(text, CONF_BYTES_MAX + 100);
	assert_int_equal(conf_read(dir, &conf, &message), -EUCLEAN);
	free(text);
}

/* a path that would not come back as it was must not be written */
static void paths_that_cannot_be_written(void **state)
{
	static const char *const paths[] = { "/a\nrequire = process", "/trailing ", "/tab\t",
					     "/return\r" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(paths); i++) {
		assert_int_equal(parse(GOOD), 0);
		snprintf(conf.logs[0], sizeof(conf.logs[0]), "%s", paths[i]);
		assert_int_equal(conf_write(dir, -1, &conf, 0600, &message), -EINVAL);
		assert_int_equal(parse(GOOD), 0);
		snprintf(conf.marker, sizeof(conf.marker), "file:%s", paths[i]);
		assert_int_equal(conf_write(dir, -1, &conf, 0600, &message), -EINVAL);
	}
	assert_int_equal(conf_read(dir, &conf, &message), -ENOENT);
}

/* Who gives NVRAM up may have read it before a leg was left, and replace it after. */
static void the_leg_that_was_left_outlives_it(void **state)
{
	static struct conf before;

	(void)state;
	write_file(GOOD "mirror = mirror\n", strlen(GOOD "mirror = mirror\n"));
	assert_int_equal(conf_read(dir, &before, &message), 0);
	assert_int_equal(before.left[0], 0);
	assert_int_equal(left_say(dir, before.uuid, 0, 2), 0);
	assert_int_equal(left_say(dir, before.uuid, 0, 2), 0);
	assert_int_equal(conf_rewrite(dir, -1, &before, &message), 0);
	assert_int_equal(conf_read(dir, &conf, &message), 0);
	assert_int_equal(conf.left[0], 2);
	/* half changed: neither */
	assert_int_equal(left_say(dir, before.uuid, 0, 1), 0);
	assert_int_equal(conf_read(dir, &conf, &message), 0);
	assert_int_equal(conf.left[0], 0);
	assert_int_equal(left_forget(dir, before.uuid, 0, 1), 0);
	assert_int_equal(conf_read(dir, &conf, &message), 0);
	assert_int_equal(conf.left[0], 1);
	assert_int_equal(left_forget(dir, before.uuid, 0, 0), 0);
	assert_int_equal(conf_read(dir, &conf, &message), 0);
	assert_int_equal(conf.left[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_journal_has),
		cmocka_unit_test(absolute_paths_logs_and_classes),
		cmocka_unit_test(runs_and_removed_logs),
		cmocka_unit_test(what_makes_no_sense),
		cmocka_unit_test(what_there_is_one_of),
		cmocka_unit_test(what_is_missing),
		cmocka_unit_test(other_version),
		cmocka_unit_test(too_many_logs),
		cmocka_unit_test(path_too_long),
		cmocka_unit_test_setup_teardown(written_and_read, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(moved_with_its_directory, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(not_there, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(no_text, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(too_long, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(the_leg_that_was_left_outlives_it, make_dir,
						drop_dir),
		cmocka_unit_test_setup_teardown(paths_that_cannot_be_written, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
