/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "txn/entry.h"
#include "txn/health_word.h"
#include "txn/holds.h"
#include "txn/join.h"
#include "txn/journal_impl.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/moved.h"
#include "txn/segment_notes.h"
#include "txn/times.h"

/* Parts begin on a page, so that each can be allocated by itself. */
#define PART_ALIGN 4096u

/* changes with any change of what is shared: processes of two versions never join */
#define SHARED_MAGIC (0x4c4a53480000000dull ^ sizeof(struct shared) << 8)

/* of the medium that there is, and of one that may come */
static uint32_t shared_lanes(const struct journal *j)
{
	return (uint32_t)max_u64(j->geometry.lanes, j->room_geometry.lanes);
}

static uint64_t shared_part_bytes(const struct journal *j, enum shared_part part)
{
	const struct marker_geometry *g = &j->room_geometry;

	switch (part) {
	case SHARED_COUNTERS:
		return sizeof(struct counters);
	case SHARED_TIMES:
		return (j->times_mask + 1ull) * sizeof(struct times_shard);
	case SHARED_CELLS:
		return CELLS * sizeof(struct cell);
	case SHARED_MEMBERS:
		return MEMBERS * sizeof(struct member);
	case SHARED_POOL:
		return POOL_LINES * sizeof(uint64_t);
	case SHARED_LANES:
		return shared_lanes(j) * sizeof(struct lane_shared);
	case SHARED_TABLE:
		return index_table_entries(g->lines) * sizeof(uint32_t);
	case SHARED_OVERFLOW:
		return g->lines * sizeof(uint32_t);
	case SHARED_FREE_LINES:
		return (g->lines + 63) / 64 * sizeof(uint64_t);
	case SHARED_QUEUES:
		return lane_queue_entries(j) * g->lanes * sizeof(struct staged);
	case SHARED_VIEWS:
		return VIEWS * sizeof(struct view_shared);
	case SHARED_SEGMENTS:
		return (uint64_t)j->segments.room * sizeof(struct segment);
	case SHARED_FREE_SEGMENTS:
		return (j->segments.room + 63ull) / 64 * sizeof(uint64_t);
	case SHARED_HEADS:
		return HEADS * sizeof(struct head_shared);
	case SHARED_NOTE_LINES:
		return HEADS * notes_lines_bytes(j);
	case SHARED_NOTES:
		return HEADS * (uint64_t)notes_max(j) * sizeof(struct segment_note);
	case SHARED_HOLDS:
		return MEMBERS * holds_bytes(j);
	case SHARED_MOVED:
		return moved_table_bytes(g->lines);
	case SHARED_LINES:
		return g->lines * sizeof(struct line);
	case SHARED_SLOTS:
		return (uint64_t)g->lines * SLOTS_PER_LINE * sizeof(struct slot);
	case SHARED_PARTS:
		break;
	}
	JASSERT(!"a part");
	return 0;
}

static void shared_layout(const struct journal *j, struct shared *layout)
{
	uint64_t at = round_up(sizeof(struct shared), PART_ALIGN);
	int part;

	for (part = 0; part < SHARED_PARTS; part++) {
		layout->part[part] = at;
		at += round_up(shared_part_bytes(j, (enum shared_part)part), PART_ALIGN);
	}
	layout->bytes = at;
}

static void *shared_at(struct journal *j, enum shared_part part)
{
	return (uint8_t *)j->shared + j->shared->part[part];
}

static void shared_point(struct journal *j)
{
	j->counters = shared_at(j, SHARED_COUNTERS);
	j->times = shared_at(j, SHARED_TIMES);
	j->cells = shared_at(j, SHARED_CELLS);
	j->members = shared_at(j, SHARED_MEMBERS);
	j->pool_lines = shared_at(j, SHARED_POOL);
	j->index.mask = index_mask(j->geometry.lines);
	j->index.table = shared_at(j, SHARED_TABLE);
	j->index.overflow = shared_at(j, SHARED_OVERFLOW);
	j->free_lines = shared_at(j, SHARED_FREE_LINES);
	j->segments.all = shared_at(j, SHARED_SEGMENTS);
	j->free_segments = shared_at(j, SHARED_FREE_SEGMENTS);
	j->lines = shared_at(j, SHARED_LINES);
	j->slots = shared_at(j, SHARED_SLOTS);
	j->moved_table = shared_at(j, SHARED_MOVED);
}

