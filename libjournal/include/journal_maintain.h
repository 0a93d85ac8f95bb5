/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: work in the background.  Part of journal.h, which includes it: what is
 * said there of errors, threads and handles holds here too.
 */
#ifndef JOURNAL_MAINTAIN_H
#define JOURNAL_MAINTAIN_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * struct journal_maintain_options - zero means the default
 * @stage_fill_percent: a lane's ring is destaged when it is filled above this; 50
 * @stage_age_ns:       or when its oldest transaction was committed longer ago; 1 s
 * @sound_for_ns:       NVRAM that was given up is gone back to when it was found sound in
 *                      all rounds for so long; 10 s.  When it was given up again within a
 *                      minute, twice as long the next time, and so on
 */
struct journal_maintain_options {
	uint32_t stage_fill_percent;
	uint64_t stage_age_ns;
	uint64_t sound_for_ns;
};

/**
 * struct journal_maintained - what one round has done
 * @takeovers:    dead members whose things were taken over
 * @unstaged:     transactions that left the stage: destaged, or retired before that.
 *                Which of both: destaged and elided of struct journal_info
 * @stage_bytes:  of the stage that are free again
 * @lanes_leased: lanes that somebody held: left alone
 * @lanes_stuck:  lanes that could not be destaged: the log is full, or the oldest
 *                transaction of the lane is damaged and waits for its retire
 * @cleaned:      log segments that are free again because what lived in them was moved
 * @lines_cleaned: marker lines, likewise
 * @checkpoints:  made (file: markers)
 * @more:         1: the next round has more to do; 0: not for now
 */
struct journal_maintained {
	uint32_t takeovers;
	uint64_t unstaged;
	uint64_t stage_bytes;
	uint32_t lanes_leased;
	uint32_t lanes_stuck;
	uint32_t cleaned;
	uint32_t lines_cleaned;
	uint32_t checkpoints;
	int more;
};

/**
 * journal_maintain() - one round of what somebody else would have to do in line
 * @options: NULL for all defaults
 * @done:    receives what was done; may be NULL
 *
 * Takes over what dead processes had; moves what is old, or much, from the stage to
 * the log, in large writes, and leaves out what is retired: that never touches the
 * disk; cleans one segment when few are free, and some lines; with file: markers, makes a
 * checkpoint when segments wait for one.  Bounded: at most a quarter of each lane,
 * one segment, one checkpoint.  Nobody has to call it, and any number may.
 *
 * Durable: what was acknowledged stays so throughout.
 * Context: blocks for reading and writing the log; never waits for a lane.
 *
 * Return: 0, or
 * -EROFS   opened read-only
 * -ECHILD  the handle is of a process that forked this one
 * -EINVAL  stage_fill_percent is over 100
 * -EIO     a medium has failed (sticky)
 * -ENOMEM  the rest of the round was done
 */
int journal_maintain(struct journal *journal, const struct journal_maintain_options *options,
		     struct journal_maintained *done);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
