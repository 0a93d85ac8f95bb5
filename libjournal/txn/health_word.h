/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generation of health (P14), in one word that only ever goes up, so that two looks
 * that find the same have missed nothing: turn 56 | state 2 | view 6.  A turn is the use
 * of one marker medium; the view says where it is (view.h).
 */
#ifndef TXN_HEALTH_WORD_H
#define TXN_HEALTH_WORD_H

#include <stdint.h>

enum health_state {
	HEALTH_RETURNING, /* being written; what is in force is still the stand-in */
	HEALTH_TRUSTED,
	HEALTH_SWITCHING, /* not trusted; what is in force is still NVRAM */
	HEALTH_ABANDONED, /* the stand-in is in force */
};

static inline uint64_t health_word(uint64_t turn, enum health_state state, uint32_t view)
{
	return turn << 8 | (uint64_t)state << 6 | view;
}

static inline uint64_t health_turn(uint64_t word)
{
	return word >> 8;
}

static inline enum health_state health_state_of(uint64_t word)
{
	return (enum health_state)(word >> 6 & 3);
}

static inline uint32_t health_view(uint64_t word)
{
	return (uint32_t)word & 63;
}

/* the same turn and medium, in another state */
static inline uint64_t health_word_as(uint64_t word, enum health_state state)
{
	return (word & ~(3ull << 6)) | (uint64_t)state << 6;
}

#endif
