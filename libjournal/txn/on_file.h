/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A journal whose markers are a file, and that can be moved to NVRAM while any number of
 * processes go on.
 *
 * To them it is one that has given NVRAM up (health.h), without ever having had any: the
 * file is the stand-in, its checkpoints are written from the index, and the map, lanes and
 * rings are there, in memory of nobody, with the shape of what may come.  So going to NVRAM
 * is what going back to it is (returning.h), and whoever can do the one can do the other.
 *
 * View 0 says that it has not been moved, or that this was called off: then it is no
 * emergency, lines are cleaned, and the last one leaves word of where they go on.
 */
#ifndef TXN_ON_FILE_H
#define TXN_ON_FILE_H

#include "txn/journal_impl.h"

/* before the mapping is made: what there has to be room for */
void on_file_room(struct journal *j);

/* the first writer, after recovery.  Return: 0 or negative errno with the text */
int on_file_begin(struct journal *j);

/* who joins.  Return: 0, -EPERM, or what the system said, with the text */
int on_file_join(struct journal *j, struct message *message);

/*
 * The file gets the name that a stand-in has, as well, so that its own may go.  Where that
 * cannot be, it keeps the one that it has.  Context: of the journal's directory, whoever
 * has the journal open.  Return: 0 or negative errno with the text.
 */
int on_file_name(struct journal *j);

#endif
