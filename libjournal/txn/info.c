/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of an open journal. */
#include <stdio.h>
#include <string.h>

#include "format/features.h"
#include "store/log_copies.h"
#include "txn/health.h"
#include "txn/journal_impl.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/member.h"
#include "txn/moved.h"
#include "txn/read.h"
#include "txn/stand_in.h"

static void info_medium(struct journal_medium *medium, const char *name, const char *backend,
			const char *routine, const char *evidence, enum journal_class assumed,
			enum journal_class by_evidence)
{
	(void)snprintf(medium->name, sizeof(medium->name), "%s", name);
	(void)snprintf(medium->backend, sizeof(medium->backend), "%s", backend);
	(void)snprintf(medium->routine, sizeof(medium->routine), "%s", routine);
	(void)snprintf(medium->evidence, sizeof(medium->evidence), "%s", evidence);
	medium->survives = assumed ? assumed : by_evidence;
	medium->assumed = assumed != JOURNAL_CLASS_UNSET;
}

static void info_log(const struct log_store *log, struct journal_info *info)
{
	info->log_writes += log_counted(log, writes);
	info->log_bytes_written += log_counted(log, bytes_written);
	info->log_flushes += log_counted(log, flushes);
	info->log_merged += log_counted(log, merged);
	info->log_dsyncs += log_counted(log, dsyncs);
	info->log_unsynced += log_counted(log, unsynced);
	info->log_reads += log_counted(log, reads);
	info->log_bytes_read += log_counted(log, bytes_read);
	info->log_async += log_counted(log, async);
}

/* the legs' own: what went to each disk */
static void info_legs(const struct log_store *log, struct journal_info *info)
{
	struct log_copy copy;
	unsigned int leg;

	for (leg = 0; leg < JOURNAL_LEGS; leg++) {
		log_copies_look(log, leg, &copy);
		if (copy.store)
			info_log(copy.store, info);
		info->legs_out += !copy.store || copy.out;
		info->copies_damaged += copy.damaged;
		info->copies_repaired += copy.repaired;
	}
}

static void info_health(struct journal *j, struct journal_info *info)
{
	info->returns = atomic_load(&j->shared->returns);
	if (health_is_file(j) || health_now(j) == HEALTH_TRUSTED)
		return;
	shared_text_get(&j->shared->health_why, info->marker.distrust);
	info->abandoned = health_now(j) != HEALTH_SWITCHING;
	info->distrusted_time_ns = atomic_load(&j->shared->health_ns);
	info->evacuated = atomic_load(&j->shared->evacuated);
	info->evacuated_lost = atomic_load(&j->shared->evacuated_not);
}

/* NVRAM, also where another has its place just now: who opened then knows it so */
static const char *info_marker_name(struct journal *j)
{
	const struct view_shared *v = shared_view(j, health_view(health_word_now(j)));

	return !health_is_file(j) && v->uri[0] ? v->uri : j->conf.marker;
}

/* As they were found by who opened them for all: they need not be seen from here. */
static void info_on_file(struct journal *j, struct journal_info *info)
{
	const struct shared_common *c = &j->shared->common;
	const struct view_shared *v = shared_view(j, health_view(health_word_now(j)));
	bool file = health_on_file(j);
	const struct marker_store *store = file ? checkpoint_store(j) : j->marker;
	const struct marker_share *share = file ? &c->stand_in : &c->marker;
	const char *name = info_marker_name(j);
	char scheme[16];

	(void)snprintf(scheme, sizeof(scheme), "%.*s", (int)strcspn(name, ":"), name);
	info_medium(&info->marker, name, scheme, share->routine, share->evidence,
		    (enum journal_class)v->assume, (enum journal_class)share->class);
	info->marker.bytes = share->bytes;
	info->marker.failed = store && store->failed;
}

