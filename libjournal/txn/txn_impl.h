/* SPDX-License-Identifier: BSD-3-Clause */
/* An open transaction, or an open group of them. */
#ifndef TXN_TXN_IMPL_H
#define TXN_TXN_IMPL_H

#include "txn/journal_impl.h"

/* a pool transaction keeps this much of buffer for the next one */
#define TXN_SMALL_BYTES 32768u

struct extent;
struct stream_place;

struct journal_txn {
	struct journal *j;
	struct lane *lane; /* staged so far: the lane that it holds; else NULL */
	uint8_t *base;     /* staged: its record in the ring; else the buffer */
	uint64_t fill;     /* payload bytes at base so far, groups padded to 8 */
	uint64_t room;     /* payload bytes that base has room for */
	uint64_t carry;    /* staged: the last fill % 8 bytes, not yet stored */
	uint32_t crc;      /* staged: of the payload up to fill */
	uint32_t count;    /* transactions ended in this group */
	uint64_t start;    /* of the open one, in fill */
	uint64_t reserved; /* bytes handed out by journal_reserve() at fill */
	int error;         /* it can only be aborted */
	bool prepared;
	bool ended;        /* no journal_append() any more */
	bool finished;     /* carry and table are in place */
	enum journal_path wanted;
	uint64_t tag, reference, time_ns;

	/* where its slots are, once taken */
	bool slots_taken;
	uint32_t line, slot;
	uint64_t number;

	/* buffered */
	uint8_t *small;  /* TXN_SMALL_BYTES, kept with the object */
	struct zeros small_zeros;
	uint8_t *large;  /* LOG_BUFFER_BYTES from the store, or NULL */
	uint64_t spilled; /* payload bytes already in extents */
	__le64 *extents; /* segment << 32 | offset of each written one: pieces.h */
	uint32_t extent_count, extent_room;
	uint32_t flush_logs; /* bit set: written there, not flushed */
	struct segment *last_segment;
	uint64_t where;  /* prepared direct: of the (last) record */
	uint32_t units;

	uint32_t sizes[JOURNAL_GROUP_MAX];
	struct journal_txn *next; /* pool */
};

/* txn_pool.c */
struct journal_txn *txn_alloc(struct journal *j);
void txn_free(struct journal_txn *txn);
void txn_pool_free(struct journal *j);

/* txn_staged.c */
int txn_staged_begin(struct journal *j, const struct journal_txn_options *options,
		     struct journal_txn **txn);
/* room for a payload of @bytes where it is; the room grows if the lane allows */
bool txn_staged_fits(struct journal_txn *txn, uint64_t bytes);
int txn_staged_append(struct journal_txn *txn, const void *data, size_t bytes);
/* what journal_reserve() handed out has been filled in */
void txn_staged_reserved(struct journal_txn *txn);
void *txn_staged_reserve(struct journal_txn *txn);
int txn_staged_prepare(struct journal_txn *txn);
int txn_staged_commit(struct journal_txn *txn, struct journal_receipt *receipt);
/* copy what is there to a buffer and give the lane back */
int txn_staged_spill(struct journal_txn *txn, uint64_t more);
void txn_staged_abort(struct journal_txn *txn);

/* txn_buffered.c */
int txn_buffered_room(struct journal_txn *txn, uint64_t more);
/* end the piece in the buffer so that @more contiguous bytes fit the next */
int txn_buffered_make_piece(struct journal_txn *txn, uint64_t more);
int txn_buffered_append(struct journal_txn *txn, const void *data, size_t bytes);
int txn_buffered_prepare(struct journal_txn *txn);
int txn_buffered_commit(struct journal_txn *txn, struct journal_receipt *receipt);
void txn_buffered_abort(struct journal_txn *txn);

/*
 * A commit in parts, for who has many under way (async.c).
 * Direct, of one extent: it gets its place; once that is written, its slots are
 * filled; then its bit is cleared, and is durable after a fence; then it is published.
 * Synced: its record goes into a batch of a stream, and is published once that is
 * durable.
 */
bool txn_is_direct(const struct journal_txn *txn);
int txn_direct_begin(struct journal_txn *txn, const struct extent *beside,
		     struct extent *extent);
void txn_direct_end(struct journal_txn *txn, const struct extent *extent);
void txn_direct_bits(struct journal_txn *txn);
/* its bit is where it counts, whatever has become of NVRAM since it was cleared: P14 */
struct settled;
int txn_direct_settle(struct journal *j, uint32_t line, struct settled *settled);
/* @s: the stream that it is to go to; NULL: whichever */
int txn_synced_append(struct journal_txn *txn, struct stream *s, struct stream_place *place);
/* Rather than wait for the log, -EAGAIN, and nothing happened.  @s NULL: to one of the
 * first @most streams */
int txn_synced_append_now(struct journal_txn *txn, struct stream *s, uint32_t most,
			  struct stream_place *place);
void txn_buffered_receipt(const struct journal_txn *txn, struct journal_receipt *receipt);

/* txn.c: nothing is appended any more; the error that it has, if any */
int txn_end(struct journal_txn *txn);
enum journal_timed txn_timed(const struct journal_receipt *receipt);

/* txn_slots.c */
/* take slots from the shared lane */
int txn_take_slots(struct journal_txn *txn);
/* fill in the slots: visible only once line_publish() is called
 * @units: staged: of no use, each gets what a log record of its own has */
void txn_fill_slots(struct journal_txn *txn, uint64_t where, uint32_t units);
/* slots that will not be committed, and say no more where anything is */
/* they name nothing any more */
void txn_clear_slots(struct journal_txn *txn);
void txn_drop_slots(struct journal_txn *txn);

static inline uint32_t txn_group_count(const struct journal_txn *txn)
{
	return txn->count + 1;
}

/* the table that ends a group's payload; writes it to @table, returns its bytes */
uint32_t txn_group_table(const struct journal_txn *txn, __le32 table[JOURNAL_GROUP_MAX]);
/* bytes that the table will need if one more transaction joins */
static inline uint32_t txn_table_room(const struct journal_txn *txn)
{
	return txn->count ? 8 + (txn->count + 1) * 4 : 0;
}

#endif
