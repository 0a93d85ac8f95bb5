/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of checkpoints, and the marker medium in the one in force. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dump.h"
#include "format/checkpoint.h"

struct dump_slot {
	uint64_t generation; /* 0: no whole head */
	uint64_t bytes;
};

static void dump_head(unsigned int slot, unsigned int copy, const struct checkpoint_head *head,
		      uint64_t capacity, struct dump_slot *found)
{
	uint64_t generation, bytes;
	uint32_t crc;

	printf("  checkpoint %c, head %u: ", "ABC"[slot], copy);
	switch (checkpoint_head_decode(head, capacity, &generation, &bytes, &crc)) {
	case CHECKPOINT_NEVER:
		printf("never written\n");
		return;
	case CHECKPOINT_BAD:
		printf("does not verify\n");
		return;
	case CHECKPOINT_WHOLE:
		break;
	}
	printf("generation %" PRIu64 ", %" PRIu64 " bytes, checksum %08" PRIx32 ", capacity %"
	       PRIu64 "\n", generation, bytes, crc, get_le64(head->capacity));
	if (generation > found->generation)
		*found = (struct dump_slot){ generation, bytes };
}

static int dump_slot(const struct dump_source *source, unsigned int slot, uint64_t capacity,
		     struct dump_slot *found)
{
	*found = (struct dump_slot){ 0 };
	for (unsigned int copy = 0; copy < 2; copy++) {
		struct checkpoint_head head;
		int err = dump_read(source, checkpoint_slot_offset(slot, capacity) +
				    copy * CHECKPOINT_BLOCK_BYTES, &head, sizeof(head));

		if (err)
			return err;
		dump_head(slot, copy, &head, capacity, found);
	}
	return 0;
}

static int dump_checkpoints(const struct dump_source *source, uint64_t capacity)
{
	struct dump_slot slots[CHECKPOINT_SLOTS];
	struct dump_source inner = *source;
	unsigned int newest = 0;

	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++) {
		int err = dump_slot(source, i, capacity, &slots[i]);

		if (err)
			return err;
		if (slots[i].generation > slots[newest].generation)
			newest = i;
	}
	if (!slots[newest].generation)
		return 0;
	printf("  in checkpoint %c, the newest:\n", "ABC"[newest]);
	inner.base = source->base + checkpoint_slot_offset(newest, capacity) +
		     CHECKPOINT_HEAD_BYTES;
	inner.bytes = capacity;
	/* what was never used is not written: a checkpoint is a prefix */
	inner.there = slots[newest].bytes;
	return dump_marker(&inner);
}

/* A head of a checkpoint stands in for that of the file. */
static int dump_headless(const struct dump_source *source)
{
	uint64_t capacity = checkpoint_file_capacity(source->bytes);
	struct checkpoint_head head;

	printf("  head of the file: does not verify\n");
	for (unsigned int i = 0; capacity && i < 2 * CHECKPOINT_SLOTS; i++) {
		uint64_t at = checkpoint_slot_offset(i / 2, capacity) +
			      i % 2 * CHECKPOINT_BLOCK_BYTES;

		if (dump_read(source, at, &head, sizeof(head)) ||
		    !checkpoint_head_vouches(&head, capacity))
			continue;
		printf("  by the head of a checkpoint: capacity %" PRIu64 "\n", capacity);
		return dump_checkpoints(source, capacity);
	}
	return 0;
}

int dump_file(const struct dump_source *source)
{
	struct checkpoint_file file;
	uint64_t capacity;
	int err = dump_read(source, 0, &file, sizeof(file));

	if (err)
		return err;
	err = checkpoint_file_decode(&file, true, &capacity);
	if (err == -EPROTO) {
		printf("  head of the file: other version or feature\n");
		return 0;
	}
	if (err)
		return dump_headless(source);
	printf("  head of the file: version %" PRIu32 ", capacity %" PRIu64 "\n",
	       get_le32(file.version), capacity);
	return dump_checkpoints(source, capacity);
}
