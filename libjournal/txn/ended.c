/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/ended.h"

#include <errno.h>

#include "txn/checkpoint.h"
#include "txn/health.h"
#include "txn/logs.h"
#include "txn/streams.h"

#define ENDED_PER_RECORD 1024u

static int ended_append(struct journal *j, const struct ended *from, size_t entries,
			struct stream *only, struct stream_place *place)
{
	struct log_retire list[ENDED_PER_RECORD];
	struct stream_record record = {
		.meta = { .type = LOG_RETIRE, .count = 1,
			  .bytes = (uint32_t)(entries * sizeof(list[0])) },
		.payload = list,
	};
	size_t i;

	for (i = 0; i < entries; i++)
		list[i] = (struct log_retire){
			.id = put_le64(from[i].id),
			.line_epoch = put_le64(from[i].at.number),
			.line = put_le32(from[i].at.line),
			.slot = put_le32(from[i].at.slot),
		};
	return only ? stream_append(only, &record, true, place) :
		      streams_append_reserved(j, &record, place);
}

static int ended_append_all(struct journal *j, const struct ended *all, size_t count,
			    struct stream_place *place, uint64_t *first)
{
	/* those of several records wait for one stream */
	struct stream *only = count > ENDED_PER_RECORD ? &j->streams[0] : NULL;
	size_t from, entries;
	int error = 0;

	for (from = 0; from < count && !error; from += entries) {
		entries = min_u64(count - from, ENDED_PER_RECORD);
		error = ended_append(j, &all[from], entries, only, place);
		if (!from)
			*first = place->ticket;
	}
	return error;
}

/* What is set aside for retiring is in use by too many at a time.  The map that has the
 * bits cleared does as well: a checkpoint that is begun now, by whomever. */
static int ended_by_checkpoint(struct journal *j)
{
	int error;

	/* behind two who are stopped in the middle of theirs: there is no way back */
	do
		error = checkpoint_try(j);
	while (error == -EAGAIN);
	return error;
}

int ended_by_records(struct journal *j, const struct ended *all, size_t count)
{
	struct stream_place last = { .stream = NULL };
	uint64_t first = 0;
	/* only once there is a list of what lives, where NVRAM is given up */
	int error = health_switch(j);

	if (error || !count)
		return error;
	do {
		error = ended_append_all(j, all, count, &last, &first);
		if (error == -ENOSPC)
			return ended_by_checkpoint(j);
		/* their bits are cleared in the map: nothing is decided any more */
		if (error)
			return journal_fail(j, error);
		error = stream_wait(last.stream, first, last.ticket);
	} while (error == LOG_OUT);
	return error;
}
