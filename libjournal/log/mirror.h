/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of a mirrored log share.  Nothing outside includes this. */
#ifndef LOG_MIRROR_H
#define LOG_MIRROR_H

#include <pthread.h>

#include "log/log_mirror.h"
#include "log/log_pair.h"
#include "log/mirror_word.h"
#include "store/log_copies.h"

/* one that was opened before, and may still be in use: until close */
struct mirror_old {
	struct mirror_old *next;
	struct log_store *leg;
	char *path;
};

/**
 * struct mirror - an open mirrored log
 * @store:     what the caller sees; first
 * @leg:       of those that are not there, a store that fails (store/log_gone.h)
 * @path:      where they are
 * @met:       the log_legs.fills that each was opened in
 * @there:     a bit for each that is
 * @heads_bad: of each leg, a bit for each copy of its superblock that was damaged at open;
 * @heads_mended: it is written anew
 * @pool:      whose buffers are lent: one that was there at open
 * @meta:      what their heads have in common
 * @legs:      which are in use: of all processes that share it
 * @own:       that, while nobody shares
 * @share:     of them all, LOG_SHARES; NULL: nobody shares
 * @flags:     LOG_RDONLY, LOG_NO_URING
 * @under_way: reads of this process
 * @turn:      whose turn it is when both have as much to do
 * @meet:      for @leg, @path, @met, @there, which others read meanwhile, and @old
 */
struct mirror {
	struct log_store store;
	struct log_store_ops ops; /* shared, if the legs can be */
	struct log_store *leg[LEGS];
	char *path[LEGS];
	_Atomic uint32_t met[LEGS];
	_Atomic uint32_t there;
	unsigned int heads_bad[LEGS];
	bool heads_mended[LEGS];
	struct log_store *pool;
	struct leg_meta meta;
	struct log_legs *legs;
	struct log_legs own;
	struct log_share *share;
	struct log_legs_of of;
	unsigned int flags;
	_Atomic uint32_t under_way[LEGS];
	_Atomic uint32_t turn;
	struct log_pair pair;
	pthread_mutex_t meet;
	struct mirror_old *old;
};

static inline struct mirror *mirror_of(struct log_store *store)
{
	return (struct mirror *)store;
}

static inline struct log_store *mirror_store(const struct mirror *m, unsigned int leg)
{
	return __atomic_load_n(&m->leg[leg], __ATOMIC_ACQUIRE);
}

static inline const char *mirror_path(const struct mirror *m, unsigned int leg)
{
	return __atomic_load_n(&m->path[leg], __ATOMIC_ACQUIRE);
}

static inline bool mirror_has(const struct mirror *m, unsigned int leg)
{
	return atomic_load(&m->there) >> leg & 1;
}

/* acquire: after what is durable by then */
static inline uint64_t mirror_word(const struct mirror *m)
{
	return atomic_load_explicit(&m->legs->word, memory_order_acquire);
}

static inline unsigned int mirror_in_use(const struct mirror *m)
{
	return LEGS_ALL & ~word_out(mirror_word(m));
}

extern const struct log_store_ops mirror_ops;         /* mirror.c */
extern const struct log_copies_ops mirror_copies_ops; /* mirror_copies.c */

/* mirror.c: the leg to be read from: of @from, which are not none, the one with less to do */
unsigned int mirror_pick(struct mirror *m, unsigned int from);
unsigned int mirror_readable(struct mirror *m);
/* @io at its place in a leg */
int mirror_leg_read(struct mirror *m, unsigned int leg, struct log_io *io, unsigned int count);

/* mirror_queue.c: as log_store_ops.queue */
int mirror_queue_open(struct log_store *store, unsigned int depth, const struct iovec *arena,
		      struct log_queue **queue);

/* mirror_fill.c: as log_copies_ops */
int mirror_renew(struct log_store *store, const struct log_renew *how, struct message *message);

/* ---- mirror_leave.c ---- */

/**
 * mirror_leave() - @leg, which was in use by @word, has failed with @error: go on without it
 * Durable on the other one before it returns 0.  Any process, any number at a time.
 * Return: 0: it is left, or the word is another one by now; or negative errno: there is no
 * other one, or it failed, too.
 */
int mirror_leave(struct mirror *m, uint64_t word, unsigned int leg, int error);
/* The leg that is out, and being brought up to date by @word, is given up, because of
 * @error; 0: for now.  Return: as mirror_leave() */
int mirror_give_up(struct mirror *m, uint64_t word, int error);
/* @word has a leg whose mark is perhaps gone: it is there, durably.  Return: as mirror_leave() */
int mirror_mark_again(struct mirror *m, uint64_t word);
/* log_copies_ops.died */
void mirror_died(struct log_store *store, bool copier);
/* when the leg that is out was left */
uint64_t mirror_left_ns(const struct mirror *m);
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

/* mirror_length.c */
/* those of @legs, which are there, that are shorter than the log, which has @bytes: a bit
 * for each in @found.  Return: 0, -ENOMEM */
int mirror_short(const struct mirror *m, unsigned int legs, unsigned int *found, uint64_t *bytes);
/* of two in use one that is shorter than the log counts as not there; Return: as that */
int mirror_without_short(struct mirror *m, struct message *message);

/* mirror_heads.c: at open, of those that are there.  Return: 0, -ENOMEM with the text */
int mirror_heads(struct mirror *m, struct message *message);

/* ---- mirror_meet.c ---- */

/**
 * mirror_meet() - what is open here as @leg is what it is for all
 * If others have opened it anew, so it is here; one that cannot be had is a store that fails.
 * Return: 0; or -ENOMEM: what is open is the one from before, not to be read nor written
 */
int mirror_meet(struct mirror *m, unsigned int leg);
/* @store, NULL: the one that there is, is what @leg is for all, the next time that they
 * look.  @path: of it.  Return: 0 or -ENOMEM, then @store is the caller's */
int mirror_show(struct mirror *m, unsigned int leg, struct log_store *store, const char *path);

static inline bool mirror_met(const struct mirror *m, unsigned int leg)
{
	return atomic_load_explicit(&m->met[leg], memory_order_acquire) ==
	       atomic_load_explicit(&m->legs->fills[leg], memory_order_acquire);
}

/* where in the shares a leg is */
static inline unsigned int mirror_share_of(unsigned int leg, uint32_t fills)
{
	return 1 + leg + LEGS * (fills % ((LOG_SHARES - 1) / LEGS));
}

#endif
