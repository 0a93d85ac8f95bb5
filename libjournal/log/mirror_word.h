/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which legs of a mirrored log are used, and how: one word of log_legs, changed as one.
 *
 *   out     a bit for each leg that is out of date: not read
 *   claim   number + 1 of the leg that is being left, or was; 0: none
 *   fill    what is done with the one that is out: enum fill
 *   dead    so many writers have died since the copier began its round, 0xffff: or more
 *   gen     one more with each change of anything but claim and dead
 *
 *   good ----claim, mark on the other leg----> out, NONE
 *   out, NONE ------------------> COPYING    all write both again; a copier copies the rest
 *   COPYING --------------------> out, NONE  given up: the mark is what it was
 *   COPYING --nobody has died---> ENDING     all is there; heads and DIR are told so
 *   ENDING ---------------------> good
 *   ENDING ---------------------> UNMARKED   given up, and the mark is perhaps gone: who
 *   UNMARKED --mark again-------> out, NONE  comes writes it before he relies on it
 *
 * tests/unit/test_mirror_fill.c has them all.
 */
#ifndef LOG_MIRROR_WORD_H
#define LOG_MIRROR_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "format/leg.h"

enum fill {
	FILL_NONE,
	FILL_COPYING,
	FILL_ENDING,
	FILL_UNMARKED,
};

#define WORD_DEAD_MAX 0xffffu

static inline uint64_t word_make(uint32_t gen, enum fill fill, unsigned int claim,
				 unsigned int out)
{
	return (uint64_t)gen << 32 | (uint64_t)fill << 4 | claim << 2 | out;
}

static inline unsigned int word_out(uint64_t word)
{
	return (unsigned int)word & LEGS_ALL;
}

static inline unsigned int word_claim(uint64_t word)
{
	return (unsigned int)(word >> 2) & 3;
}

static inline enum fill word_fill(uint64_t word)
{
	return (enum fill)(word >> 4 & 3);
}

static inline uint32_t word_dead(uint64_t word)
{
	return (uint32_t)(word >> 8) & WORD_DEAD_MAX;
}

static inline uint64_t word_with_dead(uint64_t word, uint32_t dead)
{
	return (word & ~((uint64_t)WORD_DEAD_MAX << 8)) | (uint64_t)dead << 8;
}

static inline uint32_t word_gen(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* legs that are written: a bit for each */
static inline unsigned int word_written(uint64_t word)
{
	bool both = word_fill(word) == FILL_COPYING || word_fill(word) == FILL_ENDING;

	return both ? LEGS_ALL : LEGS_ALL & ~word_out(word);
}

/* the next one: the same legs, and no dead */
static inline uint64_t word_next(uint64_t word, enum fill fill)
{
	return word_make(word_gen(word) + 1, fill, word_claim(word), word_out(word));
}

#endif
