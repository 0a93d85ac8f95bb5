/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/checkpoint.h"

#include <errno.h>
#include <string.h>

#include "util/crc32c.h"
#include "util/math.h"

#define SEED 0xffffffffu

void checkpoint_file_encode(struct checkpoint_file *file, uint64_t capacity)
{
	memset(file, 0, sizeof(*file));
	file->magic = put_le64(CHECKPOINT_FILE_MAGIC);
	file->version = put_le32(CHECKPOINT_VERSION);
	file->capacity = put_le64(capacity);
	file->crc = put_le32(crc32c(SEED, file, offsetof(struct checkpoint_file, crc)));
}

int checkpoint_file_decode(const struct checkpoint_file *file, bool read_only,
			   uint64_t *capacity)
{
	uint64_t bytes;

	if (get_le64(file->magic) != CHECKPOINT_FILE_MAGIC ||
	    get_le32(file->crc) != crc32c(SEED, file, offsetof(struct checkpoint_file, crc)))
		return -EUCLEAN;
	if (get_le32(file->version) != CHECKPOINT_VERSION || get_le32(file->incompat) ||
	    (get_le32(file->ro_compat) && !read_only))
		return -EPROTO;
	*capacity = get_le64(file->capacity);
	if (!*capacity || *capacity % CHECKPOINT_BLOCK_BYTES ||
	    checkpoint_file_bytes(*capacity, &bytes))
		return -EUCLEAN;
	return 0;
}

void checkpoint_head_encode(struct checkpoint_head *head, uint64_t capacity,
			    uint64_t generation, uint64_t bytes, uint32_t payload_crc)
{
	memset(head, 0, sizeof(*head));
	head->magic = put_le64(CHECKPOINT_HEAD_MAGIC);
	head->generation = put_le64(generation);
	head->bytes = put_le64(bytes);
	head->capacity = put_le64(capacity);
	head->payload_crc = put_le32(payload_crc);
	head->crc = put_le32(crc32c(SEED, head, offsetof(struct checkpoint_head, crc)));
}

enum checkpoint_state checkpoint_head_decode(const struct checkpoint_head *head,
					     uint64_t capacity, uint64_t *generation,
					     uint64_t *bytes, uint32_t *payload_crc)
{
	static const struct checkpoint_head zero;

	if (!memcmp(head, &zero, sizeof(zero)))
		return CHECKPOINT_NEVER;
	if (get_le64(head->magic) != CHECKPOINT_HEAD_MAGIC ||
	    get_le32(head->crc) != crc32c(SEED, head, offsetof(struct checkpoint_head, crc)))
		return CHECKPOINT_BAD;
	*generation = get_le64(head->generation);
	*bytes = get_le64(head->bytes);
	*payload_crc = get_le32(head->payload_crc);
	if (!*generation || *generation > CHECKPOINT_GENERATION_MAX || !*bytes ||
	    *bytes > capacity || (head->capacity && get_le64(head->capacity) != capacity))
		return CHECKPOINT_BAD;
	return CHECKPOINT_WHOLE;
}

bool checkpoint_head_vouches(const struct checkpoint_head *head, uint64_t capacity)
{
	uint64_t generation, bytes;
	uint32_t crc;

	return get_le64(head->capacity) == capacity &&
	       checkpoint_head_decode(head, capacity, &generation, &bytes, &crc) ==
		       CHECKPOINT_WHOLE;
}

int checkpoint_file_bytes(uint64_t capacity, uint64_t *bytes)
{
	uint64_t slot, slots;

	if (add_overflows(capacity, CHECKPOINT_HEAD_BYTES, &slot) ||
	    mul_overflows(slot, CHECKPOINT_SLOTS, &slots) ||
	    add_overflows(slots, CHECKPOINT_BLOCK_BYTES, bytes) || *bytes > INT64_MAX)
		return -EOVERFLOW;
	return 0;
}

uint64_t checkpoint_file_capacity(uint64_t bytes)
{
	uint64_t slot = (bytes - CHECKPOINT_BLOCK_BYTES) / CHECKPOINT_SLOTS;

	if (bytes < CHECKPOINT_BLOCK_BYTES || bytes > INT64_MAX || slot <= CHECKPOINT_HEAD_BYTES ||
	    slot % CHECKPOINT_BLOCK_BYTES ||
	    CHECKPOINT_BLOCK_BYTES + slot * CHECKPOINT_SLOTS != bytes)
		return 0;
	return slot - CHECKPOINT_HEAD_BYTES;
}
