/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/line.h"

#include <errno.h>
#include <sched.h>

#include "txn/cell.h"
#include "txn/checkpoint.h"
#include "txn/clean_lines.h"
#include "txn/health.h"
#include "txn/pool.h"
#include "txn/takeover.h"

/* Durable before any id of it is in a record (P4). */
static int line_incarnation(struct journal *j, uint64_t incarnation)
{
	int error = 0;

	pthread_mutex_lock(&j->lines_lock);
	if (incarnation > j->shared->incarnation)
		error = incarnation_raise(j, incarnation);
	pthread_mutex_unlock(&j->lines_lock);
	return error;
}

/* 4 G ids later they go on under the next incarnation. */
static int line_number_draw(struct journal *j, uint64_t *number)
{
	*number = atomic_fetch_add(&j->shared->next_number, 1);
	if (*number >> LINE_COUNTER_BITS > j->shared->incarnation)
		return line_incarnation(j, *number >> LINE_COUNTER_BITS);
	return 0;
}

static const uint64_t line_ones[2 * MARKER_LINE_WORDS] = {
	~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull,
	~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull,
};

void line_epoch_store(struct journal *j, struct marker_line *media, uint64_t value)
{
	nv_store8(j->marker, (uint64_t *)&media->epoch, (uint64_t)word_seal(value));
	nv_store8(j->marker, (uint64_t *)&media->epoch_copy, (uint64_t)word_seal(value));
}

/* The durable half of P1.  Each fence orders the step before it ahead of the
 * step after it, for recovery: a crash in between leaves the line closed. */
static int line_recycle(struct journal *j, uint32_t line, uint64_t number)
{
	struct marker_line *media = line_media(j, line);
	int error;

	/* 1: every record of the old epoch is finished from here on */
	line_epoch_store(j, media, number << 1);
	error = health_fence(j);
	if (error)
		return error;
	/* 2: erase both maps; not before 1, or finished ones would live again */
	nv_copy(j->marker, media->commit, line_ones, sizeof(line_ones));
	error = health_fence(j);
	if (error)
		return error;
	/* 3: open; not before 2, or old bits would count for the new epoch */
	line_epoch_store(j, media, number << 1 | 1);
	return health_fence(j);
}

static void line_reset(struct line *line)
{
	int i;

	for (i = 0; i < (int)MARKER_LINE_WORDS; i++) {
		atomic_store_explicit(&line->committed[i], 0, memory_order_relaxed);
		atomic_store(&line->claimed[i], 0);
		atomic_store_explicit(&line->undecided[i], 0, memory_order_relaxed);
	}
	atomic_store_explicit(&line->flags, 0, memory_order_relaxed);
	atomic_store_explicit(&line->left, 0, memory_order_relaxed);
}

/* Somebody who claimed a slot has yet to clear its bit: were the line recycled
 * now, the bit would be cleared in the next epoch (P1, P2). */
static bool line_being_retired(struct journal *j, uint32_t line)
{
	const struct line *state = &j->lines[line];
	const struct marker_line *media = line_media(j, line);
	uint64_t committed, waiting = 0;
	uint32_t word;

	/* the cells tell; what a dead medium says is nothing */
	if (j->bits_durable && !health_bits_durable(j))
		return false;
	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		committed = atomic_load(&state->committed[word]);
		waiting |= committed & get_le64((__le64)__atomic_load_n(
					       (const uint64_t *)&media->retire[word],
					       __ATOMIC_ACQUIRE));
	}
	return waiting;
}

/* ---- the bits that say which lines may be free --------------------------- */

static void line_offer(struct journal *j, uint32_t line)
{
	atomic_fetch_or(&j->free_lines[line / 64], 1ull << (line & 63));
}

/* The lowest line that is offered, at @from or above; it is offered no more. */
static uint32_t line_offered(struct journal *j, uint32_t from)
{
	uint32_t word, words = (j->geometry.lines + 63) / 64;
	uint64_t bits, bit, mask = ~0ull << (from & 63);

	for (word = from / 64; word < words; word++, mask = ~0ull) {
		bits = atomic_load_explicit(&j->free_lines[word], memory_order_relaxed) & mask;
		for (; bits; bits &= bits - 1) {
			bit = bits & -bits;
			if (atomic_fetch_and(&j->free_lines[word], ~bit) & bit)
				return word * 64 + (uint32_t)__builtin_ctzll(bit);
		}
	}
	return NO_LINE;
}

