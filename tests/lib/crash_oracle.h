/* SPDX-License-Identifier: BSD-3-Clause */
/* What a journal must hold after a crash, and whether it does. */
#ifndef TESTS_LIB_CRASH_ORACLE_H
#define TESTS_LIB_CRASH_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"

enum oracle_state {
	ORACLE_LIVE,     /* acknowledged: must be there */
	ORACLE_RETIRING, /* may be there */
	ORACLE_RETIRED,  /* acknowledged: must not */
};

struct oracle_txn {
	uint64_t id;
	uint64_t seed; /* of its payload */
	uint32_t bytes;
	enum oracle_state state;
};

struct oracle {
	struct oracle_txn *all; /* every id there ever was */
	uint32_t count, room;
	/* the commit in flight: all or nothing, in this order */
	struct oracle_txn flight[JOURNAL_GROUP_MAX];
	uint32_t flight_count;
	char why[512]; /* the first thing that was wrong */
};

void oracle_free(struct oracle *oracle);

/* deterministic bytes */
void oracle_payload(uint64_t seed, void *buffer, uint32_t bytes);

void oracle_begin(struct oracle *oracle);
void oracle_add_flight(struct oracle *oracle, uint64_t seed, uint32_t bytes);
/* the commit was acknowledged; Return: false when an id was there before (P4) */
bool oracle_committed(struct oracle *oracle, uint64_t first_id);
void oracle_not_committed(struct oracle *oracle);
void oracle_state(struct oracle *oracle, uint64_t id, enum oracle_state state);

/* ids that a journal lists */
struct oracle_list {
	uint64_t *ids;
	uint32_t count, room;
};

/**
 * oracle_check() - compare
 * @list:  receives what is listed
 * @adopt: what was in flight is decided by what is there
 * Return: 0, or -1 with the reason in @oracle->why
 */
int oracle_check(struct oracle *oracle, struct journal *j, struct oracle_list *list,
		 bool adopt);
int oracle_same(struct oracle *oracle, const struct oracle_list *first,
		const struct oracle_list *second);
int oracle_wrong(struct oracle *oracle, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
