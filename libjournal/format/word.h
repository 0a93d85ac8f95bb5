/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sealed word: one 8-byte word of a marker medium that carries its own
 * check, since it is the largest thing that is ever assumed atomic.
 *
 *   bits 0..55   value
 *   bits 56..63  check: 8 bits folded from a CRC-32C over the value; any one
 *                or two flipped bits of the word fail it
 *
 * All ones is "erased" and never sealed; all zeros (a vanished device) never
 * unseals.
 */
#ifndef FORMAT_WORD_H
#define FORMAT_WORD_H

#include <stdint.h>

#include "util/endian.h"

#define WORD_VALUE_MAX ((1ull << 56) - 2)
#define WORD_ERASED    (~0ull)

/* Return: the word as it stands on the medium. */
__le64 word_seal(uint64_t value);

/**
 * word_unseal() - the value of a word
 * Return: 0, -ENODATA when it is erased, -EUCLEAN when its check fails.
 */
int word_unseal(__le64 word, uint64_t *value);

#endif
