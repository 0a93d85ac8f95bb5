/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DIR/lock: the kernel's lock on it says that a process writes the journal,
 * its content which one.  The lock is of the open file description: it goes
 * with the process, and a second open in the same process is refused too.
 */
#ifndef TXN_DIRLOCK_H
#define TXN_DIRLOCK_H

#include <stdbool.h>

#include "util/message.h"

/**
 * dirlock_take() - become the writer
 * Return: 0 and the descriptor that holds the lock, or -EBUSY with the pid in
 * the text, or what the system said.
 */
int dirlock_take(const char *dir, unsigned int mode, int *fd, struct message *message);

/* the writer's pid, 0 when there is none */
int dirlock_holder(const char *dir);

#endif
