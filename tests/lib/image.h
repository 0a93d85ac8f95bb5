/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A journal whose log is changed behind its back: a writer commits some and dies,
 * bytes of the log are changed, a fresh handle says what is there.
 */
#ifndef TESTS_LIB_IMAGE_H
#define TESTS_LIB_IMAGE_H

#include <stdint.h>

#include "format/log.h"
#include "format/summary.h"
#include "journal.h"

#define IMAGE_PUTS      6u
#define IMAGE_BYTES     1000u
#define IMAGE_GROUP     JOURNAL_GROUP_MAX
#define IMAGE_LOG_BYTES (16u << 20)

extern char image_dir[160];
extern uint64_t *image_ids; /* of what the writer committed; shared with it */
extern uint8_t *image_map;  /* the log */
extern struct log_geometry image_geometry;
extern struct journal *image_journal; /* image_open() */

/* of a group of tests */
int image_share(void **state);
int image_unshare(void **state);
/* of a test: IMAGE_PUTS committed by a process that died, through this path */
int image_synced(void **state);
int image_synced_bits(void **state); /* with NVRAM */
int image_direct(void **state);
int image_drop(void **state);

void image_in_a_process(int (*work)(void)); /* that dies */
/* some segments full */
int image_fill_segments(void);
/* ids from image_ids[IMAGE_PUTS] on */
int image_group_and_one_more(void);
void image_payload(uint8_t *to, uint32_t which);
/* @which makes the payload */
int image_put(struct journal *j, uint32_t which, uint64_t *id);

/* the first place where @id has a record with a payload */
struct log_record *image_record_of(uint64_t id);
uint8_t *image_payload_of(uint64_t id);
/* of the segment that the record of image_ids[@which] lies in */
uint8_t *image_segment_of(uint32_t which);

void image_open(void);
int image_check(void);
void image_is_there(uint32_t which);
void image_is_lost(uint32_t which);
void image_is_gone(uint32_t which);
void image_all_but(uint32_t missing); /* are there */
void image_counts_are(uint64_t live, uint64_t lost, uint64_t unnamed, uint64_t torn);

#endif
