/* SPDX-License-Identifier: BSD-3-Clause */
/* The contract of a marker store: making and opening one.
 * Every backend passes all of it unmodified. */
#include <errno.h>
#include <fcntl.h>
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

#include "marker_fixture.h"
#include "util/math.h"

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

/* ---- making ------------------------------------------------------------------ */

static void create_erases(void **state)
{
	struct fixture *f = &fixture;
	struct stat st;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	assert_int_equal(f->store->bytes, FIXTURE_BYTES);
	assert_string_equal(f->store->ops->backend, f->backend->scheme);
	assert_int_equal(f->store->byte_persistent, f->backend->byte_persistent);
	assert_int_equal(f->store->failed, 0);
	assert_false(f->store->read_only);
	fixture_assert_ones(f);
	print_message("%s: %s, %s\n", f->uri, f->store->persist.name, f->store->evidence);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* allocated: no SIGBUS, no ENOSPC later */
	assert_true((uint64_t)st.st_blocks * 512 >= FIXTURE_BYTES);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	assert_int_equal(f->store->bytes, FIXTURE_BYTES);
	fixture_assert_ones(f);
}

static void create_spares_content(void **state)
{
	struct fixture *f = &fixture;
	size_t bytes, bytes_now;
	uint8_t *before, *after;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	nv_store8(f->store, fixture_word(f, 3), 42);
	assert_int_equal(fixture_settle(f), 0);
	fixture_close(f);
	before = slurp(f->path, &bytes);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, FIXTURE_BYTES), -EEXIST);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, 2 * FIXTURE_BYTES), -EEXIST);
	after = slurp(f->path, &bytes_now);
	assert_int_equal(bytes, bytes_now);
	assert_memory_equal(before, after, bytes);
	free(before);
	free(after);
	fixture_open(f, MARKER_CREATE | MARKER_FORCE, 2 * FIXTURE_BYTES);
	assert_int_equal(f->store->bytes, 2 * FIXTURE_BYTES);
	fixture_assert_ones(f);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	assert_int_equal(f->store->bytes, 2 * FIXTURE_BYTES);
	fixture_assert_ones(f);
}

static void create_spares_strangers(void **state)
{
	struct fixture *f = &fixture;
	size_t bytes;
	uint8_t *after;

	(void)state;
	put_file(f->path, 'x', 100);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, FIXTURE_BYTES), -EEXIST);
	after = slurp(f->path, &bytes);
	assert_int_equal(bytes, 100);
	assert_int_equal(after[0], 'x');
	free(after);
	fixture_open(f, MARKER_CREATE | MARKER_FORCE, FIXTURE_BYTES);
	fixture_assert_ones(f);
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
		fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
		assert_int_equal(f->store->bytes, FIXTURE_BYTES);
		fixture_assert_ones(f);
		fixture_close(f);
	}
}

static void sizes(void **state)
{
	static const uint64_t wrong[] = { 1, 4095, 4097, FIXTURE_BYTES + 8 };
	struct fixture *f = &fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(fixture_try_open(f, MARKER_CREATE, wrong[i]), -EINVAL);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, 0), -EINVAL);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, UINT64_MAX & ~4095ull), -EINVAL);
	/* more than any medium of a test machine has */
	assert_true(fixture_try_open(f, MARKER_CREATE, 1ull << 55) < 0);
	/* and nothing is left of all that */
	assert_int_equal(access(f->path, F_OK), -1);
	fixture_open(f, MARKER_CREATE, 4096);
	assert_int_equal(f->store->bytes, 4096);
	nv_store8(f->store, fixture_word(f, 511), 7);
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, 0);
	assert_int_equal(f->store->bytes, 4096);
	assert_int_equal(*fixture_word(f, 511), 7);
}

static void limit_file_size(struct fixture *f)
{
	struct rlimit limit = { 16384, 16384 };

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	if (fixture_try_open(f, MARKER_CREATE, FIXTURE_BYTES) != -EFBIG)
		_exit(1);
}

/* What was made is removed when it does not fit. */
static void does_not_fit(void **state)
{
	struct fixture *f = &fixture;
	struct stat st;

	(void)state;
	assert_int_equal(fixture_in_child(limit_file_size, f), 0);
	assert_int_equal(access(f->path, F_OK), -1);
	/* what was there is as it was */
	put_file(f->path, 0, 8192);
	assert_int_equal(fixture_in_child(limit_file_size, f), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, 8192);
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
}