static void info_marker(struct journal *j, struct journal_info *info)
{
	const struct marker_store *store = j->marker;

	if (j->on_file) {
		info_on_file(j, info);
		return;
	}
	info_medium(&info->marker, info_marker_name(j), store->ops->backend, store->persist.name,
		    store->evidence, j->conf.assume_marker, store->class);
	info->marker.bytes = store->bytes;
	info->marker.failed = store->failed != 0;
}

static void info_media(struct journal *j, struct journal_info *info)
{
	struct journal_medium *medium;
	struct log_store *log;
	uint32_t i;

	info_marker(j, info);
	info_health(j, info);
	for (i = 0; i < logs_end(j); i++) {
		if (logs_removed(j, i))
			continue;
		log = logs_at(j, i);
		medium = &info->logs[info->log_count++];
		info_medium(medium, j->conf.logs[i], log->ops->backend, log->routine,
			    log->evidence, j->conf.assume_log, log->class);
		medium->bytes = atomic_load(&j->shared->log_bytes[i]);
		medium->failed = logs_out(j, i) || log->failed != 0;
		if (log->copies)
			info_legs(log, info);
		else
			info_log(log, info);
	}
}

/* Who has it open now: one who only reads has looked when it opened. */
static void info_users(struct journal *j, struct journal_info *info)
{
	bool joined = j->read_only && j->role == ENTRY_JOINS, there = !j->read_only;

	if (j->read_only) {
		info->in_use_pid = entry_holder(j->dir);
		there = joined && info->in_use_pid &&
			atomic_load(&j->shared->state) == SHARED_READY;
	}
	if (there && joined)
		info->in_use_pid = member_some_pid(j);
	/* those of an index that has been left are gone; whom we cannot see, is there */
	info->members = there ? member_count(j) : !joined && info->in_use_pid;
	info->index_shared = there && shared_is_shared(&j->shared_file);
	(void)snprintf(info->index_private, sizeof(info->index_private), "%s",
		       info->index_shared  ? "" :
		       joined && !there    ? "those who had the journal open have left" :
					     j->why_private.text);
}

static void info_stage(struct journal *j, struct journal_info *info)
{
	uint32_t i;

	/* what may come to be is not there yet */
	info->lanes = health_on_file(j) ? j->shared->common.stand_in_geometry.lanes :
					  j->geometry.lanes;
	if (health_on_file(j) || !j->geometry.ring_bytes)
		return;
	info->stage_bytes = j->geometry.ring_bytes * j->geometry.lanes;
	info->stage_max_bytes = j->stage_max_bytes;
	for (i = 0; i < j->lane_count; i++)
		info->stage_used_bytes += lane_used(&j->lanes[i]);
}

static void info_geometry(struct journal *j, struct journal_info *info)
{
	uuid_print(j->conf.uuid, info->uuid);
	info->format_version = FORMAT_VERSION;
	info->incarnation = (uint32_t)j->shared->incarnation;
	info->require = j->require;
	info->read_only = j->read_only;
	info_users(j, info);
	info->lines = j->geometry.lines;
	info_stage(j, info);
	info->segments = segments_usable(j);
	info->segment_bytes = j->segment_bytes;
	info->log_block_bytes = j->block_bytes;
	info->segments_free = j->shared->segments_free;
	info->lines_free = lines_free_count(j);
}

static void info_entry(const struct journal_entry *entry, struct journal_info *info)
{
	if (entry->state == JOURNAL_LOST) {
		info->lost++;
		return;
	}
	info->live++;
	info->live_bytes += entry->bytes;
	if (entry->path != JOURNAL_PATH_STAGED)
		return;
	info->staged_live++;
	info->staged_live_bytes += entry->bytes;
	if (!info->staged_oldest_time_ns || entry->time_ns < info->staged_oldest_time_ns)
		info->staged_oldest_time_ns = entry->time_ns;
}

