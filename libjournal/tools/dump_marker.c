/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "format/marker.h"
#include "format/stage.h"
#include "format/summary.h"

/* Supers, then what the first one that holds says.  The nonce is not shown: it
 * is what keeps a payload from forging a record. */
static void marker_super_show(unsigned int copy, const struct marker_super *super,
			      const struct marker_geometry *g)
{
	printf("  superblock %u: version %" PRIu32 ", uuid ", copy, get_le32(super->version));
	dump_uuid(g->uuid);
	printf("\n");
	dump_features(get_le64(super->compat), get_le64(super->ro_compat),
		      get_le64(super->incompat));
	printf("    bytes %" PRIu64 ", created at %" PRIu64 " ns\n", g->bytes, g->created_ns);
	printf("    state at %" PRIu64 "; %" PRIu32 " lanes at %" PRIu64 "; %" PRIu32
	       " lines at %" PRIu64 "\n",
	       g->state_offset, g->lanes, g->lanes_offset, g->lines, g->lines_offset);
	printf("    %" PRIu32 " digests of %" PRIu32 " bytes at %" PRIu64 "; stage at %" PRIu64
	       ", %" PRIu64 " bytes a lane\n",
	       g->digests, g->digest_bytes, g->digests_offset, g->stage_offset, g->ring_bytes);
}

/* Return: 0 with @g of the first good copy, -EUCLEAN none is good, or -errno. */
static int marker_supers(const struct dump_source *source, struct marker_geometry *g)
{
	static struct marker_super super;
	struct marker_geometry found;
	int result = -EUCLEAN;

	for (unsigned int i = 0; i < MARKER_SUPERS; i++) {
		const char *why = "the medium ends before it";
		int err = dump_read(source, i * MARKER_SUPER_BYTES, &super, sizeof(super));

		if (err && err != -ENODATA)
			return err;
		if (!err)
			err = marker_super_decode(&super, source->bytes, true, &found, &why);
		if (err) {
			printf("  superblock %u: %s\n", i, why);
			continue;
		}
		marker_super_show(i, &super, &found);
		if (result)
			*g = found;
		result = 0;
	}
	return result;
}

static void word_show(const char *name, __le64 word)
{
	uint64_t value;
	int err = word_unseal(word, &value);

	if (!err)
		printf(" %s %" PRIu64, name, value);
	else
		printf(" %s %s", name, err == -ENODATA ? "erased" : "DAMAGED");
}

static int marker_state_dump(const struct dump_source *source, const struct marker_geometry *g)
{
	struct marker_state state;
	int err = dump_read(source, g->state_offset, &state, sizeof(state));

	if (err)
		return err;
	printf("  state:");
	word_show("incarnation", state.incarnation);
	printf(" replay_seq %" PRIu64, get_le64(state.replay_seq));
	if (get_le64(state.abandoned) != WORD_ERASED)
		word_show("abandoned", state.abandoned);
	printf("\n");
	return 0;
}

static unsigned int cleared(const __le64 *words)
{
	unsigned int bits = 0;

	for (unsigned int i = 0; i < MARKER_LINE_WORDS; i++)
		bits += (unsigned int)__builtin_popcountll(~get_le64(words[i]));
	return bits;
}

static void marker_line_show(uint32_t number, const struct marker_line *line)
{
	uint64_t epoch;
	int err = marker_line_epoch(line, &epoch);

	if (err == -ENODATA)
		return;
	printf("  line %" PRIu32 ": ", number);
	if (err)
		printf("epoch DAMAGED");
	else
		printf("epoch %" PRIu64 " %s%s", epoch >> 1, epoch & 1 ? "open" : "closed",
		       marker_line_epoch_damaged(line) ? " (a copy of it is DAMAGED)" : "");
	printf(", %u bits committed, %u retired\n", cleared(line->commit), cleared(line->retire));
}

static int marker_lines_dump(const struct dump_source *source, const struct marker_geometry *g)
{
	uint32_t unused = 0;

	for (uint32_t i = 0; i < g->lines; i++) {
		struct marker_line line;
		int err = dump_read(source, marker_line_offset(g, i), &line, sizeof(line));

		if (err)
			return err;
		unused += get_le64(line.epoch) == WORD_ERASED &&
			  get_le64(line.epoch_copy) == WORD_ERASED;
		marker_line_show(i, &line);
	}
	printf("  lines never used: %" PRIu32 "\n", unused);
	return 0;
}