struct lane_shared *shared_lane(struct journal *j, uint32_t index)
{
	return (struct lane_shared *)shared_at(j, SHARED_LANES) + index;
}

struct staged *shared_queue(struct journal *j, uint32_t index)
{
	return (struct staged *)shared_at(j, SHARED_QUEUES) + index * lane_queue_entries(j);
}

struct head_shared *shared_head(struct journal *j, uint32_t index)
{
	return (struct head_shared *)shared_at(j, SHARED_HEADS) + index;
}

void *shared_note_lines(struct journal *j, uint32_t index)
{
	return (uint8_t *)shared_at(j, SHARED_NOTE_LINES) + index * notes_lines_bytes(j);
}

struct segment_note *shared_notes(struct journal *j, uint32_t index)
{
	return (struct segment_note *)shared_at(j, SHARED_NOTES) + (size_t)index * notes_max(j);
}

_Atomic uint32_t *shared_holds(struct journal *j, uint32_t member)
{
	return (_Atomic uint32_t *)(void *)((uint8_t *)shared_at(j, SHARED_HOLDS) +
					    member * holds_bytes(j));
}

/* what is not zero at first */
static void shared_first(struct journal *j)
{
	uint32_t i;

	for (i = 0; i <= j->times_mask; i++) {
		j->times[i].dice = (uint32_t)clock_monotonic_ns() + i;
		(void)times_draw(&j->times[i]);
	}
	for (i = 0; i < shared_lanes(j); i++) {
		shared_lane(j, i)->index = i;
		atomic_store(&shared_lane(j, i)->turn, 1);
		slots_from_none(&shared_lane(j, i)->from);
	}
	/* before anybody joins: one who dies at once has no line */
	for (i = 0; i < MEMBERS; i++)
		slots_from_none(&j->members[i].own);
	atomic_store(&j->shared->health, health_word(1, HEALTH_TRUSTED, 0));
	for (i = 0; i < CLEAN_JOBS; i++) {
		slots_from_none(&j->shared->clean[i].moving);
		j->shared->clean[i].moving.moved = i + 1;
		atomic_store(&j->shared->clean[i].moves_turn, 1);
	}
}

/* ---- memory that is there before it is touched ------------------------------- */

/* in steps that one commit can bear */
#define LINES_STEP 8u
#define QUEUE_STEP 8192u
#define NOTES_STEP 4096u

/* Who is the first can do without what others see (journal_open_prepared()). */
static void shared_no_room(struct journal *j, int error)
{
	if (error == -ENOSPC || error == -EDQUOT)
		atomic_store(&j->index_full, true);
}

static int shared_allocate(struct journal *j, uint64_t from, uint64_t to)
{
	int error = shared_file_allocate(&j->shared_file, from, to);

	shared_no_room(j, error);
	if (error)
		return message_errno(journal_message(j), error == -ENOSPC ? -ENOMEM : error,
				     "%s: memory for the index", j->shared_file.path);
	return 0;
}

/* @count units of @unit bytes of a part, from @from on */
static int shared_allocate_part(struct journal *j, enum shared_part part, uint64_t unit,
				uint64_t from, uint64_t to)
{
	uint64_t at = j->shared->part[part];

	return shared_allocate(j, at + from * unit, at + to * unit);
}

static void shared_raise(_Atomic uint32_t *ready, uint32_t to)
{
	uint32_t now = atomic_load(ready);

	while (now < to && !atomic_compare_exchange_weak(ready, &now, to))
		;
}

