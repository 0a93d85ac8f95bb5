/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery: which transactions are live, and where.
 *
 *  1. lines: epochs, retire bits (of checkpointed stores: as of the checkpoint);
 *  2. stage: every ring from its tail;
 *  3. segments: headers and digests of all, then
 *     a. whole segments: those not sealed, and (checkpointed stores) stream
 *        segments since the checkpoint, whose retire records are replayed;
 *     b. of sealed ones, only the records that are live;
 *  4. what was acknowledged and did not verify is lost, by name where possible;
 *  5. a writer makes what it read durable, takes a new incarnation, and goes
 *     on behind the last record of each head.
 *
 * Nothing on media is changed before 5.
 */
#ifndef TXN_RECOVER_H
#define TXN_RECOVER_H

#include "format/summary.h"
#include "txn/hole.h"
#include "txn/journal_impl.h"

int recover(struct journal *j, const struct journal_open_options *options);

/* ---- between the recover_*.c files ---- */

/* a record that was found by reading a whole segment */
struct scanned {
	struct log_meta meta;
	uint32_t offset;
	bool valid;    /* its payload verified */
	uint8_t legs;  /* of a mirrored log: on which it did: a bit for each */
	uint8_t *tail; /* copy of the table that ends its payload, or NULL */
};

/* what is known of one segment */
struct segment_scan {
	uint64_t seq; /* 0: never used */
	enum log_segment_kind kind;
	bool whole;                  /* to be read whole */
	bool unreadable;             /* blocks of it are */
	bool header_bad;             /* only its digest says what it is */
	bool gone;                   /* its log is not there */
	bool open;                   /* it was not sealed */
	bool differs;                /* of a mirrored log: the two copies do */
	bool second_gone;            /* its second digest was in NVRAM that is no more */
	struct summary_head *digest; /* sealed: with its lines */
	struct summary_head *named;  /* not sealed: what was in it at some close */
	struct scanned *records;
	uint32_t count, room;
	uint32_t end;   /* behind the last valid record */
	uint64_t acked; /* P10: the records of this use up to it were durable */
};

/* to read into, of no thread just now */
struct recover_buffers {
	struct recover_buffers *next;
	uint8_t *memory;
};

struct recovery {
	struct journal *j;
	pthread_mutex_t lock;       /* index, counters, buffers */
	struct recover_buffers *buffers;
	atomic_bool no_memory;      /* something could not be looked at */
	uint64_t replay_seq;
	uint64_t incarnation;
	bool incarnation_damaged;
	bool stage_in_doubt; /* of a lane nothing is left: it is said */
	uint64_t abandoned; /* the highest of a marker medium before; 0: there was none */
	bool closed; /* the last one to have it open left everything in order */
	uint32_t threads;
	uint64_t lost; /* entered as lost, whether or not a copy turned up */
	uint16_t *moves; /* of the copy that is known, by slot; NULL: none was ever moved */
	uint64_t newest; /* line epoch number that the marker medium itself has seen */
	bool *by_records; /* lines whose epoch only records show; NULL: none */
	struct hole *holes; /* in rings */
	uint32_t hole_count, hole_room;
	struct recover_moved *moved; /* what was moved to another slot */
	struct segment_scan *scans; /* one for each segment */
	uint32_t *order;            /* segments in use, by seq */
	uint32_t order_count;
	_Atomic uint64_t bytes_read;
	struct journal_progress progress;
	uint64_t gone_through, expected; /* bytes of the log, for who wants to know */
};

/* recover.c: the highest of all that is on the logs, once their segments were looked at */
uint64_t recover_log_incarnation(const struct recovery *r);

/* recover_older.c: as soon as the segments were looked at.  Return: 0, or -EUCLEAN */
int recover_older(struct recovery *r);

/* recover_lines.c */
int recover_lines(struct recovery *r);
/* the slot at @line, @slot of epoch @number could be live: not retired, not moved on */
bool recover_may_live(struct recovery *r, uint32_t line, uint64_t number, uint32_t slot);
/* a retire record */
void recover_retire(struct recovery *r, uint32_t line, uint64_t number, uint32_t slot);
/* records show that @line has reached epoch @number; Return: 0, or -EUCLEAN
 * when durable markers are older than the log */
