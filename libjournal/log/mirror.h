/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of a mirrored log share.  Nothing outside includes this. */
#ifndef LOG_MIRROR_H
#define LOG_MIRROR_H

#include "log/log_mirror.h"
#include "log/log_pair.h"
#include "store/log_copies.h"

/**
 * struct mirror - an open mirrored log
 * @store:     what the caller sees; first
 * @leg:       of those that are not there, a store that fails (store/log_gone.h)
 * @there:     a bit for each that is
 * @lender:    the one whose pool buffers are of: one that was there at open
 * @meta:      what their heads have in common
 * @legs:      which are in use: of all processes that share it
 * @own:       that, while nobody shares
 * @under_way: reads of this process
 * @turn:      whose turn it is when both have as much to do
 */
struct mirror {
	struct log_store store;
	struct log_store_ops ops; /* shared, if the legs can be */
	struct log_store *leg[LEGS];
	unsigned int there, lender;
	char path[LEGS][256];
	struct leg_meta meta;
	struct log_legs *legs;
	struct log_legs own;
	struct log_legs_of of;
	_Atomic uint32_t under_way[LEGS];
	_Atomic uint32_t turn;
	struct log_pair pair;
};

static inline struct mirror *mirror_of(struct log_store *store)
{
	return (struct mirror *)store;
}

/* in use: acquire, after what is durable by then */
static inline unsigned int mirror_in_use(const struct mirror *m)
{
	return LEGS_ALL & ~atomic_load_explicit(&m->legs->out, memory_order_acquire);
}

extern const struct log_store_ops mirror_ops;         /* mirror.c */
extern const struct log_copies_ops mirror_copies_ops; /* mirror_copies.c */

/* mirror.c: the leg to be read from: of @from, which are not none, the one with less to do */
unsigned int mirror_pick(struct mirror *m, unsigned int from);
unsigned int mirror_readable(const struct mirror *m);
/* @io at its place in a leg */
int mirror_leg_read(struct mirror *m, unsigned int leg, struct log_io *io, unsigned int count);

/* mirror_queue.c: as log_store_ops.queue */
int mirror_queue_open(struct log_store *store, unsigned int depth, const struct iovec *arena,
		      struct log_queue **queue);

/**
 * mirror_leave() - @leg has failed with @error: go on without it
 * Durable on the other one before it returns 0.  Any process, any number at a time.
 * Return: 0, or negative errno: there is no other one, or it failed, too.
 */
int mirror_leave(struct mirror *m, unsigned int leg, int error);
/* The head of leg @leg's @store, both copies, the older one first, each durable. */
int mirror_head_write(struct log_store *store, const struct leg_meta *meta, unsigned int leg);
/* Return: 0, as leg_supers_decode(), or what reading said, with the text */
int mirror_head_read(struct log_store *store, const char *path, struct leg_meta *meta,
		     struct message *message);

/* mirror_open.c */
/* size, class and the like, by those that are there */
void mirror_settle(struct mirror *m);
/* a leg that cannot be used has a store that fails in its place; Return: 0, -ENOMEM */
int mirror_without(struct mirror *m, unsigned int leg, int error, const char *why);

#endif
