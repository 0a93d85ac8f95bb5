/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes that put, retire and read one journal at once, and a ledger of what
 * was acknowledged to them, in memory that outlives each of them: so any may be
 * killed or stopped anywhere, and it is known what must be there, what must not,
 * and what may be.
 */
#ifndef TESTS_LIB_CROWD_H
#define TESTS_LIB_CROWD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/bed.h"

#define CROWD_MAX   64u
#define CROWD_KEPT  48u /* transactions that one of them has at a time */
#define CROWD_IDS   (1u << 20)
#define CROWD_LARGE (5u << 19)

/* what one of them does: a mask */
#define CROWD_SMALL  1u  /* 16 to 6000 bytes, by the path that the journal picks */
#define CROWD_BIG    2u  /* up to 300,000 bytes */
#define CROWD_HUGE   4u  /* now and then in several pieces */
#define CROWD_GROUPS 8u
#define CROWD_SYNCED 16u /* some insist on the synced path */
#define CROWD_ABORTS 32u
#define CROWD_READS  64u
#define CROWD_ALL    127u
#define CROWD_LOSES  128u /* NVRAM is lost under a commit that was under way: it is refused */

/* one transaction: in @word a version, above a state; a change of either changes it */
struct crowd_txn {
	_Atomic uint64_t word;
	_Atomic uint64_t id, seed;
	_Atomic uint32_t bytes;
	uint32_t group; /* others of the same owner and number commit with it */
	bool seen;
};

struct crowd_worker {
	_Atomic bool open;         /* it has the journal open */
	_Atomic bool stop;         /* it is to close, and to end */
	_Atomic uint64_t done;     /* calls that came back */
	_Atomic uint64_t commits, retires, reads, full;
	_Atomic uint64_t began_ns; /* of the call under way; 0 none */
	_Atomic uint64_t longest_ns;
	struct crowd_txn kept[CROWD_KEPT];
} __attribute__((aligned(128)));

struct crowd_shared {
	_Atomic int wrongs;
	char wrong[512]; /* the first thing that was wrong */
	_Atomic uint64_t id_count;
	struct crowd_worker worker[CROWD_MAX];
	uint64_t ids[CROWD_IDS]; /* acknowledged ones, ever: each but once (P4) */
};

struct crowd {
	struct bed *bed; /* closed while they run */
	uint32_t count;
	unsigned int does;
	uint64_t random;
	struct crowd_shared *shared;
	pid_t pid[CROWD_MAX]; /* 0: not running */
};

void crowd_make(struct crowd *crowd, struct bed *bed, uint32_t count, unsigned int does,
		uint64_t seed);
void crowd_free(struct crowd *crowd); /* kills who still runs */

void crowd_start(struct crowd *crowd, uint32_t who);
void crowd_start_all(struct crowd *crowd); /* and wait until all have opened */
/* it closes the journal and exits, or what went wrong is a failure */
void crowd_end(struct crowd *crowd, uint32_t who);
void crowd_end_all(struct crowd *crowd);
void crowd_kill(struct crowd *crowd, uint32_t who);
void crowd_kill_all(struct crowd *crowd);
/* every one that runs but @but (CROWD_MAX: every one) gets some call done, or fails */
void crowd_goes_on(struct crowd *crowd, uint32_t but);
/* fails the test with what went wrong in one of them */
void crowd_fine(struct crowd *crowd);

/* check, open the bed's journal, compare: all that was acknowledged is there, nothing
 * that was retired, nothing torn, no half of a group, no id twice.  What was in
 * flight is decided by it.  Leaves the journal closed.  Nobody runs. */
void crowd_compare(struct crowd *crowd);
/* the sum over all of them */
uint64_t crowd_commits(const struct crowd *crowd);
uint64_t crowd_retires(const struct crowd *crowd);
/* the longest that a call took, or takes: of all but @but */
uint64_t crowd_longest_ns(const struct crowd *crowd, uint32_t but);
void crowd_forget_longest(struct crowd *crowd);

uint64_t crowd_now_ns(void);
void crowd_sleep_us(uint64_t us);

#endif
