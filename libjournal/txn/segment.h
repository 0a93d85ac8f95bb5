/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of the log: taking, filling, sealing, freeing. */
#ifndef TXN_SEGMENT_H
#define TXN_SEGMENT_H

#include "format/summary.h"
#include "txn/journal_impl.h"
#include "txn/logs.h"

static inline uint32_t segment_log(const struct journal *j, uint32_t number)
{
	return j->segments.all[number].log;
}

/* where a segment begins in its log */
static inline uint64_t segment_base(const struct journal *j, uint32_t number)
{
	return j->segments.all[number].base;
}

/* not a number that nobody has */
static inline bool segment_is_there(const struct segment *segment)
{
	return segment->base;
}

/**
 * segment_take() - open a free segment for @head, its header durable
 * On @head->log, if there is one.
 * @reserved: may use the segments set aside for destage and retire records
 * Context: the head's holder; blocks for two log writes.
 * Return: 0, -ENOSPC the log is full, or the sticky failure.
 */
int segment_take(struct journal *j, struct head *head, enum head_kind kind, bool reserved,
		 struct segment **segment);
/* whether its log is out of use, or it is to go itself */
static inline bool segment_is_out(const struct journal *j, const struct segment *segment)
{
	return logs_out(j, segment->log) || atomic_load(&segment->leaving);
}

/* taken, and nothing was written into it */
void segment_give_back(struct journal *j, struct segment *segment);

/**
 * segments_admit() - whether the log takes data that may not use what is set aside
 * A head that was opened from the reserve is for retire records and destage: data
 * in it would pin it, and a full log could then not even retire any more.
 * Return: 0, -ENOSPC, or the sticky failure of a checkpoint.
 */
int segments_admit(struct journal *j);

/* Return: -ENOSPC, with the text */
int segments_full(struct journal *j);

/**
 * segment_fits() - whether a record of @bytes at @offset of the head's segment leaves
 * room for the summary, with @entries more, and ids, in its table
 */
bool segment_fits(const struct journal *j, const struct head *head, uint32_t offset,
		  uint64_t bytes, uint32_t entries);

/* bytes of records that a fresh segment takes at most */
uint64_t segment_room(const struct journal *j);

/* @transactions that live here have about @bytes together */
static inline void segment_measure(struct segment *segment, uint64_t bytes,
				   uint64_t transactions)
{
	atomic_store_explicit(&segment->mean_bytes,
			      transactions ? (uint32_t)((bytes + transactions - 1) / transactions) :
					     0,
			      memory_order_relaxed);
}

/**
 * segment_filled() - it is left
 * @end: where its records end
 * @record_bytes: of them, without what fills up the blocks of each write; 0: unknown
 * @transactions: that they are of
 */
void segment_filled(const struct journal *j, struct segment *segment, uint32_t end,
		    uint32_t record_bytes, uint32_t transactions);

/* its summary is durable (segment_write_summary()), and it is no head's any more */
void segment_sealed(struct journal *j, struct segment *segment);

/* transactions that (no longer) have bytes in it */
static inline void segment_hold(struct segment *segment, uint32_t transactions)
{
	atomic_fetch_add_explicit(&segment->use, transactions, memory_order_relaxed);
}
void segment_release(struct journal *j, struct segment *segment, uint32_t transactions);

/* hold a sealed segment as it is, for who reads it; false: it is not one, or dead */
bool segment_keep(struct segment *segment);

/* recovery: it was used; open, until it is known better */
void segment_adopt(struct segment *segment);
/* recovery: it is free */
void segment_free(struct journal *j, struct segment *segment);

/* it was out of use, and is free again */
void segment_offered_again(struct journal *j, struct segment *segment);

/* its log is out of use: if it is free, it is not to be had any more */
void segment_withdraw(struct journal *j, struct segment *segment);

/* the second copy of a segment's digest: in NVRAM, or in the next log */
bool segment_digests_in_nvram(const struct journal *j); /* of some */
bool segment_digest_in_nvram(const struct journal *j, uint32_t number);
/* copy the one that is in NVRAM, if it is there, to where it is without NVRAM */
int segment_digest_to_log(struct journal *j, uint32_t number);
uint64_t segment_digest_offset(const struct journal *j, uint32_t number, uint32_t *log);

static inline uint32_t segments_pending(const struct journal *j)
{
	return atomic_load(&j->shared->segments_pending);
}

/* which are pending now; those that still are, in that use, are free once a checkpoint
 * that begins after it, or a later one, is durable.  Context: lines_lock */
void segments_note_pending(struct journal *j);
void segments_free_pending(struct journal *j);

#endif
