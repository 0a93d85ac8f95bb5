/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving what lives in one segment: what its files share.  clean_victim.c says how. */
#ifndef TXN_CLEAN_IMPL_H
#define TXN_CLEAN_IMPL_H

#include "format/summary.h"
#include "txn/clean.h"
#include "txn/clean_job.h"
#include "txn/moved.h"

struct survivor {
	struct slot *slot;
	uint64_t number;
	uint64_t from;
	uint64_t to; /* 0: not copied */
	uint32_t line;
	uint32_t at;           /* slot in the line */
	uint32_t bytes, units; /* of its payload; of the copy's record */
};

/* one in several pieces, some of which are here */
struct large {
	struct slot_place at;
	uint64_t id;
	uint64_t from; /* its final record, here or not */
	uint64_t cost; /* in bytes: what lies here, and the final record */
	uint32_t units, holds;
};

struct clean {
	struct journal *j;
	struct clean_job *job;
	struct segment *victim;
	struct survivor *all; /* by offset, once they are all known */
	uint32_t count, room;
	struct large *larges;
	uint32_t large_count, large_room;
	uint32_t lines; /* that the survivors are of */
	bool pinned;    /* something in it cannot be moved */
	bool no_memory;
	uint8_t *window;
	uint64_t window_from, window_to;
	struct stream *to;                  /* of the copies; NULL: none yet */
	uint64_t first_ticket, last_ticket; /* 0: none */
};

/* ---- clean_collect.c ---- */

struct copies;

/* From whichever copy @good says 0 to; its first argument's context is @context.  The
 * segment is sealed, and the cleaner holds it. */
int clean_read(struct clean *c, uint64_t offset, void *buffer, uint64_t bytes,
	       int (*good)(struct copies *copies, const struct log_io *io), const void *context);
/* what lives there.  Return: 0, or -ENOMEM, or its summary is not to be had */
int clean_collect(struct clean *c);

/* ---- clean_victim.c ---- */

/* Append a copy of the record; Return: as stream_append(). */
struct stream_record;
struct stream_place;
int clean_append(struct clean *c, const struct stream_record *record, struct stream_place *place);
/* what was appended since @first_ticket was 0 is durable.  Return: as stream_wait() */
int clean_wait(struct clean *c);

/* ---- clean_large.c ---- */

/* It may have pieces here: noted, if it has. */
void clean_large_look(struct clean *c, const struct slot_place *at, uint64_t id, uint64_t where);
/* bytes that moving them takes */
uint64_t clean_larges_cost(const struct clean *c);
/* Return: as clean_victim() */
int clean_larges_move(struct clean *c);

#endif
