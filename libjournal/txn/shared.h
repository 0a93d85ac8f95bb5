/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the processes of one journal share: one mapping, docs/decisions/0006.
 * Offsets and numbers, no pointers; no lock; everything has an owner that is
 * known to be alive or dead.
 *
 * A word that says who has something holds the member's number + 1; 0: nobody.
 */
#ifndef TXN_SHARED_H
#define TXN_SHARED_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/log.h"
#include "format/marker.h"
#include "format/stage.h"
#include "journal.h"
#include "store/log_store.h"
#include "store/marker_store.h"
#include "txn/counters.h"
#include "txn/shared_file.h"
#include "util/shared_text.h"

#define SLOTS_PER_LINE MARKER_LINE_SLOTS
#define NO_LINE        UINT32_MAX
#define CELLS          128u

/* ---- lines: line.c ---- */

enum line_state {
	LINE_FREE,
	LINE_OPENING, /* somebody takes it; lane_shared.opening says which lane's holder */
	LINE_OPEN,
	LINE_BAD, /* its epoch is damaged: never taken again */
};

struct line {
	_Atomic uint64_t number; /* epoch; 0: none, or on its way to the next one */
	/* number << 2 | line_state: numbers never come again, so a compare-and-swap
	 * that expects one is about that use of the line and no other */
	_Atomic uint64_t use;
	_Atomic uint32_t owner; /* the member whose own line it is; 0: a lane's */
	_Atomic uint32_t flags; /* LINE_MOVED ..., of this epoch */
	_Atomic uint64_t committed[MARKER_LINE_WORDS]; /* 1: readable or retired */
	/* 1: never live again: aborted, or somebody retires it, or did, or moved on */
	_Atomic uint64_t claimed[MARKER_LINE_WORDS];
	/* 1: claimed by recovery, which found nothing of it; but what is out of use may have
	 * it.  On media it stays as it is until the line is recycled */
	_Atomic uint64_t undecided[MARKER_LINE_WORDS];
	_Atomic uint32_t left; /* so many lived in it when it could not be cleaned */
	/* number + 1 of the cleaner's job that moves what lives in it, or to it; 0: none.
	 * Who has it alone changes entries (moved.h) of what is in it. */
	_Atomic uint32_t mover;
} __attribute__((aligned(64))); /* two lanes' lines share no cache line */

/* what lives in it was moved there: its slots are nobody's ids (moved.h), and the index
 * does not lead to it */
#define LINE_MOVED  1u
/* something in it was, or is being, moved out: who claims a slot looks there, too */
#define LINE_MOVING 2u

static inline uint64_t line_use(uint64_t number, enum line_state state)
{
	return number << 2 | state;
}

static inline enum line_state line_state_of(uint64_t use)
{
	return (enum line_state)(use & 3);
}

/*
 * A hazard (P2): while a cell names a line, the line is not recycled.  Leased
 * by one compare-and-swap from 0, which announces it at the same time.
 */
struct cell {
	_Atomic uint64_t hazard; /* member + 1 << 32 | line + 1 */
} __attribute__((aligned(64)));

/* ---- lanes: lane.c ---- */

struct staged { /* one stage record, newest last */
	uint64_t id;
	uint32_t units; /* of 64 bytes */
	uint32_t count; /* 0: void */
};

/* where slots are taken from, by one at a time */
struct slots_from {
	_Atomic uint32_t line;    /* NO_LINE: none */
	_Atomic uint32_t next;    /* slot in it; stored before the slot is used */
	_Atomic uint32_t opening; /* the line that is being opened for it, or NO_LINE */
	uint32_t owner;           /* the member, of its own; 0: a lane's */
	uint32_t moved;           /* for what is moved: number + 1 of the cleaner's job */
	_Atomic uint64_t opening_number;
	uint64_t line_number;
};

