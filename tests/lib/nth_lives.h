/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done to a journal while something fails. */
#ifndef TESTS_LIB_NTH_LIVES_H
#define TESTS_LIB_NTH_LIVES_H

#include "nth_story.h"

/* ---- steps; each goes on whatever the one before was told ---------------------------- */

/* Return: whether it is open.  One that failed is closed, and tried once more. */
bool nth_open(struct nth_life *life, unsigned int flags);
void nth_close(struct nth_life *life);
void nth_put(struct nth_life *life, enum journal_path path, uint32_t bytes);
void nth_put_group(struct nth_life *life, uint32_t count, uint32_t bytes);
void nth_abort(struct nth_life *life, uint32_t bytes);
/* of those that live the first one; with @many three at once */
void nth_retire(struct nth_life *life, bool many);
void nth_read_all(struct nth_life *life);
void nth_read_many(struct nth_life *life);
void nth_submit(struct nth_life *life, uint32_t count, uint32_t bytes);
void nth_maintain(struct nth_life *life, unsigned int rounds);
void nth_look(struct nth_life *life);
bool nth_has_nvram(const struct nth_life *life);

/* ---- lives ----------------------------------------------------------------------------- */

void nth_format(struct nth_life *life);
void nth_work(struct nth_life *life);
void nth_recover(struct nth_life *life);
void nth_clean(struct nth_life *life);
void nth_resize(struct nth_life *life);
void nth_set_marker(struct nth_life *life);
void nth_rescue(struct nth_life *life);
void nth_moving(struct nth_life *life);
void nth_distrust(struct nth_life *life);
void nth_upgrade(struct nth_life *life);
void nth_mirror(struct nth_life *life);
void nth_destroy(struct nth_life *life);

/* ---- what they begin with, and what follows ---------------------------------------------- */

void nth_prepare_some(struct nth_life *life);
void nth_prepare_killed(struct nth_life *life);
void nth_prepare_full(struct nth_life *life);
void nth_prepare_leg(struct nth_life *life);
void nth_prepare_old(struct nth_life *life);
void nth_after_format(struct nth_life *life);
void nth_after_destroy(struct nth_life *life);
void nth_after_upgrade(struct nth_life *life);

#endif
