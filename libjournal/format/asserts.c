/* SPDX-License-Identifier: BSD-3-Clause */
/* Nothing but the sizes, offsets and values of what is on media. */
#include <stddef.h>

#include "format/features.h"
#include "format/leg.h"
#include "format/log.h"
#include "format/marker.h"
#include "format/stage.h"
#include "format/summary.h"

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#define AT(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define VALUE(name, value) _Static_assert((name) == (value), #name)

VALUE(FORMAT_VERSION, 0);

SIZE(struct marker_super, 4096);
AT(marker_super, magic, 0);
AT(marker_super, version, 8);
AT(marker_super, crc, 12);
AT(marker_super, compat, 16);
AT(marker_super, ro_compat, 24);
AT(marker_super, incompat, 32);
AT(marker_super, uuid, 40);
AT(marker_super, nonce, 56);
AT(marker_super, bytes, 64);
AT(marker_super, created_ns, 72);
AT(marker_super, state_offset, 80);
AT(marker_super, lanes_offset, 88);
AT(marker_super, lines_offset, 96);
AT(marker_super, digests_offset, 104);
AT(marker_super, stage_offset, 112);
AT(marker_super, ring_bytes, 120);
AT(marker_super, lanes, 128);
AT(marker_super, lines, 132);
AT(marker_super, digests, 136);
AT(marker_super, digest_bytes, 140);
VALUE(MARKER_SUPER_BYTES, 4096);

SIZE(struct marker_state, 64);
AT(marker_state, incarnation, 0);
AT(marker_state, replay_seq, 8);
AT(marker_state, shared_clean, 16);
AT(marker_state, abandoned, 24);
SIZE(struct marker_lane, 64);
AT(marker_lane, tail, 0);
AT(marker_lane, clean, 8);
AT(marker_lane, end, 16);
AT(marker_lane, last_id, 24);
AT(marker_lane, last_position, 32);
AT(marker_lane, last_line, 40);
AT(marker_lane, last_crc, 44);
SIZE(struct marker_line, 192);
AT(marker_line, epoch, 0);
AT(marker_line, epoch_copy, 8);
AT(marker_line, mending, 16);
AT(marker_line, commit, 64);
AT(marker_line, retire, 128);
VALUE(MARKER_LINE_SLOTS, 512);

SIZE(struct stage_record, 64);
AT(stage_record, magic, 0);
AT(stage_record, type, 2);
AT(stage_record, count, 3);
AT(stage_record, header_crc, 4);
AT(stage_record, position, 8);
AT(stage_record, id, 16);
AT(stage_record, line, 24);
AT(stage_record, bytes, 28);
AT(stage_record, payload_crc, 32);
AT(stage_record, before, 36);
AT(stage_record, time_ns, 40);
AT(stage_record, tag, 48);
AT(stage_record, reference, 56);
VALUE(STAGE_MAGIC, 0x534a);
VALUE(STAGE_DATA, 1);
VALUE(STAGE_VOID, 2);
VALUE(STAGE_ALIGN, 64);
VALUE(STAGE_DISTANCE_MAX, 32767);
VALUE(STAGE_EPOCH_CHECK_BITS, 15);
VALUE(STAGE_POSITION_MASK, 0x007fffffffffffc0);

SIZE(struct leg_super, 4096);
AT(leg_super, magic, 0);
AT(leg_super, version, 8);
AT(leg_super, crc, 12);
AT(leg_super, compat, 16);
AT(leg_super, ro_compat, 24);
AT(leg_super, incompat, 32);
AT(leg_super, uuid, 40);
AT(leg_super, pair, 56);
AT(leg_super, bytes, 64);
AT(leg_super, events, 72);
AT(leg_super, left_ns, 80);
AT(leg_super, leg, 88);
AT(leg_super, good, 92);
VALUE(LEG_HEAD_BYTES, 8192);
VALUE(LEGS, 2);

SIZE(struct log_super, 4096);
AT(log_super, magic, 0);
AT(log_super, version, 8);
AT(log_super, crc, 12);
AT(log_super, compat, 16);
AT(log_super, ro_compat, 24);
AT(log_super, incompat, 32);
AT(log_super, uuid, 40);
AT(log_super, nonce, 56);
AT(log_super, bytes, 64);
AT(log_super, created_ns, 72);
AT(log_super, segment_bytes, 80);
AT(log_super, digests_offset, 88);
AT(log_super, segments_offset, 96);
AT(log_super, digest_bytes, 104);
AT(log_super, block_bytes, 108);
AT(log_super, segments, 112);
AT(log_super, log, 116);
AT(log_super, logs, 118);

SIZE(struct log_segment, 64);
AT(log_segment, magic, 0);
AT(log_segment, crc, 4);
AT(log_segment, seq, 8);
AT(log_segment, segment, 16);
AT(log_segment, kind, 20);
AT(log_segment, reserved1, 24);
AT(log_segment, opened_ns, 32);
AT(log_segment, uuid, 40);
VALUE(LOG_SEGMENT_MAGIC, 0x47534a4c);
VALUE(LOG_STREAM, 1);
VALUE(LOG_EXTENTS, 2);

SIZE(struct log_record, 96);
AT(log_record, magic, 0);
AT(log_record, type, 2);
AT(log_record, count, 3);
AT(log_record, header_crc, 4);
AT(log_record, id, 8);
AT(log_record, line, 16);
AT(log_record, slot, 20);
AT(log_record, moves, 22);
AT(log_record, line_epoch, 24);
AT(log_record, seq, 32);
AT(log_record, acked, 40);
AT(log_record, time_ns, 48);
AT(log_record, tag, 56);
AT(log_record, reference, 64);
AT(log_record, bytes, 72);
AT(log_record, payload_crc, 76);
AT(log_record, extent, 80);
AT(log_record, extents, 82);
AT(log_record, incarnation, 84);
AT(log_record, total_bytes, 88);
VALUE(LOG_RECORD_MAGIC, 0x524c);
VALUE(LOG_RECORD_ALIGN, 32);
VALUE(LOG_DATA, 1);
VALUE(LOG_EXTENT, 2);
VALUE(LOG_RETIRE, 3);

SIZE(struct log_retire, 24);
AT(log_retire, id, 0);
AT(log_retire, line_epoch, 8);
AT(log_retire, line, 16);
AT(log_retire, slot, 20);

SIZE(struct summary_head, 64);
AT(summary_head, magic, 0);
AT(summary_head, crc, 4);
AT(summary_head, seq, 8);
AT(summary_head, segment, 16);
AT(summary_head, kind, 20);
AT(summary_head, sealed, 22);
AT(summary_head, lines, 24);
AT(summary_head, entries, 28);
AT(summary_head, table_offset, 32);
AT(summary_head, table_crc, 36);
AT(summary_head, ids, 48);
AT(summary_head, end, 40);
AT(summary_head, retires, 44);
AT(summary_head, record_bytes, 52);
AT(summary_head, last_record_seq, 56);
SIZE(struct summary_line, 80);
AT(summary_line, epoch, 0);
AT(summary_line, line, 8);
AT(summary_line, first, 12);
AT(summary_line, used, 16);
SIZE(struct summary_entry, 8);
AT(summary_entry, offset, 0);
AT(summary_entry, size, 4);
VALUE(SUMMARY_MAGIC, 0x4d534a4c);
VALUE(SUMMARY_PART, 0x80000000);
VALUE(SUMMARY_SELF, 0x40000000);
