/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/copies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/found.h"
#include "txn/holds.h"

/* ---- telling ---------------------------------------------------------------------- */

/* Of a disk that went bad there may be as many as there are blocks: a line for each segment
 * will do. */
struct repair {
	uint32_t log, number;
	unsigned int leg;
	uint64_t first, last, places; /* offsets in the log */
};

struct repairs {
	struct repair *all;
	size_t count, room;
};

static struct repair *repairs_find(struct repairs *r, uint32_t log, uint32_t number,
				   unsigned int leg)
{
	size_t i;

	/* the newest are looked for most */
	for (i = r->count; i--;)
		if (r->all[i].number == number && r->all[i].log == log && r->all[i].leg == leg)
			return &r->all[i];
	return NULL;
}

static bool repairs_room(struct repairs *r)
{
	size_t room = r->room ? 2 * r->room : 16;
	struct repair *all = r->count < r->room ? r->all : reallocarray(r->all, room, sizeof(*all));

	if (!all)
		return false;
	r->room = r->count < r->room ? r->room : room;
	r->all = all;
	return true;
}

/* Return: whether it is told later */
static bool repairs_add(struct journal *j, uint32_t log, uint32_t number, unsigned int leg,
			uint64_t offset)
{
	struct repair *repair = NULL;

	/* recovery's threads, and what is done in the background, read, too */
	pthread_mutex_lock(&j->found_lock);
	if (j->repairs) {
		repair = repairs_find(j->repairs, log, number, leg);
		if (!repair && repairs_room(j->repairs)) {
			repair = &j->repairs->all[j->repairs->count++];
			*repair = (struct repair){ .log = log, .number = number, .leg = leg,
						   .first = offset, .last = offset };
		}
	}
	if (repair) {
		repair->first = min_u64(repair->first, offset);
		repair->last = max_u64(repair->last, offset);
		repair->places++;
	}
	pthread_mutex_unlock(&j->found_lock);
	return repair;
}

static void repairs_tell(struct journal *j, const struct repair *repair)
{
	struct log_copy copy, other;

	log_copies_look(j->logs[repair->log], repair->leg, &copy);
	log_copies_look(j->logs[repair->log], !repair->leg, &other);
	if (repair->places == 1)
		found_remark(j, 0, "%s: segment %u, at %llu of the log: this copy was damaged, and "
			     "is repaired from %s", copy.path, repair->number,
			     (unsigned long long)repair->first, other.path);
	else
		found_remark(j, 0, "%s: segment %u, %llu places between %llu and %llu of the log: "
			     "this copy was damaged, and is repaired from %s", copy.path,
			     repair->number, (unsigned long long)repair->places,
			     (unsigned long long)repair->first,
			     (unsigned long long)repair->last, other.path);
}

void copies_gather(struct journal *j)
{
	/* without memory each is told by itself */
	j->repairs = calloc(1, sizeof(*j->repairs));
}

void copies_gathered(struct journal *j)
{
	struct repairs *repairs;
	size_t i;

	pthread_mutex_lock(&j->found_lock);
	repairs = j->repairs;
	j->repairs = NULL;
	pthread_mutex_unlock(&j->found_lock);
	for (i = 0; repairs && i < repairs->count; i++)
		repairs_tell(j, &repairs->all[i]);
	if (repairs)
		free(repairs->all);
	free(repairs);
}

void copies_tell(struct journal *j, uint32_t log, uint32_t number, unsigned int leg,
		 uint64_t offset, bool repaired)
{
	struct log_copy copy, other;
	char where[32] = "";

	log_copies_damaged(j->logs[log], leg, offset, repaired);
	if (!j->found || (repaired && number != NO_SEGMENT &&
			  repairs_add(j, log, number, leg, offset)))
		return;
	log_copies_look(j->logs[log], leg, &copy);
	log_copies_look(j->logs[log], !leg, &other);
	if (number != NO_SEGMENT)
		(void)snprintf(where, sizeof(where), "segment %u, ", number);
	if (repaired)
		found_remark(j, 0, "%s: %sat %llu of the log: this copy was damaged, and is "
			     "repaired from %s", copy.path, where, (unsigned long long)offset,
			     other.path);
	else
		found_damage(j, 0, "%s: %sat %llu of the log: this copy is damaged, that on %s is "
			     "good", copy.path, where, (unsigned long long)offset, other.path);
}

/* ---- reading ---------------------------------------------------------------------- */

/*
 * What was verified, and no more: of its neighbours in the same blocks the copy on @leg may
 * be the only good one.  Where that cannot be read, there is nothing to keep.
 * Return: 0, or negative errno
 */
