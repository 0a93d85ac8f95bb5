/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/file_head.h"

#include <errno.h>
#include <inttypes.h>

#include "format/checkpoint.h"

uint64_t file_head_find(const struct medium *medium)
{
	uint64_t at, capacity = checkpoint_file_capacity(medium->bytes);
	struct checkpoint_head head;

	for (unsigned int i = 0; capacity && i < 2 * CHECKPOINT_SLOTS; i++) {
		at = checkpoint_slot_offset(i / 2, capacity) + i % 2 * CHECKPOINT_BLOCK_BYTES;
		/* one that cannot be read is not the end: there are more */
		if (!medium_read(medium->fd, &head, sizeof(head), at) &&
		    checkpoint_head_vouches(&head, capacity))
			return capacity;
	}
	return 0;
}

int file_head_write(const struct medium *medium, uint64_t capacity)
{
	uint8_t block[CHECKPOINT_BLOCK_BYTES] = { 0 };
	struct checkpoint_file head;

	checkpoint_file_encode(&head, capacity);
	memcpy(block, &head, sizeof(head));
	return medium_write(medium->fd, block, sizeof(block), 0);
}

/* Return: 0; -EUCLEAN or a read error, when something may stand in; or -EPROTO. */
static int read_own(const struct medium *medium, bool read_only, uint64_t *capacity,
		    struct message *message)
{
	struct checkpoint_file head;
	int error = medium_read(medium->fd, &head, sizeof(head), 0);

	if (error)
		return message_errno(message, error, "%s: cannot be read", medium->path);
	error = checkpoint_file_decode(&head, read_only, capacity);
	if (error == -EPROTO)
		return message_set(message, error, "%s: format version %u, this library has %u",
				   medium->path, get_le32(head.version), CHECKPOINT_VERSION);
	if (error)
		return message_set(message, error, "%s: no marker file, or its head is damaged",
				   medium->path);
	return 0;
}

int file_head_read(const struct medium *medium, bool read_only, uint64_t *capacity,
		   bool *damaged, bool *truncated, struct message *message)
{
	uint64_t bytes;
	int error;

	if (medium->bytes < CHECKPOINT_BLOCK_BYTES)
		return message_set(message, medium->bytes ? -EUCLEAN : -ENOENT,
				   "%s: truncated, or never formatted", medium->path);
	error = read_own(medium, read_only, capacity, message);
	if (error && error != -EPROTO) {
		*capacity = file_head_find(medium);
		*damaged = *capacity;
	}
	if (error && !*damaged)
		return error;
	(void)checkpoint_file_bytes(*capacity, &bytes);
	*truncated = medium->bytes < bytes;
	if (*truncated)
		(void)message_set(message, -EUCLEAN, "%s: truncated: %" PRIu64 " bytes of %" PRIu64,
				  medium->path, medium->bytes, bytes);
	/* a file may still have whole slots, and can be as long again */
	return *truncated && medium->device ? -EUCLEAN : 0;
}