int shared_lines_ready(struct journal *j, uint32_t line)
{
	uint32_t from = atomic_load_explicit(&j->shared->lines_ready, memory_order_acquire), to;
	int error;

	if (line < from)
		return 0;
	to = (uint32_t)min_u64(round_up(line + 1ull, LINES_STEP), j->geometry.lines);
	error = shared_allocate_part(j, SHARED_LINES, sizeof(struct line), from, to);
	if (!error)
		error = shared_allocate_part(j, SHARED_SLOTS,
					     SLOTS_PER_LINE * sizeof(struct slot), from, to);
	if (!error)
		shared_raise(&j->shared->lines_ready, to);
	return error;
}

int shared_segments_ready(struct journal *j, uint32_t from, uint32_t to)
{
	int error = shared_allocate_part(j, SHARED_SEGMENTS, sizeof(struct segment), from, to);

	if (!error)
		error = shared_allocate_part(j, SHARED_FREE_SEGMENTS, sizeof(uint64_t), from / 64,
					     (to + 63ull) / 64);
	for (; !error && from < to; from++)
		j->segments.all[from].number = from;
	return error;
}

int shared_queue_ready(struct journal *j, uint32_t lane, uint32_t entries)
{
	struct lane_shared *s = shared_lane(j, lane);
	uint32_t from = s->queue_ready, to, all = lane_queue_entries(j);
	uint64_t first = (uint64_t)lane * all;
	int error;

	if (entries <= from)
		return 0;
	to = (uint32_t)min_u64(round_up((uint64_t)entries, QUEUE_STEP), all);
	error = shared_allocate_part(j, SHARED_QUEUES, sizeof(struct staged), first + from,
				     first + to);
	if (!error)
		s->queue_ready = to;
	return error;
}

struct view_shared *shared_view(struct journal *j, uint32_t index)
{
	return (struct view_shared *)shared_at(j, SHARED_VIEWS) + index;
}

int shared_view_ready(struct journal *j, uint32_t index)
{
	return shared_allocate_part(j, SHARED_VIEWS, sizeof(struct view_shared), index,
				    index + 1ull);
}

int shared_holds_ready(struct journal *j, uint32_t member)
{
	return shared_allocate_part(j, SHARED_HOLDS, holds_bytes(j), member, member + 1ull);
}

int shared_moved_ready(struct journal *j, uint64_t from, uint64_t to)
{
	return shared_allocate_part(j, SHARED_MOVED, sizeof(struct moved_entry), from, to);
}

int shared_notes_ready(struct journal *j, uint32_t index, uint32_t notes)
{
	struct head_shared *s = shared_head(j, index);
	uint32_t from = s->notes.ready, to, all = notes_max(j);
	uint64_t first = (uint64_t)index * all;
	int error = 0;

	if (notes <= from)
		return 0;
	if (!s->notes.lines_ready)
		error = shared_allocate_part(j, SHARED_NOTE_LINES, notes_lines_bytes(j), index,
					     index + 1ull);
	if (error)
		return error;
	s->notes.lines_ready = true;
	to = (uint32_t)min_u64(round_up((uint64_t)notes, NOTES_STEP), all);
	error = shared_allocate_part(j, SHARED_NOTES, sizeof(struct segment_note), first + from,
				     first + to);
	if (!error)
		s->notes.ready = to;
	return error;
}

/* ---- making, joining ----------------------------------------------------------- */

static int shared_map(struct journal *j, uint64_t bytes)
{
	int fd = j->shared_file.fd;
	/* private: pages not touched cost nothing */
	void *map = mmap(NULL, bytes,
			 fd >= 0 && j->read_only ? PROT_READ : PROT_READ | PROT_WRITE,
			 fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, fd,
			 0);

	if (map == MAP_FAILED)
		return -errno;
	j->shared = map;
	return 0;
}

static int shared_make_file(struct journal *j, const struct shared *layout,
			    struct message *why)
{
	int error = shared_file_make(j->lock_fd, layout->bytes, &j->shared_file, why);

