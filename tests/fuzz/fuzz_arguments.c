/* SPDX-License-Identifier: BSD-3-Clause */
/* address only */
/* link: tools */
/* link: -Wl,--wrap=exit,--wrap=argp_state_help,--wrap=output_guard,--wrap=output_write */
/* link: -Wl,--wrap=open,--wrap=stat,--wrap=isatty,--wrap=sigprocmask,--wrap=getgrnam */
/* link: -Wl,--wrap=journal_open,--wrap=journal_close,--wrap=journal_error */
/* link: -Wl,--wrap=journal_format,--wrap=journal_destroy,--wrap=journal_check */
/* link: -Wl,--wrap=journal_rescue,--wrap=journal_mirror */
/* link: -Wl,--wrap=journal_set_marker,--wrap=journal_upgrade,--wrap=journal_owns */
/*
 * Any command line of jnl, up to the library, of which each function that does something says
 * that there is no journal, after it has looked at what it was given.  No file is opened.
 * (MemorySanitizer knows nothing of what libc's argp hands to the commands.)
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "fuzz.h"

#define main jnl_main
#include "../../libjournal/tools/main.c"
#undef main

#define ARGUMENTS_MAX 24u
#define TEXT_BYTES    4096u
#define ALLOCATED_MAX 512u
#define WORD_FIRST    128u

static const char *const words[] = {
	"format", "put", "ls", "cat", "retire", "check", "info", "stat", "dump", "export",
	"serve", "resize", "set-marker", "rescue", "mirror", "upgrade", "destroy", "help",
	"--help", "--version", "--marker", "--log", "--mirror", "--size", "--require",
	"--assume-marker", "--assume-log", "--group", "--mode", "--force", "--as", "--json",
	"--output", "--inexact", "--dry-run", "--metrics", "--interval", "--age", "--fill",
	"--yes", "--count", "--add-log", "--remove-log", "--repair", "--keep", "--segments",
	"--to", "--", "-", "=", "/", "file:", "pmem:", "sim:", "power", "process", "os", "raw",
	"lines", "mbox", "bsmtp", "tar", "1G", "64M", "18446744073709551615", "0", "0660",
	"dir", "2T", "10.5", ":", "-j", "-h", "-f", "-s", "-n", "-o", "-a", "-m", "-l",
};

_Static_assert(sizeof(words) / sizeof(words[0]) <= 256 - WORD_FIRST, "a byte for each");

static jmp_buf left;

/* ---- what exit() would have given back ------------------------------------------ */

int __sanitizer_install_malloc_and_free_hooks(void (*made)(const volatile void *, size_t),
					      void (*freed)(const volatile void *))
	__attribute__((weak));

static const volatile void *allocated[ALLOCATED_MAX];
static unsigned int allocated_count;
static bool counting;

static void made(const volatile void *at, size_t bytes)
{
	(void)bytes;
	if (!counting || !at)
		return;
	FUZZ_CHECK(allocated_count < ALLOCATED_MAX);
	allocated[allocated_count++] = at;
}

static void freed(const volatile void *at)
{
	unsigned int i = allocated_count;

	if (!counting || !at)
		return;
	while (i-- && allocated[i] != at)
		;
	if (i < ALLOCATED_MAX)
		allocated[i] = allocated[--allocated_count];
}

static void free_all(void)
{
	counting = false;
	while (allocated_count)
		free((void *)(uintptr_t)allocated[--allocated_count]);
}

void __real_exit(int status) __attribute__((noreturn));
void __wrap_exit(int status) __attribute__((noreturn));
void __wrap_exit(int status)
{
	if (!counting)
		__real_exit(status);
	longjmp(left, status + 1);
}

extern __typeof__(argp_state_help) __real_argp_state_help, __wrap_argp_state_help;

void __wrap_argp_state_help(const struct argp_state *state, FILE *stream, unsigned int flags)
{
	__real_argp_state_help(state, stream, flags & ~(unsigned int)(ARGP_HELP_EXIT_ERR |
								   ARGP_HELP_EXIT_OK));
	if (flags & (ARGP_HELP_EXIT_ERR | ARGP_HELP_EXIT_OK))
		longjmp(left, (flags & ARGP_HELP_EXIT_ERR ? JNL_USAGE : JNL_DONE) + 1);
}

