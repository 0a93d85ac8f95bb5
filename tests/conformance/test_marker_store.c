/* SPDX-License-Identifier: BSD-3-Clause */
/* The contract of a marker store.  Every backend passes all of it unmodified. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends.h"
#include "util/math.h"

#define BYTES   (256u << 10)
#define THREADS 4u

/* a backend, and where its medium lies in the tests */
struct backend {
	const char *label;
	const char *scheme;
	const char *place; /* NULL: TMPDIR */
	bool byte_persistent;
};

static const struct backend backends[] = {
	{ "file", "file", NULL, false },
	{ "pmem on memory", "pmem", "/dev/shm", true },
	{ "pmem on a file system", "pmem", NULL, true },
	{ "sim", "sim", NULL, true },
};

struct fixture {
	const struct backend *backend;
	struct marker_store *store;
	struct message message;
	char directory[256];
	char path[300];
	char uri[400];
};

static struct fixture fixture;

static int setup(void **state)
{
	struct fixture *f = &fixture;
	const char *place;

	memset(f, 0, sizeof(*f));
	f->backend = *state;
	place = f->backend->place ? f->backend->place : getenv("TMPDIR");
	(void)snprintf(f->directory, sizeof(f->directory), "%s/jnl-marker-XXXXXX",
		       place ? place : "/tmp");
	assert_non_null(mkdtemp(f->directory));
	(void)snprintf(f->path, sizeof(f->path), "%.250s/m", f->directory);
	(void)snprintf(f->uri, sizeof(f->uri), "%.8s:%.299s", f->backend->scheme, f->path);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	marker_store_close(f->store);
	f->store = NULL;
	(void)unlink(f->path);
	return rmdir(f->directory);
}

/* ---- small steps ----------------------------------------------------------- */

static int try_open(struct fixture *f, unsigned int flags, uint64_t bytes)
{
	int error;

	memset(&f->message, 0, sizeof(f->message));
	error = backend_open_marker(f->uri, flags, bytes, &f->store, &f->message);
	if (error) {
		/* an error has a text, and it names the medium */
		assert_non_null(strstr(f->message.text, f->path));
		assert_true(strlen(f->message.text) > strlen(f->path) + 2);
		f->store = NULL;
	}
	return error;
}

static void must_open(struct fixture *f, unsigned int flags, uint64_t bytes)
{
	int error = try_open(f, flags, bytes);

	if (error)
		fail_msg("%s: %s", f->uri, f->message.text);
}

static void close_store(struct fixture *f)
{
	marker_store_close(f->store);
	f->store = NULL;
}

static void reopen(struct fixture *f, unsigned int flags)
{
	close_store(f);
	must_open(f, flags, 0);
}

/* The durable point of either kind of store. */
static int settle(struct fixture *f)
{
	int error = nv_fence(f->store);

	if (error || f->backend->byte_persistent)
		return error;
	return marker_store_checkpoint(f->store, f->store->bytes);
}

static uint64_t *word(struct fixture *f, uint64_t index)
{
	return (uint64_t *)(void *)f->store->map + index;
}

static uint8_t *slurp(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *data;

	assert_true(fd >= 0 && !fstat(fd, &st));
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	(void)close(fd);
	*bytes = (size_t)st.st_size;
	return data;
}

static void put_file(const char *path, int value, size_t bytes)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(fputc(value, file), value);
	assert_int_equal(fclose(file), 0);
}

static void assert_ones(struct fixture *f)
{
	for (uint64_t i = 0; i < f->store->bytes / 8; i++)
		if (*word(f, i) != UINT64_MAX)
			fail_msg("word %u is not erased", (unsigned int)i);
}

