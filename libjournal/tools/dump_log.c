/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "format/leg.h"
#include "format/log.h"
#include "format/run.h"
#include "format/summary.h"
#include "util/math.h"

static void log_super_show(unsigned int copy, const struct log_super *super,
			   const struct log_geometry *g)
{
	printf("  superblock %u: version %" PRIu32 ", log %" PRIu32 " of %" PRIu32 ", uuid ", copy,
	       get_le32(super->version), g->log, g->logs);
	dump_uuid(g->uuid);
	printf("\n");
	dump_features(get_le64(super->compat), get_le64(super->ro_compat),
		      get_le64(super->incompat));
	printf("    bytes %" PRIu64 ", created at %" PRIu64 " ns, blocks of %" PRIu32 "\n",
	       g->bytes, g->created_ns, g->block_bytes);
	printf("    %" PRIu32 " segments of %" PRIu64 " at %" PRIu64 "; digests of %" PRIu32
	       " bytes at %" PRIu64 "\n",
	       g->segments, g->segment_bytes, g->segments_offset, g->digest_bytes,
	       g->digests_offset);
}

/* Return: 0 with @g of the first good copy, -EUCLEAN none is good, or -errno. */
static int log_supers(const struct dump_source *source, struct log_geometry *g)
{
	static struct log_super super;
	struct log_geometry found;
	int result = -EUCLEAN;

	for (unsigned int i = 0; i < LOG_SUPERS; i++) {
		const char *why = "the medium ends before it";
		int err = dump_read(source, i * LOG_SUPER_BYTES, &super, sizeof(super));

		if (err && err != -ENODATA)
			return err;
		if (!err)
			err = log_super_decode(&super, source->bytes, true, &found, &why);
		if (err)
			printf("  superblock %u: %s\n", i, why);
		if (err && err != -EFBIG) /* of one that is too short, what is there */
			continue;
		log_super_show(i, &super, &found);
		if (result)
			*g = found;
		result = 0;
	}
	return result;
}

static const char *log_type_name(enum log_type type)
{
	switch (type) {
	case LOG_DATA:
		return "data";
	case LOG_EXTENT:
		return "extent";
	case LOG_RETIRE:
		return "retire";
	}
	return "?";
}

static void log_record_show(uint64_t offset, const struct log_meta *meta)
{
	printf("      %8" PRIu64 ": %-6s id %#" PRIx64, offset, log_type_name(meta->type),
	       meta->id);
	if (meta->type == LOG_RETIRE)
		printf(", %zu ids", meta->bytes / sizeof(struct log_retire));
	else
		printf(", %" PRIu32 " transactions, line %" PRIu32 " slot %" PRIu32 " epoch %"
		       PRIu64 ", moved %" PRIu32 " times, extent %" PRIu32 " of %" PRIu32,
		       meta->count, meta->line, meta->slot, meta->line_epoch, meta->moves,
		       meta->extent, meta->extents);
	printf(", seq %" PRIu64 " acked %" PRIu64 ", incarnation %" PRIu32 ", %" PRIu32 " bytes",
	       meta->seq, meta->acked, meta->incarnation, meta->bytes);
	if (meta->before.type == LOG_RETIRE)
		printf(", after retire\n");
	else if (meta->before.type)
		printf(", after %s id %#" PRIx64 "\n", log_type_name(meta->before.type),
		       meta->before.id);
	else
		printf("\n");
}

/* What the last use of the segment left behind does not verify under this
 * one's seed: that is no damage, and only counted. */
static void log_records_dump(const uint8_t *segment, const struct log_geometry *g,
			     uint32_t seed)
{
	uint64_t end = g->segment_bytes - g->digest_bytes;
	uint64_t offset = g->block_bytes;
	uint64_t records = 0, others = 0;

	while (offset + LOG_RECORD_BYTES <= end) {
		const struct log_record *record = (const void *)(segment + offset);
		struct log_meta meta;
		int err = log_record_decode(record, seed, offset, end - offset, &meta);

		if (!err) {
			log_record_show(offset, &meta);
			offset += log_record_bytes(meta.bytes);
			records++;
			continue;
		}
		others += err == -EBADMSG;
		offset = round_up(offset + 1, g->block_bytes);
	}
	printf("    %" PRIu64 " records; %" PRIu64 " headers that are not of this use\n", records,
	       others);
}

