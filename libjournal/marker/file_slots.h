/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which slot of a checkpoint file is written to, by any number of processes, each
 * of which may be stopped in the middle or die there (P11, P18).
 *
 * A slot that nobody writes to holds no newer checkpoint than the one in force, or
 * its generation says so.  So the newest on media is always one that is whole, and
 * a slot in which a dead one's may be newer has its heads wiped before it is used
 * again.  tests/model/p11.pml.
 */
#ifndef MARKER_FILE_SLOTS_H
#define MARKER_FILE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/marker_store.h"

/* nobody shares it yet: the slot that was loaded is in force */
void file_slots_loaded(struct marker_share *share, unsigned int slot, uint64_t generation);
/* the same of any slot: the highest generation there, in a head that is whole */
void file_slots_seen(struct marker_share *share, unsigned int slot, uint64_t generation);

uint64_t file_slots_in_force(const struct marker_share *share);

/**
 * file_slot_take() - a slot that is neither in force nor written to by another
 * @who:   not 0
 * @stale: a head in it may be newer than the checkpoint in force, over a payload that
 *         is to be overwritten now: it must go first
 * Return: 0, or -EAGAIN there is none.
 */
int file_slot_take(struct marker_share *share, uint32_t who, unsigned int *slot, bool *stale);

/* Return: the generation of what is written into @slot from here on; what is stored in
 * the map before is in it */
uint64_t file_slot_begin(struct marker_share *share, unsigned int slot);

/* it is durable: in force, unless a newer one is */
void file_slot_durable(struct marker_share *share, unsigned int slot, uint64_t generation);

/* nothing is written there any more, by @who */
void file_slot_leave(struct marker_share *share, unsigned int slot, uint32_t who);

#endif
