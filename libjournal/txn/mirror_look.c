/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both copies of all that lives, while others write.  In no recovery: that would keep
 * everybody out until all of the log is read.  Transactions come by their ids; what is read
 * is held as by any reader (copies.h), so a copy that is repaired is nobody else's to write.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/copies.h"
#include "txn/found.h"
#include "txn/mirror.h"
#include "txn/read.h"
#include "txn/runs.h"
#include "txn/segment.h"
#include "util/math.h"

/* one time it may have been moved, retired, or a leg left, while it was read */
#define LOOK_TRIES 3

static int look_single(struct journal *j, const struct found *found)
{
	struct record record = { .buffer = NULL };
	const uint8_t *data;
	int error = record_read(j, where_segment(found->where), where_offset(found->where),
				(uint64_t)found->units * 32, &record);

	if (!error)
		error = record_find(found, &record, &data);
	free(record.buffer);
	return error;
}

static int look_multi(struct journal *j, struct found *found)
{
	uint8_t *buffer = malloc(found->bytes + 1ul);
	int error = buffer ? read_multi(j, found, buffer) : -ENOMEM;

	free(buffer);
	return error;
}

static int look_read(struct journal *j, uint32_t logs, struct found *found)
{
	if (where_kind(found->where) != WHERE_LOG)
		return 0;
	if (found->where & WHERE_MULTI)
		return look_multi(j, found); /* its pieces may be on any log */
	return logs >> segment_log(j, where_segment(found->where)) & 1 ? look_single(j, found) : 0;
}

static void look_lost(struct journal *j, uint64_t id)
{
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	found_damage(j, id, "%s: COMMITTED_BUT_LOST: no copy of its record verifies", text);
}

static int look(struct journal *j, uint32_t logs, uint64_t id)
{
	struct found found;
	int error = 0, try;

	for (try = 0; try < LOOK_TRIES; try++) {
		if (found_look(j, id, &found))
			return 0;
		if (where_kind(found.where) == WHERE_LOST) {
			/* by our own recovery, which has told of it */
			if (j->role == ENTRY_JOINS)
				look_lost(j, id);
			return 0;
		}
		error = look_read(j, logs, &found);
		if (!error || error == -ENOMEM)
			return error;
	}
	look_lost(j, id);
	return 0;
}

int mirror_look(struct journal *j, uint32_t logs, const struct journal_progress *progress,
		struct message *message)
{
	struct journal_entry entry = { .id = 0 };
	struct journal_info info = { .live_bytes = 0 };
	uint64_t done = 0;
	int error = 0;

	(void)journal_info(j, &info);
	while (!error) {
		error = journal_next(j, entry.id, &entry);
		if (!error)
			error = look(j, logs, entry.id);
		done += error ? 0 : entry.bytes;
		/* others put and retire meanwhile */
		if (progress->report)
			progress->report(progress->context, done, max_u64(done, info.live_bytes));
	}
	copies_gathered(j);
	return error == -ENOENT ? 0 : message_errno(message, error, "%s", j->dir);
}
