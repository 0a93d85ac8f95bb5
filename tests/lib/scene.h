/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two threads on one journal in a crash world, one of them standing still at each
 * place in turn (step.h).  For tests linked with CRASH_LDFLAGS and STEP_LDFLAGS.
 */
#ifndef TESTS_LIB_SCENE_H
#define TESTS_LIB_SCENE_H

#include "crash_place.h"
#include "step.h"

struct slots_from;

#define SCENE_BYTES 72u /* of each payload */

enum scene_mode {
	X_ALONE,   /* x in the first slot, where y comes; z is retired */
	X_AND_Z,   /* z too is live, in the second slot */
	X_BEHIND_Y, /* x in the second slot, where nothing comes; z is retired */
};

/* x: whose race it is; y: what comes after it, in the same slot if it can; z: a
 * neighbour in the same word; w: nobody touches it */
struct scene {
	struct place *p;
	enum journal_path path;
	uint64_t x, y, z, w;
	int first, second; /* what their calls returned */
	int retired;       /* and the retire of the second */
	struct journal_txn *txn[2];
	uint8_t read[SCENE_BYTES];
	uint64_t seed; /* of x; y has the next */
	enum scene_mode mode;
	uint64_t time_ns;  /* of x */
	uint64_t position; /* of its record */
};

struct scenario {
	void (*before)(struct scene *s);
	void (*first)(void *scene), (*second)(void *scene);
	void (*after)(struct scene *s);
	enum journal_path path;
	enum scene_mode mode;
	bool never_waits; /* the second for the first, nor takes a lock */
};

/* @scenario at all places of its first thread */
void scene_everywhere(const struct scenario *scenario);
/* at every @usual'th, or as STRIDE says: 1 is all */
void scene_at_some(const struct scenario *scenario, uint32_t usual);

/* ---- for both threads: no assertion is in them ---------------------------------------- */

/* @count above 1: a group, of little ones; 0: one that is empty */
int scene_begin(struct scene *s, uint32_t count, uint64_t seed, struct journal_txn **txn);
int scene_put(struct scene *s, uint32_t count, uint64_t seed, uint64_t *id);
int scene_put_and_retire(struct scene *s, uint32_t count);
int scene_read_x(struct scene *s);
bool scene_is_made_of(const uint8_t *bytes, uint64_t seed);

/* ---- before and after ------------------------------------------------------------------ */

struct slots_from *scene_lane(struct scene *s, uint32_t cpu);
/* No slot of that lane's line is left; what this takes is retired. */
void scene_use_up(struct scene *s, uint32_t cpu);
/* x and z in the first slots of a line that is used up, as the mode says */
void scene_x_and_z(struct scene *s);
/* the same, x the first of the ring of lane 0 that is wanted; lane 1 is used up */
void scene_x_first_of_its_ring(struct scene *s);
/* on the medium: it is not retired */
bool scene_retire_bit(struct scene *s, uint64_t id);
/* y is nobody's victim: found, whole, and not retired on the medium */
void scene_y_lives(struct scene *s);
void scene_retire(struct scene *s, uint64_t id);
/* What is live in the log is counted there, and no more. */
void scene_nothing_is_held(struct scene *s);

#endif
