/* SPDX-License-Identifier: BSD-3-Clause */
/* Ids as text: incarnation, a dash, and eight digits, all hexadecimal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"

void journal_id_print(uint64_t id, char text[JOURNAL_ID_CHARS])
{
	(void)snprintf(text, JOURNAL_ID_CHARS, "%x-%08x", (unsigned int)(id >> 32),
		       (unsigned int)id);
}

/* lower-case digits only, so that an id has one spelling */
static int id_digits(const char *text, size_t digits, uint64_t *value)
{
	size_t i;

	for (i = 0, *value = 0; i < digits; i++) {
		const char *digit = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;

		if (!digit)
			return -EINVAL;
		*value = *value << 4 | (uint64_t)(digit - "0123456789abcdef");
	}
	return 0;
}

int journal_id_parse(const char *text, uint64_t *id)
{
	const char *dash = strchr(text, '-');
	uint64_t high, low;

	if (!dash || dash == text || dash - text > 8 || strlen(dash + 1) != 8 ||
	    *text == '0' || id_digits(text, (size_t)(dash - text), &high) ||
	    id_digits(dash + 1, 8, &low))
		return -EINVAL;
	*id = high << 32 | low;
	return 0;
}
