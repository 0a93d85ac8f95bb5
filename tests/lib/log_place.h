/* SPDX-License-Identifier: BSD-3-Clause */
/* A log store to test, in a directory of its own. */
#ifndef TESTS_LIB_LOG_PLACE_H
#define TESTS_LIB_LOG_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "log/log.h"
#include "scratch.h"
#include "util/message.h"

#define PLACE_MIB  (1u << 20)
#define PLACE_UNIT 4096u

struct log_place {
	struct scratch scratch; /* to be made by the test */
	struct log_store *store;
	struct message message;
	char path[PATH_MAX];
};

/* cmocka's set-up and tear-down: *state is a struct log_place */
int log_place_make(void **state);
int log_place_remove(void **state);

/* a log of @bytes at DIR/@name; as log_file_open() */
int log_place_open(struct log_place *place, const char *name, unsigned int flags, uint64_t bytes);

/* write, flush, read, one and several at a time: does this store of a MiB work at all? */
bool log_place_works(struct log_store *store);

#define PLACE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, log_place_make, log_place_remove)

#endif
