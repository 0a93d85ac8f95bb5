/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/group.h"

#include <errno.h>
#include <string.h>

#include "util/math.h"

int group_find(const uint8_t *payload, uint32_t bytes, uint32_t count, uint32_t index,
	       uint32_t *offset, uint32_t *size)
{
	const uint8_t *table;
	uint64_t at = 0, limit;
	__le32 le = 0;
	uint32_t i;

	if (index >= count)
		return -EBADMSG;
	if (count == 1) {
		*offset = 0;
		*size = bytes;
		return 0;
	}
	if (bytes < (uint64_t)count * 4)
		return -EBADMSG;
	limit = bytes - (uint64_t)count * 4;
	table = payload + limit;
	for (i = 0; i <= index; i++) {
		memcpy(&le, table + (uint64_t)i * 4, 4);
		if (i < index)
			at += round_up(get_le32(le), 8);
	}
	if (at > limit || get_le32(le) > limit - at)
		return -EBADMSG;
	*offset = (uint32_t)at;
	*size = get_le32(le);
	return 0;
}
