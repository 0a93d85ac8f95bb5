/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the NVRAM costs at least, by the same contract and persist routine as
 * the journal's own.
 *
 * floor-bit:  bit after bit of line after line, as a lane uses its slots.
 * floor-copy: the payload, to the next 64 bytes of a region as large as one
 *             lane's ring, so that it finds the caches as a staged commit does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "util/math.h"

#define BITS_BYTES (1u << 20)        /* the first part of the medium: 8 Mi bits */
#define WALK_DEFAULT (4u << 20)

struct floor_state {
	struct marker_store *store;
	uint64_t at;   /* next bit, or next offset in the region */
	uint8_t *region;
	uint64_t bytes;
};

static int floor_open_common(struct bench_case *bench, struct floor_state **out)
{
	struct marker_store *store;
	struct floor_state *state;
	int result = env_floor(bench->env, &store, &bench->why);

	if (result)
		return result;
	if (store->bytes < 2 * BITS_BYTES)
		return message_set(&bench->why, -ENOSPC, "%s: smaller than 2 MiB",
				   bench->env->floor_marker);
	state = calloc(1, sizeof(*state));
	if (!state)
		return message_set(&bench->why, -ENOMEM, "out of memory");
	state->store = store;
	bench->survives = store->class;
	(void)snprintf(bench->routine, sizeof(bench->routine), "%s", store->persist.name);
	*out = bench->state = state;
	return 0;
}

static void floor_close(struct bench_case *bench)
{
	free(bench->state);
}

/* ---- floor-bit ---------------------------------------------------------- */

static int bit_open(struct bench_case *bench)
{
	struct floor_state *state;
	int result = floor_open_common(bench, &state);

	if (result)
		return result;
	state->region = state->store->map;
	state->bytes = BITS_BYTES;
	return 0;
}

/* all bits used: erase them, which is no part of the floor */
static int bit_slice_begin(struct bench_worker *worker)
{
	struct floor_state *state = worker->bench->state;

	if (state->at + worker->bench->ops <= state->bytes * 8)
		return 0;
	memset(state->region, 0xff, state->bytes);
	nv_flush(state->store, state->region, state->bytes);
	state->at = 0;
	return nv_fence(state->store);
}

static int bit_op(struct bench_worker *worker)
{
	struct floor_state *state = worker->bench->state;
	uint64_t bit = state->at++;

	nv_and8(state->store, (uint64_t *)state->region + bit / 64, ~(1ull << bit % 64));
	return nv_fence(state->store);
}

const struct bench_method floor_bit = {
	.name = "floor-bit",
	.open = bit_open,
	.slice_begin = bit_slice_begin,
	.op = bit_op,
	.close = floor_close,
};

/* ---- floor-copy --------------------------------------------------------- */

/* a lane's share of the stage, if there is a journal to ask */
static uint64_t ring_bytes(struct bench_case *bench, uint64_t room)
{
	struct journal_info info;
	struct journal *journal;
	struct message why;
	uint64_t bytes = WALK_DEFAULT;

	if (!env_journal(bench->env, false, &journal, &why) &&
	    !journal_info(journal, &info) && info.stage_bytes && info.lanes)
		bytes = info.stage_bytes / info.lanes;
	return round_down(min_u64(max_u64(bytes, 2 * BENCH_PAYLOAD_MAX), room), 4096);
}

static int copy_open(struct bench_case *bench)
{
	struct floor_state *state;
	int result = floor_open_common(bench, &state);

	if (result)
		return result;
	state->region = state->store->map + BITS_BYTES;
	state->bytes = ring_bytes(bench, state->store->bytes - BITS_BYTES);
	bench->walk_bytes = state->bytes;
	return 0;
}

static int copy_op(struct bench_worker *worker)
{
	struct floor_state *state = worker->bench->state;
	uint32_t bytes = worker->bench->payload_bytes;

	if (bytes > state->bytes - state->at)
		state->at = 0;
	nv_copy(state->store, state->region + state->at, worker->bench->env->payload, bytes);
	state->at += round_up(bytes, 64);
	return nv_fence(state->store);
}

const struct bench_method floor_copy = {
	.name = "floor-copy",
	.open = copy_open,
	.op = copy_op,
	.close = floor_close,
};
