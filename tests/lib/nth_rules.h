/* SPDX-License-Identifier: BSD-3-Clause */
/* Which errors a system call may have.  One that is not here has EIO. */
#ifndef TESTS_LIB_NTH_RULES_H
#define TESTS_LIB_NTH_RULES_H

#include <stdbool.h>
#include <stdint.h>

#define NTH_RULE_ERRORS 3

struct nth_rule {
	long number;
	const char *name;
	int error[NTH_RULE_ERRORS]; /* positive; 0: no more.  None at all: it cannot fail */
	bool interrupted;           /* a signal may end it */
};

/* NULL: nothing is known of it */
const struct nth_rule *nth_rule(long number);
/* what has no error, or none that a program could ever see */
bool nth_cannot_fail(long number, const long a[6]);
bool nth_can_interrupt(long number, const long a[6]);
/* one of its errors, another one each turn */
int nth_choose(const struct nth_rule *rule, uint64_t turn);

#endif
