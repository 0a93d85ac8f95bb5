/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The medium that takes NVRAM's place: a checkpoint file in DIR, made and allocated
 * while all is well.  Its checkpoints are written from the index: there is no map.
 */
#ifndef TXN_STAND_IN_H
#define TXN_STAND_IN_H

#include "txn/journal_impl.h"

/* the first writer's open; without one, j->stand_in_not says why.  Return: 0, or negative errno
 * with the text: a limit of this process is why, and others would be without one, too */
int stand_in_first(struct journal *j);
/* on_file.c: @store, which was opened as the journal's markers, is it */
void stand_in_take(struct journal *j, struct marker_store *store);
/* open it, if that was not done yet; Return: 0 or negative errno with the text.
 * Context: lines_lock, or nobody else has the handle. */
int stand_in_open(struct journal *j, struct message *message);
/* journal.conf names it; Return: 0 or negative errno with the text.  Context: health is
 * switching, and member.switching is set. */
int stand_in_enforce(struct journal *j);
void stand_in_close(struct journal *j);
/* where it is; Return: 0 or negative errno with the text */
int stand_in_path(const struct journal *j, char path[PATH_MAX], struct message *why);
/* where one is that was made for it */
int stand_in_own_path(const struct journal *j, char path[PATH_MAX], struct message *why);
/* group and mode of @path: as journal.conf; Return: 0 or negative errno with the text */
int stand_in_permissions(const struct journal *j, const char *path, struct message *why);

/* where checkpoints go */
static inline struct marker_store *checkpoint_store(const struct journal *j)
{
	return j->bits_durable ? j->stand_in : j->marker;
}

#endif
