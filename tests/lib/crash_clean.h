/* SPDX-License-Identifier: BSD-3-Clause */
/* Cleaning long before a log is full: what is small enough to be cut everywhere
 * fills no segment. */
#ifndef TESTS_LIB_CRASH_CLEAN_H
#define TESTS_LIB_CRASH_CLEAN_H

#include <stdint.h>

#include "journal.h"
#include "txn/head.h"

/* The segment of some head of @kind, if it has one, is sealed as if it were full; where a
 * full log would not let it have another one, nothing happens. */
int crash_leave(struct journal *j, enum head_kind kind);

/**
 * crash_clean() - leave the segment of some head, and clean the best victim there is
 * @draw: decides which head, and whether one is left at all
 * @moved: counts the segments that were cleaned
 * Context: no transaction is being written.
 * Return: 0 or negative errno.
 */
int crash_clean(struct journal *j, uint32_t draw, uint64_t *moved);

#endif
