/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The open journal.  Each part below is owned by the file named with it; the
 * others use that file's functions.
 *
 * Lock order, outermost first (no lock is taken on the staged path):
 *   lane lease -> health_lock -> own_lock, stream.destage_lock -> stream.lock | extents.lock
 *   -> lines_lock -> segments.lock -> found_lock, pool_lock, logs_lock, view_lock, seconds.lock
 */
#ifndef TXN_JOURNAL_IMPL_H
#define TXN_JOURNAL_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/log.h"
#include "format/marker.h"
#include "format/stage.h"
#include "journal.h"
#include "store/log_store.h"
#include "store/marker_store.h"
#include "txn/conf.h"
#include "txn/counters.h"
#include "txn/entry.h"
#include "txn/index.h"
#include "txn/seconds.h"
#include "txn/shared.h"
#include "util/assert.h"
#include "util/math.h"
#include "util/message.h"
#include "util/zeros.h"

#define NO_SEGMENT UINT32_MAX
#define NO_LOG     UINT32_MAX
#define LINE_COUNTER_BITS 23u /* of an epoch number; the incarnation is above */
/* the next one is so much above what is seen, where higher ones may be lost */
#define INCARNATIONS_LOST 65536u

static inline uint64_t id_number(uint64_t id)
{
	return id >> 9;
}

static inline uint32_t id_slot(uint64_t id)
{
	return (uint32_t)(id & (SLOTS_PER_LINE - 1));
}

static inline uint64_t id_make(uint64_t number, uint32_t slot)
{
	return number << 9 | slot;
}

/* ---- segments: segment.c, segment_seal.c ---- */

struct segments {
	struct segment *all;
	uint32_t room; /* numbers below it have a place in the mapping: segments_end() */
};

/* this process's view of the notes of a head */
struct segment_notes {
	struct journal *j;
	uint32_t index; /* of the head */
	struct notes_counts *counts;
	struct summary_line *lines; /* host order while it grows, but for first */
	uint32_t *set;              /* open addressing: index in lines + 1 */
	uint32_t set_mask, line_max;
	struct segment_note *notes;
};

/* this process's side of a head */
struct head {
	struct head_shared *s;
	struct segment_notes notes;
	uint32_t log; /* its next segment is to be on it, if may be; NO_LOG: whichever */
	/* the holder's, while it rolls: who writes second digests beside it; NULL: nobody */
	struct seconds *seconds;
	struct segment *left; /* it has gone on in another, and is to be settled */
};

/* ---- stream: stream.c ---- */

struct batch {
	uint8_t *buffer; /* stream.batch_bytes */
	uint32_t used;
	struct zeros zeros;
};

/* who waits for a batch, with several logs: stream_gather.c */
struct gathering {
	pthread_cond_t all;
	uint32_t here;     /* wait for the batch that fills */
	uint32_t expected; /* as many are waited for, until then; 0: nobody */
	uint64_t until_ns;
	uint32_t skips, skips_next;    /* how often it is left, for they did not come */
	bool waits;                    /* somebody does */
	_Atomic uint32_t seats;        /* of those who are expected */
	_Atomic uint32_t writing_for;  /* wait for the batch that is being written */
};

/* where those who wait for a batch sleep: stream_sleep.c */
struct stream_bed {
	_Atomic uint32_t told; /* futex: how often something was */
	uint32_t sleepers;     /* since they were told last; with the lock */
	_Atomic bool rest;     /* who wakes first is to wake the others */
};

struct stream {
	struct journal *j;
	enum head_kind kind;
	uint32_t index; /* of those who share the logs: streams_log(); NO_LOG: it is for all */
	uint32_t log;   /* its segments are to be there, if may be; NO_LOG: by turns */
	pthread_mutex_t lock;
	struct stream_bed beds[2]; /* of tickets, by turns */
	pthread_mutex_t destage_lock; /* one lane after the other goes to it */
	struct batch batch[2];
	uint32_t batch_bytes; /* LOG_BUFFER_BYTES, or of a stream of its own, more */
	bool batch_is_large;  /* not of the log's pool */
	uint32_t filling;
	bool writing; /* a leader writes the other batch, or rolls the segment */
	bool rolling; /* nothing joins the batch: its segment is being left */
	struct head *head; /* while there is something to write */
	uint64_t ticket;         /* of the batch that fills, from 1 on */
	/* batches become durable in the order of their tickets; written with the lock */
	_Atomic uint64_t durable_ticket;
	/* those that did not, since their log went out of use: two of one log at most */
	uint64_t lost[2 * JOURNAL_LOGS_MAX];
	_Atomic uint32_t lost_count;
	int error;
	/* where there are several logs */
	struct seconds seconds;
	struct gathering gather;
	/* for who chooses between streams: streams.c */
	_Atomic uint64_t busy_ns;  /* since when a write is under way, or soon will be; 0: none */
	_Atomic uint64_t takes_ns; /* a write, about */
	_Atomic bool ready;        /* it has its buffers */
};

