/* SPDX-License-Identifier: BSD-3-Clause */
/* Media of a journal under the fuzzer: patches, with checksums made to hold
 * again if the input says so, and all of it undone afterwards. */
#ifndef FUZZ_SEAL_H
#define FUZZ_SEAL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checkpoint.h"
#include "format/log.h"
#include "format/marker.h"
#include "format/stage.h"
#include "format/summary.h"
#include "format/super.h"
#include "fuzz.h"
#include "util/crc32c.h"
#include "util/math.h"

#define CHUNK    64u
#define UNDO_MAX 128u

struct medium {
	uint8_t *map;
	uint64_t bytes;
	uint32_t *hot; /* chunks that hold anything */
	uint32_t hot_count;
	uint8_t *payload; /* markers: of the checkpoint in force, else map */
	struct checkpoint_head *head; /* of it, or NULL */
	uint64_t capacity, generation, payload_bytes;
	union {
		struct log_super log;
		struct marker_super marker;
	} super; /* as it was */
};

static struct {
	uint8_t *at;
	uint8_t was[CHUNK];
} undo[UNDO_MAX];
static unsigned int undo_count;

static inline void undo_note(uint8_t *at)
{
	FUZZ_CHECK(undo_count < UNDO_MAX);
	undo[undo_count].at = at;
	memcpy(undo[undo_count++].was, at, CHUNK);
}

static inline void medium_undo_all(void)
{
	while (undo_count) {
		undo_count--;
		memcpy(undo[undo_count].at, undo[undo_count].was, CHUNK);
	}
}

/* there are many of them, and which are is of no interest */
__attribute__((no_sanitize("coverage")))
static inline bool chunk_is_blank(const uint8_t *chunk)
{
	uint32_t i;

	for (i = 1; i < CHUNK && chunk[i] == chunk[0]; i++)
		;
	return i == CHUNK && (chunk[0] == 0 || chunk[0] == 0xff);
}

static inline void medium_find_checkpoint(struct medium *m)
{
	struct checkpoint_head *head;
	uint64_t capacity, generation, bytes, best = 0, at;
	uint32_t crc, slot;

	m->payload = m->map;
	if (checkpoint_file_decode((struct checkpoint_file *)m->map, true, &capacity))
		return;
	for (slot = 0; slot < CHECKPOINT_SLOTS; slot++) {
		at = checkpoint_slot_offset(slot, capacity);
		head = (struct checkpoint_head *)(m->map + at);
		if (checkpoint_head_decode(head, capacity, &generation, &bytes, &crc) !=
			    CHECKPOINT_WHOLE ||
		    generation < best)
			continue;
		best = m->generation = generation;
		m->capacity = capacity;
		m->payload_bytes = bytes;
		m->head = head;
		m->payload = m->map + at + CHECKPOINT_HEAD_BYTES;
	}
}

/* Return: 0 or negative errno. */
static inline int medium_map(struct medium *m, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	static const uint8_t zeros[4096];
	uint64_t at;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	m->bytes = (uint64_t)st.st_size;
	m->map = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	m->hot = calloc(m->bytes / CHUNK, sizeof(*m->hot));
	if (m->map == MAP_FAILED || !m->hot)
		return -ENOMEM;
	for (at = 0; at + CHUNK <= m->bytes; at += CHUNK) {
		while (!(at % sizeof(zeros)) && at + sizeof(zeros) <= m->bytes &&
		       !memcmp(m->map + at, zeros, sizeof(zeros)))
			at += sizeof(zeros);
		if (at + CHUNK <= m->bytes && !chunk_is_blank(m->map + at))
			m->hot[m->hot_count++] = (uint32_t)(at / CHUNK);
	}
	medium_find_checkpoint(m);
	memcpy(&m->super, m->payload, sizeof(m->super));
	return 0;
}

/* ---- making checksums hold -------------------------------------------------- */

static inline void seal_super(uint8_t *super)
{
	__le32 crc = put_le32(super_crc(super, 12));

	memcpy(super + 12, &crc, 4);
}

