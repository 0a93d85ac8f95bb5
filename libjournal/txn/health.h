/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVRAM that is not trusted any more (P14; tests/model/p14.pml).
 *
 *   committer, retirer                   switcher
 *   durable on NVRAM                     health = switching
 *   published, or claimed, in the index  a barrier on all processors
 *   health still what it was?            scan of the index: the stage to the log,
 *     yes: acknowledge                   a list of what lives in the stand-in
 *     no: to the log, too; and nothing   journal.conf names the stand-in
 *     is told before health = abandoned  health = abandoned
 *
 * Publishing comes before the look: one that is fenced, has looked, and is not yet
 * published, would be in no list.  Nobody waits for a switcher: who finds health
 * switching does all of its work himself.  Each list is whole, and a late one is of a
 * lower generation (P11), so it does not come into force.
 *
 * The way back is the same, with a new medium in the list's place (returning.h).  So each
 * who has changed something asks, after it is in the index, what health it was durable
 * under, and looks again until nothing is missing (struct settled).
 */
#ifndef TXN_HEALTH_H
#define TXN_HEALTH_H

#include "txn/view.h"

static inline enum health_state health_now(const struct journal *j)
{
	return health_state_of(health_word_now(j));
}

/* The markers are a file, by choice and not for want of NVRAM: on_file.h */
static inline bool health_word_on_file(const struct journal *j, uint64_t word)
{
	return j->on_file && !health_view(word);
}

static inline bool health_on_file(const struct journal *j)
{
	return health_word_on_file(j, health_word_now(j));
}

/* So, or it was never to be otherwise for this handle. */
static inline bool health_is_file(const struct journal *j)
{
	return !j->bits_durable || health_on_file(j);
}

/* Bits of the marker medium are what makes durable: else the log does.  Then the medium
 * can be used here. */
static inline bool health_bits_durable(const struct journal *j)
{
	uint64_t word = health_word_now(j);

	/* what is mapped is no part of what the handle says */
	return j->bits_durable && health_state_of(word) == HEALTH_TRUSTED &&
	       !view_ready((struct journal *)(uintptr_t)j, word);
}

/*
 * Health, after something was published, or claimed.  The barrier between that store and
 * this load is the switcher's, on all processors, so that a commit has none.
 */
static inline uint64_t health_look(const struct journal *j)
{
	if (j->health_fence)
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	return health_word_now(j);
}

/* A fence of the marker medium; of one that is not trusted nobody asks how it went. */
static inline int health_fence(struct journal *j)
{
	int error = nv_fence(j->marker);

	return error && j->bits_durable && health_now(j) != HEALTH_TRUSTED ? 0 : error;
}

/*
 * Where something that was changed in the index is durable, too.
 *
 *   returning    the new medium, and the log
 *   trusted      the medium
 *   switching,   the log: a list that is in force names what lives, a record what is
 *   abandoned    retired
 *
 * What the log has once it has for ever: a later list is made from the index.
 */
struct settled {
	uint64_t turn; /* of the medium; 0: of none */
	bool logged;
};

static inline bool settled_wants_marks(const struct settled *s, uint64_t word)
{
	return health_state_of(word) <= HEALTH_TRUSTED && s->turn != health_turn(word);
}

static inline bool settled_wants_log(const struct settled *s, uint64_t word)
{
	return health_state_of(word) != HEALTH_TRUSTED && !s->logged;
}

/* Return: health, while the medium can be relied on; 0, which it never is: not now */
static inline uint64_t health_trusted(const struct journal *j)
{
	uint64_t word = health_word_now(j);

	return health_bits_durable(j) && health_word_now(j) == word ? word : 0;
}

/* Return: health, while what lives may be moved from line to line (move.h): with NVRAM that
 * can be relied on, or with none ever; 0, which it never is: not now */
static inline uint64_t health_moves(const struct journal *j)
{
	uint64_t word = health_word_now(j);

	return health_word_on_file(j, word) ? word : health_trusted(j);
}

/* Return: the turn whose medium takes what is stored from here on; 0: none does */
static inline uint64_t health_marks_turn(const struct journal *j)
{
	return health_turn(health_trusted(j));
}

/**
 * health_marks() - what the index says of @lines is durable on the medium of @word
 * If it is: @settled says so.  A return that cannot go on is called off.
 * Return: 0, then look again; or negative errno with the text: the medium cannot be used
 * here, or has failed (sticky).
 */
int health_marks(struct journal *j, uint64_t word, const uint32_t *lines, size_t count,
		 struct settled *settled);

/* All that must happen before anything is told that the log alone certifies.
 * Return: 0: it has; or the sticky failure.  Context: no lock but a lane's lease. */
int health_switch(struct journal *j);

/* Return: 0: the medium of @word can be used here, or is none any more; or negative errno
 * with the text */
int health_seen(struct journal *j, uint64_t word);

/* somebody gives NVRAM up, or has yet to find out that this is over: he may write a
 * journal.conf */
bool health_is_left(const struct journal *j);

/* one line, for who needs no more than that */
int health_settle_line(struct journal *j, uint32_t line, struct settled *s);

/* Something self-certifying was published that is durable in the log, which is all that it
 * needs, once it is no news that NVRAM is given up. */
static inline int health_settle_log(struct journal *j)
{
	int error = 0;

	while (!error && health_state_of(health_look(j)) == HEALTH_SWITCHING)
		error = health_switch(j);
	return error;
}

/* at open, for writing */
void health_begin(struct journal *j);

/* what others have stored before they looked is there for who scans */
void health_barrier(void);
/* @from to @to, if it still is @from; Return: whether */
bool health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why);

/* NVRAM is not to be trusted any more, because of @why.
 * Return: 0: the stand-in is in force; or the sticky failure */
int health_distrust(struct journal *j, const char *why);

/* ask the medium, while it is trusted; all zeros, say, are not ours.  Return: 0 or the
 * sticky failure */
int health_ask(struct journal *j);

/* ask the medium, and go on accordingly: @steady_ns: so long it has to be sound before it
 * is gone back to.  Return: 0 or the sticky failure */
int health_watch(struct journal *j, uint64_t steady_ns);

/* one that was published with its payload in the log, and whose bit says that it is
 * committed: a list with it is in force */
int health_list(struct journal *j);

/* transactions @id to @id + @count - 1, published in the stage: their copies are durable
 * in the log.  Return: 0; -EBADMSG the stage does not give them back; or sticky */
int health_unstage(struct journal *j, uint64_t id, uint32_t count);

#endif