static int copies_write(struct copies *c, unsigned int leg, const struct log_io *io)
{
	struct log_store *store = c->j->logs[c->log];
	struct log_io whole = *io;
	int error;

	if (!c->bytes)
		return log_copies_repair(store, leg, &whole);
	whole.bytes = (uint32_t)min_u64(io->bytes, round_up(c->from + c->bytes,
							    c->j->block_bytes));
	if (posix_memalign(&whole.buffer, 4096, whole.bytes))
		return -ENOMEM;
	if (log_copies_read(store, leg, &whole, 1))
		memcpy(whole.buffer, io->buffer, whole.bytes);
	else
		memcpy((uint8_t *)whole.buffer + c->from, (uint8_t *)io->buffer + c->from,
		       c->bytes);
	error = log_copies_repair(store, leg, &whole);
	free(whole.buffer);
	return error;
}

/* @io is what the other leg has, verified. */
static void copies_repair(struct copies *c, unsigned int leg, const struct log_io *io)
{
	struct journal *j = c->j;
	bool repaired = false;

	/* it may be on its way, or gone; who only reads, and looks for damage, looks again */
	if (!c->stays && !j->read_only)
		return;
	if (c->stays && !j->read_only)
		repaired = !copies_write(c, leg, io);
	copies_tell(j, c->log, c->number, leg, io->offset, repaired);
}

static int copies_try(struct copies *c, unsigned int leg, struct log_io *io)
{
	int error = log_copies_read(c->j->logs[c->log], leg, io, 1);

	return error ? error : c->verify(c, io);
}

/* Both, one after the other; the first one again, if the second one is bad. */
static int copies_each(struct copies *c, struct log_io *io)
{
	int first = copies_try(c, 0, io), second = copies_try(c, 1, io);

	if (!first && second) {
		/* it may have been recycled, or moved: then there is nothing to repair */
		first = copies_try(c, 0, io);
		if (!first)
			copies_repair(c, 1, io);
		return first;
	}
	if (first && !second)
		copies_repair(c, 0, io);
	return second;
}

int copies_read(struct copies *c, struct log_io *io)
{
	struct log_store *store = c->j->logs[c->log];
	int error;

	if (!copies_all(c->j, c->log)) {
		error = log_store_read(store, io, 1);
		if (!error)
			error = c->verify(c, io);
		if (!error || !log_copies_several(store))
			return error;
	}
	return copies_each(c, io);
}

/* ---- records -------------------------------------------------------------------- */

struct copied {
	uint32_t offset;
	struct record *record;
	bool sealed;
};

/* Somebody's slot names it: it was written whole, before that, on both legs. */
static bool copied_is_published(struct journal *j, uint32_t number, const struct copied *copied)
{
	const struct log_meta *meta = &copied->record->meta;
	struct found found;
	uint32_t i;

	for (i = 0; i < meta->count; i++)
		if (!found_look(j, meta->id + i, &found) &&
		    where_kind(found.where) == WHERE_LOG &&
		    where_segment(found.where) == number &&
		    where_offset(found.where) == copied->offset)
			return true;
	return false;
}

static int copied_verify(struct copies *c, const struct log_io *io)
{
	struct copied *copied = c->context;
	struct journal *j = c->j;
	int error = record_verify(j, c->number, copied->offset, io, copied->record);

	if (error)
		return error;
	/* in its own blocks, and none behind it: what is there may be on its way */
	c->from = copied->offset % j->block_bytes;
	c->bytes = LOG_RECORD_BYTES + copied->record->meta.bytes;
	if (!j->recovering && c->stays && !copied->sealed)
		c->stays = copied_is_published(j, c->number, copied);
	return 0;
}

/* Hold the segment in this use of it, whatever becomes of the record. */
static bool copied_keep(struct journal *j, struct segment *segment, bool *sealed)
{
	uint64_t use = atomic_load(&segment->use);
	enum segment_state state;

	if (j->read_only || j->recovering)
		return false;
	do {
		state = segment_state_of(use);
		if ((state != SEGMENT_SEALED && state != SEGMENT_OPEN) || !segment_live_of(use))
			return false;
	} while (!atomic_compare_exchange_weak(&segment->use, &use, use + 1));
	*sealed = state == SEGMENT_SEALED;
	holds_count(j, segment, 1);
	return true;
}

int copies_record(struct journal *j, uint32_t number, uint32_t offset, struct log_io *io,
		  struct record *record)
{
	struct segment *segment = &j->segments.all[number];
	struct copied copied = { .offset = offset, .record = record };
	struct copies c = { .j = j, .log = segment_log(j, number), .number = number,
			    .verify = copied_verify, .context = &copied };
	bool kept;
	int error;

	if (!log_copies_several(j->logs[c.log]))
		return -EBADMSG;
	kept = copied_keep(j, segment, &copied.sealed);
	c.stays = kept || j->recovering;
	error = copies_each(&c, io);
	if (kept)
		holds_end(j, segment, 1);
	return error;
}

bool copies_agree(struct journal *j, uint32_t log, struct log_io *io, void *spare)
{
	struct log_io other = *io;

	other.buffer = spare;
	return !log_copies_read(j->logs[log], 0, io, 1) &&
	       !log_copies_read(j->logs[log], 1, &other, 1) &&
	       !memcmp(io->buffer, spare, io->bytes);
}