/* ---- opening ------------------------------------------------------------------ */

static void opening_what_is_not_there(void **state)
{
	struct fixture *f = &fixture;
	char path[sizeof(f->path)];

	(void)state;
	assert_int_equal(fixture_try_open(f, 0, 0), -ENOENT);
	assert_int_equal(fixture_try_open(f, MARKER_RDONLY, 0), -ENOENT);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(fixture_try_open(f, 0, 0), -EISDIR);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, FIXTURE_BYTES), -EISDIR);
	assert_int_equal(fixture_try_open(f, MARKER_RDONLY, 0), -EINVAL);
	assert_int_equal(rmdir(f->path), 0);
	memcpy(path, f->path, sizeof(path));
	(void)snprintf(f->path, sizeof(f->path), "%.250s/none/m", f->directory);
	(void)snprintf(f->uri, sizeof(f->uri), "%s:%.299s", f->backend->scheme, f->path);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, FIXTURE_BYTES), -ENOENT);
	memcpy(f->path, path, sizeof(path));
}

static void opening_what_is_no_medium(void **state)
{
	struct fixture *f = &fixture;
	char path[sizeof(f->path)];

	(void)state;
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(fixture_try_open(f, 0, 0), -EINVAL);
	assert_int_equal(fixture_try_open(f, MARKER_CREATE, FIXTURE_BYTES), -EINVAL);
	/* and it is still there */
	assert_int_equal(access(f->path, F_OK), 0);
	memcpy(path, f->path, sizeof(path));
	(void)snprintf(f->path, sizeof(f->path), "/dev/zero");
	(void)snprintf(f->uri, sizeof(f->uri), "%s:/dev/zero", f->backend->scheme);
	assert_int_equal(fixture_try_open(f, MARKER_RDONLY, 0), -ENOTSUP);
	assert_int_equal(fixture_try_open(f, 0, 0), -ENOTSUP);
	memcpy(f->path, path, sizeof(path));
}

static void truncated(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	assert_int_equal(fixture_settle(f), 0);
	fixture_close(f);
	assert_int_equal(truncate(f->path, 100), 0);
	assert_int_equal(fixture_try_open(f, 0, 0), -EUCLEAN);
	assert_int_equal(fixture_try_open(f, MARKER_RDONLY, 0), -EUCLEAN);
}

static void store_a_word(struct fixture *f)
{
	*(volatile uint64_t *)fixture_word(f, 0) = 1;
}

static void read_only(void **state)
{
	struct fixture *f = &fixture;
	size_t bytes, bytes_now;
	uint8_t *before, *after;
	int status;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	nv_store8(f->store, fixture_word(f, 9), 99);
	assert_int_equal(fixture_settle(f), 0);
	fixture_close(f);
	assert_int_equal(chmod(f->path, 0400), 0);
	before = slurp(f->path, &bytes);
	fixture_open(f, MARKER_RDONLY, 0);
	assert_true(f->store->read_only);
	assert_int_equal(f->store->bytes, FIXTURE_BYTES);
	assert_int_equal(*fixture_word(f, 9), 99);
	status = fixture_in_child(store_a_word, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	fixture_close(f);
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
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	class = f->store->class;
	memcpy(evidence, f->store->evidence, sizeof(evidence));
	assert_int_equal(fixture_settle(f), 0);
	fixture_reopen(f, MARKER_RDONLY);
	assert_int_equal(f->store->class, class);
	assert_string_equal(f->store->evidence, evidence);
}

int main(void)
{
	static const struct fixture_test tests[] = {
		{ "create_erases", create_erases },
		{ "create_spares_content", create_spares_content },
		{ "create_spares_strangers", create_spares_strangers },
		{ "create_takes_blank", create_takes_blank },
		{ "sizes", sizes },
		{ "does_not_fit", does_not_fit },
		{ "opening_what_is_not_there", opening_what_is_not_there },
		{ "opening_what_is_no_medium", opening_what_is_no_medium },
		{ "truncated", truncated },
		{ "read_only", read_only },
		{ "same_evidence_read_only", same_evidence_read_only },
	};

	return fixture_run(tests, ARRAY_COUNT(tests));
}
