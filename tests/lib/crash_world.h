/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media that crash, in memory: one marker medium and one log, or several side by
 * side in one map, each with what is durable and what a process sees.  A test is
 * linked so that every journal it opens gets its stores here, from the world that is
 * entered (Makefile, CRASH_LDFLAGS); the library is unchanged.
 *
 * Each fence, log write, log flush and checkpoint is one operation, a place
 * where the power may go.  Before an operation has any effect a hook may look
 * at a copy of the world as a crash would leave it here, recover it, and let
 * the run go on; or the world may end here: all operations fail from then on.
 *
 * One thread at a time, and no other: that is what makes a seed repeat a run.
 */
#ifndef TESTS_LIB_CRASH_WORLD_H
#define TESTS_LIB_CRASH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/log_store.h"
#include "store/marker_store.h"

/* @now: as a process sees it; @durable: what certainly is there */
struct crash_map {
	int now_fd, durable_fd; /* -1: a copy's */
	uint8_t *now, *durable;
	uint64_t bytes;
	bool heap;              /* a clone of a marker map */
	struct crash_pages *pages; /* a clone of a log, which has neither @now nor @durable */
};

/* a line of the marker map as it was when @thread flushed it, to be fenced */
struct crash_flush {
	uint32_t thread, line;
	uint64_t words[8];
};

/* a log write that is not durable yet */
struct crash_write {
	struct crash_write *next;
	uint64_t offset;
	uint32_t bytes;
	uint32_t thread;
	bool in_flight; /* it has not even completed */
	_Alignas(uint64_t) uint8_t data[]; /* crash_sum() takes it in words */
};

/* what a crash leaves of what was not durable */
enum crash_how {
	CRASH_DROP,  /* nothing */
	CRASH_KEEP,  /* everything */
	CRASH_MIXED, /* by seed: each word; each write whole, not at all, or torn */
	CRASH_KILL,  /* a process died, the power did not fail: caches go on */
};

struct crash_world {
	bool checkpointed;  /* the marker medium is like file: */
	bool no_dsync;      /* durable writes are not: what P12 must not do */
	bool no_cache;      /* of the disk: what has completed is durable, as P12 wants it */
	uint32_t block_bytes;
	struct crash_map marker, log;
	uint32_t log_count; /* 0: one */
	bool mirrored;      /* of one log: they are its two legs */
	uint32_t failing;   /* a bit for each log whose writes and flushes fail */
	uint32_t away;      /* a bit for each log that is not there when it is opened */
	struct crash_write *oldest, **youngest;
	struct crash_flush *flushed; /* in the order in which they were */
	uint32_t flushed_count, flushed_room;
	bool summed;        /* @log_sum is kept: crash_sum() of each durable sector of the log */
	uint64_t log_sum;
	uint64_t *read;     /* NULL, or a bit for each sector of the log that was read */
	uint64_t checkpoint_bytes; /* of the checkpoint in flight */
	uint64_t operations;
	uint64_t die_at;    /* 0: never */
	bool dead;
	int fence_error;    /* the marker medium fails: what fences return */
	int write_error;    /* the log fails: what writes and flushes return */
	void (*hook)(struct crash_world *world, void *context);
	void *context;
	/* markers whose URI begins with @other_scheme are @other's, and its operations are
	 * those of this world */
	struct crash_world *other, *main;
	bool owns_other;    /* a clone's */
	const char *other_scheme;
	/* a marker medium that is made while the journal is open, to be gone back to */
	struct crash_world *next;
	bool returned;      /* that is the medium now: what a crash leaves of @marker is nothing */
	bool given_up;      /* @other is: nobody will look at @marker */
};

/* An empty world; the first open of each medium with its CREATE flag sizes it. */
void crash_world_make(struct crash_world *world);
void crash_world_free(struct crash_world *world);

/* @copy: @world after a crash now; it can crash again, but not be copied */
void crash_world_copy(const struct crash_world *world, enum crash_how how, uint64_t seed,
		      struct crash_world *copy);
/*
 * @copy: what is durable in @world, or with @killed all that its processes saw, the rest in
 * caches; it can be copied again while @world is as it is.  With @world->other, and of a world
 * that has @returned with what is on ->next.
 */
void crash_world_clone(const struct crash_world *world, bool killed, struct crash_world *copy);
/* The power fails in @world itself; what it holds then can be opened again. */
void crash_world_cut(struct crash_world *world, enum crash_how how, uint64_t seed);

/* where the markers of @world are */
const struct crash_world *crash_world_nvram(const struct crash_world *world);

/* From now on media are opened in @world; NULL: as ever.  Return: the one before. */
struct crash_world *crash_world_enter(struct crash_world *world);
struct crash_world *crash_world_entered(void);

/* An operation begins.  Return: false when the world is dead. */
bool crash_operation(struct crash_world *world);

/* the processor that sched_getcpu() tells, and the source of getrandom() */
void crash_set_cpu(int cpu);
void crash_set_random(uint64_t seed);
uint64_t crash_random(void); /* where it is */

/* crash_marker.c, crash_log.c */
int crash_marker_open(struct crash_world *world, unsigned int flags, uint64_t bytes,
		      struct marker_store **store);
int crash_log_open(struct crash_world *world, const char *path, unsigned int flags,
		   uint64_t bytes, struct log_store **store);
/* of one of its logs, or legs: its size, and where the one of @path lies in the world's map */
uint64_t crash_log_bytes(const struct crash_world *world);
uint64_t crash_log_base(const struct crash_world *world, const char *path);
/* @world->next, and a file of its name, to be renamed */
int crash_marker_make_next(struct crash_world *world, const char *uri, uint64_t bytes,
			   struct marker_store **store);
/* what backend_join_marker() makes with MARKER_VACANT: @map shows @world, bit by bit */
int crash_marker_join(struct crash_world *world, void *map, uint64_t bytes,
		      struct marker_store **store);
void crash_marker_persist(struct crash_world *world);

#define CRASH_SECTOR 512u /* what a disk at least writes whole */

/* of @bytes, a multiple of 8, that lie at @at: what is added up over an image names it */
uint64_t crash_sum(uint64_t at, const void *data, uint32_t bytes);
/* one sector of what is seen of the log, or what is durable */
const uint8_t *crash_log_sector(const struct crash_world *world, bool now, uint64_t offset);
void crash_log_get(const struct crash_world *world, uint64_t offset, void *data, uint64_t bytes);
/* @data comes to the durable side of the log, or with @now to what is seen of it */
void crash_log_put(struct crash_world *world, bool now, uint64_t offset, const void *data,
		   uint32_t bytes);

/* crash_world.c, for the stores */
void crash_map_make(struct crash_map *map, uint64_t bytes, int fill);
void crash_map_free(struct crash_map *map);
/* what is seen at @at of @map is what @from has at @offset */
void crash_map_show(struct crash_map *map, uint64_t at, const struct crash_map *from,
		    uint64_t offset, uint64_t bytes);
/* a write reaches the medium, all but what @keep says no to */
void crash_write_add(struct crash_world *world, const struct log_io *io);
/* a flush of the log that lies there: what has completed is durable, other logs' is not */
void crash_writes_land(struct crash_world *world, uint64_t from, uint64_t bytes);
/* The writes in flight of the calling thread have completed, or all that are. */
void crash_writes_done(struct crash_world *world, bool durable, bool anybodys);
/* the number of the calling thread */
uint32_t crash_thread(void);

#endif