int recover_epoch(struct recovery *r, uint32_t line, uint64_t number);
/* slots without a live transaction are dead; lines go on as the last close said */
void recover_settle_lines(struct recovery *r);
/* commit bits whose record was not found */
void recover_lost_bits(struct recovery *r);
bool recover_bit_set(struct recovery *r, uint32_t line, uint32_t slot);

/* the claims of a line, as its retire map has them */
void recover_claim(struct recovery *r, uint32_t line);

/* recover_epochs.c: lines whose epoch is damaged */
/* neither word of it verifies.  Return: 0 or -ENOMEM with the text */
int recover_without_epoch(struct recovery *r, uint32_t line);
/* its epoch is the highest that a record names */
bool recover_is_by_records(const struct recovery *r, uint32_t line);
/* Its epoch is whole, and stands, but its end reads zeros, as what is behind it, or somebody
 * was killed while he made its maps anew: then it is by records, too, or nothing is decided
 * by it (line_is_bad()).  Return: 0 or -ENOMEM */
int recover_line_in_doubt(struct recovery *r, uint32_t line);
/* Such a map reads zeros, or with the epoch ones: it says nothing.  What has a record is
 * committed then, and nothing is retired. */
bool recover_commits_are_gone(const struct recovery *r, uint32_t line);
bool recover_retires_are_gone(const struct recovery *r, uint32_t line);
/* one of them at least: what is committed without a record cannot be told */
bool recover_maps_are_gone(const struct recovery *r, uint32_t line);
/* It reads as never used, but the medium has seen what came after its epoch @number */
bool recover_was_erased(const struct recovery *r, uint32_t line, uint64_t number);
/* such a line, or one that is by records, has reached epoch @number; Return: 0 or -ENOMEM */
int recover_erased_epoch(struct recovery *r, uint32_t line, uint64_t number);
/* as recover_epoch(), of a record in the stage */
int recover_staged_epoch(struct recovery *r, uint32_t line, uint64_t number);
/* Both words of each line say the same again; durable with the next fence.
 * Context: a writer; r->incarnation is above all that was seen, and not drawn yet
 * Return: 0, or the sticky failure */
int recover_mend_epochs(struct recovery *r);

/* recover_insert.c */
/* a copy of a transaction that verifies */
struct recover_copy {
	uint64_t where;
	uint64_t time_ns;
	uint32_t bytes, units; /* of its payload; of its record */
	uint32_t moves;
};
/* enter it; Context: r->lock
 * Return: whether it counts: false: a better copy is known */
bool recover_insert(struct recovery *r, uint32_t line, uint32_t slot,
		    const struct recover_copy *copy);
/* acknowledged and not readable, unless a copy turns up; Context: r->lock */
enum recover_why { WHY_PAYLOAD, WHY_EXTENT, WHY_STAGE, WHY_BIT, WHY_RECORD, WHY_LOG, WHY_HEADER };
/* @segment: where its damaged record is, or NO_SEGMENT */
void recover_lose(struct recovery *r, uint32_t line, uint32_t slot, enum recover_why why,
		  uint32_t segment);
/* it is, and its record was in @segment */
bool recover_is_lost_in(const struct recovery *r, uint32_t line, uint64_t number, uint32_t slot,
			uint32_t segment);
/* at the end: those of which no copy turned up */
void recover_tell_lost(struct recovery *r);
/* bytes of the table that ends a record's payload */
uint32_t recover_tail_bytes(const struct log_meta *meta);
/* a log record that commits something; verifies its other extents.
 * @tail: its table; @valid: its payload verified.  Context: no lock held. */
void recover_record(struct recovery *r, uint32_t segment, uint32_t offset,
		    const struct log_meta *meta, const uint8_t *tail, bool valid);

/* recover_moved.c */
/* a slot that is not the one that @id names; Context: r->lock */
void recover_moved_note(struct recovery *r, uint32_t line, uint32_t slot, uint64_t id);
/* the id of what is in the slot */
uint64_t recover_id(const struct recovery *r, uint32_t line, uint32_t slot);
/* All are known: of two slots of one id one is taken, the others are retired, with
 * recover_moved_end().  Return: 0 or -ENOMEM with the text. */
int recover_moved(struct recovery *r);
/* Those that were not taken, on the medium.  Context: the copies that were taken are
 * durable; the next fence, or checkpoint, makes it durable before anybody is served. */
