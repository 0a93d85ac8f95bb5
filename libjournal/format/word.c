/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/word.h"

#include <errno.h>

#include "util/assert.h"
#include "util/crc32c.h"

static uint64_t word_check(uint64_t value)
{
	__le64 le = put_le64(value);
	/* the seed keeps the check of 0 away from 0 */
	uint32_t crc = crc32c(0x6c6a776fu, &le, sizeof(le));

	/* this fold notices any two flipped bits; a plain byte of it does not */
	return (crc >> 4 ^ crc >> 9 ^ crc >> 31) & 0xff;
}

__le64 word_seal(uint64_t value)
{
	JASSERT(value <= WORD_VALUE_MAX);
	return put_le64(value | word_check(value) << 56);
}

int word_unseal(__le64 word, uint64_t *value)
{
	uint64_t raw = get_le64(word);
	uint64_t low = raw & ((1ull << 56) - 1);

	if (raw == WORD_ERASED)
		return -ENODATA;
	if (low > WORD_VALUE_MAX || raw >> 56 != word_check(low))
		return -EUCLEAN;
	*value = low;
	return 0;
}