/* Return: how the child ended that ran @body. */
static int in_child(void (*body)(struct fixture *f), struct fixture *f)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		for (int signal_number = 1; signal_number < 32; signal_number++)
			(void)signal(signal_number, SIG_DFL);
		body(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- making ------------------------------------------------------------------ */

static void create_erases(void **state)
{
	struct fixture *f = &fixture;
	struct stat st;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	assert_int_equal(f->store->bytes, BYTES);
	assert_string_equal(f->store->ops->backend, f->backend->scheme);
	assert_int_equal(f->store->byte_persistent, f->backend->byte_persistent);
	assert_int_equal(f->store->failed, 0);
	assert_false(f->store->read_only);
	assert_ones(f);
	print_message("%s: %s, %s\n", f->uri, f->store->persist.name, f->store->evidence);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* allocated: no SIGBUS, no ENOSPC later */
	assert_true((uint64_t)st.st_blocks * 512 >= BYTES);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	assert_int_equal(f->store->bytes, BYTES);
	assert_ones(f);
}

static void create_spares_content(void **state)
{
	struct fixture *f = &fixture;
	size_t bytes, bytes_now;
	uint8_t *before, *after;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	nv_store8(f->store, word(f, 3), 42);
	assert_int_equal(settle(f), 0);
	close_store(f);
	before = slurp(f->path, &bytes);
	assert_int_equal(try_open(f, MARKER_CREATE, BYTES), -EEXIST);
	assert_int_equal(try_open(f, MARKER_CREATE, 2 * BYTES), -EEXIST);
	after = slurp(f->path, &bytes_now);
	assert_int_equal(bytes, bytes_now);
	assert_memory_equal(before, after, bytes);
	free(before);
	free(after);
	must_open(f, MARKER_CREATE | MARKER_FORCE, 2 * BYTES);
	assert_int_equal(f->store->bytes, 2 * BYTES);
	assert_ones(f);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	assert_int_equal(f->store->bytes, 2 * BYTES);
	assert_ones(f);
}

static void create_spares_strangers(void **state)
{
	struct fixture *f = &fixture;
	size_t bytes;
	uint8_t *after;

	(void)state;
	put_file(f->path, 'x', 100);
	assert_int_equal(try_open(f, MARKER_CREATE, BYTES), -EEXIST);
	after = slurp(f->path, &bytes);
	assert_int_equal(bytes, 100);
	assert_int_equal(after[0], 'x');
	free(after);
	must_open(f, MARKER_CREATE | MARKER_FORCE, BYTES);
	assert_ones(f);
}

static void create_takes_blank(void **state)
{
	static const struct {
		int value;
		size_t bytes;
	} blanks[] = { { 0, 0 }, { 0, 100 }, { 0, 64 << 10 }, { 0xff, 64 << 10 } };
	struct fixture *f = &fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(blanks); i++) {
		put_file(f->path, blanks[i].value, blanks[i].bytes);
		must_open(f, MARKER_CREATE, BYTES);
		assert_int_equal(f->store->bytes, BYTES);
		assert_ones(f);
		close_store(f);
	}
}

static void sizes(void **state)
{
	static const uint64_t wrong[] = { 1, 4095, 4097, BYTES + 8 };
	struct fixture *f = &fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(try_open(f, MARKER_CREATE, wrong[i]), -EINVAL);
	assert_int_equal(try_open(f, MARKER_CREATE, 0), -EINVAL);
	assert_int_equal(try_open(f, MARKER_CREATE, UINT64_MAX & ~4095ull), -EINVAL);
	/* more than any medium of a test machine has */
	assert_true(try_open(f, MARKER_CREATE, 1ull << 55) < 0);
	/* and nothing is left of all that */
	assert_int_equal(access(f->path, F_OK), -1);
	must_open(f, MARKER_CREATE, 4096);
	assert_int_equal(f->store->bytes, 4096);
	nv_store8(f->store, word(f, 511), 7);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	assert_int_equal(f->store->bytes, 4096);
	assert_int_equal(*word(f, 511), 7);
}

static void limit_file_size(struct fixture *f)
{
	struct rlimit limit = { 16384, 16384 };

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	if (try_open(f, MARKER_CREATE, BYTES) != -EFBIG)
		_exit(1);
}

/* What was made is removed when it does not fit. */
static void does_not_fit(void **state)
{
	struct fixture *f = &fixture;
	struct stat st;

	(void)state;
	assert_int_equal(in_child(limit_file_size, f), 0);
	assert_int_equal(access(f->path, F_OK), -1);
	/* what was there is as it was */
	put_file(f->path, 0, 8192);
	assert_int_equal(in_child(limit_file_size, f), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, 8192);
	must_open(f, MARKER_CREATE, BYTES);
}

/* ---- opening ------------------------------------------------------------------ */