static int marker_digests_dump(const struct dump_source *source,
			       const struct marker_geometry *g)
{
	struct summary_head *digest;
	int err = 0;

	if (!g->digests)
		return 0;
	digest = malloc(g->digest_bytes);
	if (!digest)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->digests && !err; i++) {
		err = dump_read(source, g->digests_offset + (uint64_t)i * g->digest_bytes, digest,
				g->digest_bytes);
		if (!err)
			dump_digest("digest", digest, g->digest_bytes, LOG_SEGMENT_MAX, i,
				    g->nonce);
	}
	free(digest);
	return err;
}

static void stage_before_show(const struct stage_before *before)
{
	if (before->count)
		printf(", before it line %" PRIu32 " slot %" PRIu32 " count %" PRIu32
		       " distance %" PRIu32, before->line, before->slot, before->count,
		       before->distance * STAGE_ALIGN);
	printf("\n");
}

static void stage_show(const struct stage_meta *meta)
{
	if (meta->type == STAGE_VOID)
		printf("    %" PRIu64 ": void, %" PRIu32 " bytes", meta->position, meta->bytes);
	else
		printf("    %" PRIu64 ": id %#" PRIx64 ", %" PRIu32 " transactions, line %" PRIu32
		       ", %" PRIu32 " bytes, time %" PRIu64, meta->position, meta->id,
		       meta->count, meta->line, meta->bytes, meta->time_ns);
	stage_before_show(&meta->before);
}

/* The records of one ring from its tail on, up to the first that is none. */
static int stage_dump(const struct dump_source *source, const struct marker_geometry *g,
		      uint32_t lane, uint64_t tail)
{
	uint32_t seed = stage_seed(g->nonce, lane);
	uint64_t ring = g->stage_offset + lane * g->ring_bytes;
	uint64_t position = tail;

	while (position - tail < g->ring_bytes) {
		uint64_t offset = position % g->ring_bytes;
		struct stage_record record;
		struct stage_meta meta;
		int err = dump_read(source, ring + offset, &record, sizeof(record));

		if (err)
			return err;
		err = stage_decode(&record, seed, position, g->ring_bytes - offset, &meta);
		if (err == -EBADMSG)
			printf("    %" PRIu64 ": header does not verify\n", position);
		if (err)
			return 0;
		stage_show(&meta);
		position += stage_record_bytes(meta.bytes);
	}
	return 0;
}

static int marker_lane_dump(const struct dump_source *source, const struct marker_geometry *g,
			    uint32_t number)
{
	struct marker_lane lane;
	struct stage_last last;
	uint64_t tail;
	int err = dump_read(source, g->lanes_offset + (uint64_t)number * MARKER_LANE_BYTES,
			    &lane, sizeof(lane));

	if (err)
		return err;
	if (get_le64(lane.tail) == WORD_ERASED && get_le64(lane.clean) == WORD_ERASED)
		return 0;
	printf("  lane %" PRIu32 ":", number);
	word_show("tail", lane.tail);
	word_show("clean", lane.clean);
	if (get_le64(lane.end) != WORD_ERASED)
		word_show("end", lane.end);
	if (!stage_last_decode(&lane, stage_seed(g->nonce, number), &last))
		printf(" last at %" PRIu64 " id %#" PRIx64 " count %" PRIu32 " line %" PRIu32,
		       last.position, last.id, last.count, last.line);
	printf("\n");
	if (!g->ring_bytes || word_unseal(lane.tail, &tail))
		return 0;
	return stage_dump(source, g, number, tail);
}

int dump_marker(const struct dump_source *source)
{
	struct marker_geometry g = { 0 };
	int err = marker_supers(source, &g);

	if (err == -EUCLEAN)
		return 0; /* no geometry, nothing more to be shown */
	if (!err)
		err = marker_state_dump(source, &g);
	for (uint32_t i = 0; !err && i < g.lanes; i++)
		err = marker_lane_dump(source, &g, i);
	if (!err)
		err = marker_lines_dump(source, &g);
	return err ? err : marker_digests_dump(source, &g);
}
