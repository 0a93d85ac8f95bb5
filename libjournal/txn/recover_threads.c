/* SPDX-License-Identifier: BSD-3-Clause */
/* The same work for many segments, in parallel. */
#include <pthread.h>

#include "txn/recover.h"

struct crew {
	struct recovery *r;
	const uint32_t *order;
	uint32_t count;
	_Atomic uint32_t next, done;
	_Atomic int error;
	int (*work)(struct recovery *r, uint32_t segment);
	struct message message; /* of the first error */
};

/* Return: false: nothing is left to be begun */
static bool crew_step(struct crew *crew)
{
	uint32_t i;
	int error, none = 0;

	if (atomic_load(&crew->error) || (i = atomic_fetch_add(&crew->next, 1)) >= crew->count)
		return false;
	error = crew->work(crew->r, crew->order[i]);
	if (error && atomic_compare_exchange_strong(&crew->error, &none, error))
		crew->message = *journal_message(crew->r->j);
	atomic_fetch_add(&crew->done, 1);
	return true;
}

static void *crew_work(void *argument)
{
	while (crew_step(argument))
		;
	return NULL;
}

int recover_parallel(struct recovery *r, const uint32_t *order, uint32_t count,
		     int (*work)(struct recovery *r, uint32_t segment))
{
	struct crew crew = { .r = r, .order = order, .count = count, .work = work };
	pthread_t threads[8];
	uint32_t i, started = 0;

	/* this thread works too; a thread that cannot be had is no loss */
	for (i = 1; i < r->threads && i < count && started < 8; i++)
		if (!pthread_create(&threads[started], NULL, crew_work, &crew))
			started++;
	while (crew_step(&crew))
		recover_progress_at(r, crew.done * r->j->segment_bytes);
	for (i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (crew.error)
		*journal_message(r->j) = crew.message;
	else
		recover_progress(r, count * r->j->segment_bytes);
	return crew.error;
}