struct lane_shared {
	_Atomic uint32_t lease; /* who */
	uint32_t index;
	/* the marker medium that all below is about, but for the line (view.h).  Stored by
	 * the holder, when all of it is */
	_Atomic uint64_t turn;
	struct slots_from from;
	uint64_t head; /* position */
	uint64_t head_offset;
	uint64_t look_at; /* from this offset on: whether the ring is empty (lane.c) */
	_Atomic uint64_t used; /* about as many bytes, for who is not the holder */
	uint64_t tail; /* as persisted */
	uint32_t queue_head, queue_tail;
	uint32_t queue_ready; /* entries that have memory */
	/* log bytes that destaging the queue takes at most: reserve.h */
	uint64_t owed;
	uint64_t owed_first, owed_last; /* epoch numbers of the lines counted */
	_Atomic uint64_t staged; /* transactions committed since recovery */
	_Atomic uint64_t staged_bytes; /* their payload */
	struct stage_last last; /* of data in the ring, as far as it is known */
} __attribute__((aligned(128)));

/* ---- segments: segment.c ---- */

enum segment_state {
	SEGMENT_FREE,    /* may be opened */
	SEGMENT_OPEN,    /* a head writes to it, or recovery has yet to look */
	SEGMENT_SEALED,  /* full, with its summary; holds live records */
	SEGMENT_PENDING, /* nothing live; free after the next checkpoint */
	SEGMENT_OUT,     /* nothing live, and its log is out of use: never taken */
};

struct segment {
	/*
	 * turn 32 | state 3 | live 29, changed as one: the transactions with bytes
	 * here, in flight or live.  A turn is one use, so a compare-and-swap is
	 * about that use.
	 */
	_Atomic uint64_t use;
	_Atomic uint64_t seq;  /* of the use, on media */
	_Atomic uint32_t seed; /* readers of what was here before may look meanwhile */
	_Atomic uint32_t kind; /* enum log_segment_kind */
	uint32_t number;
	/* of a sealed one, for clean.c: about how many bytes a transaction has here, and
	 * how many could be gained, were nothing live */
	_Atomic uint32_t mean_bytes, used_bytes;
	/* where it is (runs.h): set before anybody can know of it */
	uint32_t log;
	uint64_t base;
	_Atomic uint64_t second;  /* of its digest: log << 56 | offset */
	_Atomic uint32_t leaving; /* enum segment_leaving */
};

/* but for the first, nothing new comes into it: resize.h */
enum segment_leaving {
	SEGMENT_STAYS,
	SEGMENT_LEAVES, /* it is to go, once nothing lives in it */
	SEGMENT_GONE,   /* its number is nobody's any more */
};

#define SEGMENT_LIVE_BITS 29u
#define SEGMENT_LIVE_MAX  ((1ull << SEGMENT_LIVE_BITS) - 1)

static inline uint64_t segment_use(uint64_t turn, enum segment_state state, uint64_t live)
{
	return turn << 32 | (uint64_t)state << SEGMENT_LIVE_BITS | live;
}

static inline enum segment_state segment_state_of(uint64_t use)
{
	return (enum segment_state)(use >> SEGMENT_LIVE_BITS & 7);
}

static inline uint64_t segment_live_of(uint64_t use)
{
	return use & SEGMENT_LIVE_MAX;
}

/* ---- heads: head.c ---- */

#define HEADS 128u

/* what a head is for; on media the cleaner's are streams like any other */
enum head_kind {
	HEAD_STREAM = 1, /* what is committed or destaged, and retire records */
	HEAD_EXTENTS,
	HEAD_MOVED, /* what the cleaner moved: clean.c */
	HEAD_OLD,   /* what it moved again */
};

static inline bool head_is_cleaners(uint32_t kind)
{
	return kind == HEAD_MOVED || kind == HEAD_OLD;
}

