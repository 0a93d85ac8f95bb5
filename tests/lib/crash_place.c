/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_place.h"

#include <stdlib.h>
#include <string.h>

#include "txn/journal_impl.h"
#include "txn/times.h"
#include "util/assert.h"

struct place *place_make(const struct crash_plan *plan)
{
	struct place *p = calloc(1, sizeof(*p));

	JASSERT(p);
	if (plan)
		p->plan = *plan;
	crash_set_random(1);
	crash_set_cpu(0);
	crash_world_make(&p->world);
	p->world.checkpointed = p->plan.checkpointed;
	p->world.log_count = p->plan.logs;
	p->world.mirrored = p->plan.mirrored;
	/* its media are in memory: what is left of files is synced often */
	if (scratch_make(&p->scratch, "/dev/shm"))
		JASSERT(!scratch_make(&p->scratch, NULL));
	crash_world_enter(&p->world);
	JASSERT(!crash_look_make(&p->look, &p->plan, &p->scratch, &p->world, &p->oracle));
	JASSERT(!place_open(p));
	return p;
}

void place_remove(struct place *p)
{
	p->world.hook = NULL;
	crash_throw_away(p->j);
	crash_world_enter(NULL);
	crash_set_cpu(-1);
	crash_look_free(&p->look);
	crash_world_free(&p->world);
	scratch_remove(&p->scratch);
	free(p);
}

void place_crash(struct place *p)
{
	p->world.dead = true;
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, CRASH_DROP, 0);
}

/* One call in some is timed, by dice: who is led to an instruction takes the same way each time. */
static void place_time_none(struct journal *j)
{
	uint32_t i;

	for (i = 0; i <= j->times_mask; i++)
		atomic_store(&j->times[i].left, UINT32_MAX);
}

int place_open(struct place *p)
{
	int error = journal_open(p->look.path[0], &crash_open_options, &p->j);

	if (!error)
		place_time_none(p->j);
	return error;
}

void place_close(struct place *p)
{
	JASSERT(!journal_close(p->j));
	p->j = NULL;
	crash_world_cut(&p->world, CRASH_DROP, 0);
}

int place_put(struct place *p, enum journal_path path, uint64_t seed, uint64_t *id)
{
	struct journal_txn_options options = { .path = path, .bytes = PLACE_BYTES };
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;
	uint8_t payload[PLACE_BYTES];
	int error = journal_begin(p->j, &options, &txn);

	if (error)
		return error;
	oracle_payload(seed, payload, PLACE_BYTES);
	JASSERT(!journal_append(txn, payload, PLACE_BYTES));
	error = journal_commit(txn, &receipt);
	*id = receipt.id;
	return error;
}

uint8_t *place_search(struct crash_map *map, uint64_t seed)
{
	uint8_t payload[PLACE_BYTES];

	oracle_payload(seed, payload, PLACE_BYTES);
	return memmem(map->durable, map->bytes, payload, PLACE_BYTES);
}

uint8_t *place_find(struct crash_map *map, uint64_t seed)
{
	uint8_t *found = place_search(map, seed);

	JASSERT(found);
	return found;
}

void place_spoil(struct crash_map *map, uint8_t *durable)
{
	*durable ^= 1;
	map->now[durable - map->durable] ^= 1;
}

enum journal_state place_state(struct place *p, uint64_t id)
{
	struct journal_entry entry;

	return journal_lookup(p->j, id, &entry) ? 0 : entry.state;
}

uint32_t place_live(struct place *p)
{
	struct journal_entry entry = { 0 };
	uint32_t count = 0;

	while (!journal_next(p->j, entry.id, &entry))
		count++;
	return count;
}

uint64_t place_lost_unnamed(struct place *p)
{
	struct journal_info *info = calloc(1, sizeof(*info));
	uint64_t lost;

	JASSERT(info && !journal_info(p->j, info));
	lost = info->lost_unnamed;
	free(info);
	return lost;
}

int place_check(struct place *p)
{
	return journal_check(p->look.path[1], &crash_open_options, NULL, NULL, NULL, 0);
}
