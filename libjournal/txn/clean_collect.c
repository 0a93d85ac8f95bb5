/* SPDX-License-Identifier: BSD-3-Clause */
/* What lives in one segment: its digest and table say what is in it, the index what of
 * that still lives here. */
#include <errno.h>
#include <stdlib.h>

#include "txn/clean_impl.h"
#include "txn/copies.h"
#include "txn/segment.h"
#include "util/crc32c.h"

int clean_read(struct clean *c, uint64_t offset, void *buffer, uint64_t bytes,
	       int (*good)(struct copies *copies, const struct log_io *io), const void *context)
{
	uint32_t number = c->victim->number;
	struct log_io io = {
		.offset = segment_base(c->j, number) + offset,
		.buffer = buffer,
		.bytes = (uint32_t)bytes,
	};
	struct copies copies = { .j = c->j, .log = segment_log(c->j, number), .number = number,
				 .verify = good, .context = (void *)(uintptr_t)context,
				 .stays = true };

	return copies_read(&copies, &io);
}

static int clean_digest_good(struct copies *copies, const struct log_io *io)
{
	const struct journal *j = copies->j;
	const struct clean *c = copies->context;
	const struct summary_head *digest = io->buffer;

	return summary_validate(digest, j->digest_bytes, j->segment_bytes, c->victim->number,
				j->geometry.nonce) ||
			       get_le64(digest->seq) != c->victim->seq ? -EBADMSG : 0;
}

static int clean_digest(struct clean *c, struct summary_head **out)
{
	struct journal *j = c->j;
	void *digest;
	int error;

	if (posix_memalign(&digest, 4096, j->digest_bytes))
		return -ENOMEM;
	error = clean_read(c, j->segment_bytes - j->digest_bytes, digest, j->digest_bytes,
			   clean_digest_good, c);
	*out = digest;
	if (error)
		free(digest);
	return error;
}

struct clean_table {
	uint32_t bytes, seed, crc;
};

static int clean_table_good(struct copies *copies, const struct log_io *io)
{
	const struct clean_table *table = copies->context;

	return crc32c(table->seed, io->buffer, table->bytes) == table->crc ? 0 : -EBADMSG;
}

static int clean_table(struct clean *c, const struct summary_head *digest,
		       struct summary_entry **out)
{
	struct journal *j = c->j;
	uint32_t bytes = summary_table_bytes(digest);
	uint32_t offset = get_le32(digest->table_offset);
	uint64_t room = round_up(bytes, j->block_bytes);
	const struct clean_table wanted = { bytes, c->victim->seed, get_le32(digest->table_crc) };
	void *table;
	int error;

	if (offset % j->block_bytes || offset + room > j->segment_bytes)
		return -EBADMSG;
	if (posix_memalign(&table, 4096, room + j->block_bytes))
		return -ENOMEM;
	error = bytes ? clean_read(c, offset, table, room, clean_table_good, &wanted) : 0;
	*out = table;
	if (error)
		free(table);
	return error;
}

static void clean_add(struct clean *c, const struct survivor *survivor)
{
	uint32_t room = c->room ? c->room * 2 : 64;
	struct survivor *grown;

	if (c->count == c->room) {
		grown = realloc(c->all, room * sizeof(*grown));
		if (!grown) {
			c->no_memory = true;
			return;
		}
		c->all = grown;
		c->room = room;
	}
	c->all[c->count++] = *survivor;
}

/* one slot that the table names */
struct named {
	struct slot_place at;
	uint64_t id;
	bool part; /* only pieces that are not the last */
};

static bool named_is_committed(const struct journal *j, const struct slot_place *at)
{
	return atomic_load(&j->lines[at->line].committed[at->slot / 64]) >> (at->slot & 63) & 1;
}

/* Lost, and this is its witness, or what is left of it does not lie in the log. */
static bool where_is_lost_elsewhere(const struct clean *c, uint64_t where)
{
	return where_kind(where) == WHERE_LOST &&
	       (!(where & WHERE_LOST_SEGMENT) || where_segment(where) != c->victim->number);
}

/*
 * It pins the segment when it holds it and cannot be moved: one that is lost, of which
 * this is the only witness, until it is retired; one that is prepared and not committed
 * yet, until it is, or is aborted; one on its way from the stage, for that moment.
 */
