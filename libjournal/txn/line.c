/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/line.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "txn/checkpoint.h"

int lines_make(struct journal *j)
{
	size_t bytes = (size_t)j->geometry.lines * sizeof(struct line);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -ENOMEM;
	j->lines = map;
	j->free_lines = calloc(j->geometry.lines, sizeof(*j->free_lines));
	j->slots = slots_map(j->geometry.lines);
	if (!j->free_lines || !j->slots)
		return -ENOMEM;
	return index_make(&j->index, j->geometry.lines);
}

void lines_free(struct journal *j)
{
	if (j->lines)
		munmap(j->lines, (size_t)j->geometry.lines * sizeof(struct line));
	free(j->free_lines);
	slots_unmap(j->slots, j->geometry.lines);
	index_free(&j->index);
}

/* Draw an epoch number that finds room in the index.  The table is written
 * first and the number when the line is ready: index_find() wants both. */
static int line_number_draw(struct journal *j, uint32_t line, uint64_t *number)
{
	int error;

	do {
		if (j->next_number >> LINE_COUNTER_BITS != j->incarnation) {
			/* 4 G ids later: go on under the next incarnation (P4) */
			error = incarnation_raise(j);
			if (error)
				return error;
		}
		*number = j->next_number++;
	} while (!index_add(&j->index, *number, line));
	return 0;
}

static const uint64_t line_ones[2 * MARKER_LINE_WORDS] = {
	~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull,
	~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull,
};

/* The durable half of P1.  Each fence orders the step before it ahead of the
 * step after it, for recovery: a crash in between leaves the line closed. */
static int line_recycle(struct journal *j, uint32_t line, uint64_t number)
{
	struct marker_line *media = line_media(j, line);
	int error;

	/* 1: every record of the old epoch is finished from here on */
	nv_store8(j->marker, (uint64_t *)&media->epoch, (uint64_t)word_seal(number << 1));
	error = nv_fence(j->marker);
	if (error)
		return error;
	/* 2: erase both maps; not before 1, or finished ones would live again */
	nv_copy(j->marker, media->commit, line_ones, sizeof(line_ones));
	error = nv_fence(j->marker);
	if (error)
		return error;
	/* 3: open; not before 2, or old bits would count for the new epoch */
	nv_store8(j->marker, (uint64_t *)&media->epoch, (uint64_t)word_seal(number << 1 | 1));
	return nv_fence(j->marker);
}

static void line_reset(struct line *line)
{
	int i;

	for (i = 0; i < (int)MARKER_LINE_WORDS; i++) {
		atomic_store_explicit(&line->committed[i], 0, memory_order_relaxed);
		atomic_store(&line->claimed[i], 0);
	}
	atomic_store_explicit(&line->done_words, 0, memory_order_relaxed);
}

/* Somebody who claimed a slot has yet to clear its bit: were the line recycled
 * now, the bit would be cleared in the next epoch (P1, P2). */
static bool line_being_retired(struct journal *j, uint32_t line)
{
	const struct line *state = &j->lines[line];
	const struct marker_line *media = line_media(j, line);
	uint64_t committed, waiting = 0;
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS && state->number; word++) {
		committed = atomic_load(&state->committed[word]);
		waiting |= committed & get_le64((__le64)__atomic_load_n(
					       (const uint64_t *)&media->retire[word],
					       __ATOMIC_ACQUIRE));
	}
	return waiting;
}

/* The free line that was freed last, moved to the top of the stack. */
static int line_pick(struct journal *j, uint32_t *line)
{
	uint32_t i, top = j->free_line_count;

	for (i = top; i--;) {
		*line = j->free_lines[i];
		if (line_being_retired(j, *line))
			continue;
		j->free_lines[i] = j->free_lines[top - 1];
		j->free_lines[top - 1] = *line;
		return 0;
	}
	if (top)
		return -EAGAIN;
	return journal_say(j, -ENOSPC, "markers: no free line: %u lines all hold transactions "
			   "that are not retired", j->geometry.lines);
}

/*
 * Nobody claims a slot of the epoch before any more (P2).  Who retires an id that
 * is retired already finds this line, sleeps, and would claim what is committed in
 * the slot by then: so it announces itself, and looks at the number after that.
 */
static void line_retreat(struct line *line)
{
	/* seq_cst, as in retire_claim(): of number and hazards, one of us sees the
	 * other's store */
	atomic_store_explicit(&line->number, 0, memory_order_seq_cst);
	while (atomic_load_explicit(&line->hazards, memory_order_seq_cst))
		sched_yield();
}

static int line_open_locked(struct journal *j, struct lane *lane)
{
	uint32_t line = NO_LINE;
	uint64_t number;
	struct line *state;
	int error = line_pick(j, &line);

	if (!error)
		error = line_number_draw(j, line, &number);
	if (error)
		return error;
	state = &j->lines[line];
	line_retreat(state);
	error = line_recycle(j, line, number);
	if (error)
		return journal_fail(j, error);
	j->free_line_count--;
	line_reset(state);
	atomic_store_explicit(&state->state, LINE_OPEN, memory_order_relaxed);
	atomic_store_explicit(&state->number, number, memory_order_release);
	if (line >= j->lines_used)
		j->lines_used = line + 1;
	lane->line = line;
	lane->line_state = state;
	lane->line_number = number;
	lane->next = 0;
	return 0;
}