uint32_t lines_offered_count(const struct journal *j, uint32_t enough)
{
	uint32_t word, words = (j->geometry.lines + 63) / 64, offered = 0;

	for (word = 0; word < words && offered < enough; word++)
		offered += (uint32_t)__builtin_popcountll(
			atomic_load_explicit(&j->free_lines[word], memory_order_relaxed));
	return offered;
}

uint32_t lines_free_count(const struct journal *j)
{
	uint32_t line, used = j->shared->lines_used, free_lines = j->geometry.lines - used;

	for (line = 0; line < used; line++)
		free_lines += line_state_of(atomic_load_explicit(&j->lines[line].use,
								 memory_order_relaxed)) ==
			      LINE_FREE;
	return free_lines;
}

/* ---- taking one ----------------------------------------------------------- */

/* Lines are looked at only below lines_used: what is behind has no memory. */
static void lines_used_raise(struct journal *j, uint32_t line)
{
	uint32_t used = atomic_load_explicit(&j->shared->lines_used, memory_order_relaxed);

	while (used <= line &&
	       !atomic_compare_exchange_weak(&j->shared->lines_used, &used, line + 1))
		;
}

static int line_ready(struct journal *j, uint32_t line)
{
	int error = shared_lines_ready(j, line);

	if (!error)
		lines_used_raise(j, line);
	return error;
}

/*
 * Nobody claims a slot of the epoch before any more (P2).  Who retires an id that
 * is retired already finds this line, sleeps, and would claim what is committed in
 * the slot by then: so it announces itself, and looks at the number after that.
 */
static bool line_quiet(struct journal *j, uint32_t line)
{
	/* Who died between claiming a slot and taking what it had in the log has his cell
	 * here until that is given up; and who does that knows the line by its number. */
	if (line_being_retired(j, line) || cell_any(j, line))
		return false;
	/* seq_cst, as in cell_take(): of number and cell, one of us sees the other's */
	atomic_store(&j->lines[line].number, 0);
	return !cell_any(j, line);
}

/* Of those who want a free line, one gets it; the note says who, should we die. */
static bool line_seize(struct journal *j, struct slots_from *from, uint32_t line,
		       uint64_t number)
{
	struct line *state = &j->lines[line];
	uint64_t use = atomic_load(&state->use);

	if (line_state_of(use) != LINE_FREE)
		return false;
	atomic_store(&from->opening_number, number);
	atomic_store(&from->opening, line);
	return atomic_compare_exchange_strong(&state->use, &use,
					      line_use(number, LINE_OPENING));
}

void line_unseize(struct journal *j, struct slots_from *from, uint32_t line, uint64_t number)
{
	atomic_store(&j->lines[line].use, line_use(number, LINE_FREE));
	atomic_store(&from->opening, NO_LINE);
	line_offer(j, line);
}

/* A number whose bucket of the index is full is skipped. */
static int line_enter_index(struct journal *j, struct slots_from *from, uint32_t line,
			    uint64_t *number)
{
	int error = 0;

	/* no id is of such a line */
	while (!error && !from->moved && !index_add(&j->index, *number, line)) {
		error = line_number_draw(j, number);
		atomic_store(&from->opening_number, *number);
		atomic_store(&j->lines[line].use, line_use(*number, LINE_OPENING));
	}
	return error;
}

/* The last ones are set aside: without one to move into, none would ever be free. */
static bool line_may_take(const struct journal *j, const struct slots_from *from)
{
	uint32_t keep = from->moved ? 0 : clean_lines_reserve(j);

	return lines_offered_count(j, keep + 1) > keep;
}

/* Take a free line.  Return: 0, -ENOSPC, -EAGAIN all that are free wait for
 * somebody's next instruction, or sticky. */
static int line_pick(struct journal *j, struct slots_from *from, uint32_t *line,
		     uint64_t *number)
{
	bool some = false;
	int error = line_number_draw(j, number);

	for (*line = 0; !error && line_may_take(j, from); ++*line) {
		*line = line_offered(j, *line);
		if (*line == NO_LINE)
			break;
		error = line_ready(j, *line);
		if (error) {
			line_offer(j, *line);
			break;
		}
		if (!line_seize(j, from, *line, *number))
			continue;
		if (line_quiet(j, *line))
			return line_enter_index(j, from, *line, number);
		some = true;
		line_unseize(j, from, *line, *number);
		error = line_number_draw(j, number);
	}
	if (error || some)
		return error ? error : -EAGAIN;
	return journal_say(j, -ENOSPC, "markers: no free line: %u lines all hold transactions "
			   "that are not retired", j->geometry.lines);
}

