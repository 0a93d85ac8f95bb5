/* SPDX-License-Identifier: BSD-3-Clause */
/* A child that is led from one system call to the next. */
#ifndef TESTS_LIB_TRACED_H
#define TESTS_LIB_TRACED_H

#include <stdbool.h>
#include <sys/types.h>

/* child_fork(): the child calls raise(SIGSTOP) where it is to stand */
pid_t traced_fork(void);

/* in the parent: until it stands there; Return: false after a line "skip: ..." */
bool traced_stands(pid_t pid);

/* Go on to the next system call's begin or end.  Return: false it has ended, well. */
bool traced_next(pid_t pid);

#endif
