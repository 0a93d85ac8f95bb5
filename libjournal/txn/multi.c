/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/multi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/segment.h"

static size_t multi_bytes(uint32_t extents)
{
	return sizeof(struct multi) + extents * sizeof(uint64_t);
}

struct multi *multi_make(uint32_t extents)
{
	struct multi *multi = calloc(1, multi_bytes(extents));

	if (multi)
		multi->extents = extents;
	return multi;
}

static int multi_grow(struct journal *j)
{
	uint32_t room = j->multi_count ? j->multi_count * 2 : 64;
	struct multi **grown = realloc(j->multi, room * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	memset(grown + j->multi_count, 0, (room - j->multi_count) * sizeof(*grown));
	j->multi = grown;
	j->multi_count = room;
	return 0;
}

int multi_add(struct journal *j, struct multi *multi, uint32_t *index)
{
	uint32_t i;
	int error = 0;

	pthread_mutex_lock(&j->multi_lock);
	for (i = 0; i < j->multi_count && j->multi[i]; i++)
		;
	if (i == j->multi_count)
		error = multi_grow(j);
	if (!error) {
		j->multi[i] = multi;
		*index = i;
	}
	pthread_mutex_unlock(&j->multi_lock);
	return error;
}

void multi_forget(struct journal *j, uint32_t index)
{
	pthread_mutex_lock(&j->multi_lock);
	free(j->multi[index]);
	j->multi[index] = NULL;
	pthread_mutex_unlock(&j->multi_lock);
}

int multi_copy(struct journal *j, uint32_t index, struct multi **copy)
{
	int error = -EBADMSG;

	*copy = NULL;
	pthread_mutex_lock(&j->multi_lock);
	if (index < j->multi_count && j->multi[index]) {
		*copy = multi_make(j->multi[index]->extents);
		error = *copy ? 0 : -ENOMEM;
		if (*copy)
			memcpy(*copy, j->multi[index], multi_bytes((*copy)->extents));
	}
	pthread_mutex_unlock(&j->multi_lock);
	return error;
}

void multi_release(struct journal *j, const uint64_t *where, uint32_t extents)
{
	uint32_t i;

	/* a segment is held once by a transaction, and its pieces in it follow
	 * one another */
	for (i = 0; i < extents; i++)
		if (!i || where[i] >> 32 != where[i - 1] >> 32)
			segment_release(j, &j->segments.all[where[i] >> 32], 1);
}

void multi_drop(struct journal *j, uint32_t index)
{
	struct multi *multi;

	pthread_mutex_lock(&j->multi_lock);
	multi = j->multi[index];
	j->multi[index] = NULL;
	pthread_mutex_unlock(&j->multi_lock);
	multi_release(j, multi->where, multi->extents);
	free(multi);
}

void multi_free(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->multi_count; i++)
		free(j->multi[i]);
	free(j->multi);
}
