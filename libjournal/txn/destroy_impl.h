/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal that is being destroyed. */
#ifndef TXN_DESTROY_IMPL_H
#define TXN_DESTROY_IMPL_H

#include "format/log.h"
#include "store/log_store.h"
#include "store/marker_store.h"
#include "txn/conf.h"

/* one medium that journal.conf names */
struct destroy_part {
	const char *path;
	bool wipe;          /* overwrite it, by ... */
	struct log_store *log;
	struct marker_store *marker;
	uint64_t bytes;     /* ... this much */
	bool remove;        /* then remove it */
};

struct destroy {
	char dir[PATH_MAX]; /* resolved */
	const struct journal_destroy_options *options;
	struct message *message;
	struct conf conf;
	struct destroy_part marker;
	struct destroy_part abandoned; /* NVRAM that was given up: what it held is there yet */
	struct destroy_part logs[JOURNAL_LOGS_MAX], mirrors[JOURNAL_LOGS_MAX];
	uint64_t done, total; /* bytes to overwrite */
};

/* destroy_look.c: what there is, and whose.  Changes nothing.
 * Return: 0, or a reason not to begin */
int destroy_look(struct destroy *d);

/* destroy_wipe.c: overwrite one part, its superblocks last: what was begun can be
 * told for this journal's, and be ended, by another call.  Return: 0 or negative errno */
int destroy_wipe(struct destroy *d, struct destroy_part *part);

#endif