static void log_segment_dump(const uint8_t *segment, const struct log_geometry *g,
			     uint32_t number)
{
	struct log_segment_meta meta;
	int err = log_segment_decode((const void *)segment, g->nonce, &meta);

	if (err == -ENODATA)
		return;
	printf("  segment %" PRIu32 ": ", number);
	if (err) {
		printf("header does not verify\n");
		return;
	}
	printf("%s, seq %#" PRIx64 ", opened at %" PRIu64 " ns\n",
	       meta.kind == LOG_STREAM ? "stream" : "extents", meta.seq, meta.opened_ns);
	log_records_dump(segment, g, log_seed(g->nonce, number, meta.seq));
	dump_digest("digest", (const void *)(segment + g->segment_bytes - g->digest_bytes),
		    g->digest_bytes, g->segment_bytes, number, g->nonce);
}

static int log_segments_dump(const struct dump_source *source, const struct log_geometry *g,
			     const struct log_run *run)
{
	uint8_t *segment = malloc(g->segment_bytes);
	int err = segment ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < run->count && !err; i++) {
		err = dump_read(source, log_run_offset(run, g, i), segment, g->segment_bytes);
		if (!err)
			log_segment_dump(segment, g, log_run_number(run, i));
	}
	free(segment);
	return err;
}

/* the second copies: of the segments of the log before this one */
static int log_digests_dump(const struct dump_source *source, const struct log_geometry *g,
			    const struct log_run *run)
{
	struct summary_head *digest = malloc(g->digest_bytes);
	int err = digest ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < run->count && !err; i++) {
		err = dump_read(source, run->digests_offset + (uint64_t)i * g->digest_bytes, digest,
				g->digest_bytes);
		if (!err)
			dump_digest("second copy of the digest", digest, g->digest_bytes,
				    g->segment_bytes, get_le32(digest->segment), g->nonce);
	}
	free(digest);
	return err;
}

static int log_run_dump(const struct dump_source *source, const struct log_geometry *g,
			const struct log_run *run)
{
	int err = log_digests_dump(source, g, run);

	return err ? err : log_segments_dump(source, g, run);
}

static int log_dump(const struct dump_source *source)
{
	const struct log_run *run = source->runs->of, *end = run + source->runs->count;
	struct log_geometry g = { 0 };
	struct log_run only;
	int err = log_supers(source, &g);

	if (err == -EUCLEAN)
		return 0; /* no geometry, nothing more to be shown */
	if (!err && run == end) {
		log_run_of(&g, &only);
		return log_run_dump(source, &g, &only);
	}
	for (; run < end && !err; run++)
		if (run->log == g.log)
			err = log_run_dump(source, &g, run);
	return err;
}

static void leg_show(unsigned int copy, const struct leg_super *super, uint64_t bytes)
{
	struct leg_meta meta;
	const char *why;

	if (leg_super_decode(super, bytes, true, &meta, &why)) {
		printf("  leg's superblock %u: %s\n", copy, why);
		return;
	}
	printf("  leg's superblock %u: leg %" PRIu32 " of a log, good: %s, event %" PRIu64
	       ", left at %" PRIu64 " ns, pair %#" PRIx64 "\n", copy, meta.leg + 1,
	       meta.good == LEGS_ALL ? "both" : meta.good == 1 ? "leg 1" : "leg 2", meta.events,
	       meta.left_ns, meta.pair);
}

/* A log, or one leg of a mirrored one: its head, then the log behind it. */
int dump_log(const struct dump_source *source)
{
	static struct leg_super super[LEG_SUPERS];
	struct dump_source log = *source;

	if (dump_read(source, 0, super, sizeof(super)) ||
	    (memcmp(super[0].magic, LEG_MAGIC, 8) && memcmp(super[1].magic, LEG_MAGIC, 8)))
		return log_dump(source);
	for (unsigned int i = 0; i < LEG_SUPERS; i++)
		leg_show(i, &super[i], source->bytes);
	log.base += LEG_HEAD_BYTES;
	log.bytes -= LEG_HEAD_BYTES;
	log.there -= LEG_HEAD_BYTES;
	return log_dump(&log);
}
