/* SPDX-License-Identifier: BSD-3-Clause */
/* The conformance tests of the marker stores: every backend, the same steps. */
#ifndef TESTS_LIB_MARKER_FIXTURE_H
#define TESTS_LIB_MARKER_FIXTURE_H

#include "backends.h"

#define FIXTURE_BYTES (256u << 10)

/* a backend, and where its medium lies in the tests */
struct fixture_backend {
	const char *label;
	const char *scheme;
	const char *place; /* NULL: TMPDIR */
	bool byte_persistent;
};

struct fixture {
	const struct fixture_backend *backend;
	struct marker_store *store;
	struct message message;
	char directory[256];
	char path[300];
	char uri[400];
};

/* the one of the test that runs */
extern struct fixture fixture;

struct fixture_test {
	const char *name;
	void (*function)(void **state);
};

/* Run all of @tests with every backend, each on a medium of its own.
 * Return: as cmocka_run_group_tests(). */
int fixture_run(const struct fixture_test *tests, size_t count);

/* Open the medium.  An error has a text that names it: asserted here. */
int fixture_try_open(struct fixture *f, unsigned int flags, uint64_t bytes);
void fixture_open(struct fixture *f, unsigned int flags, uint64_t bytes);
void fixture_close(struct fixture *f);
void fixture_reopen(struct fixture *f, unsigned int flags);

/* The durable point of either kind of store.  Return: as nv_fence(). */
int fixture_settle(struct fixture *f);

uint64_t *fixture_word(struct fixture *f, uint64_t index);
void fixture_assert_ones(struct fixture *f);

/* Return: how the child ended that ran @body, as waitpid() tells it. */
int fixture_in_child(void (*body)(struct fixture *f), struct fixture *f);

#endif
