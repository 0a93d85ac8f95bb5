/* SPDX-License-Identifier: BSD-3-Clause */
#include "actor.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "step.h"
#include "util/assert.h"
#include "util/math.h"

#define TEXT_MAX   (16u << 20)
#define PLACES_MAX 65536u

struct actor {
	void (*run)(void *context);
	void *context;
	pthread_t thread;
	sem_t go, stands;
	bool ended;
	/* where it is to stand: one of these, or nowhere */
	uint64_t function; /* in the program */
	uint32_t times;
	uint64_t stands_at; /* function that it is about to begin */
	bool (*there)(void *context);
	void *there_context;
	volatile bool passes;
	uint64_t limit; /* 0: none; all places on the way there are noted */
	struct actor *next_killed;
};

extern const char __executable_start, etext;

static _Thread_local struct actor *self;
static uint8_t passed[TEXT_MAX]; /* how often, by who notes places */
static struct {
	uint64_t place;
	uint32_t times;
} places[PLACES_MAX];
static uint32_t place_count;
static struct actor *killed; /* they stand for ever, and are no leaks */

/* ---- in its thread ---------------------------------------------------------------- */

static void actor_sets_out(const struct actor *a)
{
	if (a->function)
		step_trap_set(a->function, a->times);
	else if (a->there || a->limit)
		step_trap_trace();
	else
		step_trap_off();
}

static void actor_waits(struct actor *a)
{
	while (sem_wait(&a->go))
		;
	actor_sets_out(a);
}

static void actor_stands(void)
{
	(void)sem_post(&self->stands);
	actor_waits(self);
}

static void actor_notes(uint64_t place)
{
	if (place >= TEXT_MAX || passed[place] == STEP_TIMES || place_count == PLACES_MAX)
		return;
	places[place_count].place = place;
	places[place_count++].times = ++passed[place];
}

static bool actor_is_there(uint64_t place)
{
	if (self->there)
		return self->there(self->there_context);
	if (place != self->limit)
		actor_notes(place);
	return place == self->limit;
}

static void actor_stepped(uint64_t place)
{
	if (self && !self->passes && actor_is_there(place))
		actor_stands();
}

void actor_passes(bool passes)
{
	if (self)
		self->passes = passes;
}

static void *actor_thread(void *context)
{
	self = context;
	/* what is on the way of who is traced from here on is not on that to a breakpoint */
	actor_passes(true);
	actor_waits(self);
	actor_passes(false);
	self->run(self->context);
	step_trap_off();
	self->ended = true;
	(void)sem_post(&self->stands);
	return NULL;
}

/* ---- in that of who directs ---------------------------------------------------------- */

/* Return: whether it stands */
static bool actor_goes_on(struct actor *a)
{
	JASSERT(!a->ended);
	(void)sem_post(&a->go);
	while (sem_wait(&a->stands))
		;
	a->stands_at = a->function;
	a->function = 0;
	a->there = NULL;
	a->limit = 0;
	return !a->ended;
}

static const struct step_traps traps = { actor_stepped, actor_stands };

bool actors_possible(void)
{
	return step_possible() && step_trap_install(&traps);
}

struct actor *actor_make(void (*run)(void *context), void *context)
{
	struct actor *a = calloc(1, sizeof(*a));

	JASSERT(a);
	a->run = run;
	a->context = context;
	JASSERT(!sem_init(&a->go, 0, 0) && !sem_init(&a->stands, 0, 0));
	JASSERT(!pthread_create(&a->thread, NULL, actor_thread, a));
	return a;
}

static uint64_t place_of(void (*function)(void))
{
	return function ? (uint64_t)((uintptr_t)function - (uintptr_t)&__executable_start) : 0;
}

bool actor_at(struct actor *a, void (*function)(void), uint32_t times)
{
	a->function = place_of(function);
	/* not the call that it stands before */
	a->times = times + (a->stands_at == a->function);
	return actor_goes_on(a);
}

bool actor_when(struct actor *a, bool (*there)(void *context), void *context)
{
	a->there = there;
	a->there_context = context;
	return actor_goes_on(a);
}

uint32_t actor_places(struct actor *a, void (*limit)(void))
{
	memset(passed, 0, min_u64(TEXT_MAX, (uint64_t)(&etext - &__executable_start)));
	place_count = 0;
	a->limit = place_of(limit);
	JASSERT(actor_goes_on(a) && place_count < PLACES_MAX);
	return place_count;
}

bool actor_on(struct actor *a, uint32_t place)
{
	JASSERT(place < place_count);
	a->function = places[place].place;
	a->times = places[place].times + (a->stands_at == a->function);
	return actor_goes_on(a);
}

void actor_end(struct actor *a)
{
	if (!a->ended)
		JASSERT(!actor_goes_on(a));
	JASSERT(!pthread_join(a->thread, NULL));
	free(a);
}

void actor_killed(struct actor *a)
{
	/* what it has allocated is its own, for ever */
	JASSERT(!pthread_detach(a->thread));
	a->next_killed = killed;
	killed = a;
}