int line_open(struct journal *j, struct lane *lane)
{
	int error;

	/* a line used up may be finished already, and another lane's by now */
	if (lane->line != NO_LINE && lane->next < SLOTS_PER_LINE)
		line_close(j, lane->line, lane->next);
	lane->line = NO_LINE;
	do {
		/* excludes a checkpoint, which must not see a line half recycled */
		pthread_mutex_lock(&j->lines_lock);
		error = line_open_locked(j, lane);
		pthread_mutex_unlock(&j->lines_lock);
		/* all that are free wait for another thread's next instruction */
	} while (error == -EAGAIN && !journal_failed(j) && !sched_yield());
	if (error == -EAGAIN)
		error = journal_fail(j, -EIO);
	if (!error)
		count(j->counters, COUNT_LINES, 1);
	return error;
}

int line_take(struct journal *j, struct lane *lane, uint32_t want, uint32_t *slot)
{
	uint32_t skip;
	int error;

	if (lane->line != NO_LINE && lane->next % 64 + want > 64) {
		/* a group stays inside one word (P3): the rest of this one is given up */
		skip = 64 - lane->next % 64;
		line_dead(j, lane->line, lane->next, skip);
		lane->next += skip;
	}
	if (lane->line == NO_LINE || lane->next == SLOTS_PER_LINE) {
		error = line_open(j, lane);
		if (error)
			return error;
	}
	*slot = lane->next;
	lane->next += want;
	return 0;
}

void line_publish_alone(struct line *line, uint32_t slot, uint32_t want)
{
	uint64_t word = atomic_load_explicit(&line->committed[slot / 64], memory_order_relaxed);

	/* release: whoever sees the bit sees the slot's entry */
	atomic_store_explicit(&line->committed[slot / 64], word | line_mask(slot, want),
			      memory_order_release);
}

void line_publish(struct line *line, uint32_t slot, uint32_t want)
{
	/* release: whoever sees the bit sees the slot's entry */
	atomic_fetch_or_explicit(&line->committed[slot / 64], line_mask(slot, want),
				 memory_order_release);
}

uint32_t line_retired(const struct line *state)
{
	uint32_t word, retired = 0;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		retired += (uint32_t)__builtin_popcountll(
			atomic_load_explicit(&state->committed[word], memory_order_relaxed) &
			atomic_load_explicit(&state->claimed[word], memory_order_relaxed));
	return retired;
}

/* Called once for each line and epoch: by whoever completed its last word. */
static void line_finish(struct journal *j, uint32_t line)
{
	struct line *state = &j->lines[line];

	count(j->counters, COUNT_RETIRES, line_retired(state));
	pthread_mutex_lock(&j->lines_lock);
	index_remove(&j->index, state->number, line);
	atomic_store_explicit(&state->state, LINE_FREE, memory_order_relaxed);
	j->free_lines[j->free_line_count] = line;
	j->free_line_count++;
	pthread_mutex_unlock(&j->lines_lock);
}

void line_word_done(struct journal *j, uint32_t line)
{
	if (atomic_fetch_add(&j->lines[line].done_words, 1) + 1 == MARKER_LINE_WORDS &&
	    !j->recovering)
		line_finish(j, line);
}

void line_dead(struct journal *j, uint32_t line, uint32_t slot, uint32_t want)
{
	bool completes;

	line_claim(&j->lines[line], slot, want, &completes);
	if (completes)
		line_word_done(j, line);
}

void line_close(struct journal *j, uint32_t line, uint32_t slot)
{
	uint32_t chunk;

	atomic_store_explicit(&j->lines[line].state, LINE_FULL, memory_order_relaxed);
	for (; slot < SLOTS_PER_LINE; slot += chunk) {
		chunk = 64 - slot % 64;
		line_dead(j, line, slot, chunk);
	}
}

void line_adopt(struct journal *j, uint32_t line, uint64_t number)
{
	struct line *state = &j->lines[line];

	if (state->number == number)
		return;
	if (state->number)
		index_remove(&j->index, state->number, line);
	line_reset(state);
	atomic_store_explicit(&state->state, LINE_FULL, memory_order_relaxed);
	atomic_store_explicit(&state->number, number, memory_order_release);
	index_add_always(&j->index, number, line);
	if (line >= j->lines_used)
		j->lines_used = line + 1;
}

void line_map_adopt(struct journal *j, uint32_t line, uint64_t number)
{
	struct marker_line *media = line_media(j, line);

	JASSERT(!j->bits_durable);
	nv_copy(j->marker, media->commit, line_ones, sizeof(line_ones));
	nv_store8(j->marker, (uint64_t *)&media->epoch, (uint64_t)word_seal(number << 1 | 1));
}

/* Highest lines are pushed first, so that the lowest are taken first and the
 * slots in use stay dense. */
void lines_settle(struct journal *j)
{
	uint32_t line = j->geometry.lines;
	struct line *state;

	j->free_line_count = 0;
	while (line--) {
		state = &j->lines[line];
		if (state->number && state->done_words == MARKER_LINE_WORDS) {
			index_remove(&j->index, state->number, line);
			atomic_store_explicit(&state->state, LINE_FREE, memory_order_relaxed);
		}
		if (atomic_load_explicit(&state->state, memory_order_relaxed) == LINE_FREE)
			j->free_lines[j->free_line_count++] = line;
	}
}
