/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: another marker medium.  Part of journal.h, which includes it: what is
 * said there of errors, threads and handles holds here too.
 */
#ifndef JOURNAL_MARKER_H
#define JOURNAL_MARKER_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * enum journal_doubt - what of a rescued transaction cannot be decided
 * @JOURNAL_DOUBT_RETIRED:   its record in the log certifies that it was committed;
 *                           it may have been retired
 * @JOURNAL_DOUBT_COMMITTED: its payload is in the log; the bit that would say whether
 *                           it was committed is gone, so it may also have been aborted
 * @JOURNAL_DOUBT_LOST:      the log names it, and no record of it verifies
 */
enum journal_doubt {
	JOURNAL_DOUBT_RETIRED = 1,
	JOURNAL_DOUBT_COMMITTED = 2,
	JOURNAL_DOUBT_LOST = 3,
};

/**
 * struct journal_marker_options - zero means the default, everywhere
 * @marker:        URI of the new marker medium; default: "file:" with DIR/markers
 * @marker_bytes:  size of a medium that has to be made; default 64 MiB
 * @assume_marker: class of the new medium asserted by the user; stored.  What was
 *                 asserted of the one before is forgotten
 * @force:         write over other content that the new medium holds, but over no log;
 *                 rescue: also a journal that opens, and without a log that is not there
 * @dry_run:       rescue: only tell what would be there
 * @undecided:     rescue: called in the calling thread for each transaction that will
 *                 be in the journal, in order of id; NULL: nobody wants to know
 * @context:       passed to @undecided
 * @progress:      told about recovery
 */
struct journal_marker_options {
	const char *marker;
	uint64_t marker_bytes;
	enum journal_class assume_marker;
	int force;
	int dry_run;
	void (*undecided)(void *context, const struct journal_entry *entry,
			  enum journal_doubt doubt);
	void *context;
	struct journal_progress progress;
};

/**
 * journal_set_marker() - move a journal to another marker medium
 * @dir:           the journal's directory
 * @options:       NULL for all defaults: a file
 * @message:       receives the text of an error, NUL-terminated; may be NULL.  On
 *                 success it is empty, or says what was left behind
 * @message_bytes: size of @message
 *
 * What is staged goes to the log, the new medium gets marks of all that lives, and
 * journal.conf is replaced: from then on the new one counts.  Ids, payloads, and what
 * is retired stay as they are.  The one before is overwritten; a file is removed.
 *
 * Durable: on return 0 all of it.  On an error, or after a crash, the journal is
 * either as it was, or on the new medium; nothing is lost in either.
 * While others have it open they go on (P14): it is moved to a file on the file system of
 * @dir, or to NVRAM, of the same kind as any that it had since the first of them opened it,
 * and of that size, or the default one (@marker_bytes: that, or 0); not to a device, which has
 * no bytes beside those that are in use.
 * Context: blocks.
 *
 * Return: 0, or
 * -EBUSY    the journal is in use, and cannot be moved meanwhile: the text has the pid
 * -EEXIST   there is other content on the new medium and @force is not set; or a log; or it
 *           is the one that the journal has
 * -EINVAL, -ENOTSUP   no such marker URI, or no backend for it; or no such size, or not now
 * -EPERM    the class of the new medium is below what the journal requires, or one who
 *           has it open
 * -ENOSPC   the new medium, or the log, is too small
 * or as journal_open().
 */
int journal_set_marker(const char *dir, const struct journal_marker_options *options,
		       char *message, size_t message_bytes);

/**
 * journal_rescue() - make a journal of what the log alone has
 * @dir:           the journal's directory
 * @options:       NULL for all defaults: a file
 * @message, @message_bytes: as for journal_set_marker()
 *
 * For a journal whose markers are dead, missing, replaced, or an old image.  Then it is
 * not known what is retired, nor what is committed only by its bit, and what was
 * staged and not yet destaged is gone without a name.  What the log certifies, and
 * nothing says to be retired, is there afterwards; so is what may have been
 * committed.  @undecided is told of each: whoever put them may know more, and
 * retires what is not wanted.  New ids are far above all that were seen.
 *
 * What is refused is refused before @undecided is called for the first time.
 *
 * Durable, Context: as journal_set_marker().  The medium before is not written to.  Is it
 * the file at which the new markers are to be, as by default, that one is kept as
 * FILE.damaged-1, or the next number that is free, and @message says so on success.
 *
 * Return: 0, or
 * -EALREADY the journal opens as it is and @force is not set
 * -ENOENT, -ENXIO, -ENODEV, -EIO, -EUCLEAN   one of the logs is not there, or cannot be
 *           read, and @force is not set: what is on it would be gone for good
 * or as journal_set_marker().
 */
int journal_rescue(const char *dir, const struct journal_marker_options *options,
		   char *message, size_t message_bytes);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