static void opening_what_is_not_there(void **state)
{
	struct fixture *f = &fixture;
	char path[sizeof(f->path)];

	(void)state;
	assert_int_equal(try_open(f, 0, 0), -ENOENT);
	assert_int_equal(try_open(f, MARKER_RDONLY, 0), -ENOENT);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(try_open(f, 0, 0), -EISDIR);
	assert_int_equal(try_open(f, MARKER_CREATE, BYTES), -EISDIR);
	assert_int_equal(try_open(f, MARKER_RDONLY, 0), -EINVAL);
	assert_int_equal(rmdir(f->path), 0);
	memcpy(path, f->path, sizeof(path));
	(void)snprintf(f->path, sizeof(f->path), "%.250s/none/m", f->directory);
	(void)snprintf(f->uri, sizeof(f->uri), "%s:%.299s", f->backend->scheme, f->path);
	assert_int_equal(try_open(f, MARKER_CREATE, BYTES), -ENOENT);
	memcpy(f->path, path, sizeof(path));
}

static void opening_what_is_no_medium(void **state)
{
	struct fixture *f = &fixture;
	char path[sizeof(f->path)];

	(void)state;
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(try_open(f, 0, 0), -EINVAL);
	assert_int_equal(try_open(f, MARKER_CREATE, BYTES), -EINVAL);
	/* and it is still there */
	assert_int_equal(access(f->path, F_OK), 0);
	memcpy(path, f->path, sizeof(path));
	(void)snprintf(f->path, sizeof(f->path), "/dev/zero");
	(void)snprintf(f->uri, sizeof(f->uri), "%s:/dev/zero", f->backend->scheme);
	assert_int_equal(try_open(f, MARKER_RDONLY, 0), -ENOTSUP);
	assert_int_equal(try_open(f, 0, 0), -ENOTSUP);
	memcpy(f->path, path, sizeof(path));
}

static void truncated(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	assert_int_equal(settle(f), 0);
	close_store(f);
	assert_int_equal(truncate(f->path, 100), 0);
	assert_int_equal(try_open(f, 0, 0), -EUCLEAN);
	assert_int_equal(try_open(f, MARKER_RDONLY, 0), -EUCLEAN);
}

static void store_a_word(struct fixture *f)
{
	*(volatile uint64_t *)word(f, 0) = 1;
}

static void read_only(void **state)
{
	struct fixture *f = &fixture;
	size_t bytes, bytes_now;
	uint8_t *before, *after;
	int status;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	nv_store8(f->store, word(f, 9), 99);
	assert_int_equal(settle(f), 0);
	close_store(f);
	assert_int_equal(chmod(f->path, 0400), 0);
	before = slurp(f->path, &bytes);
	must_open(f, MARKER_RDONLY, 0);
	assert_true(f->store->read_only);
	assert_int_equal(f->store->bytes, BYTES);
	assert_int_equal(*word(f, 9), 99);
	status = in_child(store_a_word, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	close_store(f);
	after = slurp(f->path, &bytes_now);
	assert_int_equal(bytes, bytes_now);
	assert_memory_equal(before, after, bytes);
	free(before);
	free(after);
}

/* Two openings agree on what the medium is. */
static void same_evidence_read_only(void **state)
{
	struct fixture *f = &fixture;
	char evidence[256];
	int class;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	class = f->store->class;
	memcpy(evidence, f->store->evidence, sizeof(evidence));
	assert_int_equal(settle(f), 0);
	reopen(f, MARKER_RDONLY);
	assert_int_equal(f->store->class, class);
	assert_string_equal(f->store->evidence, evidence);
}

/* ---- storing -------------------------------------------------------------------- */

static void words_come_back(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	for (uint64_t i = 0; i < BYTES / 8; i += 65)
		nv_store8(f->store, word(f, i), i);
	nv_and8(f->store, word(f, 1), ~5ull);
	nv_and8(f->store, word(f, 1), ~2ull);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	for (uint64_t i = 0; i < BYTES / 8; i++)
		if (i != 1)
			assert_int_equal(*word(f, i), i % 65 ? UINT64_MAX : i);
	assert_int_equal(*word(f, 1), ~7ull);
}

/* A plain store counts from its nv_flush() on. */
static void flushed_ranges_come_back(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	memset(f->store->map + 1000, 0x11, 5000);
	nv_flush(f->store, f->store->map + 1000, 5000);
	memset(f->store->map + BYTES - 3, 0x22, 3);
	nv_flush(f->store, f->store->map + BYTES - 3, 3);
	nv_flush(f->store, f->store->map + BYTES, 0);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	for (uint64_t i = 0; i < BYTES; i++)
		assert_int_equal(f->store->map[i],
				 i >= BYTES - 3 ? 0x22 : i >= 1000 && i < 6000 ? 0x11 : 0xff);
}

static void copies_come_back(void **state)
{
	static const size_t lengths[] = { 8, 16, 56, 64, 72, 128, 200, 512, 1024, 4096, 4104, 8192 };
	struct fixture *f = &fixture;
	uint8_t source[8192 + 16];
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 131 + i / 256);
	must_open(f, MARKER_CREATE, BYTES);
	/* every length, at line starts and off them, from unaligned sources */
	for (size_t i = 0; i < 2 * ARRAY_COUNT(lengths); i++) {
		nv_copy(f->store, f->store->map + at, source + i % 9, lengths[i / 2]);
		at += lengths[i / 2] + (i % 2 ? 8 : 64);
	}
	assert_true(at < BYTES);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	at = 0;
	for (size_t i = 0; i < 2 * ARRAY_COUNT(lengths); i++) {
		size_t gap = i % 2 ? 8 : 64;

		assert_memory_equal(f->store->map + at, source + i % 9, lengths[i / 2]);
		at += lengths[i / 2];
		for (size_t k = 0; k < gap; k++)
			assert_int_equal(f->store->map[at + k], 0xff);
		at += gap;
	}
}

