/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A journal whose stage is changed behind its back: a writer stages some and dies, or
 * closes, bytes of its NVRAM are changed, a fresh handle says what is there.
 */
#ifndef TESTS_LIB_STAGED_H
#define TESTS_LIB_STAGED_H

#include <stdbool.h>
#include <stdint.h>

#include "format/marker.h"
#include "format/stage.h"
#include "journal.h"

#define STAGED_IMAGE   (8u << 20)
#define STAGED_IDS_MAX 2048u
#define STAGED_BYTES   1000u

/* what the writers staged; shared with them */
extern struct staged_said {
	uint64_t ids[STAGED_IDS_MAX];
	uint32_t count;
} *staged_said;
extern uint8_t *staged_image;
extern struct marker_geometry staged_geometry;
extern struct journal *staged_journal; /* staged_counts_are() */

/* of a group of tests; of a test */
int staged_share(void **state);
int staged_make(void **state);
int staged_drop(void **state);

/* on one processor, and with that in one lane */
void staged_in_a_process(int (*work)(void));
/* in there: 0, or not */
int staged_open(struct journal **j);
int staged_put(struct journal *j, uint32_t bytes);
int staged_puts(struct journal *j, uint32_t count, uint32_t bytes);
int staged_put_group(struct journal *j, uint32_t count);

struct marker_lane *staged_lane(uint32_t lane);
struct marker_line *staged_line(uint32_t line);
uint32_t staged_lane_of(const struct stage_record *record);
/* the header at this byte of the image verifies, at or above its lane's tail */
bool staged_header_at(uint64_t at, struct stage_meta *meta);
/* a void one, or the one of data whose first id is @id */
struct stage_record *staged_header(enum stage_type type, uint64_t id);
struct stage_record *staged_record(uint32_t which);
void staged_spoil(struct stage_record *record);

/* journal_check(): 0 or -EUCLEAN */
int staged_check(void);
/* opens it, if it is not */
void staged_counts_are(uint64_t lost, uint64_t unnamed);
void staged_close(void);
/* enum journal_state; 0: there is none */
int staged_state(uint32_t which);
/* [@from, @to) are lost; of all others each lives, or was retired */
void staged_lost_are(uint32_t from, uint32_t to);

#endif
