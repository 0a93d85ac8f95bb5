/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The payload of a group: each transaction's bytes padded to 8, then a table
 * of count __le32 sizes at the very end.  The same in stage and log.
 */
#ifndef FORMAT_GROUP_H
#define FORMAT_GROUP_H

#include <stdint.h>

#include "util/endian.h"

/**
 * group_find() - where transaction @index of @count lies in a payload
 * Return: 0, or -EBADMSG when the table does not fit the payload.
 */
int group_find(const uint8_t *payload, uint32_t bytes, uint32_t count, uint32_t index,
	       uint32_t *offset, uint32_t *size);

#endif