/* What was not fenced is old or new, word by word, and nothing else. */
static void unfenced_is_old_or_new(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	for (uint64_t i = 0; i < 64; i++)
		nv_store8(f->store, word(f, i), 1000 + i);
	assert_int_equal(settle(f), 0);
	for (uint64_t i = 0; i < 64; i++)
		nv_store8(f->store, word(f, i), 2000 + i);
	reopen(f, 0);
	for (uint64_t i = 0; i < 64; i++)
		assert_true(*word(f, i) == 1000 + i || *word(f, i) == 2000 + i);
	assert_int_equal(*word(f, 64), UINT64_MAX);
}

static void settle_and_be_killed(struct fixture *f)
{
	for (uint64_t i = 0; i < 64; i++)
		nv_store8(f->store, word(f, i * 16), i);
	if (settle(f))
		_exit(1);
	(void)raise(SIGKILL);
}

/* All classes hold over the death of the process. */
static void settled_survives_kill(void **state)
{
	struct fixture *f = &fixture;
	int status;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	status = in_child(settle_and_be_killed, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	reopen(f, 0);
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(*word(f, i * 16), i);
}

struct worker {
	struct fixture *f;
	uint64_t number;
};

/* Each has lines of its own, and all clear bits of one common word. */
static void *work(void *argument)
{
	struct worker *w = argument;
	struct fixture *f = w->f;
	int error = 0;

	for (uint64_t i = 0; !error && i < 16; i++) {
		uint64_t line[8];

		for (unsigned int k = 0; k < 8; k++)
			line[k] = w->number << 32 | i;
		nv_copy(f->store, word(f, 512 * (w->number + 1) + 8 * i), line, sizeof(line));
		nv_and8(f->store, word(f, 0), ~(1ull << (w->number * 16 + i)));
		error = nv_fence(f->store);
	}
	return (void *)(intptr_t)error;
}

static void threads(void **state)
{
	struct fixture *f = &fixture;
	pthread_t thread[THREADS];
	struct worker worker[THREADS];

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	for (unsigned int i = 0; i < THREADS; i++) {
		worker[i] = (struct worker){ f, i };
		assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		void *error;

		assert_int_equal(pthread_join(thread[i], &error), 0);
		assert_null(error);
	}
	assert_int_equal(settle(f), 0);
	reopen(f, 0);
	assert_int_equal(*word(f, 0), 0);
	for (uint64_t n = 0; n < THREADS; n++)
		for (uint64_t i = 0; i < 128; i++)
			assert_int_equal(*word(f, 512 * (n + 1) + i), n << 32 | i / 8);
}

/* ---- failing ---------------------------------------------------------------------- */

static void failure_sticks(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	marker_store_fail(f->store, -EIO);
	marker_store_fail(f->store, -ENOSPC);
	nv_store8(f->store, word(f, 0), 1);
	assert_int_equal(nv_fence(f->store), -EIO);
	assert_int_equal(nv_fence(f->store), -EIO);
	assert_int_equal(settle(f), -EIO);
	if (!f->backend->byte_persistent)
		assert_int_equal(marker_store_checkpoint(f->store, 4096), -EIO);
}

static void store_outside(struct fixture *f)
{
	nv_store8(f->store, word(f, BYTES / 8), 1);
}

static void store_unaligned(struct fixture *f)
{
	nv_store8(f->store, (uint64_t *)(void *)(f->store->map + 4), 1);
}

static void copy_over_the_end(struct fixture *f)
{
	static const uint8_t source[128];

	nv_copy(f->store, f->store->map + BYTES - 64, source, sizeof(source));
}

static void flush_before_the_start(struct fixture *f)
{
	nv_flush(f->store, f->store->map - 64, 64);
}

static void checkpoint_too_much(struct fixture *f)
{
	/* of a store that is not of that kind: any at all */
	(void)marker_store_checkpoint(f->store, BYTES + 4096);
}

static void misuse_is_asserted(void **state)
{
	static void (*const bodies[])(struct fixture *f) = {
		store_outside, store_unaligned, copy_over_the_end, flush_before_the_start,
		checkpoint_too_much,
	};
	struct fixture *f = &fixture;

	(void)state;
	must_open(f, MARKER_CREATE, BYTES);
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		int status = in_child(bodies[i], f);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("misuse %u: status %x", (unsigned int)i, (unsigned int)status);
	}
}