/* Nobody has taken a slot of it. */
static void line_open_not(struct journal *j, struct slots_from *from, uint32_t line,
			  uint64_t number)
{
	atomic_store(&j->lines[line].number, 0);
	index_remove(j, number, line);
	line_unseize(j, from, line, number);
}

static int line_open_once(struct journal *j, struct slots_from *from)
{
	struct settled settled = { 0 };
	uint32_t line;
	uint64_t number;
	struct line *state;
	int error = line_pick(j, from, &line, &number);

	if (error)
		return error;
	/* what the epoch before left on a medium that is gone back to goes: it has no number
	 * any more, so from here on nobody marks it there but us (returning.c) */
	if (j->bits_durable && health_now(j) <= HEALTH_TRUSTED)
		error = health_seen(j, health_word_now(j));
	if (error) {
		line_open_not(j, from, line, number);
		return error;
	}
	/* should it be another one by then, it is marked anew, below */
	settled.turn = health_marks_turn(j);
	error = line_recycle(j, line, number);
	if (error)
		return journal_fail(j, error);
	state = &j->lines[line];
	line_reset(state);
	atomic_store(&state->owner, from->owner);
	atomic_store(&state->flags, from->moved ? LINE_MOVED : 0);
	/* until it is left: what is moved there is its mover's */
	if (from->moved)
		atomic_store(&state->mover, from->moved);
	atomic_store_explicit(&state->number, number, memory_order_release);
	/* after it is in the index (P14); before a record names it */
	error = j->bits_durable ? health_settle_line(j, line, &settled) : 0;
	if (error) {
		line_open_not(j, from, line, number);
		return error;
	}
	from->line_number = number;
	atomic_store(&from->next, 0);
	atomic_store(&from->line, line);
	atomic_store(&state->use, line_use(number, LINE_OPEN));
	atomic_store(&from->opening, NO_LINE);
	return 0;
}

static int line_open(struct journal *j, struct slots_from *from)
{
	int error;

	line_leave(j, from);
	takeover_sweep(j, SWEEP_NS);
	if (!from->moved)
		clean_lines_ahead(j);
	for (;;) {
		error = line_open_once(j, from);
		if (error == -ENOSPC && !from->moved && clean_lines_for_room(j))
			continue;
		if (error != -EAGAIN || journal_failed(j))
			break;
		takeover_sweep(j, SWEEP_WAITING_NS);
		sched_yield();
	}
	if (error == -EAGAIN)
		error = journal_fail(j, -EIO);
	if (!error)
		count(j->counters, COUNT_LINES, 1);
	return error;
}

/* also when nothing completed just now: its completion may have died with somebody */
void line_complete(struct journal *j, uint32_t line)
{
	uint64_t use = atomic_load(&j->lines[line].use);

	if (line_state_of(use) == LINE_OPEN)
		line_word_done(j, line, use >> 2);
}

int line_take(struct journal *j, struct slots_from *from, uint32_t want, uint32_t *slot)
{
	uint32_t line = atomic_load_explicit(&from->line, memory_order_relaxed);
	uint32_t next = atomic_load_explicit(&from->next, memory_order_relaxed), skip;
	int error;

	if (line == NO_LINE && !from->moved && pool_take(j, from)) {
		line = from->line;
		next = from->next;
	}
	if (line != NO_LINE && next % 64 + want > 64) {
		/* a group stays inside one word (P3): the rest of this one is given up */
		skip = 64 - next % 64;
		line_dead(j, line, from->line_number, next, skip);
		next += skip;
	}
	if (line == NO_LINE || next == SLOTS_PER_LINE) {
		atomic_store_explicit(&from->next, next, memory_order_relaxed);
		error = line_open(j, from);
		if (error)
			return error;
		next = 0;
	}
	*slot = next;
	/* release: before anything of the slot, for who takes over from us */
	atomic_store_explicit(&from->next, next + want, memory_order_release);
	return 0;
}

