/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots that are retired: their bits are cleared, and now it is made durable.  With
 * durable bits that is a fence; without (P11), or once NVRAM is given up (P14), the next
 * checkpoint will hold the bits, and until then a record in the stream says so; where
 * that finds no room, a checkpoint is made at once.
 */
#ifndef TXN_ENDED_H
#define TXN_ENDED_H

#include "txn/moved.h"

struct ended {
	uint64_t id;
	struct slot_place at;
};

/**
 * ended_by_records() - after their bits were cleared (line_retire_bit()) by this thread
 * Context: as health_switch().
 * Return: 0, or the sticky failure.
 */
int ended_by_records(struct journal *j, const struct ended *all, size_t count);

#endif
