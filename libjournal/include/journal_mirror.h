/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: mirrored logs.  Part of journal.h, which includes it: what is said there of
 * errors, threads and handles holds here too.
 *
 * A log may be made to lie on two media, its legs, on two disks (mirrors of struct
 * journal_format_options).  A write counts when it is durable on both; reads go to
 * either.  A copy that does not verify is read from the other leg, and written anew from
 * it.  A leg that fails, or is not there at open, is left: the journal goes on with the
 * other one, which says so on its medium, until journal_mirror() has brought the first
 * one up to date, or the disk that has its place.
 */
#ifndef JOURNAL_MIRROR_H
#define JOURNAL_MIRROR_H

#include "journal_info.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define JOURNAL_LEGS 2u

/**
 * enum journal_leg_state - of one of the two
 * @JOURNAL_LEG_GOOD:    it has all of the log, and is used
 * @JOURNAL_LEG_MISSING: it is not there, or nothing of this log is
 * @JOURNAL_LEG_OUT:     it is there, and out of date: the other one went on without it
 * @JOURNAL_LEG_COPYING: as that, and it is being brought up to date: written, not read
 */
enum journal_leg_state {
	JOURNAL_LEG_GOOD = 1,
	JOURNAL_LEG_MISSING = 2,
	JOURNAL_LEG_OUT = 3,
	JOURNAL_LEG_COPYING = 4,
};

/**
 * struct journal_leg - one of the two, and what is known of it
 * @medium:       as of a log; of one that is missing: its name, and why, as evidence
 * @state:        whether it is used
 * @left_time_ns: since when the other one goes on without it, CLOCK_REALTIME, in whole
 *                seconds; 0: it does not
 * @why:          what was wrong with it; empty: nothing
 * @damaged:      copies on it that did not verify when the other one did, since the first
 *                of those who have the journal open opened it, of all processes
 * @repaired:     of these, those that were written anew
 * @damaged_offset: in the log, of the last one of @damaged
 * @repaired_time_ns: when the last one was repaired; 0: never
 * @same_disk:    1: both legs are on one disk, or in one file system: what takes the one may
 *                take the other
 */
struct journal_leg {
	struct journal_medium medium;
	enum journal_leg_state state;
	uint64_t left_time_ns;
	char why[160];
	uint64_t damaged;
	uint64_t repaired;
	uint64_t damaged_offset;
	uint64_t repaired_time_ns;
	int same_disk;
};

/**
 * journal_legs() - how it stands with the legs of a mirrored log
 * @log:  its number, from 0 on, as in struct journal_info
 * @legs: receives them, the one that journal.conf calls "log" first
 * Context: does not block.
 * Return: 0, -ENOENT the log is not mirrored, -EINVAL there is no such log.
 */
int journal_legs(struct journal *journal, uint32_t log, struct journal_leg legs[JOURNAL_LEGS]);

/**
 * struct journal_mirror_options - zero means the default, everywhere
 * @keep:     the leg that is to count: as journal.conf has it, or a path that leads to it,
 *            or to the directory that it alone of all legs is in.  Only where it cannot
 *            be known: each of two has gone on without the other one, or the one that is
 *            there is out of date.  What the other one alone has is gone then; where it
 *            is there, and is known to have all, that is refused
 * @found:    called for each finding, in the calling thread: what was damaged and is
 *            repaired, what was copied, is no damage; NULL: nobody wants to know
 * @context:  passed to @found
 * @progress: told about copying, then about reading both copies; others go on meanwhile
 * @recovery: told about recovery, if nobody has it open; others wait until that is done
 */
struct journal_mirror_options {
	const char *keep;
	void (*found)(void *context, const struct journal_finding *finding);
	void *context;
	struct journal_progress progress, recovery;
};

/**
 * journal_mirror() - both legs of each mirrored log are good again
 * @dir:           the journal's directory
 * @options:       NULL for all defaults
 * @message:       receives the text of an error, NUL-terminated; may be NULL
 * @message_bytes: size of @message
 *
 * A leg that is out of date gets all that the other one has; one that is missing is made
 * first, where journal.conf has it.  What is on that medium already is not written over,
 * unless it is of this log.  Of logs with two good legs both copies of all that lives are
 * then read, and a damaged one is written anew from the other; if nobody else has the journal
 * open, those of superblocks, and of the heads and digests of segments, too.
 * It opens the journal as any writer does: others have it open, or come and open it, and go
 * on.  They write the leg again from the beginning, and read it when it is up to date.  One
 * who cannot open or write it ends that: the leg is left as it was.
 * Durable: on return 0.  After a crash in between the leg is out of date as before; another
 * call begins anew, and writes only what differs.
 * Context: blocks; @keep: nobody else may have the journal open.
 *
 * Return: 0, or
 * -EINVAL   no log is mirrored, or a medium does not fit
 * -ENOENT   no journal there, or @keep is no leg of it
 * -EINVAL   @keep may be any of several legs, or the other leg is there and has all
 * -EUCLEAN  @found was told of damage that is on both legs, or in what is not mirrored;
 *           or as journal_open()
 * -EBUSY    the journal is in use, and @keep given, or it is being resized, or another one
 *           does this: the text has the pid
 * -EPERM    a leg survives less than the journal was opened for
 * -EAGAIN   processes died in the moment of its end, again and again
 * -EEXIST   something else is where the leg is to be made
 * or as journal_open().
 */
int journal_mirror(const char *dir, const struct journal_mirror_options *options, char *message,
		   size_t message_bytes);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
