/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file in memory behind the mapping that processes share, and DIR/index,
 * which says where it is.  Its name is random, so that no stranger can be there
 * before us; its owner, group and mode are those of DIR/lock.
 */
#ifndef TXN_SHARED_FILE_H
#define TXN_SHARED_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/message.h"

#define SHARED_NAME_CHARS 64u

struct shared_file {
	int fd; /* -1: none */
	char path[SHARED_NAME_CHARS];
};

/**
 * shared_file_make() - a new one of @bytes, no page of it allocated
 * @lock_fd: DIR/lock, whose owner, group and mode it gets
 * Return: 0, or negative errno with the reason in @message: sharing is not to be
 * had here.
 */
int shared_file_make(int lock_fd, uint64_t bytes, struct shared_file *file,
		     struct message *message);

/* say in DIR/index where it is.  Return: 0, or negative errno with the text; -ESTALE: DIR is not
 * that of DIR/lock any more */
int shared_file_announce(const char *dir, int lock_fd, const struct shared_file *file,
			 struct message *message);

/**
 * shared_file_find() - the one that DIR/index names
 * Return: 0; -ESTALE with the reason: it is of another boot, is not there, or is
 * not that file (P17); or what the system said.
 */
int shared_file_find(const char *dir, bool read_only, struct shared_file *file,
		     uint64_t *bytes, struct message *message);

/* memory for [from, to) is there; Return: 0 or -ENOSPC, -ENOMEM */
int shared_file_allocate(const struct shared_file *file, uint64_t from, uint64_t to);

/* the last one leaves: it goes, and DIR/index, if DIR is still that of DIR/lock */
void shared_file_remove(const char *dir, int lock_fd, const struct shared_file *file);

void shared_file_close(struct shared_file *file);

#endif