/* ---- destaging in the background: background.c ---- */

#define BACKGROUND_THREADS     3u
#define BACKGROUND_THREADS_MAX 8u

struct journal;

struct background {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started;
	_Atomic bool stopping;
	uint32_t threads;
	_Atomic bool due; /* much is staged */
	struct {
		pthread_cond_t wake;
		pthread_t thread;
		_Atomic bool begun;
		bool runs;
	} age; /* background_age.c */
	struct background_thread {
		struct journal *j;
		pthread_t thread;
		struct stream stream;
		bool runs;
	} of[BACKGROUND_THREADS_MAX];
	/* the job of all processes, as it was last seen, and since when */
	uint64_t seen_job, seen_beat, since_ns;
	_Atomic uint32_t next; /* lane */
};

/* ---- extents: extents.c, extent.c ---- */

struct extents {
	struct journal *j;
	uint32_t index, log;        /* as a stream's */
	_Atomic uint64_t under_way; /* bytes: for who chooses between them */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct head *head; /* while something is being written */
	uint32_t inflight; /* writes under way */
	bool rolling;
};

/* ---- lanes: lane.c ---- */

#define LANE_HINTS 64u /* processors, of more several share one */

struct journal_txn;
struct moved_entry;

/* this process's side of a lane */
struct lane {
	struct lane_shared *s;
	uint32_t index;
	uint32_t seed;
	uint8_t *ring;
	uint64_t ring_bytes;
	struct staged *queue;
	uint32_t queue_mask;
	/* reserve.h: its share of what is set aside, and what a line of it costs */
	uint64_t owed_max, line_cost;
	struct journal_txn *spare; /* the lease-holder's */
	uint64_t seen;             /* his, too: health when he leased it */
	_Atomic uint64_t shown;    /* the turn of the medium that its ring is mapped from */
} __attribute__((aligned(64)));

struct times_shard;

/* ---- the journal ---- */

struct journal {
	/* read-mostly, the hot path's */
	/* bits_durable: what is seen of it in which turn is view.h's to say; who has looked at
	 * the turn finds the store of that turn, or a later one */
	_Atomic(struct marker_store *) marker;
	struct line *lines;
	struct slot *slots;
	struct lane *lanes;
	struct times_shard *times; /* times.h: times_mask + 1 of them */
	uint32_t times_mask;
	uint32_t lane_count;
	_Atomic uint8_t lane_hint[LANE_HINTS]; /* of each processor: lane_lease() */
	uint32_t stage_max_bytes;
	uint64_t txn_bytes_max; /* JOURNAL_TXN_BYTES_MAX, or what an empty log holds */
	bool stage_on;
	/* Marker bits are, where the medium is byte-persistent NVRAM.  Once recovery is over:
	 * they may be, and health (health.h) says whether they are just now. */
	bool bits_durable;
	bool on_file; /* the index was made when the markers were a file: on_file.h */
	bool read_only;
	bool scrub;            /* both copies of a mirrored log are looked at: mirror.c */
	bool alone;            /* the media of nobody else: set_marker.c, rescue.c */
	uint32_t rescue_lines; /* rescue.c: without markers, for so many lines at least; 0: with */
	bool rescue_short;     /* these were too few */
	bool recovering;
	bool leaves_clean; /* the last one: a checkpoint says where lines go on */
	bool opened;
	_Atomic int failed_here; /* this handle alone: failed.c */
	/* of what is committed: by the medium of the turn (view.c) */
	_Atomic(enum journal_class) survives_staged;
	_Atomic(enum journal_class) survives_log;
	const volatile uint8_t *parents; /* a page: 0 in a child */
	int opener_pid;
	int open_error; /* the handle serves only journal_error() and journal_close() */
	uint32_t member; /* who we are in shared words: number + 1 */
	struct shared *shared;
	uint64_t shared_bytes;
	struct shared_file shared_file;
	char *dir;
	enum entry_role role;
	uint64_t identity; /* of this process: member.c */
	int member_fd;
	struct counters *counters;
	struct cell *cells;
	struct member *members;
	_Atomic uint32_t *holds; /* this process's, by segment: holds.h */
	_Atomic uint64_t *pool_lines;
	_Atomic uint64_t *free_lines;
	struct index index;
	struct moved_entry *moved_table;
	bool moves_lines; /* the format allows it */
	struct marker_geometry geometry;
	/* of the medium that the mapping has room for: also while the markers are a file */
	struct marker_geometry room_geometry;

	/* in NVRAM's place, if it is not to be trusted any more: health.c */
	pthread_mutex_t health_lock; /* outermost but for leases: one thread switches */
	_Atomic(struct marker_store *) stand_in; /* NULL: none, or not opened yet */
	struct marker_geometry stand_in_geometry;
	struct message stand_in_not; /* why there is none */
	int health_fd; /* + 1: inotify; 0: nobody asked for it */
	bool health_fence; /* no barrier on the others is to be had: each has its own */