static void info_counters(struct journal *j, struct journal_info *info)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++) {
		info->commits_staged += j->lanes[i].s->staged;
		info->payload_bytes += j->lanes[i].s->staged_bytes;
	}
	info->since_ns = j->shared->made_ns;
	info->commits_direct = counted(j->counters, COUNT_DIRECT);
	info->commits_synced = counted(j->counters, COUNT_SYNCED);
	info->commits_no_lane = counted(j->counters, COUNT_NO_LANE);
	info->groups = counted(j->counters, COUNT_GROUPS);
	info->aborts = counted(j->counters, COUNT_ABORTS);
	info->retires = counted(j->counters, COUNT_RETIRES);
	for (i = 0; i < j->shared->lines_used; i++)
		if (line_state_of(j->lines[i].use) != LINE_FREE)
			info->retires += line_retired(&j->lines[i]);
	/* each slot that was moved out of counts as one */
	info->retires -= counted(j->counters, COUNT_REHOMED);
	info->retires_unfreed = counted(j->counters, COUNT_UNFREED);
	info->destaged = counted(j->counters, COUNT_DESTAGED);
	info->elided = counted(j->counters, COUNT_ELIDED);
	info->line_recycles = counted(j->counters, COUNT_LINES);
	info->takeovers = counted(j->counters, COUNT_TAKEOVERS);
	info->segment_recycles = counted(j->counters, COUNT_SEGMENTS);
	info->log_payload_bytes = counted(j->counters, COUNT_LOG_BYTES);
	info->payload_bytes += info->log_payload_bytes -
			       counted(j->counters, COUNT_DESTAGED_BYTES);
	info->cleaned = counted(j->counters, COUNT_CLEANED);
	info->cleaned_not = counted(j->counters, COUNT_UNMOVED);
	info->moved = counted(j->counters, COUNT_MOVED);
	info->lines_cleaned = counted(j->counters, COUNT_LINES_CLEANED);
	info->lines_cleaned_not = counted(j->counters, COUNT_LINES_LEFT);
	info->rehomed = counted(j->counters, COUNT_REHOMED);
	info->moved_bytes = counted(j->counters, COUNT_MOVED_BYTES);
	info->checkpoints = j->shared->checkpoints;
	info->recovered = j->recovered.recovered;
	info->recovery_ns = j->recovered.duration_ns;
	info->recovery_log_bytes_read = j->recovered.bytes_read;
	info->torn = j->recovered.torn;
	info->lost_unnamed = j->recovered.lost_unnamed;
}

/* What lives in a slot, whatever its id is. */
static void info_slot(struct journal *j, const struct slot_place *at, struct journal_info *info)
{
	const struct slot *slot = slot_at(j, at);
	struct found found = { .id = 0 };
	struct journal_entry entry;

	do {
		found.where = atomic_load(&slot->where);
		found.bytes = atomic_load(&slot->bytes);
		found.time_ns = atomic_load(&slot->time_ns);
	} while (found.where != atomic_load(&slot->where));
	if (where_kind(found.where) == WHERE_NONE || slot_is_claimed(j, at) ||
	    !slot_place_valid(j, at))
		return;
	found_entry(&found, &entry);
	info_entry(&entry, info);
}

static void info_line(struct journal *j, uint32_t line, struct journal_info *info)
{
	const struct line *state = &j->lines[line];
	struct slot_place at = { atomic_load(&state->number), line, 0 };
	uint32_t word;
	uint64_t bits;

	for (word = 0; word < MARKER_LINE_WORDS && at.number; word++)
		for (bits = atomic_load(&state->committed[word]) &
			    ~atomic_load(&state->claimed[word]);
		     bits; bits &= bits - 1) {
			at.slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			info_slot(j, &at, info);
		}
}

int journal_info(struct journal *j, struct journal_info *info)
{
	uint32_t line;

	memset(info, 0, sizeof(*info));
	if (journal_is_childs(j))
		return journal_childs(j);
	info_geometry(j, info);
	info_media(j, info);
	info_counters(j, info);
	for (line = 0; line < j->shared->lines_used; line++)
		info_line(j, line, info);
	return 0;
}
