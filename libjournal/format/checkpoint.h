/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file of the `file:` marker store: checkpoints A, B, C (P11).
 *
 *   0                     struct checkpoint_file, in a block of 4096 bytes
 *   4096                  slot A: head, the same head again (a block each),
 *                         then the payload's capacity
 *   4096 + slot size      slot B, the same
 *   4096 + 2 slot sizes   slot C, the same
 *
 * A checkpoint is valid iff one of its slot's two heads is whole (magic,
 * checksum, length within the capacity) and the payload's checksum holds.  The
 * valid one of the highest generation is in force.
 *
 * Write order of a checkpoint, into a slot that is neither in force nor written
 * to by another: payload, barrier, both heads, barrier.  The first barrier orders
 * the payload before the heads for the reader: a whole head over a payload that
 * fails means that the payload was overwritten by a later checkpoint, or damage.
 * What a crash leaves: a payload partly overwritten under its old heads; heads
 * of which one is torn, or one old and one new; in one slot, or in two: one
 * process may be stopped in the middle while others go on with the other slots,
 * and if it goes on later, it leaves a valid checkpoint of a generation below the
 * newest.
 *
 * A slot is written to only when a valid checkpoint of a higher generation than
 * that of its heads is in force.  Where a process died, and that may not be so,
 * both heads are first overwritten with ones, then a barrier.
 *
 * So damage is certain iff the whole head of the highest generation has a
 * payload that fails: nobody writes to that slot.
 *
 * All that the head of the file says is its capacity, and the heads of checkpoints say
 * it again: while the first is damaged, one whole head at its place stands in for it,
 * if the file is as long as its capacity makes it.  A head that a larger or smaller file
 * left in this one is not believed: it says another length.
 * So a feature that goes into @incompat must show in the heads of checkpoints, too: by
 * another magic.
 */
#ifndef FORMAT_CHECKPOINT_H
#define FORMAT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/endian.h"

#define CHECKPOINT_VERSION     0u
#define CHECKPOINT_BLOCK_BYTES 4096u
#define CHECKPOINT_HEAD_BYTES  (2 * CHECKPOINT_BLOCK_BYTES)
#define CHECKPOINT_SLOTS       3u

/* there are checkpoints for longer than any journal lives */
#define CHECKPOINT_GENERATION_MAX (UINT64_MAX >> 2)

/* "JNLCKFIL" and "JNLCKHED", as they read in a hex dump */
#define CHECKPOINT_FILE_MAGIC 0x4c49464b434c4e4aull
#define CHECKPOINT_HEAD_MAGIC 0x4445484b434c4e4aull

/**
 * struct checkpoint_file - first bytes of the file
 * @magic:     CHECKPOINT_FILE_MAGIC
 * @version:   CHECKPOINT_VERSION; another one is refused
 * @compat, @ro_compat, @incompat: feature masks; none is known yet, so any
 *             bit of @incompat is refused, of @ro_compat refused for writing
 * @capacity:  payload bytes of a slot, a multiple of 4096
 * @reserved:  0
 * @crc:       CRC-32C, seed ~0, of all before it
 */
struct checkpoint_file {
	__le64 magic;
	__le32 version;
	__le32 compat;
	__le32 ro_compat;
	__le32 incompat;
	__le64 capacity;
	__le64 reserved[3];
	__le32 reserved2;
	__le32 crc;
};

/**
 * struct checkpoint_head - in front of a payload, twice
 * @magic:       CHECKPOINT_HEAD_MAGIC
 * @generation:  1 for the first checkpoint, one more for each that is begun; at
 *               most CHECKPOINT_GENERATION_MAX
 * @bytes:       length of the payload, 1 to the capacity
 * @capacity:    that of the file; 0 in those that were written before it was here
 * @reserved:    0
 * @payload_crc: CRC-32C, seed ~0, of the payload
 * @crc:         CRC-32C, seed ~0, of all before it
 */
struct checkpoint_head {
	__le64 magic;
	__le64 generation;
	__le64 bytes;
	__le64 capacity;
	__le64 reserved[3];
	__le32 payload_crc;
	__le32 crc;
};

