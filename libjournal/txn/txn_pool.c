/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "txn/logs.h"
#include "txn/txn_impl.h"

#define POOL_MAX 64u /* objects kept with their small buffer, 2 MiB together */

static struct journal_txn *txn_pooled(struct journal *j)
{
	struct journal_txn *txn;

	pthread_mutex_lock(&j->pool_lock);
	txn = j->pool;
	if (txn) {
		j->pool = txn->next;
		j->pool_count--;
	}
	pthread_mutex_unlock(&j->pool_lock);
	return txn;
}

struct journal_txn *txn_alloc(struct journal *j)
{
	struct journal_txn *txn = txn_pooled(j);

	if (!txn)
		txn = calloc(1, sizeof(*txn));
	if (txn)
		txn->j = j;
	return txn;
}

/* Everything that a begin must find clear, but for the small buffer. */
static void txn_clear(struct journal_txn *txn)
{
	struct zeros zeros = txn->small_zeros;
	uint8_t *small = txn->small;

	/* also what was aborted, or reserved only */
	if (small && txn->base == small)
		zeros_used(&zeros, (uint32_t)(LOG_RECORD_BYTES + txn->fill + txn->reserved));
	if (txn->large)
		log_store_buffer_done(logs_buffers(txn->j), txn->large);
	free(txn->extents);
	memset(txn, 0, sizeof(*txn));
	txn->small = small;
	txn->small_zeros = zeros;
}

void txn_free(struct journal_txn *txn)
{
	struct journal *j = txn->j;

	txn_clear(txn);
	pthread_mutex_lock(&j->pool_lock);
	if (j->pool_count < POOL_MAX) {
		txn->next = j->pool;
		j->pool = txn;
		j->pool_count++;
		txn = NULL;
	}
	pthread_mutex_unlock(&j->pool_lock);
	if (txn) {
		free(txn->small);
		free(txn);
	}
}

void txn_pool_free(struct journal *j)
{
	struct journal_txn *txn;

	while ((txn = txn_pooled(j))) {
		free(txn->small);
		free(txn);
	}
}