/* ---- the system: the fuzzer's own calls come through here, too -------------------------- */

void __wrap_output_guard(void);
void __wrap_output_guard(void)
{
}

static bool told;

int __wrap_output_write(int fd, const void *data, size_t bytes);
int __wrap_output_write(int fd, const void *data, size_t bytes)
{
	const char *text = data;
	size_t i, sum = 0;

	/* looked at, all of it: that it has a value is for MemorySanitizer to say */
	for (i = 0; i < bytes; i++)
		sum += (text[i] & 0xffu) + 1;
	FUZZ_CHECK(sum >= bytes);
	if (fd != STDERR_FILENO)
		return 0;
	FUZZ_CHECK(bytes > 6 && !memcmp(data, "jnl: ", 5) && text[bytes - 1] == '\n');
	told = true;
	return 0;
}

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
	if (!counting)
		return __real_open(path, flags, mode);
	FUZZ_CHECK(strlen(path) < TEXT_BYTES + PATH_MAX);
	errno = ENOENT;
	return -1;
}

int __real_stat(const char *path, struct stat *about);
int __wrap_stat(const char *path, struct stat *about);
int __wrap_stat(const char *path, struct stat *about)
{
	if (!counting)
		return __real_stat(path, about);
	FUZZ_CHECK(strlen(path) < TEXT_BYTES + PATH_MAX);
	errno = ENOENT;
	return -1;
}

int __wrap_isatty(int fd);
int __wrap_isatty(int fd)
{
	(void)fd;
	return 0;
}

int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	(void)old;
	return 0;
}

struct group *__wrap_getgrnam(const char *name);
struct group *__wrap_getgrnam(const char *name)
{
	(void)name;
	return NULL;
}

/* ---- the library ------------------------------------------------------------------- */

extern __typeof__(journal_open) __wrap_journal_open;
extern __typeof__(journal_close) __wrap_journal_close;
extern __typeof__(journal_error) __wrap_journal_error;
extern __typeof__(journal_format) __wrap_journal_format;
extern __typeof__(journal_destroy) __wrap_journal_destroy;
extern __typeof__(journal_check) __wrap_journal_check;
extern __typeof__(journal_rescue) __wrap_journal_rescue;
extern __typeof__(journal_mirror) __wrap_journal_mirror;
extern __typeof__(journal_set_marker) __wrap_journal_set_marker;
extern __typeof__(journal_upgrade) __wrap_journal_upgrade;
extern __typeof__(journal_owns) __wrap_journal_owns;

/* DIR has a name, and there is no journal in it */
static int no_journal(const char *dir, char *message, size_t bytes)
{
	FUZZ_CHECK(dir && dir[0] && strlen(dir) < TEXT_BYTES);
	if (message && bytes)
		snprintf(message, bytes, "%s: no journal there", dir);
	return -ENOENT;
}

static void must_be_path(const char *path)
{
	FUZZ_CHECK(path && path[0] && strlen(path) < PATH_MAX);
}

static void must_be_uri(const char *uri)
{
	FUZZ_CHECK(strchr(uri, ':') && strlen(uri) < PATH_MAX);
}

int __wrap_journal_open(const char *dir, const struct journal_open_options *options,
			struct journal **journal)
{
	(void)options;
	*journal = NULL;
	return no_journal(dir, NULL, 0);
}

int __wrap_journal_close(struct journal *journal)
{
	FUZZ_CHECK(!journal);
	return 0;
}

const char *__wrap_journal_error(struct journal *journal)
{
	FUZZ_CHECK(!journal);
	return "no journal there";
}

