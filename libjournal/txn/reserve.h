/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of the log is set aside, so that a full log holds nothing hostage (P8).
 *
 * While transactions are staged, `segments_reserve` segments are free: below it
 * nothing is staged any more, and only destage and retire records may take them.
 * Each lane knows what destaging all of its ring would take of them at most, and
 * takes no more than its share; a lane that owes too much is destaged first,
 * while there is room.
 *
 * A segment is full when its bytes are, or the lines of its summary.  So what is
 * owed is counted in bytes, and a line costs the bytes that are its share of a
 * segment: n segments hold what owes n rooms, whichever of the two fills them.
 *
 * One or two of them are the cleaner's.  It opens a segment only for what it moves out of
 * others, and what it takes up whole of one finds room in one: so it is one segment
 * behind at most, until the one that it cleans is dead (clean.c).
 */
#ifndef TXN_RESERVE_H
#define TXN_RESERVE_H

#include "txn/journal_impl.h"

/* The cleaner's; and where there are many, that of one more, who cleans while one is
 * stopped in it (clean_job.h).  A log of more than 256 MiB is known by its
 * segments, whose size never changes. */
static inline uint32_t reserve_clean(const struct journal *j)
{
	return j->segment_bytes > LOG_SEGMENT_MIN ? 2 : 1;
}

/* each lane's share of what is set aside while there is a stage */
void reserve_make(struct journal *j);

/* How many segments are set aside, for all processes: while the markers are a file there
 * is nothing to destage.  With @staged it is before the first lane can be leased. */
void reserve_set(struct journal *j, bool staged);

/* below the reserve: nothing new is staged, nothing but destage and retire
 * records goes to the log */
static inline bool reserve_broken(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->segments_free, memory_order_relaxed) <
	       segments_reserve(j);
}

/* what a segment may leave over at its end, since the next record is larger; of a
 * record that is larger than this the record itself bears it */
#define RESERVE_PIECE_BYTES 20480u

/*
 * Log bytes of a stage record of @bytes, its header's 64 among them, with the 8
 * of table for each transaction: at most, for each is destaged alone.  A group's
 * have 4 bytes of table each in the stage; in the log each has a header of 96,
 * and up to 24 bytes to the next multiple of 32 (in the stage it ends on 8).
 */
static inline uint64_t reserve_cost(uint64_t bytes, uint32_t transactions)
{
	uint64_t cost = transactions > 1 ? bytes + 124ull * transactions - 64 : bytes + 40;

	return bytes > RESERVE_PIECE_BYTES ? 2 * cost : cost;
}

/* Whether a record of @bytes more is within the lane's share, in a line of its own.
 * How many transactions it will be nobody knows yet. */
static inline bool reserve_allows(const struct lane *lane, uint64_t bytes)
{
	return lane->s->owed + reserve_cost(bytes, JOURNAL_GROUP_MAX) + lane->line_cost <=
	       lane->owed_max;
}

/* a record joins the lane's queue */
static inline void reserve_owe(struct lane *lane, const struct staged *staged)
{
	if (!staged->count)
		return;
	if (id_number(staged->id) != lane->s->owed_last)
		lane->s->owed += lane->line_cost;
	lane->s->owed_last = id_number(staged->id);
	lane->s->owed += reserve_cost((uint64_t)staged->units * STAGE_ALIGN, staged->count);
}

/* The oldest record leaves the queue.  Its line stays owed until one of the next
 * line leaves: the next destage begins with a line of the summary for it. */
static inline void reserve_settle(struct lane *lane, const struct staged *staged)
{
	if (!staged->count)
		return;
	if (lane->s->owed_first && id_number(staged->id) != lane->s->owed_first)
		lane->s->owed -= lane->line_cost;
	lane->s->owed_first = id_number(staged->id);
	lane->s->owed -= reserve_cost((uint64_t)staged->units * STAGE_ALIGN, staged->count);
}

/* recovery: the queue is read again */
static inline void reserve_forget(struct lane *lane)
{
	lane->s->owed = 0;
	lane->s->owed_first = 0;
	lane->s->owed_last = 0;
}

#endif
