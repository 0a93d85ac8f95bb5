/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk with a volatile write cache, over a file.
 *
 * A write goes to memory.  A flush makes durable, that is, brings to the file, what was
 * complete when it began, and nothing else; a write with FUA itself and nothing else.
 * When the power is cut each write that is not durable is kept, dropped or torn, by
 * seed, sector by sector where it is torn; an older one that is kept does not come over
 * a newer one that is.  So of each sector any version since the last durable one may
 * be what is there afterwards.
 */
#ifndef DISK_H
#define DISK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DISK_SECTOR 512

/* what becomes of writes that are not durable when the power is cut */
enum disk_fate {
	DISK_DROP, /* all of them are lost */
	DISK_KEEP, /* none is */
	DISK_TEAR, /* of each some sectors */
	DISK_MIX,  /* each has its own fate; how many are lost differs from cut to cut */
};

/* what it says it has done, and has not; a sum of these */
enum disk_lie {
	DISK_HONEST = 0,
	DISK_LIE_FLUSH = 1,
	DISK_LIE_FUA = 2,
};

/* who comes and is kept waiting until he is released (for tests); a sum of these */
enum disk_hold {
	DISK_HOLD_NONE = 0,
	DISK_HOLD_WRITE = 1, /* before it is complete */
	DISK_HOLD_FLUSH = 2, /* and FUA: before it makes anything durable */
};

struct disk_options {
	uint64_t seed;
	enum disk_fate fate;
	unsigned int lies;
	uint64_t cache_bytes;    /* beyond it the oldest writes become durable by themselves */
	uint64_t flush_delay_ns; /* of a flush, and of a write with FUA */
	bool serial;             /* they wait for each other */
};

/* sums since it was opened */
struct disk_counts {
	uint64_t reads, read_bytes;
	uint64_t writes, written_bytes; /* FUA or not */
	uint64_t flushes, fua;
	uint64_t lies;    /* flushes and FUA that did nothing */
	uint64_t evicted; /* writes that became durable by themselves */
	uint64_t refused; /* requests without power */
	uint64_t cuts, kept, dropped, torn;
	/* of the moment */
	uint64_t pending, pending_bytes; /* writes that are not durable */
	uint64_t flushing;               /* flushes and FUA that are being done, in line or not */
	uint64_t at_once;                /* most that were being done at one time */
	uint64_t held;                   /* requests that are waiting to be released */
};

struct disk_write {
	struct disk_write *next;
	uint64_t offset;
	uint32_t bytes;
	uint64_t completed; /* a stamp, growing; 0: not yet */
	uint8_t *gone;      /* a byte for each sector: a newer one is durable there */
	uint8_t data[];
};

struct disk {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct disk_options options;
	struct disk_counts counts;
	int fd;
	uint64_t bytes;
	unsigned int holds;
	uint64_t released[2]; /* grows with each disk_release() of writes, of flushes */
	bool on;
	uint64_t power; /* grows with each cut: who waits sees that he was cut off */
	uint64_t stamp;
	uint64_t working; /* flushes and FUA that are not in line */
	struct disk_write *first, **last;
};

/* All return 0 or a negative errno. */
int disk_open(struct disk *disk, const char *path, const struct disk_options *options);
/* what is not durable is lost */
void disk_close(struct disk *disk);

/* -ESHUTDOWN without power, also when it is cut meanwhile */
int disk_read(struct disk *disk, void *data, uint32_t bytes, uint64_t offset);
int disk_write(struct disk *disk, const void *data, uint32_t bytes, uint64_t offset, bool fua);
int disk_flush(struct disk *disk);

/* what a cut did */
struct disk_cut {
	uint64_t kept, dropped, torn;
};

/* Nothing is done after it until disk_on(). -ESHUTDOWN: it is off. */
int disk_cut(struct disk *disk, enum disk_fate fate, uint64_t seed, struct disk_cut *cut);
void disk_on(struct disk *disk);
/* @holds: of those who come from now on */
void disk_hold(struct disk *disk, unsigned int holds);
/* those who wait go on, and nobody who comes has to wait any more */
void disk_release(struct disk *disk, unsigned int holds);
void disk_lie(struct disk *disk, unsigned int lies);
void disk_count(struct disk *disk, struct disk_counts *counts);

/* with the lock held, for disk_cut.c */

/* the sectors of a write that are not gone, and not left out by @keep (NULL: all), go to
 * the file, and are gone in older ones */
int disk_settle(struct disk *disk, struct disk_write *write, const uint8_t *keep);
/* takes it out of the list */
void disk_forget(struct disk *disk, struct disk_write **place);

#endif
