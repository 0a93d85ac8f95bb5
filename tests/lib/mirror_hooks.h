/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mirrored log whose second leg is out of date, and two who have it open: "first", which
 * is the place's store, and "second", as another process would; and hooks in the calls of
 * each one's legs.
 */
#ifndef TESTS_LIB_MIRROR_HOOKS_H
#define TESTS_LIB_MIRROR_HOOKS_H

#include "lib/mirror_place.h"

enum call {
	CALL_READ,
	CALL_WRITE,
	CALL_FLUSH,
	CALLS,
};

/* called before the @nth such call of @who on @leg, once; @who 0: first */
struct hook {
	unsigned int who, leg;
	enum call call;
	unsigned int nth;
	void (*run)(struct mirror_place *p);
};

extern struct hook hook;
extern struct log_store *second;
extern struct log_share *share;
extern unsigned int opening; /* who opens legs now */
extern bool cannot_join;     /* nobody can who is not the first */
extern _Atomic unsigned int rounds; /* flushes of the leg that is copied to, by the first */

/* cmocka's set-up and tear-down */
int hooks_make(void **state);
int hooks_remove(void **state);
#define FILL_TEST(function) cmocka_unit_test_setup_teardown(function, hooks_make, hooks_remove)

int put_by(struct mirror_place *p, struct log_store *who, uint64_t block, int content);
/* the first one brings it up to date; Return: as log_copies_renew() */
int renew(struct mirror_place *p);
/* both legs are good, for both, and have @content in @block */
void assert_whole(struct mirror_place *p, uint64_t block, int content);
/* the second leg is not to be had, by whatever reads: nothing relies on it */
void assert_not_whole(struct mirror_place *p, uint64_t block, int content);

#endif
