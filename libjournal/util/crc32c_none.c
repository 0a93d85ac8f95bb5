/* SPDX-License-Identifier: BSD-3-Clause */
/* Without ISA-L: the processor's instruction where there is one, at some 8 bytes
 * in 1.2 ns; else a table of 16 words, which is slow and right. */
#include "util/crc32c.h"
#include "util/crc32c_arch.h"

/* the remainders of the 16 values of four bits, by the reflected polynomial
 * 0x82f63b78 */
static const uint32_t remainders[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t crc32c_table(uint32_t crc, const uint8_t *at, size_t bytes)
{
	while (bytes--) {
		crc ^= *at++;
		crc = crc >> 4 ^ remainders[crc & 15];
		crc = crc >> 4 ^ remainders[crc & 15];
	}
	return crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	return crc32c_arch_available() ? crc32c_arch(crc, data, bytes) :
					 crc32c_table(crc, data, bytes);
}

const char *crc32c_routine(void)
{
	return crc32c_arch_available() ? "crc32 instruction" : "table";
}