static void clean_look(struct clean *c, const struct named *named)
{
	const struct slot_place *at = &named->at;
	struct journal *j = c->j;
	struct slot *slot;
	uint64_t where;
	bool here;

	if (at->line >= j->shared->lines_used || !slot_place_valid(j, at) ||
	    slot_is_claimed(j, at))
		return;
	slot = slot_at(j, at);
	where = atomic_load(&slot->where);
	here = where_kind(where) == WHERE_LOG && where_segment(where) == c->victim->number;
	if (where_is_lost_elsewhere(c, where))
		return;
	if (where_kind(where) == WHERE_LOG && named_is_committed(j, at)) {
		if (where & WHERE_MULTI)
			clean_large_look(c, at, named->id, where);
		else if (here)
			clean_add(c, &(struct survivor){
				.slot = slot, .number = at->number, .from = where,
				.line = at->line, .at = at->slot,
				.bytes = atomic_load(&slot->bytes),
				.units = atomic_load(&slot->units),
			});
		return;
	}
	/* of those that have moved on to another segment nothing is left here */
	if (here || named->part || where_kind(where) != WHERE_LOG)
		c->pinned = true;
}

/* It was moved to another line since it was put here: with its final record alone. */
static void clean_look_moved(struct clean *c, const struct named *named)
{
	struct journal *j = c->j;
	struct moved m;
	uint64_t where;

	if (moved_find(j, named->id, &m) || slot_place_same(&m.at, &named->at) ||
	    !slot_place_valid(j, &m.at) || slot_is_claimed(j, &m.at))
		return;
	where = atomic_load(&slot_at(j, &m.at)->where);
	if (where_kind(where) == WHERE_LOG && where & WHERE_MULTI)
		clean_large_look(c, &m.at, named->id, where);
}

static int by_offset(const void *a, const void *b)
{
	const struct survivor *left = a, *right = b;
	uint32_t x = where_offset(left->from), y = where_offset(right->from);

	if (x == y)
		return left->at < right->at ? -1 : left->at > right->at;
	return x < y ? -1 : 1;
}

static void clean_each(struct clean *c, const struct summary_head *digest,
		       const struct summary_entry *table,
		       void (*look)(struct clean *c, const struct named *named))
{
	const struct summary_line *line = (const struct summary_line *)(digest + 1);
	const __le64 *ids = (const __le64 *)(const void *)(table + get_le32(digest->entries));
	uint32_t i, before, size, entry = 0, id = 0;
	struct named named;

	for (i = 0; i < get_le32(digest->lines); i++, line++) {
		before = c->count;
		named.at.line = get_le32(line->line);
		named.at.number = get_le64(line->epoch);
		for (named.at.slot = 0; named.at.slot < SLOTS_PER_LINE; named.at.slot++) {
			if (!(get_le64(line->used[named.at.slot / 64]) >> (named.at.slot & 63) & 1))
				continue;
			size = get_le32(table[entry++].size);
			named.part = size & SUMMARY_PART;
			named.id = size & SUMMARY_MOVED && id < get_le32(digest->ids) ?
					   get_le64(ids[id++]) :
					   id_make(named.at.number, named.at.slot);
			look(c, &named);
		}
		c->lines += c->count > before;
	}
}

/* what holds it, of what was found */
static uint64_t clean_found(const struct clean *c)
{
	uint64_t holds = c->count;
	uint32_t i;

	for (i = 0; i < c->large_count; i++)
		holds += c->larges[i].holds;
	return holds;
}

int clean_collect(struct clean *c)
{
	struct summary_head *digest;
	struct summary_entry *table;
	int error = clean_digest(c, &digest);

	if (error)
		return error;
	error = clean_table(c, digest, &table);
	if (error) {
		free(digest);
		return error;
	}
	clean_each(c, digest, table, clean_look);
	/* beside our own hold there is more than was found */
	if (!c->pinned && moved_any(c->j) &&
	    segment_live_of(atomic_load(&c->victim->use)) > clean_found(c) + 1)
		clean_each(c, digest, table, clean_look_moved);
	free(table);
	free(digest);
	if (c->count)
		qsort(c->all, c->count, sizeof(*c->all), by_offset);
	return c->no_memory ? -ENOMEM : 0;
}
