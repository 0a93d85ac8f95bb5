/* SPDX-License-Identifier: BSD-3-Clause */
/* A mirrored log to test, each leg of it behind a filter that can make it fail. */
#ifndef TESTS_LIB_MIRROR_PLACE_H
#define TESTS_LIB_MIRROR_PLACE_H

#include "lib/fault_log.h"
#include "lib/scratch.h"
#include "log/mirror.h"

#define MIRROR_BYTES (2u << 20)
#define MIRROR_UNIT  4096u

extern const uint8_t mirror_uuid[16];
/* the filters over the legs, as they were opened last */
extern struct log_store *mirror_leg[LEGS];

struct mirror_place {
	struct scratch scratch;
	char path[LEGS][PATH_MAX];
	struct log_legs_of of;
	struct log_store *store;
	struct message message;
	uint8_t *buffer;
};

/* cmocka's set-up and tear-down: *state is one, formatted and open */
int mirror_place_make(void **state);
int mirror_place_remove(void **state);
void mirror_place_close(struct mirror_place *p);
/* Return: as log_mirror_open() */
int mirror_place_reopen(struct mirror_place *p, unsigned int flags);
/* a block of @content, durably; Return: as log_store_write() */
int mirror_place_put(struct mirror_place *p, uint64_t block, int content);
/* what is read there; -1: nothing */
int mirror_place_get(struct mirror_place *p, uint64_t block);
/* the same of one leg's file */
int mirror_place_get_of(struct mirror_place *p, unsigned int i, uint64_t block);
/* what both copies of a leg's head say is good; they are the same */
uint32_t mirror_place_says(struct mirror_place *p, unsigned int i);
/* those in use */
unsigned int mirror_place_good(struct mirror_place *p);
/* a leg's file is away, or back @again */
void mirror_place_hide(struct mirror_place *p, unsigned int i, bool again);

#define MIRROR_TEST(function) \
	cmocka_unit_test_setup_teardown(function, mirror_place_make, mirror_place_remove)

#endif