_Static_assert(sizeof(struct checkpoint_file) == 64, "checkpoint_file");
_Static_assert(offsetof(struct checkpoint_file, magic) == 0, "magic");
_Static_assert(offsetof(struct checkpoint_file, version) == 8, "version");
_Static_assert(offsetof(struct checkpoint_file, compat) == 12, "compat");
_Static_assert(offsetof(struct checkpoint_file, ro_compat) == 16, "ro_compat");
_Static_assert(offsetof(struct checkpoint_file, incompat) == 20, "incompat");
_Static_assert(offsetof(struct checkpoint_file, capacity) == 24, "capacity");
_Static_assert(offsetof(struct checkpoint_file, reserved) == 32, "reserved");
_Static_assert(offsetof(struct checkpoint_file, reserved2) == 56, "reserved2");
_Static_assert(offsetof(struct checkpoint_file, crc) == 60, "crc");

_Static_assert(sizeof(struct checkpoint_head) == 64, "checkpoint_head");
_Static_assert(offsetof(struct checkpoint_head, magic) == 0, "magic");
_Static_assert(offsetof(struct checkpoint_head, generation) == 8, "generation");
_Static_assert(offsetof(struct checkpoint_head, bytes) == 16, "bytes");
_Static_assert(offsetof(struct checkpoint_head, capacity) == 24, "capacity");
_Static_assert(offsetof(struct checkpoint_head, reserved) == 32, "reserved");
_Static_assert(offsetof(struct checkpoint_head, payload_crc) == 56, "payload_crc");
_Static_assert(offsetof(struct checkpoint_head, crc) == 60, "crc");

_Static_assert(CHECKPOINT_VERSION == 0, "version");
_Static_assert(CHECKPOINT_BLOCK_BYTES == 4096, "block");
_Static_assert(CHECKPOINT_HEAD_BYTES == 8192, "heads");
_Static_assert(CHECKPOINT_SLOTS == 3, "slots");
_Static_assert(CHECKPOINT_GENERATION_MAX == 0x3fffffffffffffffull, "generations");

/**
 * enum checkpoint_state - what a head says
 * @CHECKPOINT_NEVER: all zeros: never written
 * @CHECKPOINT_BAD:   torn or damaged
 * @CHECKPOINT_WHOLE: verifies; says nothing yet about the payload
 */
enum checkpoint_state {
	CHECKPOINT_NEVER,
	CHECKPOINT_BAD,
	CHECKPOINT_WHOLE,
};

void checkpoint_file_encode(struct checkpoint_file *file, uint64_t capacity);

/**
 * checkpoint_file_decode() - verify, and read the capacity
 * Return: 0, -EUCLEAN (damaged), or -EPROTO (other version or features).
 */
int checkpoint_file_decode(const struct checkpoint_file *file, bool read_only,
			   uint64_t *capacity);

void checkpoint_head_encode(struct checkpoint_head *head, uint64_t capacity,
			    uint64_t generation, uint64_t bytes, uint32_t payload_crc);

/* @generation, @bytes, @payload_crc are set when the head is whole */
enum checkpoint_state checkpoint_head_decode(const struct checkpoint_head *head,
					     uint64_t capacity, uint64_t *generation,
					     uint64_t *bytes, uint32_t *payload_crc);

/* whether it is whole, and says itself that the capacity is @capacity */
bool checkpoint_head_vouches(const struct checkpoint_head *head, uint64_t capacity);

/* Return: 0, or -EOVERFLOW for a capacity no file can hold. */
int checkpoint_file_bytes(uint64_t capacity, uint64_t *bytes);

/* Return: the capacity that makes a file exactly @bytes long, or 0: there is none. */
uint64_t checkpoint_file_capacity(uint64_t bytes);

static inline uint64_t checkpoint_slot_offset(unsigned int slot, uint64_t capacity)
{
	return CHECKPOINT_BLOCK_BYTES + slot * (CHECKPOINT_HEAD_BYTES + capacity);
}

#endif
