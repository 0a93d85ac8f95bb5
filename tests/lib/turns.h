/* SPDX-License-Identifier: BSD-3-Clause */
/* NVRAM that is given up and gone back to (P14), through journal.h. */
#ifndef TESTS_LIB_TURNS_H
#define TESTS_LIB_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bed.h"

enum journal_trust turns_trust_of(struct bed *bed);
/* of maintenance, which goes back to what was sound at two looks */
int turns_one_round(struct journal *j);
void turns_comes_back(struct bed *bed);
void turns_goes_down(struct bed *bed);
/* one is put that takes the path which the journal picks */
void turns_is_staged(struct bed *bed, struct model *model, uint64_t seed, bool staged);
/* one by each path */
void turns_put_each(struct bed *bed, struct model *model, uint64_t seed, uint64_t ids[3]);
void turns_retire_it(struct bed *bed, struct model *model, uint64_t id);

#endif