void recover_moved_end(struct recovery *r);
void recover_moved_free(struct recovery *r);
/* what recover_insert() took the place of is given up */
void recover_supersede(struct recovery *r, uint32_t line, uint32_t slot);
uint32_t recover_moves(const struct recovery *r, uint32_t line, uint32_t slot);

/* recover_stage.c */
int recover_stage(struct recovery *r);
/* no torn record may come back, and of the others none is torn from here on; durable with
 * the next fence */
void recover_end_stage(struct journal *j);

/* recover_holes.c */
/* What is at the head of @lane does not verify, and at @to the ring goes on.
 * Return: 0 or -ENOMEM with the text */
int recover_hole(struct recovery *r, struct lane *lane, uint64_t to);
/* all records are known: what of those holes is lost */
void recover_holes(struct recovery *r);

/* recover_segments.c */
int recover_segments(struct recovery *r);
/* take up the heads; seal what was left open */
int recover_heads(struct recovery *r);
void recover_count_free(struct recovery *r);

/* recover_scan.c: whole segments */
int recover_scan(struct recovery *r, uint32_t segment);
void recover_scan_finish(struct recovery *r);
/* the digest of its segment, if it has one, vouches for it */
bool recover_vouched(const struct segment_scan *scan, const struct scanned *record);
int recover_reseal(struct recovery *r, uint32_t segment, struct head *head);
/* what its records say of each other is known: segment_scan.acked */
void recover_watermark(struct segment_scan *scan);

/* recover_gaps.c: records whose headers do not verify */
/* what is missing at or below the watermark is entered as lost where the next record names
 * it; Return: how many records neither one nor the names of a clean close account for */
uint64_t recover_gaps(struct recovery *r, uint32_t segment);
/* there are such, and a digest's names do not account for all of them */
void recover_gaps_tell(struct recovery *r, uint32_t segment);
/* retire records that a digest has counted, and that are not there, nor named by another */
uint64_t recover_gaps_retires(const struct recovery *r, uint32_t segment);
/* recover_epoch() of what is named; Return: 0 or what that does */
int recover_gaps_epochs(struct recovery *r, uint32_t segment);
/* the names, for the digest; Return: 0 or -ENOMEM */
int recover_gaps_reseal(struct recovery *r, uint32_t segment, struct head *head);

/* recover_sealed.c: live records of sealed segments */
int recover_sealed(struct recovery *r, uint32_t segment);
void recover_buffers_free(struct recovery *r);
/* what the digest of @segment, read whole, names and nothing was found of */
void recover_named(struct recovery *r, uint32_t segment);

/* recover_copies.c: a mirrored log has the same on both legs, of what counts in segments
 * that were not sealed, and of what says what a segment is.  Durable on return: what was
 * on its way when the writer died counts if it is whole on one, and then is on both.
 * Context: a writer, before anybody is served.  Return: 0 or -ENOMEM with the text */
int recover_copies(struct recovery *r);
/* the records of one segment, of which nobody else writes */
int recover_copies_records(struct recovery *r, uint32_t segment);
/* what says what a segment is: of which use, and a bit for each leg that has it whole */
struct frame_legs {
	uint64_t header_seq, digest_seq;
	unsigned int header, digest;
};

/* Where one leg has it, and it was durable on both, that copy is damaged.  @second: the
 * second digest, or NULL: it is written after them. */
void recover_copies_tell(struct recovery *r, uint32_t segment, const struct frame_legs *legs,
			 const struct summary_head *second);
/* the same of the records of segments that were read whole */
void recover_copies_tell_records(struct recovery *r, uint32_t segment);
/* is it certain that a record was durable on both? */
bool recover_was_durable(struct recovery *r, uint32_t segment,
			 const struct scanned *record);

/* recover_progress.c: in the thread that opens; none of it is of use to recovery itself */
/* so many bytes more are to be gone through, at most */
void recover_expect(struct recovery *r, uint64_t bytes);
/* so many more were */
void recover_progress(struct recovery *r, uint64_t bytes);
/* the same of what is still under way, so far */
void recover_progress_at(const struct recovery *r, uint64_t more);

/* recover_threads.c: run @work for each of @order[0, count) */
int recover_parallel(struct recovery *r, const uint32_t *order, uint32_t count,
		     int (*work)(struct recovery *r, uint32_t segment));

#endif
