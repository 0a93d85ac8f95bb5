/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a journal's media, and whether they survive what is required. */
#ifndef TXN_MEDIA_H
#define TXN_MEDIA_H

#include "txn/journal_impl.h"

/**
 * media_class() - the class in force, or a refusal
 * @assumed: by the user; unset: by evidence
 * Return: 0, or -EPERM with medium, class and evidence in the text.
 */
int media_class(const char *name, enum journal_class by_evidence, const char *evidence,
		enum journal_class assumed, enum journal_class require,
		enum journal_class *class, struct message *message);

/* Open and validate what j->conf names; into @j. */
int media_open(struct journal *j, unsigned int flags,
	       struct message *message);
/* Who looks beside writers: other logs or segments than when journal.conf was read, so
 * that what was to be found may not have been there any more (resize.h).
 * Return: -ESTALE, with the text, or @error. */
int media_unchanged(struct journal *j, int error);

/**
 * media_mend() - superblocks of which one copy is damaged: written anew from the other
 * Context: the first writer, once it has recovered, and nobody else is there.
 * Return: 0, or the sticky failure
 */
int media_mend(struct journal *j);

/* of all logs together: about what they hold */
uint64_t media_log_bytes(const struct journal *j);

void media_close(struct journal *j);

#endif