int __wrap_journal_format(const char *dir, const struct journal_format_options *options,
			  char *message, size_t bytes)
{
	size_t i;

	if (options->marker)
		must_be_uri(options->marker);
	FUZZ_CHECK(options->log_count <= JOURNAL_LOGS_MAX);
	FUZZ_CHECK(!options->log_count == !options->logs);
	FUZZ_CHECK(options->mirror_count <= (options->log_count ? options->log_count : 1));
	for (i = 0; i < options->log_count; i++)
		must_be_path(options->logs[i]);
	for (i = 0; i < options->mirror_count; i++)
		if (options->mirrors[i])
			must_be_path(options->mirrors[i]);
	FUZZ_CHECK(options->require <= JOURNAL_CLASS_POWER);
	FUZZ_CHECK(options->assume_marker <= JOURNAL_CLASS_POWER);
	FUZZ_CHECK(options->assume_log <= JOURNAL_CLASS_POWER);
	FUZZ_CHECK(options->mode <= 07777);
	return no_journal(dir, message, bytes);
}

int __wrap_journal_destroy(const char *dir, const struct journal_destroy_options *options,
			   char *message, size_t bytes)
{
	(void)options;
	return no_journal(dir, message, bytes);
}

int __wrap_journal_check(const char *dir, const struct journal_open_options *options,
			 void (*found)(void *, const struct journal_finding *), void *context,
			 char *message, size_t bytes)
{
	FUZZ_CHECK(options && options->flags & JOURNAL_RDONLY && found && context);
	return no_journal(dir, message, bytes);
}

int __wrap_journal_rescue(const char *dir, const struct journal_marker_options *options,
			  char *message, size_t bytes)
{
	if (options->marker)
		must_be_uri(options->marker);
	return no_journal(dir, message, bytes);
}

int __wrap_journal_set_marker(const char *dir, const struct journal_marker_options *options,
			      char *message, size_t bytes)
{
	if (options->marker)
		must_be_uri(options->marker);
	return no_journal(dir, message, bytes);
}

int __wrap_journal_mirror(const char *dir, const struct journal_mirror_options *options,
			  char *message, size_t bytes)
{
	(void)options;
	return no_journal(dir, message, bytes);
}

int __wrap_journal_upgrade(const char *dir, const struct journal_upgrade_options *options,
			   unsigned int *changes, char *message, size_t bytes)
{
	(void)options;
	*changes = 0;
	return no_journal(dir, message, bytes);
}

int __wrap_journal_owns(const char *dir, const char *path, char *message, size_t bytes)
{
	(void)path;
	(void)dir;
	(void)message;
	(void)bytes;
	return 0;
}

/* ---- one command line ---------------------------------------------------------------- */

static size_t expand(struct fuzz_input *in, char *text)
{
	size_t at = 0, length;

	while (in->bytes) {
		const char *from = (const char *)in->data;
		uint8_t byte = fuzz_byte(in);
		unsigned int word = byte - WORD_FIRST;

		length = 1;
		if (byte >= WORD_FIRST && word < sizeof(words) / sizeof(words[0])) {
			from = words[word];
			length = strlen(from);
		}
		if (at + length > TEXT_BYTES - 1)
			break;
		memcpy(text + at, from, length);
		at += length;
	}
	text[at++] = 0;
	return at;
}

static int run(int argc, char **argv)
{
	int status = setjmp(left);

	if (!status)
		return jnl_main(argc, argv);
	free_all();
	return status - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static bool hooked;
	static char text[TEXT_BYTES];
	char name[] = "jnl", *argv[ARGUMENTS_MAX + 2] = { name }, *copy;
	struct fuzz_input in = { data, bytes };
	size_t length, at;
	int argc = 1, status;

	if (!hooked && __sanitizer_install_malloc_and_free_hooks)
		FUZZ_CHECK(__sanitizer_install_malloc_and_free_hooks(made, freed));
	hooked = true;
	length = expand(&in, text);
	/* of their size: nothing behind them is to be read */
	copy = malloc(length);
	FUZZ_CHECK(copy);
	memcpy(copy, text, length);
	for (at = 0; at < length && argc <= (int)ARGUMENTS_MAX; at += strlen(copy + at) + 1)
		argv[argc++] = copy + at;
	told = false;
	allocated_count = 0;
	counting = true;
	status = run(argc, argv);
	counting = false;
	FUZZ_CHECK(status == JNL_DONE || status == JNL_REFUSED || status == JNL_USAGE);
	FUZZ_CHECK(status != JNL_REFUSED || told);
	free(copy);
	return 0;
}
