/* SPDX-License-Identifier: BSD-3-Clause */
/* parts: format util */
/* Heads of the checkpoint file of file:, checksums made to hold or not. */
#include "fuzz.h"

#include "format/checkpoint.h"
#include "util/crc32c.h"

static void file(struct fuzz_input *in, unsigned int how)
{
	struct checkpoint_file head;
	uint64_t capacity = 0, bytes;

	checkpoint_file_encode(&head, 1 << 20);
	fuzz_patches(in, &head, sizeof(head), 8);
	if (how & 2)
		head.crc = put_le32(crc32c(~0u, &head, offsetof(struct checkpoint_file, crc)));
	if (checkpoint_file_decode(&head, how & 4, &capacity))
		return;
	FUZZ_CHECK(capacity && capacity % CHECKPOINT_BLOCK_BYTES == 0);
	FUZZ_CHECK(!checkpoint_file_bytes(capacity, &bytes) && bytes / 2 > capacity);
	FUZZ_CHECK(checkpoint_slot_offset(CHECKPOINT_SLOTS, capacity) == bytes);
}

static void head(struct fuzz_input *in, unsigned int how)
{
	struct checkpoint_head head;
	uint64_t generation = 0, bytes = 0;
	uint32_t crc = 0;

	checkpoint_head_encode(&head, 1 << 20, 7, 4096, 9);
	fuzz_patches(in, &head, sizeof(head), 8);
	if (how & 2)
		head.crc = put_le32(crc32c(~0u, &head, offsetof(struct checkpoint_head, crc)));
	if (checkpoint_head_decode(&head, 1 << 20, &generation, &bytes, &crc) ==
	    CHECKPOINT_WHOLE)
		FUZZ_CHECK(generation && generation <= CHECKPOINT_GENERATION_MAX && bytes &&
			   bytes <= 1 << 20);
	else
		FUZZ_CHECK(!checkpoint_head_vouches(&head, 1 << 20));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);

	if (how & 1)
		file(&in, how);
	else
		head(&in, how);
	return 0;
}
