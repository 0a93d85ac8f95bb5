/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/log_before.h"

#include "format/log.h"
#include "format/marker.h"
#include "journal.h"

/*
 * seq          20 own | 20 line | 24 check
 * acked        20 own | 44 id, lower bits
 * total_bytes  27 own | 20 id, upper bits | 9 slot | 6 count - 1 | 2 type
 */
#define LINE_BITS     20u
#define ID_LOW_BITS   (64u - LOG_SEQ_BITS)
#define ID_HIGH_BITS  (64u - ID_LOW_BITS)
#define SLOT_BITS     9u
#define COUNT_BITS    6u
#define ID_HIGH_SHIFT LOG_TOTAL_BITS
#define SLOT_SHIFT    (ID_HIGH_SHIFT + ID_HIGH_BITS)
#define COUNT_SHIFT   (SLOT_SHIFT + SLOT_BITS)
#define TYPE_SHIFT    (COUNT_SHIFT + COUNT_BITS)

_Static_assert(LOG_SEGMENT_MAX / LOG_RECORD_BYTES < 1u << LOG_SEQ_BITS, "seq");
_Static_assert(JOURNAL_TXN_BYTES_MAX < 1u << LOG_TOTAL_BITS, "total_bytes");
_Static_assert(MARKER_LINES_MAX <= 1u << LINE_BITS, "line");
_Static_assert(MARKER_LINE_SLOTS <= 1u << SLOT_BITS, "slot");
_Static_assert(JOURNAL_GROUP_MAX <= 1u << COUNT_BITS, "count");
_Static_assert(LOG_SEQ_BITS + LINE_BITS + LOG_BEFORE_CHECK_BITS == 64, "seq");
_Static_assert(TYPE_SHIFT == 62 && LOG_RETIRE < 4, "type");

static uint64_t bits(uint64_t word, uint32_t shift, uint32_t count)
{
	return word >> shift & ((1ull << count) - 1);
}

struct log_before log_before_of(const struct log_meta *meta)
{
	if (meta->type == LOG_RETIRE)
		return (struct log_before){ .type = LOG_RETIRE, .count = 1,
					    .id = meta->bytes / sizeof(struct log_retire) };
	return (struct log_before){
		.type = (uint32_t)meta->type,
		.id = meta->id,
		.line = meta->line,
		.slot = meta->slot,
		.count = meta->count,
		.check = log_before_check(meta->line_epoch),
	};
}

void log_before_pack(const struct log_before *b, struct log_before_words *words)
{
	if (!b->type)
		return;
	words->seq |= (uint64_t)b->line << LOG_SEQ_BITS |
		      (uint64_t)b->check << (LOG_SEQ_BITS + LINE_BITS);
	words->acked |= b->id << LOG_SEQ_BITS;
	words->total_bytes |= b->id >> ID_LOW_BITS << ID_HIGH_SHIFT |
			      (uint64_t)b->slot << SLOT_SHIFT |
			      (uint64_t)(b->count - 1) << COUNT_SHIFT |
			      (uint64_t)b->type << TYPE_SHIFT;
}

void log_before_unpack(struct log_before_words *words, struct log_before *b)
{
	*b = (struct log_before){ .type = (uint32_t)bits(words->total_bytes, TYPE_SHIFT, 2) };
	b->line = (uint32_t)bits(words->seq, LOG_SEQ_BITS, LINE_BITS);
	b->check = (uint32_t)bits(words->seq, LOG_SEQ_BITS + LINE_BITS, LOG_BEFORE_CHECK_BITS);
	b->id = bits(words->acked, LOG_SEQ_BITS, ID_LOW_BITS) |
		bits(words->total_bytes, ID_HIGH_SHIFT, ID_HIGH_BITS) << ID_LOW_BITS;
	b->slot = (uint32_t)bits(words->total_bytes, SLOT_SHIFT, SLOT_BITS);
	b->count = (uint32_t)bits(words->total_bytes, COUNT_SHIFT, COUNT_BITS) + !!b->type;
	words->seq = bits(words->seq, 0, LOG_SEQ_BITS);
	words->acked = bits(words->acked, 0, LOG_SEQ_BITS);
	words->total_bytes = bits(words->total_bytes, 0, LOG_TOTAL_BITS);
}

bool log_before_sane(const struct log_before *b, uint64_t seq)
{
	if (!b->type)
		return !b->id && !b->line && !b->slot && !b->count && !b->check;
	/* the first one of a segment has none before it, nor have extents */
	return seq > 1 && b->slot + b->count <= MARKER_LINE_SLOTS;
}
