/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the marker stores on files share: opening or making the file, never
 * over other content unasked, and taking it back when the open fails later.
 */
#ifndef MARKER_MEDIUM_H
#define MARKER_MEDIUM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/marker_store.h"
#include "util/message.h"

#define MEDIUM_PAGE_BYTES 4096u

/**
 * struct medium - an open file or character device
 * @path:       as given; must outlive this
 * @fd:         open for reading, and writing unless MARKER_RDONLY
 * @bytes:      size; of a device what sysfs says
 * @old_bytes:  size as it was found
 * @made:       the file was not there before
 * @device:     a character device
 */
struct medium {
	const char *path;
	int fd;
	uint64_t bytes;
	uint64_t old_bytes;
	bool made;
	bool device;
};

/**
 * medium_open() - open @path, or make it, as marker_store_opener says
 * @flags: MARKER_*; with MARKER_CREATE a file that holds something is -EEXIST
 *         unless MARKER_FORCE
 * Return: 0 or negative errno with the text; nothing is left open or made then.
 */
int medium_open(const char *path, unsigned int flags, struct medium *medium,
		struct message *message);

/**
 * medium_resize() - make the file @bytes long with every block allocated, so
 * that a full disk is an error here and no SIGBUS later
 * Return: 0 or negative errno with the text.
 */
int medium_resize(struct medium *medium, uint64_t bytes, struct message *message);

/* Make the file's content, its size and its name durable. */
int medium_sync(const struct medium *medium, struct message *message);

/* The open failed: remove what was made, restore the size of what was there. */
void medium_undo(struct medium *medium);

/* All of it is kept; the descriptor is closed. */
void medium_close(struct medium *medium);

/* pread and pwrite, all of @bytes or a negative errno (-EIO for a short one) */
int medium_read(int fd, void *data, uint64_t bytes, uint64_t offset);
int medium_write(int fd, const void *data, uint64_t bytes, uint64_t offset);

/* the size given to MARKER_CREATE: 0 (none), or whole pages that a process can map */
int medium_size_check(const char *path, uint64_t bytes, struct message *message);

#endif