int line_renew(struct journal *j, struct slots_from *from)
{
	if (from->line != NO_LINE && from->next < SLOTS_PER_LINE)
		return 0;
	return line_open(j, from);
}

void line_publish_alone(struct line *line, uint32_t slot, uint32_t want)
{
	uint64_t word = atomic_load_explicit(&line->committed[slot / 64], memory_order_relaxed);

	/* release: whoever sees the bit sees the slot's entry */
	atomic_store_explicit(&line->committed[slot / 64], word | line_mask(slot, want),
			      memory_order_release);
}

void line_publish_bits(struct line *line, uint32_t word, uint64_t bits)
{
	/* release: whoever sees the bit sees the slot's entry */
	atomic_fetch_or_explicit(&line->committed[word], bits, memory_order_release);
}

void line_publish(struct line *line, uint32_t slot, uint32_t want)
{
	line_publish_bits(line, slot / 64, line_mask(slot, want));
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

/* Whoever changes the use does the rest. */
static void line_finish(struct journal *j, uint32_t line, uint64_t number)
{
	struct line *state = &j->lines[line];
	uint64_t use = line_use(number, LINE_OPEN);
	uint32_t retired = line_retired(state);

	if (!atomic_compare_exchange_strong(&state->use, &use, line_use(number, LINE_FREE)))
		return;
	count(j->counters, COUNT_RETIRES, retired);
	index_remove(j, number, line);
	line_offer(j, line);
}

void line_word_done(struct journal *j, uint32_t line, uint64_t number)
{
	uint32_t word;

	if (j->recovering)
		return;
	/* seq_cst, as the claims: the last of several who complete a word sees all */
	for (word = 0; word < MARKER_LINE_WORDS; word++)
		if (atomic_load(&j->lines[line].claimed[word]) != ~0ull)
			return;
	line_finish(j, line, number);
}

void line_dead(struct journal *j, uint32_t line, uint64_t number, uint32_t slot, uint32_t want)
{
	bool completes;

	line_claim(&j->lines[line], slot, want, &completes);
	if (completes)
		line_word_done(j, line, number);
}

void line_leave(struct journal *j, struct slots_from *from)
{
	uint32_t chunk, line = from->line, slot = from->next, mover = from->moved;

	/* a line used up may be finished already, and another's by now */
	for (; line != NO_LINE && slot < SLOTS_PER_LINE; slot += chunk) {
		chunk = 64 - slot % 64;
		line_dead(j, line, from->line_number, slot, chunk);
	}
	atomic_store(&from->line, NO_LINE);
	/* as above: then it is another job's, or no job's */
	if (line != NO_LINE && mover)
		(void)atomic_compare_exchange_strong(&j->lines[line].mover, &mover, 0);
}

int line_bad(struct journal *j, uint32_t line)
{
	int error = line_ready(j, line);

	if (!error)
		atomic_store(&j->lines[line].use, line_use(0, LINE_BAD));
	return error;
}

int line_adopt(struct journal *j, uint32_t line, uint64_t number)
{
	struct line *state = &j->lines[line];
	int error = line_ready(j, line);

	if (error || state->number == number)
		return error;
	if (state->number)
		index_remove(j, state->number, line);
	line_reset(state);
	atomic_store_explicit(&state->use, line_use(number, LINE_OPEN), memory_order_relaxed);
	atomic_store_explicit(&state->number, number, memory_order_release);
	index_add_always(j, number, line);
	return 0;
}

void line_map_adopt(struct journal *j, uint32_t line, uint64_t number)
{
	struct marker_line *media = line_media(j, line);

	JASSERT(!j->bits_durable);
	nv_copy(j->marker, media->commit, line_ones, sizeof(line_ones));
	line_epoch_store(j, media, number << 1 | 1);
}

static bool line_is_finished(const struct line *state)
{
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		if (state->claimed[word] != ~0ull)
			return false;
	return true;
}

void lines_settle(struct journal *j)
{
	uint32_t line;
	struct line *state;

	for (line = 0; line < j->geometry.lines; line++) {
		if (line >= j->shared->lines_used) {
			line_offer(j, line);
			continue;
		}
		state = &j->lines[line];
		if (state->number && line_is_finished(state)) {
			index_remove(j, state->number, line);
			atomic_store(&state->use, line_use(state->number, LINE_FREE));
		}
		if (line_state_of(state->use) == LINE_FREE)
			line_offer(j, line);
	}
}
