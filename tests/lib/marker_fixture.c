/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/math.h"

static const struct fixture_backend backends[] = {
	{ "file", "file", NULL, false },
	{ "pmem on memory", "pmem", "/dev/shm", true },
	{ "pmem on a file system", "pmem", NULL, true },
	{ "sim", "sim", NULL, true },
};

struct fixture fixture;

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

int fixture_try_open(struct fixture *f, unsigned int flags, uint64_t bytes)
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

void fixture_open(struct fixture *f, unsigned int flags, uint64_t bytes)
{
	int error = fixture_try_open(f, flags, bytes);

	if (error)
		fail_msg("%s: %s", f->uri, f->message.text);
}

void fixture_close(struct fixture *f)
{
	marker_store_close(f->store);
	f->store = NULL;
}

void fixture_reopen(struct fixture *f, unsigned int flags)
{
	fixture_close(f);
	fixture_open(f, flags, 0);
}

int fixture_settle(struct fixture *f)
{
	int error = nv_fence(f->store);

	if (error || f->backend->byte_persistent)
		return error;
	return marker_store_checkpoint(f->store, f->store->bytes, 1);
}

uint64_t *fixture_word(struct fixture *f, uint64_t index)
{
	return (uint64_t *)(void *)f->store->map + index;
}

void fixture_assert_ones(struct fixture *f)
{
	for (uint64_t i = 0; i < f->store->bytes / 8; i++)
		if (*fixture_word(f, i) != UINT64_MAX)
			fail_msg("word %u is not erased", (unsigned int)i);
}

int fixture_in_child(void (*body)(struct fixture *f), struct fixture *f)
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

#define NAME_CHARS 96

int fixture_run(const struct fixture_test *tests, size_t count)
{
	size_t all = count * ARRAY_COUNT(backends);
	struct CMUnitTest *run = calloc(all, sizeof(*run));
	char (*names)[NAME_CHARS] = calloc(all, sizeof(*names));
	int result;

	assert_true(run && names);
	for (size_t i = 0; i < all; i++) {
		const struct fixture_backend *backend = &backends[i / count];
		const struct fixture_test *test = &tests[i % count];

		(void)snprintf(names[i], NAME_CHARS, "%s: %s", backend->label, test->name);
		run[i] = (struct CMUnitTest){ names[i], test->function, setup, teardown,
					      (void *)(uintptr_t)backend };
	}
	result = _cmocka_run_group_tests("marker stores", run, all, NULL, NULL);
	free(run);
	free(names);
	return result;
}
