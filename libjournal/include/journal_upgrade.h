/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: to the newest format.  Part of journal.h, which includes it: what is said
 * there of errors, threads and handles holds here too.
 */
#ifndef JOURNAL_UPGRADE_H
#define JOURNAL_UPGRADE_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * struct journal_upgrade_options - zero means the default, everywhere
 * @dry_run: only tell what would be changed
 * @change:  called in the calling thread for each change, before any is made; NULL:
 *           nobody wants to know
 * @context: passed to @change
 */
struct journal_upgrade_options {
	int dry_run;
	void (*change)(void *context, const char *medium, const char *what);
	void *context;
};

/**
 * journal_upgrade() - make the media of the journal in @dir what this version would make
 * @dir:           the journal's directory
 * @options:       NULL for all defaults
 * @changes:       receives how many there were, or would be; may be NULL
 * @message:       receives the text of an error, NUL-terminated; may be NULL
 * @message_bytes: size of @message
 *
 * Turns on what older versions did not have yet, in both copies of each superblock, and
 * writes a damaged copy anew from the good one.  Nothing else changes: what is in the
 * journal stays.  A version that knows less may refuse it then; that is why it is not
 * done by journal_open().
 * Durable: on return 0.  After an error or a crash in the middle the journal is as
 * good as before, and another call ends it.
 * Context: blocks.
 *
 * Return: 0, or (nothing was changed)
 * -ENOENT   no journal there
 * -EUCLEAN  both copies of a superblock are damaged, or journal.conf makes no sense
 * -EPROTO   a newer version of the format, or a feature that this library does not know
 * -EXDEV    log and markers are of different journals (uuid)
 * -EBUSY    the journal is in use: the text has the pid
 * -ENOTSUP  the marker's backend, or its library, is not there
 * or what the system said (-EACCES, -EROFS, -EIO, -ENOMEM ...), perhaps in the middle.
 */
int journal_upgrade(const char *dir, const struct journal_upgrade_options *options,
		    unsigned int *changes, char *message, size_t message_bytes);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
