/* SPDX-License-Identifier: BSD-3-Clause */
/* What the superblocks of markers and log have in common. */
#ifndef FORMAT_SUPER_H
#define FORMAT_SUPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/features.h"
#include "util/endian.h"

#define SUPER_BYTES 4096u

struct super_common {
	const char *magic_wanted;
	const uint8_t *magic;
	__le32 version;
	__le32 crc;
	uint32_t crc_expected;
	__le64 ro_compat;
	__le64 incompat;
	uint64_t incompat_known;
};

/* CRC-32C of a 4096-byte superblock, the four bytes at @crc_offset as zero */
uint32_t super_crc(const void *super, size_t crc_offset);

/* Return: 0, -ENODATA no magic, -EPROTO version or feature, -EUCLEAN checksum */
int super_validate(const struct super_common *common, bool read_only, const char **why);

#endif
