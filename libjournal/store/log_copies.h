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
 * @left_ns: since when; 0: it is not
 * @why:     what was wrong with it, when it was left or opened
 * @damaged, @repaired, @offset, @repaired_ns: as in struct log_legs
 */
struct log_copy {
	const struct log_store *store;
	const char *path;
	bool out;
	uint64_t left_ns;
	char why[160];
	uint64_t damaged, repaired, offset, repaired_ns;
};

struct log_copies_ops {
	/* a bit for each leg that is up to date and there */
	unsigned int (*good)(const struct log_store *store);
	/* 1 or 2: that leg is out of date, and the other one says so durably; 0: none is */
	unsigned int (*left)(const struct log_store *store);
	int (*read)(struct log_store *store, unsigned int leg, struct log_io *io,
		    unsigned int count);
	/* durably; what fails is left */
	int (*repair)(struct log_store *store, unsigned int leg, struct log_io *io);
	void (*damaged)(struct log_store *store, unsigned int leg, uint64_t offset,
			bool repaired);
	void (*look)(const struct log_store *store, unsigned int leg, struct log_copy *copy);
	/* what is out of date is brought up to date: see log_copies_renew() */
	int (*renew)(struct log_store *store, const struct journal_progress *progress,
		     struct message *message);
};

static inline bool log_copies_several(const struct log_store *store)
{
	return store->copies && store->copies->good(store) == 3;
}

static inline unsigned int log_copies_left(const struct log_store *store)
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
 * log_copies_renew() - copy all of the log to the leg that is out of date
 * It counts as up to date when all is durable there, and not before.  After a crash in
 * between it is out of date as before.
 * Context: nobody else has the log open; blocks.
 * Return: 0 (also: neither is), or negative errno with the text in @message.
 */
int log_copies_renew(struct log_store *store, const struct journal_progress *progress,
		     struct message *message);

#endif
