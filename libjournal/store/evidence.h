/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an open file or block device survives, on evidence: file system type,
 * and the block device behind it followed down through partitions, btrfs, LVM,
 * md and loop to what really holds the data.
 */
#ifndef STORE_EVIDENCE_H
#define STORE_EVIDENCE_H

#include <stdbool.h>

#include "journal.h"
#include "util/message.h"

struct evidence {
	enum journal_class class;
	/* every device below says that it has no volatile write cache, and none
	 * of them is of a kind whose word proves nothing (loop) */
	bool no_volatile_cache;
	/* overwriting allocated, written, unshared extents touches no metadata:
	 * ext4, xfs, a raw device; never a copy-on-write file system */
	bool overwrites_in_place;
	/* bytes of the largest physical sector below; 0 unknown */
	unsigned int physical_sector_bytes;
	char text[256]; /* "ext4 on vda (write back cache, flushed)" */
};

/**
 * evidence_read() - find out about the file or device behind @fd
 * Return: 0 (what is unknown is class process, and the text says so), or a
 * negative errno when @fd itself cannot be looked at, or when a limit of this process
 * (open files, memory) is why something is unknown.
 */
int evidence_read(int fd, struct evidence *evidence);

/* What is said where there is none: of a limit, which.  Return: @error */
int evidence_none(const char *path, int error, struct message *message);

/* whether @error is a limit of this process, for which nobody is refused later */
bool evidence_is_limited(int error);

const char *journal_class_name(enum journal_class class);

#endif
