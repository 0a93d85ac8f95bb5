/* SPDX-License-Identifier: BSD-3-Clause */
/* Children of a test, which end with it. */
#ifndef TESTS_LIB_CHILD_H
#define TESTS_LIB_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* fork(); the child is killed when its parent ends, and must end by child_exit(): no
 * assertion of cmocka in it */
pid_t child_fork(void);

/* _exit(), without a look at what the child has not freed, which is all that its parent
 * had */
_Noreturn void child_exit(int status);

/* valgrind runs this program */
bool under_valgrind(void);

/* wait for it; @status as waitpid() has it (a signal's number: killed by it) */
void child_ends(pid_t pid, int status);

#endif
