/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/shared_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/crc32c.h"

#define WORDS (SHARED_TEXT_BYTES / 8)
#define TRIES 1000u /* it takes nanoseconds to set */

void shared_text_set(struct shared_text *shared, const char *text)
{
	uint64_t word[WORDS] = { 0 };
	unsigned int i;

	(void)snprintf((char *)word, sizeof(word), "%s", text);
	for (i = 0; i < WORDS; i++)
		atomic_store_explicit(&shared->word[i], word[i], memory_order_relaxed);
	/* in any order: the checksum fits all of it, or is not the text's */
	atomic_store_explicit(&shared->crc, crc32c(0, word, sizeof(word)), memory_order_relaxed);
}

static bool try_get(const struct shared_text *shared, uint64_t word[WORDS])
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		word[i] = atomic_load_explicit(&shared->word[i], memory_order_relaxed);
	return crc32c(0, word, SHARED_TEXT_BYTES) ==
	       atomic_load_explicit(&shared->crc, memory_order_relaxed);
}

void shared_text_get(const struct shared_text *shared, char text[SHARED_TEXT_BYTES])
{
	uint64_t word[WORDS];
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		if (try_get(shared, word)) {
			memcpy(text, word, SHARED_TEXT_BYTES);
			/* other processes are not trusted to end it */
			text[SHARED_TEXT_BYTES - 1] = '\0';
			return;
		}
	}
	text[0] = '\0';
}