/* the summary of an open segment, as it grows: segment_notes.c */
struct segment_note {
	uint64_t id; /* of one whose slot is not that of its id, else 0 */
	uint32_t line_index; /* in lines[] */
	uint32_t offset;
	uint32_t size;
	uint16_t slot;
	uint16_t count;
};

struct notes_counts {
	uint32_t lines, notes;
	uint32_t entries; /* and ids: an upper bound while it grows */
	uint32_t retires;
	uint32_t ready; /* notes that have memory */
	bool lines_ready;
};

struct head_shared {
	_Atomic uint32_t lease;   /* who */
	_Atomic uint32_t segment; /* number + 1; 0: none */
	_Atomic uint32_t kind;    /* enum head_kind; stored before segment is */
	/* turn << 32 | number + 1 of the one that is being opened for it, in the turn that
	 * it then has, and of the one that is being left */
	_Atomic uint64_t opening, closing;
	_Atomic uint64_t floor; /* while it draws a use: no lower one than this */
	uint32_t end;           /* next free byte of the segment, on a block */
	struct notes_counts notes;
	/* a stream: of the segment's records, the last one's sequence, and up to which
	 * all are durable */
	uint64_t last_record_seq, durable_record_seq;
	struct log_before last_record; /* what the next one says of it */
	uint32_t durable_notes; /* of the notes, those of records that are durable */
	/* what the second digest knows of: heads_name() */
	uint32_t named_notes;
	uint64_t named_seq;
} __attribute__((aligned(128)));

/* ---- cleaning: clean_job.c ---- */

#define CLEAN_JOBS 4u /* one, and as many more as there are that are stopped in it */

struct clean_job {
	_Atomic uint32_t who;
	_Atomic uint32_t beat;    /* it goes on */
	_Atomic uint32_t stopped; /* the beat at which somebody found that it does not */
	_Atomic uint64_t cleaning; /* turn << 32 | number + 1 of what it holds; 0: nothing */
	struct slots_from moving; /* where slots for what is moved are taken from */
	_Atomic uint64_t moves_turn; /* of health: what moved before it is settled */
} __attribute__((aligned(128)));

/* ---- members: member.c ---- */

#define MEMBERS 1024u

struct member {
	_Atomic uint64_t state;    /* member_word() */
	_Atomic uint64_t identity; /* of its process */
	_Atomic int pid;           /* as it sees itself, for people */
	_Atomic uint32_t gone;     /* given so often, its handle was closed in no order */
	/* it is giving NVRAM up, and may replace journal.conf (health.c) */
	_Atomic uint32_t switching;
	struct slots_from own; /* of its direct and synced transactions */
} __attribute__((aligned(128)));

/* ---- marker media that came after the first one: view.h ---- */

#define VIEWS 64u

struct view_shared {
	_Atomic uint32_t lease; /* who made it; 0: nobody */
	uint32_t assume;        /* class asserted by the user, or unset */
	uint64_t device, inode; /* of the medium; 0: whatever the path names */
	uint64_t stage_offset;  /* there.  All before the stage lies as in the first one */
	uint32_t class;         /* what is committed there survives this */
	uint32_t after_file;    /* until it is trusted, the markers are a file: on_file.h */
	char uri[PATH_MAX];     /* in the end */
	char suffix[48];        /* of its path, and of journal.conf, until then */
};

/* ---- lines that nobody takes slots from at the moment: pool.c ---- */

#define POOL_LINES 256u

/* ---- the mapping ---- */

