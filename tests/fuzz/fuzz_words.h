/* SPDX-License-Identifier: BSD-3-Clause */
/* Text of words that make sense: a byte below 16 stands for one, all others for themselves. */
#ifndef FUZZ_WORDS_H
#define FUZZ_WORDS_H

#include "fuzz.h"

#define FUZZ_WORDS 16u

/* @words: NULL: every byte is itself.  Return: how many bytes of @text were filled */
static inline size_t fuzz_words(struct fuzz_input *in, const char *const words[FUZZ_WORDS],
				void *text, size_t room)
{
	size_t at = 0, length;

	while (in->bytes) {
		const char *from = (const char *)in->data;
		uint8_t byte = fuzz_byte(in);

		length = 1;
		if (words && byte < FUZZ_WORDS) {
			from = words[byte];
			length = strlen(from);
		}
		if (length > room - at)
			break;
		memcpy((char *)text + at, from, length);
		at += length;
	}
	return at;
}

#endif
