/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a sealed segment: its digest says which transactions have bytes in
 * it, the markers which of those may be live, the table where they are.  Only
 * these are read, in runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/copies.h"
#include "txn/found.h"
#include "txn/line.h"
#include "txn/recover.h"
#include "txn/segment.h"
#include "util/crc32c.h"

#define RUN_BYTES     LOG_BUFFER_BYTES
#define RUN_GAP_BYTES 65536u /* read through: cheaper than one more request */
#define RUNS          4u     /* in flight together */
#define RUN_ROOM      (RUN_BYTES + 8192u)
#define BUFFERS_BYTES ((RUNS + 1ul) * RUN_ROOM) /* the last one: for a second copy */

struct wanted {
	uint32_t offset, bytes;
	uint32_t line, slot;
	uint64_t number, id;
	bool self;
};

struct sealed {
	struct recovery *r;
	uint32_t segment;
	struct wanted *wanted;
	uint32_t count;
};

struct run {
	uint32_t first, count; /* in wanted */
	uint64_t from, to;     /* blocks of the segment */
};

static uint32_t sealed_line_candidates(struct recovery *r, const struct summary_line *line)
{
	uint32_t number = get_le32(line->line), word, count = 0;
	const struct line *state;

	if (number >= r->j->shared->lines_used)
		return 0;
	state = &r->j->lines[number];
	for (word = 0; word < MARKER_LINE_WORDS && state->number == get_le64(line->epoch); word++)
		count += (uint32_t)__builtin_popcountll(get_le64(line->used[word]) &
							~state->claimed[word]);
	return count;
}

static uint32_t sealed_candidates(struct recovery *r, const struct summary_head *digest)
{
	const struct summary_line *lines = (const struct summary_line *)(digest + 1);
	uint32_t i, count = 0;

	for (i = 0; i < get_le32(digest->lines); i++)
		count += sealed_line_candidates(r, &lines[i]);
	return count;
}

static int sealed_table_good(struct copies *c, const struct log_io *io)
{
	const struct summary_head *digest = c->context;

	return crc32c(c->j->segments.all[c->number].seed, io->buffer,
		      summary_table_bytes(digest)) == get_le32(digest->table_crc) ? 0 : -EBADMSG;
}

static struct summary_entry *sealed_table(struct sealed *s, const struct summary_head *digest)
{
	struct journal *j = s->r->j;
	uint32_t bytes = summary_table_bytes(digest);
	struct log_io io = {
		.offset = segment_base(j, s->segment) + get_le32(digest->table_offset),
		.bytes = (uint32_t)round_up(bytes, j->block_bytes),
	};
	struct copies copies = {
		.j = j, .log = segment_log(j, s->segment), .number = s->segment,
		.verify = sealed_table_good, .context = (void *)(uintptr_t)digest,
		.stays = true,
	};

	if (get_le32(digest->table_offset) % j->block_bytes ||
	    get_le32(digest->table_offset) + io.bytes > j->segment_bytes)
		return NULL;
	if (posix_memalign(&io.buffer, 4096, io.bytes + j->block_bytes)) {
		s->r->no_memory = true;
		return NULL;
	}
	atomic_fetch_add(&s->r->bytes_read, io.bytes);
	if (copies_read(&copies, &io)) {
		free(io.buffer);
		return NULL;
	}
	return io.buffer;
}

/* @id: 0: what the slot says */
static void sealed_want(struct sealed *s, const struct summary_line *line,
			const struct summary_entry *entry, uint32_t slot, uint64_t id)
{
	struct journal *j = s->r->j;
	uint32_t size = get_le32(entry->size);
	uint64_t offset = get_le32(entry->offset) * 32ull;
	uint64_t bytes = (size & SUMMARY_SIZE) * 32ull;

	if (!recover_may_live(s->r, get_le32(line->line), get_le64(line->epoch), slot) ||
	    size & SUMMARY_PART)
		return;
	if (bytes > RUN_BYTES || offset + bytes > j->segment_bytes) {
		offset = 0; /* where no record is: lost */
		bytes = LOG_RECORD_BYTES;
	}
	/* an extent whose bit is not set was never committed */
	if (!(size & SUMMARY_SELF) && !recover_bit_set(s->r, get_le32(line->line), slot))
		return;
	s->wanted[s->count++] = (struct wanted){
		.offset = (uint32_t)offset,
		.bytes = (uint32_t)bytes,
		.line = get_le32(line->line),
		.slot = slot,
		.number = get_le64(line->epoch),
		.id = id,
		.self = size & SUMMARY_SELF,
	};
}