enum shared_part {
	SHARED_COUNTERS,
	SHARED_TIMES, /* how long calls took: times.h */
	SHARED_CELLS,
	SHARED_MEMBERS,
	SHARED_POOL, /* lines half used, and where: a word each, 0 none (P8) */
	SHARED_LANES,
	SHARED_TABLE,
	SHARED_OVERFLOW,
	SHARED_HEADS,
	SHARED_FREE_LINES, /* a bit for each: perhaps free.  line.use decides */
	SHARED_QUEUES, /* from here on, memory comes when it is needed */
	SHARED_SEGMENTS,      /* with room for more than there are */
	SHARED_FREE_SEGMENTS, /* as free lines */
	SHARED_VIEWS,
	SHARED_NOTE_LINES, /* for each head */
	SHARED_HOLDS, /* for each member: holds.h */
	SHARED_LINES,
	SHARED_SLOTS,
	SHARED_NOTES, /* for each head */
	SHARED_MOVED, /* by levels: moved.h */
	SHARED_PARTS,
};

/* what the first one found, and the others rely on: join.c */
struct shared_common {
	struct marker_geometry marker_geometry;
	struct log_geometry log_geometry[JOURNAL_LOGS_MAX];
	uint32_t block_bytes, digest_bytes, segments_room;
	uint64_t segment_bytes;
	uint32_t bits_durable, class_marker, class_log;
	char marker_uri[PATH_MAX]; /* of bits_durable: journal.conf may name another by now */
	uint32_t stand_in_is_there;
	struct marker_share stand_in;
	/* on_file.h: whether the markers were a file, and its shape; marker_uri is its name
	 * until it has the stand-in's */
	uint32_t on_file;
	_Atomic uint32_t on_file_named;
	struct marker_geometry stand_in_geometry;
	struct recovery_result {
		uint64_t recovered, duration_ns, bytes_read, torn, lost_unnamed, ahead;
	} recovered;
	struct marker_share marker;
	struct log_share logs[JOURNAL_LOGS_MAX][LOG_SHARES];
};

enum shared_state {
	SHARED_MAKING,
	SHARED_READY,
	SHARED_CLOSED, /* its last member is gone: what it says is not so any more */
};

struct shared {
	uint64_t magic; /* of this layout */
	_Atomic uint32_t state;
	uint8_t uuid[16];
	uint64_t bytes;
	uint64_t part[SHARED_PARTS]; /* offsets */
	uint64_t made_ns; /* CLOCK_REALTIME: since then it counts */
	uint32_t times_shards;
	struct shared_common common;

	_Atomic int failed __attribute__((aligned(128))); /* sticky, of what all need (P16) */
	_Atomic int log_failed[JOURNAL_LOGS_MAX]; /* sticky, of one of several logs: logs.c */
	_Atomic uint64_t log_left[JOURNAL_LOGS_MAX]; /* DIR says so: log_copies_left() */
	_Atomic uint64_t health;     /* of NVRAM: health_word(); only ever goes up */
	_Atomic uint64_t health_ns;  /* since when it is so, CLOCK_REALTIME */
	_Atomic uint64_t replay_seq; /* of the stand-in's next checkpoint */
	_Atomic uint64_t evacuated, evacuated_not; /* brought to the log; not readable */
	/* giving up: turn << 32 | who, and that he goes on */
	_Atomic uint64_t switcher, switcher_beat;
	struct shared_text health_why; /* from whoever noticed */
	/* coming back: when the medium was last looked at, since when it was sound, and how
	 * often it was given up again soon (returning.c) */
	_Atomic uint64_t sound_look_ns, sound_since_ns;
	_Atomic uint32_t returns, relapses;
	_Atomic uint32_t returns_not; /* 1: the journal was moved away from it, by order */
	_Atomic uint32_t views_made;
	_Atomic uint32_t require; /* the highest class that anybody has asked for */
	_Atomic uint64_t incarnation;
	_Atomic uint64_t incarnation_wanted; /* a checkpoint has it before it is in force */
	_Atomic uint32_t overflow_count;

	/* drawn from, once for each line */
	_Atomic uint64_t next_number __attribute__((aligned(128)));
	_Atomic uint32_t lines_used; /* lines below it were used since format */
	_Atomic uint32_t lines_ready; /* lines below it have memory for their slots */