	if (error)
		return error;
	error = shared_file_allocate(&j->shared_file, 0, layout->part[SHARED_QUEUES]);
	if (!error)
		return 0;
	(void)unlink(j->shared_file.path);
	shared_file_close(&j->shared_file);
	return message_errno(why, error, "%s: memory for the index", j->shared_file.path);
}

int shared_make(struct journal *j, bool share, struct message *why)
{
	struct shared layout = { 0 };
	int error;

	j->times_mask = times_shards() - 1;
	shared_layout(j, &layout);
	if (share)
		(void)shared_make_file(j, &layout, why);
	error = shared_map(j, layout.bytes);
	if (error)
		return error;
	memcpy(j->shared->part, layout.part, sizeof(layout.part));
	j->shared->magic = SHARED_MAGIC;
	j->shared->made_ns = clock_ns();
	j->shared->times_shards = j->times_mask + 1;
	memcpy(j->shared->uuid, j->geometry.uuid, sizeof(j->shared->uuid));
	j->shared->bytes = j->shared_bytes = layout.bytes;
	shared_point(j);
	shared_first(j);
	return 0;
}

/* What another process of this very library has made. */
static bool shared_is_ours(const struct journal *j, uint64_t bytes)
{
	const struct shared *s = j->shared;

	return s->magic == SHARED_MAGIC && s->bytes == bytes &&
	       !memcmp(s->uuid, j->conf.uuid, sizeof(s->uuid)) &&
	       atomic_load(&s->state) == SHARED_READY;
}

int shared_join(struct journal *j, struct message *message)
{
	uint64_t bytes;
	int error = shared_file_find(j->dir, j->read_only, &j->shared_file, &bytes, message);

	if (error)
		return error;
	if (bytes < sizeof(struct shared) || (error = shared_map(j, bytes)))
		return message_set(message, error ? error : -ESTALE, "%s: cannot be mapped",
				   j->shared_file.path);
	j->shared_bytes = bytes;
	if (!shared_is_ours(j, bytes))
		return message_set(message, -ESTALE, "%s: is not the index of this journal, or "
				   "of another version of the library", j->shared_file.path);
	join_geometry(j);
	j->times_mask = j->shared->times_shards - 1;
	shared_point(j);
	return 0;
}

int shared_announce(struct journal *j, struct message *message)
{
	int error;

	j->shared->common.recovered = j->recovered;
	atomic_store(&j->shared->state, SHARED_READY);
	error = shared_file_announce(j->dir, j->lock_fd, &j->shared_file, message);
	shared_no_room(j, error);
	return error;
}

void shared_remove(struct journal *j)
{
	if (!shared_is_shared(&j->shared_file))
		return;
	/* before the file goes: readers look at this when they find what makes no sense */
	atomic_store(&j->shared->state, SHARED_CLOSED);
	shared_file_remove(j->dir, j->lock_fd, &j->shared_file);
}

/* One that all were killed over.  Readers may still be looking at it. */
void shared_sweep(struct journal *j)
{
	struct shared_file old;
	struct message unused;
	struct shared *map;
	uint64_t bytes;

	if (shared_file_find(j->dir, false, &old, &bytes, &unused))
		return;
	/* after it was read: another journal may have come to the place of this one */
	if (!entry_is_there(j->dir, j->lock_fd)) {
		shared_file_close(&old);
		return;
	}
	map = bytes < PART_ALIGN ? MAP_FAILED :
				   mmap(NULL, PART_ALIGN, PROT_READ | PROT_WRITE, MAP_SHARED,
					old.fd, 0);
	if (map != MAP_FAILED) {
		atomic_store(&map->state, SHARED_CLOSED);
		munmap(map, PART_ALIGN);
	}
	shared_file_remove(j->dir, j->lock_fd, &old);
	shared_file_close(&old);
}

void shared_forget(struct journal *j)
{
	if (j->shared)
		munmap(j->shared, j->shared_bytes);
	j->shared = NULL;
	shared_file_close(&j->shared_file);
}

void shared_free(struct journal *j)
{
	shared_forget(j);
	free(j->dir);
}
