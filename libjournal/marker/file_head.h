/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The head of a checkpoint file (format/checkpoint.h), and what stands in for it while it
 * is damaged: the heads of the checkpoints say how large a slot is, too.
 */
#ifndef MARKER_FILE_HEAD_H
#define MARKER_FILE_HEAD_H

#include "marker/medium.h"

/**
 * file_head_read() - how large a slot is
 * @damaged: the file's head does not verify, or cannot be read, and that of a
 *           checkpoint stands in
 * @truncated: the file ends before its last slot does; @message says so
 * Return: 0, or negative errno with the text; of a head that verifies and says another
 * version or an unknown feature -EPROTO.
 */
int file_head_read(const struct medium *medium, bool read_only, uint64_t *capacity,
		   bool *damaged, bool *truncated, struct message *message);

/* Return: the capacity that a whole head of a checkpoint says, or 0: none says a sensible
 * one. */
uint64_t file_head_find(const struct medium *medium);

/* The first block; not durable yet.  Return: 0 or negative errno. */
int file_head_write(const struct medium *medium, uint64_t capacity);

#endif