static int wanted_by_offset(const void *a, const void *b)
{
	const struct wanted *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Where one lane was destaged after the other they come in order: then not even that. */
static void sealed_sort(struct sealed *s)
{
	uint32_t i = 1;

	while (i < s->count && s->wanted[i - 1].offset <= s->wanted[i].offset)
		i++;
	if (i < s->count)
		qsort(s->wanted, s->count, sizeof(*s->wanted), wanted_by_offset);
}

static void sealed_want_all(struct sealed *s, const struct summary_head *digest,
			    const struct summary_entry *table)
{
	const struct summary_line *lines = (const struct summary_line *)(digest + 1);
	const __le64 *ids = (const __le64 *)(const void *)(table + get_le32(digest->entries));
	uint32_t i, slot, entry = 0, next_id = 0;
	uint64_t id;

	for (i = 0; i < get_le32(digest->lines); i++)
		for (slot = 0; slot < SLOTS_PER_LINE; slot++) {
			if (!(get_le64(lines[i].used[slot / 64]) >> (slot & 63) & 1))
				continue;
			id = 0;
			if (get_le32(table[entry].size) & SUMMARY_MOVED &&
			    next_id < get_le32(digest->ids))
				id = get_le64(ids[next_id++]);
			sealed_want(s, &lines[i], &table[entry++], slot, id);
		}
	sealed_sort(s);
}

/* ---- reading ---- */

static uint32_t sealed_run(const struct sealed *s, uint32_t first, struct run *run)
{
	const struct journal *j = s->r->j;
	const struct wanted *w = &s->wanted[first];
	uint32_t i;
	uint64_t end;

	run->first = first;
	run->from = round_down(w->offset, j->block_bytes);
	run->to = round_up(w->offset + (uint64_t)w->bytes, j->block_bytes);
	for (i = first + 1; i < s->count; i++) {
		w = &s->wanted[i];
		end = round_up(w->offset + (uint64_t)w->bytes, j->block_bytes);
		if (w->offset > run->to + RUN_GAP_BYTES || end - run->from > RUN_BYTES)
			break;
		run->to = max_u64(run->to, end);
	}
	run->count = i - first;
	return i;
}

/* Named here and, unless it is known by now, not to be read: lost. */
static void sealed_lose(struct sealed *s, const struct wanted *w)
{
	pthread_mutex_lock(&s->r->lock);
	if (w->id)
		recover_moved_note(s->r, w->line, w->slot, w->id);
	recover_lose(s->r, w->line, w->slot, WHY_RECORD, s->segment);
	pthread_mutex_unlock(&s->r->lock);
}

/* Return: whether it is there, and is entered */
static bool sealed_record(struct sealed *s, const struct wanted *w, const uint8_t *bytes)
{
	const struct segment *segment = &s->r->j->segments.all[s->segment];
	const uint8_t *payload = bytes + LOG_RECORD_BYTES;
	struct log_meta meta;

	if (w->bytes < LOG_RECORD_BYTES ||
	    log_record_decode((const struct log_record *)bytes, segment->seed, w->offset,
			      w->bytes, &meta) ||
	    crc32c(segment->seed, payload, meta.bytes) != meta.payload_crc ||
	    meta.line != w->line || meta.line_epoch != w->number || w->slot < meta.slot ||
	    w->slot >= meta.slot + meta.count)
		return false;
	recover_record(s->r, s->segment, w->offset, &meta,
		       payload + meta.bytes - recover_tail_bytes(&meta), true);
	return true;
}

/* From whichever of two copies is good. */
static bool sealed_from_copies(struct sealed *s, const struct wanted *w)
{
	struct journal *j = s->r->j;
	struct record record;
	struct log_io io;
	bool there;

	if (!log_copies_several(logs_at(j, segment_log(j, s->segment))) ||
	    record_span(j, s->segment, w->offset, w->bytes, &io))
		return false;
	if (posix_memalign(&io.buffer, 4096, io.bytes)) {
		s->r->no_memory = true;
		return false;
	}
	there = !copies_record(j, s->segment, w->offset, &io, &record) &&
		sealed_record(s, w, record.payload - LOG_RECORD_BYTES);
	free(io.buffer);
	return there;
}

/* @differs: not all of the run is the same on both legs: each record is looked at there */
static void sealed_run_records(struct sealed *s, const struct run *run,
			       const struct log_io *io, bool differs)
{
	bool there;
	const struct wanted *w;
	uint32_t i;

	for (i = run->first; i < run->first + run->count; i++) {
		w = &s->wanted[i];
		/* the members of a group name one record; those that it did not
		 * bring are lost with it */
		there = false;
		if (i == run->first || w->offset != w[-1].offset)
			there = (!io->result && !differs &&
				 sealed_record(s, w, (const uint8_t *)io->buffer +
							     (w->offset - run->from))) ||
				sealed_from_copies(s, w);
		if (!there)
			sealed_lose(s, w);
	}
}

static void sealed_read(struct sealed *s, uint8_t *buffers)
{
	struct journal *j = s->r->j;
	struct log_io io[RUNS];
	struct run runs[RUNS];
	uint32_t i, count, next = 0, log = segment_log(j, s->segment);
	uint8_t *spare = buffers + (size_t)RUNS * RUN_ROOM;

	while (next < s->count) {
		for (count = 0; count < RUNS && next < s->count; count++) {
			next = sealed_run(s, next, &runs[count]);
			io[count] = (struct log_io){
				.offset = segment_base(j, s->segment) + runs[count].from,
				.buffer = buffers + (size_t)count * RUN_ROOM,
				.bytes = (uint32_t)(runs[count].to - runs[count].from),
			};
			atomic_fetch_add(&s->r->bytes_read, io[count].bytes);
		}
		(void)log_store_read(logs_at(j, log), io, count);
		for (i = 0; i < count; i++)
			sealed_run_records(s, &runs[i], &io[i], copies_all_records(j, log) &&
					   !copies_agree(j, log, &io[i], spare));
	}
}

/* As many as there are threads, kept from one segment to the next: to have its pages
 * cleared and mapped costs as much as to read a segment does. */
static struct recover_buffers *sealed_buffers(struct recovery *r)
{
	struct recover_buffers *buffers;
	void *memory;

	pthread_mutex_lock(&r->lock);
	buffers = r->buffers;
	if (buffers)
		r->buffers = buffers->next;
	pthread_mutex_unlock(&r->lock);
	if (buffers)
		return buffers;
	buffers = malloc(sizeof(*buffers));
	if (!buffers || posix_memalign(&memory, 4096, BUFFERS_BYTES)) {
		free(buffers);
		return NULL;
	}
	buffers->memory = memory;
	return buffers;
}

static void sealed_buffers_back(struct recovery *r, struct recover_buffers *buffers)
{
	pthread_mutex_lock(&r->lock);
	buffers->next = r->buffers;
	r->buffers = buffers;
	pthread_mutex_unlock(&r->lock);
}

void recover_buffers_free(struct recovery *r)
{
	struct recover_buffers *buffers, *next;

	for (buffers = r->buffers; buffers; buffers = next) {
		next = buffers->next;
		free(buffers->memory);
		free(buffers);
	}
}

static int sealed_live(struct sealed *s, const struct summary_head *digest,
		       const struct summary_entry *table)
{
	struct recover_buffers *buffers;

	sealed_want_all(s, digest, table);
	if (!s->count)
		return 0;
	buffers = sealed_buffers(s->r);
	if (!buffers)
		return -ENOMEM;
	sealed_read(s, buffers->memory);
	sealed_buffers_back(s->r, buffers);
	return 0;
}

static void recover_named_why(struct recovery *r, uint32_t segment,
			      const struct summary_head *digest, enum recover_why why)
{
	const struct summary_line *lines = (const struct summary_line *)(digest + 1);
	uint32_t i, slot;

	if (r->scans[segment].kind != LOG_STREAM)
		return; /* what an extent is worth, its bit says */
	pthread_mutex_lock(&r->lock);
	for (i = 0; i < get_le32(digest->lines); i++)
		for (slot = 0; slot < SLOTS_PER_LINE; slot++)
			if (get_le64(lines[i].used[slot / 64]) >> (slot & 63) & 1 &&
			    recover_may_live(r, get_le32(lines[i].line),
					     get_le64(lines[i].epoch), slot))
				recover_lose(r, get_le32(lines[i].line), slot, why, segment);
	pthread_mutex_unlock(&r->lock);
}

void recover_named(struct recovery *r, uint32_t segment)
{
	const struct segment_scan *scan = &r->scans[segment];

	if (scan->digest)
		recover_named_why(r, segment, scan->digest, WHY_RECORD);
	if (scan->named)
		recover_named_why(r, segment, scan->named, WHY_RECORD);
}

/*
 * Its log is not there: all that its second digest names is lost, unless a copy turns
 * up.  After a crash the digest of an open one does not name all, and without durable
 * bits some of what was retired through it is not known to be.
 */
static void sealed_gone(struct recovery *r, uint32_t segment)
{
	const struct segment_scan *scan = &r->scans[segment];
	const char *name = r->j->conf.logs[segment_log(r->j, segment)];

	if (scan->digest)
		recover_named_why(r, segment, scan->digest, WHY_LOG);
	if (r->closed)
		return;
	if (scan->open && scan->kind == LOG_STREAM) {
		found_damage(r->j, 0, "%s: segment %u was being written: what was in it last is "
			     "lost, without a name", name, segment);
		pthread_mutex_lock(&r->lock);
		r->j->recovered.lost_unnamed++;
		pthread_mutex_unlock(&r->lock);
	}
	if (!r->j->bits_durable && scan->kind == LOG_STREAM && scan->seq >= r->replay_seq &&
	    (scan->open || get_le32(scan->digest->retires)))
		found_damage(r->j, 0, "%s: segment %u had records of what was retired last: some "
			     "of it may be back", name, segment);
}

/* Its table is damaged: read it whole, and miss what is not found. */
static int sealed_without_table(struct sealed *s)
{
	struct recovery *r = s->r;
	struct segment_scan *scan = &r->scans[s->segment];
	uint32_t i;
	int error = recover_scan(r, s->segment);

	found_damage(r->j, 0, "%s: segment %u: its table is damaged, it is read whole",
		     r->j->conf.logs[segment_log(r->j, s->segment)], s->segment);
	for (i = 0; i < scan->count && !error; i++)
		if (recover_vouched(scan, &scan->records[i]))
			recover_record(r, s->segment, scan->records[i].offset,
				       &scan->records[i].meta, scan->records[i].tail,
				       scan->records[i].valid);
	if (!error)
		recover_named(r, s->segment);
	return error;
}

int recover_sealed(struct recovery *r, uint32_t segment)
{
	const struct summary_head *digest = r->scans[segment].digest;
	struct sealed s = { .r = r, .segment = segment };
	struct summary_entry *table;
	uint32_t candidates;
	int error;

	if (r->scans[segment].gone) {
		sealed_gone(r, segment);
		return 0;
	}
	candidates = sealed_candidates(r, digest);
	if (!candidates)
		return 0; /* nothing live: nothing more of it is read */
	s.wanted = malloc(candidates * sizeof(*s.wanted));
	if (!s.wanted)
		return journal_say(r->j, -ENOMEM, "no memory to recover");
	table = sealed_table(&s, digest);
	error = table ? sealed_live(&s, digest, table) : sealed_without_table(&s);
	free(table);
	free(s.wanted);
	return error == -ENOMEM ? journal_say(r->j, error, "no memory to recover") : error;
}
