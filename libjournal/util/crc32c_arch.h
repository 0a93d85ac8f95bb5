/* SPDX-License-Identifier: BSD-3-Clause */
/* The processor's own CRC-32C instruction, for short input; architecture file. */
#ifndef UTIL_CRC32C_ARCH_H
#define UTIL_CRC32C_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CRC32C_SHORT_BYTES 192u

#if defined(__x86_64__)

static inline bool crc32c_arch_available(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2")))
static inline uint32_t crc32c_arch(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint64_t wide = crc, word;

	for (; bytes >= 8; bytes -= 8, at += 8) {
		memcpy(&word, at, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; bytes; bytes--)
		crc = __builtin_ia32_crc32qi(crc, *at++);
	return crc;
}

#else

static inline bool crc32c_arch_available(void)
{
	return false;
}

static inline uint32_t crc32c_arch(uint32_t crc, const void *data, size_t bytes)
{
	(void)data;
	(void)bytes;
	return crc;
}

#endif

#endif
