/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC-32C (Castagnoli), the routine chosen at run time. */
#ifndef UTIL_CRC32C_H
#define UTIL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - continue the checksum @crc over @bytes at @data
 *
 * No pre- or post-inversion: the state is the result, so a checksum can be
 * seeded and continued in pieces: crc32c(crc32c(s, a), b) == crc32c(s, a || b).
 * crc32c(~0, "123456789") ^ ~0 == 0xe3069283, the check value of RFC 3720.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* name of the routine in use for long input, for people */
const char *crc32c_routine(void);

#endif
