/* SPDX-License-Identifier: BSD-3-Clause */
#include "image_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "util/crc32c.h"

void image_damage(uint64_t id)
{
	image_record_of(id)->time_ns ^= put_le64(1);
}

static uint32_t segment_seed(const uint8_t *segment)
{
	struct log_segment_meta meta;

	assert_int_equal(log_segment_decode((const void *)segment, image_geometry.nonce, &meta),
			 0);
	return log_seed(image_geometry.nonce, meta.segment, meta.seq);
}

static uint64_t offset_of(uint32_t which)
{
	return (uint64_t)((uint8_t *)image_record_of(image_ids[which]) - image_segment_of(which));
}

struct log_meta image_meta(uint32_t which)
{
	struct log_meta meta;

	assert_int_equal(log_record_decode(image_record_of(image_ids[which]),
					   segment_seed(image_segment_of(which)),
					   offset_of(which), 1 << 20, &meta), 0);
	return meta;
}

void image_write(uint32_t which, struct log_meta *meta)
{
	uint32_t seed = segment_seed(image_segment_of(which));
	struct log_record *record = image_record_of(image_ids[which]);

	meta->payload_crc = crc32c(seed, record + 1, meta->bytes);
	log_record_encode(meta, seed, offset_of(which), record);
	image_ids[which] = meta->id;
}

struct log_meta image_make(uint32_t which, struct log_meta *meta)
{
	struct log_meta after = image_meta(which + 1);

	image_write(which, meta);
	after.before = log_before_of(meta);
	image_write(which + 1, &after);
	return after;
}

void image_close(void)
{
	assert_int_equal(journal_close(image_journal), 0);
	image_journal = NULL;
}
