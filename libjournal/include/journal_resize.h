/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: more room, less room, other disks, while the journal runs.  Part of
 * journal.h, which includes it: what is said there of errors, threads and handles holds
 * here too.
 */
#ifndef JOURNAL_RESIZE_H
#define JOURNAL_RESIZE_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * struct journal_resize_options - zero means the default, everywhere
 * @bytes:    of all logs together, as at format; 0: as many for each log as it has
 * @add:      directories or block devices that each get a log
 * @add_count: entries in @add
 * @add_mirrors: for each of them, where its second leg is to be, or NULL; NULL: none is
 *            mirrored
 * @remove:   logs that are to go: as journal_info() names them, or their directories
 * @remove_count: entries in @remove
 * @force:    new logs may write over other content
 * @dry_run:  only tell what would come of it, and whether it would be refused
 * @wait_ns:  how long to wait for transactions that keep a segment from being emptied,
 *            since the last progress; 10 s
 * @progress: told about zero-filling, then about segments that were emptied
 */
struct journal_resize_options {
	uint64_t bytes;
	const char *const *add;
	size_t add_count;
	const char *const *add_mirrors;
	const char *const *remove;
	size_t remove_count;
	int force;
	int dry_run;
	uint64_t wait_ns;
	struct journal_progress progress;
};

/**
 * struct journal_resized - what the journal had, and has
 * @bytes_before, @bytes:       of all logs
 * @segments_before, @segments: of all logs
 * @logs_before, @logs:         how many there are
 * @bytes_least: what options.bytes must be at least, with these logs, for what lives now
 * @held:        after -EBUSY: transactions in segments that could not be emptied
 */
struct journal_resized {
	uint64_t bytes_before, bytes;
	uint32_t segments_before, segments;
	uint32_t logs_before, logs;
	uint64_t bytes_least;
	uint64_t held;
};

/**
 * journal_resize() - add or remove segments and logs, while others use the journal
 * @journal: open to write
 * @options: what is wanted; logs that are added or removed change how many bytes there
 *           are in all, if bytes does not say
 * @resized: receives what was, and is, or would be; may be NULL
 *
 * It is done in steps: each log becomes longer, new logs are made, logs that are to go
 * are emptied, each log becomes shorter.  Each of them counts from one moment on, in
 * which journal.conf is replaced.  What is to go is emptied first: nothing new comes
 * into it, what lives there is moved, as the cleaner does.
 * Of a mirrored log both legs become longer or shorter; one that is not in use does when it
 * is brought up to date (journal_mirror()).
 * Durable: each step, at its moment.  After an error or a crash in the middle the journal
 * has the size and the logs of before or after one of the steps; what was made for
 * nothing, and files that are too long, go at the next call.  What is wrong with a place
 * for a new log is found before the first step, as far as it can be seen there.
 * Context: blocks, for zero-filling and for moving what lives; others read, commit and
 * retire meanwhile.
 *
 * Return: 0, or (with the steps before done)
 * -EINVAL   what is wanted makes no sense: the text says what does; or two logs at one
 *           place, or a mirror beside its log
 * -EBUSY    somebody resizes it already: the text has the pid; or transactions in what
 *           is to go cannot be moved now, or processes that are stopped hold segments open;
 *           or a device that is to be added is one of its logs, or a directory has one
 * -ENOSPC   less than what lives needs: the text, and bytes_least, say how much that is;
 *           or no space left for a log
 * -EEXIST   other content where a new log is to be: see force
 * -ENOENT   there is no such log to remove, or no such place for one
 * -EPERM    the new log survives less than the journal requires
 * -E2BIG    more than can be added while the journal is in use: the text has the limit
 * -EROFS    the journal is open read-only
 * -EIO      a medium has failed
 * or what the system said.
 */
int journal_resize(struct journal *journal, const struct journal_resize_options *options,
		   struct journal_resized *resized);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