	/* segments: drawn from, counted */
	_Atomic uint64_t next_seq __attribute__((aligned(128)));
	_Atomic uint32_t segments_free, segments_reserve;
	_Atomic uint32_t segments_pending;
	_Atomic uint32_t segments_since_checkpoint;
	_Atomic uint32_t log_turn; /* of several logs, the next one's turn */
	_Atomic uint32_t segment_hint[JOURNAL_LOGS_MAX]; /* where the next free one is looked for */
	_Atomic uint64_t head_granted_ns; /* when one head more than wanted was allowed last */
	/* what there is, and that changes by resize.c: one more than the highest number,
	 * and so many of the numbers are those of segments that do not leave */
	_Atomic uint32_t segments_end, segments_usable;
	_Atomic uint32_t logs_end; /* places of logs; some may be of logs that have gone */
	_Atomic uint32_t logs_removed; /* bit i: log i */
	_Atomic uint64_t log_bytes[JOURNAL_LOGS_MAX]; /* as far as a log is in use */

	_Atomic uint64_t swept_ns; /* when the dead were looked for */
	_Atomic uint64_t aged_ns;  /* when what is staged for long was looked for */
	_Atomic uint64_t checkpointer __attribute__((aligned(128))); /* turn << 32 | who */
	_Atomic uint32_t resizer, resize_phase; /* who; resize.h */
	/* destaging in the background: turn << 32 | who, and that he goes on */
	_Atomic uint64_t destager, destager_beat;
	struct clean_job clean[CLEAN_JOBS];
	_Atomic uint32_t moved_levels; /* of the table of what was moved */
	_Atomic uint64_t checkpoints;
};

struct journal;

/**
 * shared_make() - a new mapping, and the handle's parts pointed into it
 * @share: others are to join; where that is not possible, the mapping is private
 *         and the reason in @why
 * Return: 0 or -ENOMEM.
 */
int shared_make(struct journal *j, bool share, struct message *why);

/* map the one that others have made; Return: 0, -ESTALE, or what the system said */
int shared_join(struct journal *j, struct message *message);

/* recovery is over: others may join */
int shared_announce(struct journal *j, struct message *message);

/* nobody is there: what is left of those who were is removed */
void shared_sweep(struct journal *j);

/* it was not the right one */
void shared_forget(struct journal *j);

static inline bool shared_is_shared(const struct shared_file *file)
{
	return file->fd >= 0;
}

/* the last one leaves */
void shared_remove(struct journal *j);
void shared_free(struct journal *j);

/* memory for all slots up to @line is there; Return: 0, or -ENOMEM with the text */
int shared_lines_ready(struct journal *j, uint32_t line);
/* memory for entries [from, to) of the table of what was moved */
int shared_moved_ready(struct journal *j, uint64_t from, uint64_t to);
/* memory for segments [from, to), whose numbers are set */
int shared_segments_ready(struct journal *j, uint32_t from, uint32_t to);
/* and for so many entries of a lane's queue */
int shared_queue_ready(struct journal *j, uint32_t lane, uint32_t entries);
struct view_shared *shared_view(struct journal *j, uint32_t index);
int shared_view_ready(struct journal *j, uint32_t index);

struct lane_shared *shared_lane(struct journal *j, uint32_t index);
struct staged *shared_queue(struct journal *j, uint32_t index);
struct head_shared *shared_head(struct journal *j, uint32_t index);
void *shared_note_lines(struct journal *j, uint32_t index);
struct segment_note *shared_notes(struct journal *j, uint32_t index);
_Atomic uint32_t *shared_holds(struct journal *j, uint32_t member);
/* memory for the holds of @member; Return: 0 or -ENOMEM with the text */
int shared_holds_ready(struct journal *j, uint32_t member);
/* memory for @notes notes of head @index, and its lines; Return: 0 or -ENOMEM with
 * the text */
int shared_notes_ready(struct journal *j, uint32_t index, uint32_t notes);

#endif
