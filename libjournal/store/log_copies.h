/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A log store that keeps every block twice, on two stores of its own: its legs.  It is
 * written and flushed as any other; log_store_read() reads whichever leg has less to do,
 * and the other one where that fails.  What is read may be damaged all the same, and
 * only who knows its checksum can tell: he looks at one copy after the other here, and
 * has the bad one written anew.
 *
 * A leg that fails is left: once that is durable on the other one, it is neither read nor
 * written until it has been brought up to date.
 */
#ifndef STORE_LOG_COPIES_H
#define STORE_LOG_COPIES_H

#include "store/log_store.h"

/**
 * struct log_copy - a leg, for people
 * @store:   it; NULL: it is not there
 * @path:    of its file or device
 * @out:     it is out of date
 * @copying: it is being brought up to date
 * @left_ns: since when; 0: it is not
 * @why:     what was wrong with it, when it was left or opened
 * @damaged, @repaired, @offset, @repaired_ns: as in struct log_legs
 * @heads_bad: a bit for each copy of the leg's own superblock that was damaged when this
 *           process opened it; @heads_mended: it was written anew then
 */
struct log_copy {
	const struct log_store *store;
	const char *path;
	bool out, copying;
	uint64_t left_ns;
	char why[160];
	uint64_t damaged, repaired, offset, repaired_ns;
	unsigned int heads_bad;
	bool heads_mended;
};

/**
 * struct log_renew - how a leg is brought up to date; zero: as it comes
 * @progress:    told about copying
 * @block_bytes: of what is written to the log: a leg that wants larger ones is refused;
 *               0: what the other leg wants
 * @class:       a leg that survives less is refused
 * @made:        it is to be used at @path from here on, by others, too
 * @whole:       all is there, and will be said to be there: what says the contrary
 *               elsewhere is to go, durably, before
 * Both return 0 or a negative errno with the text; NULL: nobody wants to know
 */
struct log_renew {
	struct journal_progress progress;
	uint32_t block_bytes;
	enum journal_class class;
	int (*made)(void *context, const char *path, const char *other,
		    struct message *message);
	int (*whole)(void *context, struct message *message);
	void *context;
};

struct log_copies_ops {
	/* a bit for each leg that is up to date and there */
	unsigned int (*good)(const struct log_store *store);
	/* see log_copies_left() */
	uint64_t (*left)(const struct log_store *store);
	int (*read)(struct log_store *store, unsigned int leg, struct log_io *io,
		    unsigned int count);
	/* durably; what fails is left */
	int (*repair)(struct log_store *store, unsigned int leg, struct log_io *io);
	void (*damaged)(struct log_store *store, unsigned int leg, uint64_t offset,
			bool repaired);
	void (*look)(const struct log_store *store, unsigned int leg, struct log_copy *copy);
	/* what is out of date is brought up to date: see log_copies_renew() */
	int (*renew)(struct log_store *store, const struct log_renew *how,
		     struct message *message);
	/* see log_copies_died() */
	void (*died)(struct log_store *store, bool copier);
};

static inline bool log_copies_several(const struct log_store *store)
{
	return store->copies && store->copies->good(store) == 3;
}

/* A leg is out of date, and the other one says so durably: its number + 1 in the lowest two
 * bits, and above them which time it is.  0: none is; or it will not be, in a moment. */
static inline uint64_t log_copies_left(const struct log_store *store)
{
	return store->copies ? store->copies->left(store) : 0;
}

/* The copy on @leg, which is good; Return: as log_store_read() */
int log_copies_read(struct log_store *store, unsigned int leg, struct log_io *io,
		    unsigned int count);

/**
 * log_copies_repair() - write @io to @leg alone, durably
 * Context: nobody else writes there: whoever has what is there knows that it stays.
 * Return: 0, or negative errno; the leg is left then, if that goes.
 */
int log_copies_repair(struct log_store *store, unsigned int leg, struct log_io *io);

/* To be counted: the copy on @leg at @offset did not verify, and the other one did. */
void log_copies_damaged(struct log_store *store, unsigned int leg, uint64_t offset,
			bool repaired);

/* @leg: 0 or 1 */
void log_copies_look(const struct log_store *store, unsigned int leg, struct log_copy *copy);

/**
 * log_copies_renew() - a leg that is out of date gets all that the other one has
 * While any number of others write the log.  It counts as up to date when all is durable
 * there, and not before.  After a crash in between it is out of date as before.
 *
 *  1. The leg is opened, or made; its head says that it is out of date by itself.
 *  2. All write it again, after the other one, and nobody reads it: who has written and
 *     finds that this began meanwhile writes it, too.
 *  3. What was there before is copied, block by block; one that somebody has written
 *     meanwhile is copied again.
 *  4. Has nobody died meanwhile, perhaps between the two legs (log_copies_died()), all is
 *     there, and durable; else 3 again, for what differs.
 *  5. The other leg's head says that both are good, then DIR, then its own: THE POINT.
 *
 * Nobody waits for the copier, who may be stopped or killed in it; one who cannot write the
 * leg gives it up for all.
 * Context: one at a time, of all processes; blocks.
 * @how: may be NULL
 * Return: 0 (also: neither is), or negative errno with the text in @message.
 */
int log_copies_renew(struct log_store *store, const struct log_renew *how,
		     struct message *message);

/* Who may have written @store has died, and will be taken over from now on; @copier: he
 * was in log_copies_renew(). */
void log_copies_died(struct log_store *store, bool copier);

#endif
