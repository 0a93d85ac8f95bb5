/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj: a message put into a queue in one transaction: an object is
 * allocated and filled, and its place in the queue is set to it.  It is freed
 * at once after, untimed, so that the pool stays of a size.
 */
#include <errno.h>
#include <libpmemobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "lib_dir.h"

#define POOL_BYTES (64u << 20)
#define QUEUE 64

struct queue {
	PMEMoid message[QUEUE];
};

struct pmemobj_state {
	PMEMobjpool *pool;
	PMEMoid root;
};

static int pmemobj_case_open(struct bench_case *bench)
{
	struct pmemobj_state *state = calloc(1, sizeof(*state));
	char path[4096], name[64];

	bench->state = state;
	bench->survives = bench->env->nvram_class;
	if (!state)
		return message_set(&bench->why, -ENOMEM, "out of memory");
	(void)snprintf(name, sizeof(name), "pmemobj-%u", bench->payload_bytes);
	path_join(path, sizeof(path), bench->env->nvram_dir, name);
	state->pool = pmemobj_create(path, "bench", POOL_BYTES, 0600);
	if (!state->pool)
		return message_set(&bench->why, -errno, "%s: %s", path, pmemobj_errormsg());
	state->root = pmemobj_root(state->pool, sizeof(struct queue));
	if (OID_IS_NULL(state->root))
		return message_set(&bench->why, -errno, "%s: %s", path, pmemobj_errormsg());
	return 0;
}

static PMEMoid *place_of(struct bench_worker *worker)
{
	struct pmemobj_state *state = worker->bench->state;
	struct queue *queue = pmemobj_direct(state->root);

	return &queue->message[worker->sequence % QUEUE];
}

static int pmemobj_op(struct bench_worker *worker)
{
	struct pmemobj_state *state = worker->bench->state;
	PMEMoid *place = place_of(worker), message;
	uint32_t bytes = worker->bench->payload_bytes;
	int error = pmemobj_tx_begin(state->pool, NULL, TX_PARAM_NONE);

	if (!error) {
		message = pmemobj_tx_alloc(bytes, 1);
		if (!OID_IS_NULL(message) &&
		    !pmemobj_tx_add_range_direct(place, sizeof(*place))) {
			memcpy(pmemobj_direct(message), worker->bench->env->payload, bytes);
			*place = message;
			pmemobj_tx_commit();
		}
	}
	error = pmemobj_tx_end();
	return error ? message_set(&worker->bench->why, -error, "transaction: %s",
				   pmemobj_errormsg()) : 0;
}

static int pmemobj_after(struct bench_worker *worker)
{
	pmemobj_free(place_of(worker));
	return 0;
}

static void pmemobj_case_close(struct bench_case *bench)
{
	struct pmemobj_state *state = bench->state;

	if (state && state->pool)
		pmemobj_close(state->pool);
	free(state);
}

const struct bench_method peer_pmemobj = {
	.name = "libpmemobj-tx",
	.open = pmemobj_case_open,
	.op = pmemobj_op,
	.after = pmemobj_after,
	.close = pmemobj_case_close,
};
