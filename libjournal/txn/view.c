/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "store/marker_vacant.h"
#include "txn/cell.h"
#include "txn/checkpoint.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/slots.h"

/* ---- the medium -------------------------------------------------------------------- */

int view_first(struct journal *j)
{
	struct view_shared *v;
	int error = shared_view_ready(j, 0);

	if (error)
		return error;
	v = shared_view(j, 0);
	v->stage_offset = j->geometry.stage_offset;
	v->assume = j->conf.assume_marker;
	v->class = j->class_marker;
	memcpy(v->uri, j->conf.marker, sizeof(v->uri));
	return 0;
}

static enum journal_class class_lower(enum journal_class a, enum journal_class b)
{
	return a < b ? a : b;
}

void view_survives(struct journal *j, enum journal_class class)
{
	enum journal_class log = class_lower(j->class_log, class);

	/* it may be given up for the file */
	if (j->on_file)
		log = class_lower(log, (enum journal_class)j->shared->common.class_marker);
	atomic_store_explicit(&j->survives_staged, class, memory_order_relaxed);
	atomic_store_explicit(&j->survives_log, log, memory_order_relaxed);
}

/* lines end on a page, by the layout */
static uint64_t view_head_bytes(const struct journal *j)
{
	return j->geometry.digests_offset;
}

/* What the view says, if it is the one in use all the while. */
static bool view_copy(struct journal *j, uint64_t word, struct view_shared *copy)
{
	const struct view_shared *v = shared_view(j, health_view(word));

	copy->device = v->device;
	copy->inode = v->inode;
	copy->stage_offset = v->stage_offset;
	copy->class = v->class;
	memcpy(copy->uri, v->uri, sizeof(copy->uri));
	memcpy(copy->suffix, v->suffix, sizeof(copy->suffix));
	atomic_thread_fence(memory_order_acquire);
	return health_turn(health_word_now(j)) == health_turn(word);
}

/* It has another name until it is whole. */
static int view_replace(struct journal *j, const struct view_shared *v, struct message *message)
{
	const char *path = strchr(v->uri, ':') + 1;
	char temporary[PATH_MAX];
	int error = -ENOENT;

	if (v->suffix[0] && snprintf(temporary, sizeof(temporary), "%s%s", path, v->suffix) <
				    (int)sizeof(temporary))
		error = marker_store_replace(j->marker, temporary, v->device, v->inode, message);
	return error == -ENOENT ?
		       marker_store_replace(j->marker, path, v->device, v->inode, message) : error;
}

/*
 * The first medium of a journal that was on a file: what was memory of nobody is its map
 * from here on.  Who has the store before in his hands has not looked at this turn, and
 * stores nothing that anybody counts on.  Context: view_lock.
 */
static int view_store(struct journal *j, const struct view_shared *v, struct message *message)
{
	struct marker_store *before = j->marker, *store;
	int error;

	if (!marker_is_vacant(before))
		return 0;
	error = backend_join_marker(v->uri, MARKER_VACANT | (j->read_only ? MARKER_RDONLY : 0),
				    &j->shared->common.marker, before->map, &store, message);
	if (error)
		return error;
	marker_vacant_give(before);
	j->marker_before = before;
	j->marker = store;
	return 0;
}

/* Context: view_lock. */
static int view_see(struct journal *j, uint64_t word)
{
	struct message *message = journal_message(j);
	struct view_shared v;
	int error;

	if (view_turn(j) >= health_turn(word))
		return 0; /* another thread did */
	if (!view_copy(j, word, &v))
		return -ESTALE;
	error = view_store(j, &v, message);
	if (!error)
		error = view_replace(j, &v, message);
	if (!error)
		error = marker_store_show(j->marker, 0, view_head_bytes(j), 0);
	if (error)
		return message_errno(message, error, "%s", v.uri);
	j->view_stage = v.stage_offset;
	view_survives(j, (enum journal_class)v.class);
	/* release: who sees the turn sees the medium */
	atomic_store_explicit(&j->view_turn, health_turn(word), memory_order_release);
	return 0;
}

int view_adopt(struct journal *j, uint64_t word)
{
	int error;

	do {
		pthread_mutex_lock(&j->view_lock);
		error = view_see(j, word);
		pthread_mutex_unlock(&j->view_lock);
		word = health_word_now(j);
	} while (error == -ESTALE && view_turn(j) < health_turn(word) &&
		 health_state_of(word) != HEALTH_ABANDONED);
	return error;
}

void view_forget(struct journal *j, uint32_t who)
{
	uint32_t i, in_use = health_view(health_word_now(j)), lease;

	if (!j->bits_durable)
		return;
	/* none was ever made: there is no memory */
	if (!atomic_load(&j->shared->views_made))
		return;
	for (i = 1; i < VIEWS && i <= atomic_load(&j->shared->views_made); i++) {
		lease = who;
		if (i != in_use)
			(void)atomic_compare_exchange_strong(&shared_view(j, i)->lease, &lease, 0);
	}
}

