/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One journal on a crash world, for scenarios written out by hand: what is
 * done, where the power goes, what is there after.  For tests linked with
 * CRASH_LDFLAGS.
 */
#ifndef TESTS_LIB_CRASH_PLACE_H
#define TESTS_LIB_CRASH_PLACE_H

#include "crash_look.h"

#define PLACE_BYTES 600u /* of each payload */

struct place {
	struct crash_world world;
	struct crash_look look;
	struct crash_plan plan;
	struct oracle oracle;
	struct scratch scratch;
	struct journal *j;
};

/* @plan: NULL for small NVRAM; formatted and open */
struct place *place_make(const struct crash_plan *plan);
void place_remove(struct place *p);
/* The power goes, and comes back: nothing is there that was not durable. */
void place_crash(struct place *p);
int place_open(struct place *p);
/* A clean close, and then the power goes. */
void place_close(struct place *p);

/* one transaction of PLACE_BYTES made from @seed; Return: as journal_commit() */
int place_put(struct place *p, enum journal_path path, uint64_t seed, uint64_t *id);
/* where the payload of @seed lies durably on a medium; NULL: nowhere */
uint8_t *place_search(struct crash_map *map, uint64_t seed);
/* the same, and it has to be there */
uint8_t *place_find(struct crash_map *map, uint64_t seed);
/* Flip a bit of the byte at @durable, which lies on @map. */
void place_spoil(struct crash_map *map, uint8_t *durable);

/* 0: there is no such transaction */
enum journal_state place_state(struct place *p, uint64_t id);
uint32_t place_live(struct place *p);
uint64_t place_lost_unnamed(struct place *p);
/* journal_check() beside it */
int place_check(struct place *p);

#endif