static inline void seal_log(struct medium *log, uint8_t *at)
{
	const struct log_super *super = &log->super.log;
	uint64_t nonce = get_le64(super->nonce), size = get_le64(super->segment_bytes);
	uint64_t offset = (uint64_t)(at - log->map) - get_le64(super->segments_offset);
	uint32_t number = (uint32_t)(offset / size), seed;
	const struct log_segment *header;
	struct log_segment_meta meta;
	struct log_record *record = (struct log_record *)at;

	if (at + get_le32(super->digest_bytes) > log->map + log->bytes)
		return;
	header = (const struct log_segment *)(at - offset % size);
	if (get_le32(*(const __le32 *)at) == LOG_SEGMENT_MAGIC) {
		meta = (struct log_segment_meta){
			.seq = get_le64(header->seq),
			.segment = get_le32(header->segment),
			.kind = get_le16(header->kind),
			.opened_ns = get_le64(header->opened_ns),
		};
		memcpy(meta.uuid, header->uuid, sizeof(meta.uuid));
		log_segment_encode(&meta, nonce, (struct log_segment *)at);
	} else if (get_le32(*(const __le32 *)at) == SUMMARY_MAGIC) {
		struct summary_head *head = (struct summary_head *)at;

		if (get_le32(head->lines) <= summary_lines_max(get_le32(super->digest_bytes)))
			summary_seal(head, nonce);
	} else if (get_le16(record->magic) == LOG_RECORD_MAGIC) {
		seed = log_seed(nonce, number, get_le64(header->seq));
		record->header_crc = 0;
		record->header_crc = put_le32(crc32c(seed ^ (uint32_t)(offset % size / 32), record,
						     sizeof(*record)));
	}
}

static inline void seal_marker(struct medium *marker, uint8_t *at)
{
	const struct marker_super *super = &marker->super.marker;
	uint64_t offset = (uint64_t)(at - marker->payload), stage = get_le64(super->stage_offset);
	struct stage_record *record = (struct stage_record *)at;
	uint64_t nonce = get_le64(super->nonce), ring = get_le64(super->ring_bytes);
	__le64 *word = (__le64 *)at;
	uint32_t seed;

	if (offset >= stage && ring && get_le16(record->magic) == STAGE_MAGIC) {
		seed = stage_seed(nonce, (uint32_t)((offset - stage) / ring));
		record->header_crc = 0;
		record->header_crc = put_le32(crc32c(seed, record, sizeof(*record)));
	} else if (offset >= get_le64(super->state_offset) &&
		   offset < get_le64(super->digests_offset)) {
		*word = word_seal(get_le64(*word) & (WORD_VALUE_MAX >> 1));
	}
}

/* the checksum of a whole checkpoint, after all else */
static inline void seal_checkpoint(struct medium *marker)
{
	struct checkpoint_head *head = marker->head;
	uint8_t *second = (uint8_t *)head + CHECKPOINT_BLOCK_BYTES;

	undo_note((uint8_t *)head);
	undo_note(second);
	checkpoint_head_encode(head, marker->capacity, marker->generation, marker->payload_bytes,
			       crc32c(~0u, marker->payload, marker->payload_bytes));
	memcpy(second, head, sizeof(*head));
}

static inline void seal_chunk(struct medium *m, struct medium *marker, uint8_t *at)
{
	if (!memcmp(at, MARKER_MAGIC, 8) || !memcmp(at, LOG_MAGIC, 8))
		seal_super(at);
	else if (m == marker && at >= marker->payload)
		seal_marker(marker, at);
	else if (m != marker && (uint64_t)(at - m->map) >=
				  get_le64(m->super.log.segments_offset))
		seal_log(m, at);
}

/* One patch: a chunk that holds something, bytes in it.  Return: whether a
 * checksum was made to hold. */
static inline bool medium_patch(struct medium *marker, struct medium *log,
				struct fuzz_input *in)
{
	unsigned int how = fuzz_byte(in);
	struct medium *m = how & 1 ? marker : log;
	uint8_t *at = m->map + (uint64_t)m->hot[fuzz_u16(in) % m->hot_count] * CHUNK;

	undo_note(at);
	fuzz_patch(in, at, CHUNK);
	if (how & 2)
		seal_chunk(m, marker, at);
	if (how & 2 && m == marker && marker->head)
		seal_checkpoint(marker);
	return how & 2;
}

#endif