/* ---- the names of media ------------------------------------------------------------- */

static void unknown_names(void **state)
{
	static const struct {
		const char *uri;
		int error;
	} names[] = { { "nvram:/x", -ENOTSUP }, { "fil:/x", -ENOTSUP }, { "files:/x", -ENOTSUP },
		      { ":/x", -ENOTSUP },      { "/x", -EINVAL },      { "", -EINVAL },
		      { "file:", -EINVAL },     { "pmem:", -EINVAL },   { "sim:", -EINVAL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct marker_store *store = NULL;
		struct message message = { { 0 } };

		assert_int_equal(backend_open_marker(names[i].uri, 0, 0, &store, &message),
				 names[i].error);
		assert_null(store);
		assert_non_null(strstr(message.text, names[i].uri));
		if (names[i].error == -ENOTSUP)
			assert_non_null(strstr(message.text, "file:, pmem:, sim:"));
	}
}

#define T(name) { #name, name }

static const struct {
	const char *name;
	void (*function)(void **state);
} suite[] = {
	T(create_erases), T(create_spares_content), T(create_spares_strangers),
	T(create_takes_blank), T(sizes), T(does_not_fit), T(opening_what_is_not_there),
	T(opening_what_is_no_medium), T(truncated), T(read_only), T(same_evidence_read_only),
	T(words_come_back), T(flushed_ranges_come_back), T(copies_come_back),
	T(unfenced_is_old_or_new), T(settled_survives_kill), T(threads), T(failure_sticks),
	T(misuse_is_asserted),
};

#define SUITE ARRAY_COUNT(suite)

int main(void)
{
	static char names[ARRAY_COUNT(backends) * SUITE][96];
	static struct CMUnitTest tests[ARRAY_COUNT(backends) * SUITE + 1];
	size_t count = 0;

	for (size_t b = 0; b < ARRAY_COUNT(backends); b++)
		for (size_t i = 0; i < SUITE; i++, count++) {
			(void)snprintf(names[count], sizeof(names[count]), "%s: %s",
				       backends[b].label, suite[i].name);
			tests[count] = (struct CMUnitTest){
				names[count], suite[i].function, setup, teardown,
				(void *)(uintptr_t)&backends[b],
			};
		}
	tests[count] = (struct CMUnitTest)cmocka_unit_test(unknown_names);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
