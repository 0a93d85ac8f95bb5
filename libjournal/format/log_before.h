/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a record of the stream says of the one before it, so that that one has a name even
 * if its header is damaged.  It lies in the upper bits of three fields of struct log_record,
 * which older versions left zero.
 */
#ifndef FORMAT_LOG_BEFORE_H
#define FORMAT_LOG_BEFORE_H

#include <stdbool.h>
#include <stdint.h>

struct log_meta;

/* of the fields' own values: a segment has fewer records, a transaction fewer bytes */
#define LOG_SEQ_BITS   20u
#define LOG_TOTAL_BITS 27u

#define LOG_BEFORE_CHECK_BITS 24u

struct log_before {
	uint64_t id;    /* of the first transaction; of a retire record: how many it retires */
	uint32_t line, slot, count;
	uint32_t check; /* log_before_check() of the line epoch number */
	uint32_t type;  /* enum log_type; 0: it is not named, or there is none */
};

/* the words of those fields, with their own values in the lower bits */
struct log_before_words {
	uint64_t seq, acked, total_bytes;
};

struct log_before log_before_of(const struct log_meta *meta);

/* into the upper bits, which are zero */
void log_before_pack(const struct log_before *before, struct log_before_words *words);
/* @words keep their own values only */
void log_before_unpack(struct log_before_words *words, struct log_before *before);
/* @seq: of the record that names it */
bool log_before_sane(const struct log_before *before, uint64_t seq);

/* There is no room for all of the number of one whose id has another. */
static inline uint32_t log_before_check(uint64_t line_epoch)
{
	return (uint32_t)(line_epoch * 0x9e3779b97f4a7c15ull >> (64 - LOG_BEFORE_CHECK_BITS));
}

/* its slot is the one of its id, which so has its line epoch number */
static inline bool log_before_is_at_home(const struct log_before *before)
{
	return (before->id & 511) == before->slot &&
	       log_before_check(before->id >> 9) == before->check;
}

#endif
