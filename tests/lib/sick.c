/* SPDX-License-Identifier: BSD-3-Clause */
#include "sick.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "util/assert.h"

void sick_make(struct sick *s)
{
	sick_make_on(s, NULL);
}

void sick_make_on(struct sick *s, const struct crash_plan *plan)
{
	memset(s, 0, sizeof(*s));
	s->p = place_make(plan);
	crash_world_make(&s->stand_in);
	s->stand_in.checkpointed = true;
	s->stand_in.main = &s->p->world;
	s->p->world.other = &s->stand_in;
	s->p->world.other_scheme = "file:";
	crash_world_make(&s->next);
	s->next.main = &s->p->world;
	s->p->world.next = &s->next;
	/* it is made by the first who opens */
	place_close(s->p);
	JASSERT(!place_open(s->p));
	JASSERT(s->stand_in.marker.now);
}

void sick_free(struct sick *s)
{
	s->p->world.other = NULL;
	place_remove(s->p);
	crash_world_free(&s->stand_in);
	crash_world_free(&s->next);
}

void sick_cut(struct sick *s, enum crash_how how, uint64_t seed, bool dead)
{
	struct crash_map *nvram = &s->p->world.marker;

	s->p->world.hook = NULL;
	s->p->world.dead = true;
	crash_throw_away(s->p->j);
	s->p->j = NULL;
	/* no process has it mapped as it likes any more */
	crash_map_show(nvram, 0, nvram, 0, nvram->bytes);
	crash_world_cut(&s->p->world, how, seed);
	crash_world_cut(&s->stand_in, how, seed + 1);
	if (s->next.marker.now)
		crash_world_cut(&s->next, how, seed + 2);
	if (s->next.marker.now && !sick_is_abandoned(s)) {
		/* that is what the path names */
		crash_map_free(nvram);
		*nvram = s->next.marker;
		s->next.marker = (struct crash_map){ .now_fd = -1, .durable_fd = -1 };
	}
	if (!dead)
		return;
	/* what it holds is gone, too, if it is gone back to */
	crash_map_free(&s->next.marker);
	s->next.marker = (struct crash_map){ .now_fd = -1, .durable_fd = -1 };
	memset(nvram->now, 0, nvram->bytes);
	memset(nvram->durable, 0, nvram->bytes);
}

int sick_open(struct sick *s)
{
	return place_open(s->p);
}

bool sick_is_abandoned(const struct sick *s)
{
	char path[PATH_MAX + 16], text[4096] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/journal.conf", s->p->look.path[0]);
	file = fopen(path, "re");
	JASSERT(file && fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	return strstr(text, "marker = file:stand-in");
}
