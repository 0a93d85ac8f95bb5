/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rules of the protocol a point exercises: docs/architecture.md names them. */
#ifndef TESTS_CRASH_RULES_H
#define TESTS_CRASH_RULES_H

#include "flight.h"
#include "format/marker.h"
#include "found.h"

enum rule {
	RULE_P1, RULE_P2, RULE_P3, RULE_P4, RULE_P5, RULE_P6, RULE_P7, RULE_P8, RULE_P9, RULE_P10,
	RULE_P11, RULE_P12, RULE_P13, RULE_P14, RULE_P16, RULE_P17, RULE_P18,
	RULES,
};

/* what each says, in a line */
extern const char *const rule_names[RULES];

/* of what is on its way to a medium of geometry @g, and of what the calling thread is in the
 * middle of: a bit for each */
uint32_t rules_here(const struct flight *flight, const struct marker_geometry *g);
/* of what is found in an image */
uint32_t rules_found(const struct found *found);

/* where the calling thread is, for people */
void rules_print_stack(void);

#endif
