/* SPDX-License-Identifier: BSD-3-Clause */
/* Each command that may take over a second says on a terminal what it does; here the second
 * is over at once. */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/scratch.h"
#include "tools/jnl.h"
#include "tools/progress.h"

#define WORDS_MOST 12
#define MESSAGES 100

/* instead of that of the tools */
uint64_t progress_second_ns(void)
{
	return 0;
}

typedef int command(int argc, char **argv);

struct run {
	struct scratch scratch;
	char dir[PATH_MAX];
	char in[PATH_MAX], out[PATH_MAX]; /* standard input and output; no name: the terminal */
	char told[256 << 10];             /* what the terminal was told */
	int status;                       /* that the next one ends with */
};

/* ---- running one ------------------------------------------------------------------ */

static void run_redirect(const char *path, int terminal, int flags, int to)
{
	int fd = path[0] ? open(path, flags, 0600) : terminal;

	if (fd < 0 || dup2(fd, to) != to)
		_exit(99);
}

static void run_child(const struct run *run, int terminal, command *call, char *words[])
{
	int count = 0;

	while (words[count])
		count++;
	run_redirect(run->in, terminal, O_RDONLY, STDIN_FILENO);
	run_redirect(run->out, terminal, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
	run_redirect("", terminal, 0, STDERR_FILENO);
	if (!run->out[0])
		(void)setvbuf(stdout, NULL, _IOLBF, 0); /* as of a process that begins */
	count = call(count, words);
	_exit(fflush(stdout) || fflush(stderr) ? 98 : count);
}

/* All that comes, until nobody has the terminal any more; what is too much is dropped. */
static void run_listen(struct run *run, int terminal)
{
	size_t told = 0;
	char text[4096];
	ssize_t got;

	while ((got = read(terminal, text, sizeof(text))) > 0) {
		size_t room = sizeof(run->told) - 1 - told;
		size_t part = (size_t)got < room ? (size_t)got : room;

		memcpy(run->told + told, text, part);
		told += part;
	}
	run->told[told] = '\0';
}

/* What else comes out there has lines of its own: progress is cleared first, and in the end. */
static void is_not_mixed(const struct run *run)
{
	const char *line = run->told, *end, *last;

	do {
		end = strchrnul(line, '\n'); /* behind \r */
		last = end == line ? NULL : memrchr(line, '\r', (size_t)(end - line) - !!*end);
		if (last && strncmp(last, "\r\033[K", 4))
			fail_msg("mixed: %.*s", (int)(end - last - 1), last + 1);
		line = end + 1;
	} while (*end);
}

static void run_command(struct run *run, command *call, char *words[])
{
	int outer, inner, status;
	pid_t child;

	assert_int_equal(openpty(&outer, &inner, NULL, NULL, NULL), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_child(run, inner, call, words);
	(void)close(inner);
	run_listen(run, outer);
	(void)close(outer);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != run->status)
		fail_msg("%s: status %#x: %.2000s", words[0], (unsigned int)status, run->told);
	run->status = JNL_DONE;
	is_not_mixed(run);
}

/* The words of the command behind its name and DIR, up to NULL. */
#define run_it(run, call, name, ...)                                           \
	run_command(run, call, (char *[WORDS_MOST + 1]){ (char[]){ name },     \
						     (run)->dir, ##__VA_ARGS__, NULL })

static void is_told(const struct run *run, const char *doing)
{
	char wanted[64];

	(void)snprintf(wanted, sizeof(wanted), "\rjnl: %s: ", doing);
	if (!strstr(run->told, wanted))
		print_error("it said: %.500s\n", run->told);
	assert_non_null(strstr(run->told, wanted));
}

static void is_not_told(const struct run *run, const char *doing)
{
	char unwanted[64];

	(void)snprintf(unwanted, sizeof(unwanted), "jnl: %s: ", doing);
	assert_null(strstr(run->told, unwanted));
}

/* ---- a journal with something in it ---------------------------------------------------- */

static void file_of_messages(struct run *run)
{
	FILE *file = fopen(scratch_path(&run->scratch, "messages", run->in), "w");

	assert_non_null(file);
	for (int i = 0; i < MESSAGES; i++)
		assert_true(fprintf(file, "message %d\n", i) > 0);
	assert_int_equal(fclose(file), 0);
}

/* another byte in "message @number" of the log */
static void damage(const struct run *run, int number)
{
	char path[PATH_MAX + sizeof("/log")], wanted[32];
	size_t room = 16u << 20, bytes;
	char *log = test_malloc(room), *at;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/log", run->dir);
	(void)snprintf(wanted, sizeof(wanted), "message %d", number);
	file = fopen(path, "r+");
	assert_non_null(file);
	bytes = fread(log, 1, room, file);
	at = memmem(log, bytes, wanted, strlen(wanted));
	assert_non_null(at);
	assert_int_equal(fseek(file, at - log, SEEK_SET), 0);
	assert_true(fputc('M', file) == 'M' && !fclose(file));
	test_free(log);
}

static void put_all(struct run *run)
{
	file_of_messages(run);
	scratch_path(&run->scratch, "ids", run->out);
	run_it(run, cmd_put, "put", "--as", "lines");
	memcpy(run->in, "/dev/null", sizeof("/dev/null"));
	memcpy(run->out, "/dev/null", sizeof("/dev/null"));
}

/* Return: how many; up to NULL */
static int words_of_ids(const struct run *run, char words[WORDS_MOST][JOURNAL_ID_CHARS])
{
	char path[PATH_MAX];
	FILE *file = fopen(scratch_path(&run->scratch, "ids", path), "r");
	int count = 0;

	assert_non_null(file);
	while (count < WORDS_MOST && fscanf(file, "%22s", words[count]) == 1)
		count++;
	(void)fclose(file);
	return count;
}

static int make_run(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	assert_int_equal(scratch_make(&run->scratch, NULL), 0);
	scratch_path(&run->scratch, "j", run->dir);
	memcpy(run->in, "/dev/null", sizeof("/dev/null"));
	memcpy(run->out, "/dev/null", sizeof("/dev/null"));
	run_it(run, cmd_format, "format", "--size", "16M", "--require", "process");
	is_told(run, "zero-filling");
	*state = run;
	return 0;
}

static int remove_run(void **state)
{
	struct run *run = *state;

	scratch_remove(&run->scratch);
	free(run);
	return 0;
}

/* ---- the tests --------------------------------------------------------------------------- */

static void put_tells_how_much_of_a_file(void **state)
{
	struct run *run = *state;

	put_all(run);
	is_told(run, "putting");
	assert_non_null(strstr(run->told, "putting: 100 %, 0 of 0 MiB "));
}

static void retire_tells(void **state)
{
	char words[WORDS_MOST][JOURNAL_ID_CHARS];
	struct run *run = *state;

	put_all(run);
	assert_int_equal(words_of_ids(run, words), WORDS_MOST);
	run_it(run, cmd_retire, "retire", words[0], words[1]);
	is_told(run, "retiring");
	assert_non_null(strstr(run->told, "retiring: 100 %, 2 transactions "));
	put_all(run);
	scratch_path(&run->scratch, "ids", run->in);
	run_it(run, cmd_retire, "retire", "-");
	is_told(run, "retiring");
	assert_non_null(strstr(run->told, " %, 100 transactions "));
}

static void cat_tells(void **state)
{
	char words[WORDS_MOST][JOURNAL_ID_CHARS];
	struct run *run = *state;

	put_all(run);
	assert_int_equal(words_of_ids(run, words), WORDS_MOST);
	run_it(run, cmd_cat, "cat", words[0], words[1], words[2], words[3]);
	is_told(run, "reading");
	assert_non_null(strstr(run->told, "reading:  75 %, 3 transactions "));
}

static void ls_tells(void **state)
{
	struct run *run = *state;

	put_all(run);
	run_it(run, cmd_ls, "ls");
	is_told(run, "listing");
	assert_non_null(strstr(run->told, "listing:  50 %, 50 transactions "));
	run_it(run, cmd_ls, "ls", "--json");
	is_told(run, "listing");
}

static void those_that_only_look_tell(void **state)
{
	struct run *run = *state;

	put_all(run);
	run_it(run, cmd_info, "info");
	is_told(run, "recovering");
	run_it(run, cmd_check, "check");
	is_told(run, "checking");
	run_it(run, cmd_dump, "dump");
	is_told(run, "reading");
	run_it(run, cmd_rescue, "rescue", "--dry-run", "--force");
	is_told(run, "reading the log");
}

static void mirror_tells(void **state)
{
	struct run *run = *state;

	run_it(run, cmd_format, "format", "--size", "16M", "--require", "process", "--force",
	       "--mirror", run->scratch.directory);
	put_all(run);
	run_it(run, cmd_mirror, "mirror");
	is_told(run, "recovering");
	is_told(run, "mirroring");
}

static void export_tells(void **state)
{
	struct run *run = *state;
	char path[PATH_MAX];

	file_of_messages(run);
	run_it(run, cmd_put, "put");
	scratch_path(&run->scratch, "all", path);
	run_it(run, cmd_export, "export", "--as", "tar", "--output", path);
	is_told(run, "exporting");
	scratch_path(&run->scratch, "more", run->out);
	run_it(run, cmd_export, "export", "--as", "tar");
	is_told(run, "exporting");
}

static void those_that_change_it_tell(void **state)
{
	struct run *run = *state;
	char marker[sizeof("sim:/markers.new") + PATH_MAX];

	put_all(run);
	run_it(run, cmd_resize, "resize", "--size", "24M");
	is_told(run, "resizing");
	assert_true(snprintf(marker, sizeof(marker), "sim:%s/markers.new", run->dir) <
		    (int)sizeof(marker));
	run_it(run, cmd_set_marker, "set-marker", marker);
	is_told(run, "recovering");
	run_it(run, cmd_destroy, "destroy", "--yes");
	is_told(run, "wiping");
}

/* ---- messages in the middle --------------------------------------------------------------- */

static void is_told_behind(const struct run *run, const char *doing, const char *message)
{
	is_told(run, doing);
	if (!strstr(strstr(run->told, doing), message))
		fail_msg("no %s behind it: %.500s", message, run->told);
}

static void retire_says_what_it_refuses(void **state)
{
	struct run *run = *state;
	FILE *ids;

	put_all(run);
	scratch_path(&run->scratch, "ids", run->in);
	ids = fopen(run->in, "a");
	assert_non_null(ids);
	assert_true(fputs("none\n1-ffffffff\n1-fffffffe\n", ids) >= 0 && !fclose(ids));
	run->status = JNL_REFUSED;
	run_it(run, cmd_retire, "retire", "-");
	is_told_behind(run, "retiring", "\r\033[Kjnl: none: not an id\r\n");
	is_told_behind(run, "retiring", "\r\033[Kjnl: 1-ffffffff: no such transaction");
}

static void cat_says_what_it_refuses(void **state)
{
	char words[WORDS_MOST][JOURNAL_ID_CHARS];
	struct run *run = *state;

	put_all(run);
	assert_int_equal(words_of_ids(run, words), WORDS_MOST);
	run->status = JNL_REFUSED;
	run_it(run, cmd_cat, "cat", words[0], words[1], "none", "1-ffffffff");
	is_told_behind(run, "reading", "\r\033[Kjnl: none: not an id\r\n");
	is_told_behind(run, "reading", "jnl: 1-ffffffff: no such transaction");
}

static void export_says_what_fails(void **state)
{
	struct run *run = *state;

	file_of_messages(run);
	run_it(run, cmd_put, "put", "--as", "lines");
	memcpy(run->out, "/dev/full", sizeof("/dev/full"));
	run->status = JNL_REFUSED;
	run_it(run, cmd_export, "export", "--as", "tar");
	is_told_behind(run, "exporting", "\r\033[Kjnl: ");
}

static void check_says_what_is_damaged(void **state)
{
	struct run *run = *state;

	put_all(run);
	damage(run, 42);
	run->out[0] = '\0';
	run->status = JNL_DAMAGE;
	run_it(run, cmd_check, "check");
	is_told_behind(run, "checking", "\r\033[Kdamage: ");
}

static void mirror_says_what_it_repairs(void **state)
{
	struct run *run = *state;

	run_it(run, cmd_format, "format", "--size", "16M", "--require", "process", "--force",
	       "--mirror", run->scratch.directory);
	put_all(run);
	damage(run, 42);
	run->out[0] = '\0';
	run_it(run, cmd_mirror, "mirror");
	is_told_behind(run, "recovering", "\r\033[Kmirror: ");
}

static void rescue_says_what_is_in_doubt(void **state)
{
	struct run *run = *state;

	put_all(run);
	run->out[0] = '\0';
	run_it(run, cmd_rescue, "rescue", "--dry-run", "--force");
	is_told_behind(run, "reading the log", "\r\033[K1-00000000 ");
}

/* ---- nothing ------------------------------------------------------------------------------ */

/* What comes out there is not to be mixed with anything. */
static void nothing_is_told_beside_the_output(void **state)
{
	char words[WORDS_MOST][JOURNAL_ID_CHARS];
	struct run *run = *state;

	put_all(run);
	assert_int_equal(words_of_ids(run, words), WORDS_MOST);
	file_of_messages(run);
	run->out[0] = '\0';
	run_it(run, cmd_put, "put", "--as", "lines");
	is_not_told(run, "putting");
	run_it(run, cmd_ls, "ls");
	is_not_told(run, "listing");
	run_it(run, cmd_cat, "cat", words[0]);
	is_not_told(run, "reading");
	run_it(run, cmd_dump, "dump");
	is_not_told(run, "reading");
	run_it(run, cmd_retire, "retire", words[0]);
	is_not_told(run, "retiring");
}

static void nothing_is_told_beside_a_backup(void **state)
{
	struct run *run = *state;

	file_of_messages(run);
	run_it(run, cmd_put, "put");
	run->out[0] = '\0';
	run_it(run, cmd_export, "export", "--as", "mbox");
	is_not_told(run, "exporting");
}

int main(void)
{
#define PROGRESS_TEST(test) cmocka_unit_test_setup_teardown(test, make_run, remove_run)
	const struct CMUnitTest tests[] = {
		PROGRESS_TEST(put_tells_how_much_of_a_file),
		PROGRESS_TEST(retire_tells),
		PROGRESS_TEST(cat_tells),
		PROGRESS_TEST(ls_tells),
		PROGRESS_TEST(those_that_only_look_tell),
		PROGRESS_TEST(mirror_tells),
		PROGRESS_TEST(export_tells),
		PROGRESS_TEST(those_that_change_it_tell),
		PROGRESS_TEST(retire_says_what_it_refuses),
		PROGRESS_TEST(cat_says_what_it_refuses),
		PROGRESS_TEST(export_says_what_fails),
		PROGRESS_TEST(check_says_what_is_damaged),
		PROGRESS_TEST(mirror_says_what_it_repairs),
		PROGRESS_TEST(rescue_says_what_is_in_doubt),
		PROGRESS_TEST(nothing_is_told_beside_the_output),
		PROGRESS_TEST(nothing_is_told_beside_a_backup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
