/* SPDX-License-Identifier: BSD-3-Clause */
/* What a record says of its transaction, besides the payload. */
#include <errno.h>
#include <stdlib.h>

#include "txn/pieces.h"
#include "txn/read.h"

static int tags_staged(struct journal *j, struct found *found)
{
	const uint8_t *data;
	uint8_t *copy;
	int error = read_staged(j, found, &copy, &data);

	free(copy);
	return error;
}

static int tags_log(struct journal *j, struct found *found)
{
	struct record record;
	const uint8_t *at;
	int error;

	if (found->where & WHERE_MULTI) {
		error = pieces_final(j, found->id, found->where, found->units, &record, &at);
	} else {
		error = record_read(j, where_segment(found->where), where_offset(found->where),
				    (uint64_t)found->units * 32, &record);
		if (!error)
			error = record_find(found, &record, &at);
	}
	if (!error)
		found->tags = (struct journal_tags){ record.meta.tag, record.meta.reference };
	free(record.buffer);
	return error;
}

static int tags_read(struct journal *j, struct found *found)
{
	switch (where_kind(found->where)) {
	case WHERE_STAGE:
		return tags_staged(j, found);
	case WHERE_LOG:
		return tags_log(j, found);
	default:
		return -EBADMSG;
	}
}

int journal_tags(struct journal *j, uint64_t id, struct journal_tags *tags)
{
	uint64_t tried = WHERE_NONE;
	struct found found;
	int error = -ENOENT;

	if (journal_is_childs(j))
		return journal_childs(j);
	/* one that does not verify was perhaps moved or retired meanwhile (P18) */
	while (!found_look(j, id, &found)) {
		if (found.where == tried)
			return read_say(j, id, error);
		tried = found.where;
		error = tags_read(j, &found);
		if (!error) {
			*tags = found.tags;
			return 0;
		}
	}
	return read_say(j, id, -ENOENT);
}
