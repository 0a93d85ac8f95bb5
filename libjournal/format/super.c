/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/super.h"

#include <errno.h>
#include <string.h>

#include "util/crc32c.h"

uint32_t super_crc(const void *super, size_t crc_offset)
{
	static const uint8_t zero[4];
	const uint8_t *bytes = super;
	uint32_t crc = crc32c(~0u, bytes, crc_offset);

	crc = crc32c(crc, zero, sizeof(zero));
	return ~crc32c(crc, bytes + crc_offset + 4, SUPER_BYTES - crc_offset - 4);
}

int super_validate(const struct super_common *common, bool read_only, const char **why)
{
	if (memcmp(common->magic, common->magic_wanted, 8)) {
		*why = "no superblock of libjournal there";
		return -ENODATA;
	}
	if (get_le32(common->version) != FORMAT_VERSION) {
		*why = "the format version is not one that this library knows";
		return -EPROTO;
	}
	if (get_le32(common->crc) != common->crc_expected) {
		*why = "the checksum of the superblock does not match";
		return -EUCLEAN;
	}
	if (get_le64(common->incompat) & ~common->incompat_known) {
		*why = "an incompatible feature that this library does not know";
		return -EPROTO;
	}
	if (!read_only && get_le64(common->ro_compat) & ~FORMAT_RO_COMPAT_KNOWN) {
		*why = "a feature that this library can only read";
		return -EPROTO;
	}
	return 0;
}