/* ---- lanes --------------------------------------------------------------------------- */

/* Context: view_lock. */
static int view_show_lane(struct journal *j, struct lane *lane, uint64_t turn)
{
	uint64_t at = j->geometry.stage_offset + lane->index * lane->ring_bytes;
	int error;

	if (atomic_load(&lane->shown) == turn)
		return 0;
	if (view_turn(j) != turn)
		return -ESTALE;
	error = marker_store_show(j->marker, at, lane->ring_bytes,
				  j->view_stage + lane->index * lane->ring_bytes);
	if (!error)
		atomic_store_explicit(&lane->shown, turn, memory_order_release);
	return error;
}

static int view_lane_of(struct journal *j, struct lane *lane, uint64_t turn)
{
	int error;

	pthread_mutex_lock(&j->view_lock);
	error = view_show_lane(j, lane, turn);
	pthread_mutex_unlock(&j->view_lock);
	return error;
}

int view_lane(struct journal *j, struct lane *lane)
{
	uint64_t turn = atomic_load_explicit(&lane->s->turn, memory_order_acquire);
	uint64_t word = health_word_now(j);

	if (atomic_load_explicit(&lane->shown, memory_order_acquire) == turn)
		return 0;
	if (view_turn(j) < turn && health_turn(word) == turn && view_adopt(j, word))
		return -ESTALE;
	return view_lane_of(j, lane, turn);
}

/* Positions go on above all that there were: none means two records. */
static int lane_begin(struct journal *j, struct lane *lane, uint64_t turn)
{
	struct lane_shared *s = lane->s;
	uint64_t base = (max_u64(s->head, s->tail) / lane->ring_bytes + 1) * lane->ring_bytes;
	int error;

	nv_store8(j->marker, (uint64_t *)&lane_media(j, lane->index)->tail,
		  (uint64_t)word_seal(base));
	/* before the first record: recovery looks for it from there on */
	error = health_fence(j);
	if (error)
		return error;
	s->head = s->tail = base;
	s->head_offset = s->look_at = 0;
	s->queue_head = s->queue_tail = 0;
	s->last.count = 0;
	reserve_forget(lane);
	lane_tell(lane);
	atomic_store_explicit(&s->turn, turn, memory_order_release);
	return 0;
}

bool view_lane_enter(struct journal *j, struct lane *lane)
{
	uint64_t turn = health_turn(lane->seen);

	if (health_state_of(lane->seen) != HEALTH_TRUSTED || view_ready(j, lane->seen) ||
	    view_lane_of(j, lane, turn))
		return false;
	return atomic_load(&lane->s->turn) == turn || !lane_begin(j, lane, turn);
}

/* ---- lines --------------------------------------------------------------------------- */

/* It only goes up; erased is below all. */
static void mark_epoch_word(struct journal *j, uint64_t *word, uint64_t value)
{
	uint64_t there, was, sealed = (uint64_t)word_seal(value);

	was = __atomic_load_n(word, __ATOMIC_RELAXED);
	do {
		if (!word_unseal((__le64)was, &there) && there >= value)
			break;
	} while (!__atomic_compare_exchange_n(word, &was, sealed, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	nv_flush(j->marker, word, sizeof(*word));
}

static void mark_epoch(struct journal *j, struct marker_line *media, uint64_t value)
{
	mark_epoch_word(j, (uint64_t *)&media->epoch, value);
	mark_epoch_word(j, (uint64_t *)&media->epoch_copy, value);
}

static void mark_bits(struct journal *j, uint32_t line, struct marker_line *media)
{
	const struct line *state = &j->lines[line];
	uint64_t live, claimed, undecided;
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		/* commits before claims: never one without the retire that followed */
		live = atomic_load(&state->committed[word]);
		claimed = atomic_load(&state->claimed[word]);
		live = slots_named(j, line, word, live & ~claimed);
		nv_and8(j->marker, (uint64_t *)&media->commit[word], ~live);
		undecided = atomic_load(&state->undecided[word]);
		nv_and8(j->marker, (uint64_t *)&media->retire[word], ~claimed | undecided);
	}
}

/*
 * The cell keeps the line from being recycled, whenever it is that we go on.  One without
 * a number is being opened, by who looks at health after that; or nothing lives in it,
 * and all records of its epochs are finished.
 */
void view_mark_line(struct journal *j, uint32_t line)
{
	const struct line *state = &j->lines[line];
	struct marker_line *media = line_media(j, line);
	struct cell *cell = cell_take(j, line);
	uint64_t number = atomic_load(&state->number), use = atomic_load(&state->use);

	if (number) {
		mark_epoch(j, media, number << 1 | 1);
		mark_bits(j, line, media);
	} else if (use >> 2) {
		mark_epoch(j, media, (use >> 2) << 1);
	}
	cell_drop(cell);
}
