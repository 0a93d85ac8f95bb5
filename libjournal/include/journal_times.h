/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: how long calls took.  Part of journal.h, which includes it: what is said
 * there of errors, threads and handles holds here too.
 */
#ifndef JOURNAL_TIMES_H
#define JOURNAL_TIMES_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * enum journal_timed - what is timed, where it succeeded
 * @JOURNAL_TIMED_STAGED:  journal_commit() of one transaction, staged
 * @JOURNAL_TIMED_DIRECT:  the same, direct
 * @JOURNAL_TIMED_SYNCED:  the same, synced
 * @JOURNAL_TIMED_GROUP:   journal_commit() of a group, by whatever path
 *                         (of journal_submit(), each of these until it is complete)
 * @JOURNAL_TIMED_RETIRE:  journal_retire(), journal_retire_many(): the call
 * @JOURNAL_TIMED_READ:    journal_read(); of journal_reads_submit() those that are read
 *                         from the log, from when they are asked for until they are back
 * @JOURNAL_TIMED_DESTAGE: moving a part of the stage to the log
 * @JOURNAL_TIMED_FLUSH:   one durable write of the log, or one flush of it
 * @JOURNAL_TIMED_ROOM:    journal_begin(): finding room in the stage when the lane at
 *                         hand had none
 * @JOURNAL_TIMED:         how many these are
 */
enum journal_timed {
	JOURNAL_TIMED_STAGED,
	JOURNAL_TIMED_DIRECT,
	JOURNAL_TIMED_SYNCED,
	JOURNAL_TIMED_GROUP,
	JOURNAL_TIMED_RETIRE,
	JOURNAL_TIMED_READ,
	JOURNAL_TIMED_DESTAGE,
	JOURNAL_TIMED_FLUSH,
	JOURNAL_TIMED_ROOM,
	JOURNAL_TIMED,
};

#define JOURNAL_TIME_BUCKETS 592u

/**
 * struct journal_times - how long they took, as a histogram
 * @count:  of the calls
 * @sum_ns: of all of them
 * @max_ns: the longest; 0 after journal_times_since(), which cannot know it
 * @bucket: calls that took as long as journal_times_from() says of the bucket, or
 *          longer, and less than it says of the next one: exact below 16 ns, a
 *          sixteenth wide above; the last one has all from 18 minutes on
 *
 * Of what waits for no disk (staged, a prepared commit, a retire by a bit, a read
 * from NVRAM), and of reads of many at a time, one call in about 32, at random, is
 * timed and counts as 32: reading the clock twice would cost such a call a third of
 * its time.  So their @count and @sum_ns are estimates; struct journal_info counts
 * exactly.
 */
struct journal_times {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t bucket[JOURNAL_TIME_BUCKETS];
};

/**
 * journal_times() - how long the calls took of all processes that share the journal
 * @which: of which calls
 * @times: receives it; others go on counting
 *
 * Since the first of them opened it; those of processes that are gone, or were
 * killed, are among them.  A handle that is read-only and recovered for itself (no
 * writer was there) has none, and its own reads are never among them.
 * Context: does not block.
 *
 * Return: 0, or
 * -EINVAL  @which is none of these
 * -ECHILD  the handle is of a process that forked this one
 */
int journal_times(struct journal *journal, enum journal_timed which,
		  struct journal_times *times);

/**
 * journal_times_since() - what came between two looks
 * @now:    from a later look; receives the difference
 * @before: from an earlier one, of the same journal, open without a break
 */
void journal_times_since(struct journal_times *now, const struct journal_times *before);

/**
 * journal_times_percentile() - so many percent of the calls took no longer
 * @times:   from journal_times() or journal_times_since()
 * @percent: above 0, up to 100
 * Return: nanoseconds, of the middle of the bucket (at most 1/32 off), and no more than
 * @max_ns of @times, where that is known; 0: no calls.
 */
uint64_t journal_times_percentile(const struct journal_times *times, double percent);

/**
 * journal_times_from() - where a bucket begins
 * @bucket: of struct journal_times; JOURNAL_TIME_BUCKETS: where the last one ends
 * Return: nanoseconds.
 */
uint64_t journal_times_from(unsigned int bucket);

/**
 * journal_times_name() - "staged", "direct" ...: as jnl stat and its JSON name it
 * Return: the name, or NULL: @which is none of these.
 */
const char *journal_times_name(enum journal_timed which);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