	/* which marker medium is seen: view.h */
	pthread_mutex_t view_lock; /* innermost */
	_Atomic uint64_t view_turn; /* 0: none yet */
	uint64_t view_stage;        /* where its stage begins */
	struct marker_store *marker_before; /* it had the map until there was a medium */

	pthread_mutex_t lines_lock; /* checkpoints */

	/* where direct and synced transactions take their slots */
	pthread_mutex_t own_lock;
	struct slots_from *own;

	struct log_store *logs[JOURNAL_LOGS_MAX]; /* logs_at(): some are met later */
	struct log_geometry log_geometry[JOURNAL_LOGS_MAX]; /* as they were formatted */
	pthread_mutex_t logs_lock; /* to open one */
	uint32_t buffers_log; /* logs_buffers() */
	unsigned int open_flags;
	uint32_t block_bytes;
	uint64_t segment_bytes;
	uint32_t digest_bytes;
	struct segments segments;
	_Atomic uint64_t *free_segments;
	struct head *heads;
	uint64_t *pending_uses; /* of a checkpoint, under lines_lock */
	struct stream streams[JOURNAL_LOGS_MAX]; /* of what is committed: streams.c */
	_Atomic uint32_t stream_turn;
	struct stream moved, old; /* the cleaner's: HEAD_MOVED, HEAD_OLD */
	struct extents extents[JOURNAL_LOGS_MAX];
	_Atomic uint32_t extents_turn;
	_Atomic uint64_t ahead_seq; /* use of a segment before which it was cleaned ahead */
	/* the cleaner's jobs, as they were last seen, and since when */
	struct {
		_Atomic uint32_t beat;
		_Atomic uint64_t since_ns;
	} clean_seen[CLEAN_JOBS];
	struct background background;

	/* a listing's order: list.c */
	struct {
		pthread_mutex_t lock;
		uint64_t *numbers;
		uint32_t count;
		uint64_t *moved; /* ids */
		uint32_t moved_count, moved_room;
	} list;

	/* transaction objects: txn_pool.c */
	pthread_mutex_t pool_lock;
	struct journal_txn *pool;
	uint32_t pool_count;

	_Atomic uint32_t reads_open;  /* journal_reads_open() */
	_Atomic uint32_t asyncs_open; /* journal_async_open() */

	struct conf conf; /* with runs, wherever they are from */
	bool resized;     /* they are from journal.conf */
	struct {
		bool marker;
		uint32_t logs; /* a bit each */
	} supers_bad; /* one of the two copies: media_mend() */
	enum journal_class require;
	enum journal_class class_marker;
	enum journal_class class_log;
	int lock_fd;
	int writer_pid;
	struct message why_private; /* the index is not one that processes share */
	_Atomic bool index_full;    /* there was no room for one that they do */
	struct recovery_result recovered;

	/* told of what recovery's threads find, one at a time; journal_check() */
	pthread_mutex_t found_lock;
	void (*found)(void *context, const struct journal_finding *finding);
	void *found_context;
	struct repairs *repairs; /* copies.c; NULL: each is told by itself */
};

/* failed.c: a medium, for all; or a limit of this process, for this handle.  Return: -EIO,
 * with the text */
int journal_fail(struct journal *j, int error);
/* What was published, or claimed, could not be brought to where it is durable: others may,
 * this handle cannot.  Return: 0 for 0; or -EIO, and the handle has failed */
int journal_undecided(struct journal *j, int error);
static inline int journal_failed_here(const struct journal *j)
{
	return atomic_load_explicit(&j->failed_here, memory_order_relaxed);
}
static inline int journal_failed(const struct journal *j)
{
	int here = journal_failed_here(j);

	return here ? here : atomic_load_explicit(&j->shared->failed, memory_order_relaxed);
}

/* Segments are counted from 0 to it.  Acquire: what is said of them is there. */
static inline uint32_t segments_end(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->segments_end, memory_order_acquire);
}

/* so many of them can be used, or are */
static inline uint32_t segments_usable(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->segments_usable, memory_order_relaxed);
}

/* only destage and retire records may take the last ones: reserve.h */
static inline uint32_t segments_reserve(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->segments_reserve, memory_order_relaxed);
}

static inline uint32_t logs_end(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->logs_end, memory_order_acquire);
}

/* acquire: what was stored before it was raised is there */
static inline uint64_t health_word_now(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->health, memory_order_acquire);
}

/*
 * A child of fork() has a copy of the handle, and the parent's locks, lanes and
 * lines are not its own.  The page is wiped in a child (MADV_WIPEONFORK).
 */
static inline bool journal_is_childs(const struct journal *j)
{
	return j->parents && !*j->parents;
}
/* Return: -ECHILD, with the text */
int journal_childs(struct journal *j);

/* the calling thread's message about this handle */
struct message *journal_message(struct journal *j);
#define journal_say(j, error, ...) message_set(journal_message(j), error, __VA_ARGS__)

#endif
