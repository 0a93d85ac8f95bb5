/* SPDX-License-Identifier: BSD-3-Clause */
#include "moving.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "moves.h"
#include "txn/clean_lines.h"

/* The crash world keeps a list of what is flushed, for one thread at a time. */
static void (*world_flush)(struct marker_store *store, const void *address, size_t bytes);

static void passed_flush(struct marker_store *store, const void *address, size_t bytes)
{
	actor_passes(true);
	world_flush(store, address, bytes);
	actor_passes(false);
}

static void flushes(struct scene *s)
{
	world_flush = s->p->j->marker->persist.flush;
	s->p->j->marker->persist.flush = passed_flush;
}

void moving_make_on(struct scene *s, const struct crash_plan *plan)
{
	if (!actors_possible())
		skip();
	*s = (struct scene){ .path = JOURNAL_PATH_DIRECT, .seed = 1000 };
	s->p = place_make(plan);
	flushes(s);
}

void moving_make(struct scene *s)
{
	moving_make_on(s, NULL);
}

void moving_x(struct scene *s)
{
	s->path = JOURNAL_PATH_DIRECT;
	s->mode = X_ALONE;
	scene_x_and_z(s);
	moves_leave(s->p->j);
	s->first = s->second = s->retired = -EINPROGRESS;
}

void moving_moves(void *scene)
{
	struct scene *s = scene;
	uint32_t gained;

	s->first = clean_lines_step(s->p->j, SLOTS_PER_LINE, &gained);
}

void moving_retires(void *scene)
{
	struct scene *s = scene;

	s->retired = journal_retire(s->p->j, s->x);
}

bool moving_at_fence(const struct scene *s, struct actor *actor)
{
	return ACTOR_AT(actor, s->p->j->marker->persist.fence, 1);
}

void moving_power_fails(struct scene *s)
{
	place_crash(s->p);
	assert_int_equal(place_open(s->p), 0);
	flushes(s);
}
