/* SPDX-License-Identifier: BSD-3-Clause */
#include "explore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/assert.h"

#define RECOVERY_NS 9000000000000ull /* when it is, later than all that was before */
#define LOOKED 32u /* images of one point that others are compared with */

/* Images that were recovered, and what of the log was read for it. */
struct looked {
	uint8_t *choice;
	uint64_t *read;
	const struct found *found;
};

/* a point of a run, or of a recovery at depth 1 or 2; its images are one deeper */
struct point {
	struct explorer *x;
	const struct crash_world *world;
	uint32_t depth;
	const struct found *must; /* NULL: the oracle judges; else what was served */
	struct flight flight;
	uint32_t rules;
	struct looked looked[LOOKED];
	uint32_t looked_count;
	bool wrong;
};

static void look_around(struct explorer *x, const struct crash_world *world, uint32_t depth,
			const struct found *must);

/* ---- judging ---------------------------------------------------------------------- */

static void wrong(struct point *p, uint64_t image)
{
	struct explorer *x = p->x;

	printf("violation: %s: %s\n  at point %" PRIu64 ", depth %u, image %016" PRIx64
	       "; again: --only %s\n", x->sequence, x->run->oracle.why, x->points, p->depth,
	       image, x->sequence);
	rules_print_stack();
	(void)fflush(stdout);
	x->violations++;
	p->wrong = true;
}

static void judge(struct point *p, const struct found *found, uint64_t image)
{
	struct oracle *oracle = &p->x->run->oracle;

	if (*oracle->why)
		return;
	if (p->must && !found_same(p->must, found))
		(void)oracle_wrong(oracle, "P7: what the first recovery served (%u) is not what "
				   "the second finds (%u): %s", p->must->count, found->count,
				   found->why);
	else if (!p->must)
		(void)found_judge(found, oracle, p->x->run->flight, WRITERS);
	if (*oracle->why)
		wrong(p, image);
}

/* ---- recovering -------------------------------------------------------------------- */

struct inside {
	struct explorer *x;
	uint32_t depth;
};

/* at each operation of a recovery */
static void inside_hook(struct crash_world *world, void *context)
{
	const struct inside *inside = context;

	look_around(inside->x, world, inside->depth, NULL);
}

static void note_finding(void *context, const struct journal_finding *finding)
{
	char *why = context;

	if (finding->damage && !*why)
		(void)snprintf(why, 160, "%s", finding->text);
}

/* It changes nothing, and finds nothing: what a crash leaves is clean. */
static struct found *check(struct explorer *x, const char *dir)
{
	char text[256] = "", why[160] = "";
	int error = journal_check(dir, &crash_open_options, note_finding, why, text,
				  sizeof(text));

	x->checked++;
	return error ? found_failed(error, *why ? why : text) : NULL;
}

/* One that is committed after all: its id was never seen before, and it is there. */
static uint64_t put_one(struct journal *j)
{
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;

	if (journal_begin(j, NULL, &txn))
		return 0;
	if (journal_append(txn, "after", 5) || journal_commit(txn, &receipt))
		return 0;
	return receipt.id;
}

/* Recover @image, which is the world that was entered. */
static struct found *recover_entered(struct explorer *x, struct crash_world *image,
				     uint32_t depth, bool cut)
{
	const char *dir = x->run->dir[depth];
	struct inside inside = { x, depth };
	struct found *found = NULL;
	struct journal *j;
	int error;

	if (x->check_every && !(x->recovered[depth] % x->check_every))
		found = check(x, dir);
	if (found)
		return found;
	image->hook = cut ? inside_hook : NULL;
	image->context = &inside;
	error = journal_open(dir, &crash_open_options, &j);
	image->hook = NULL;
	found = error ? found_failed(error, journal_error(j)) : found_take(j);
	/* what is served now is durable */
	if (!found->error)
		look_around(x, image, depth, found);
	if (!found->error)
		found->next_id = put_one(j);
	image->dead = true;
	crash_throw_away(j);
	return found;
}

/* whether this recovery is cut: the first of each point, and of the others some */
static bool is_cut(const struct explorer *x, const struct point *p, uint64_t image)
{
	uint32_t every = !p->depth ? x->inside_every : x->again_every;

	if (p->must || p->depth + 1 >= RUN_DEPTH || !every)
		return false;
	return !(image % every);
}

static struct found *recover(struct point *p, struct crash_world *image, uint64_t sum)
{
	struct explorer *x = p->x;
	uint32_t depth = p->depth + 1;
	struct crash_world *before = crash_world_enter(image);
	uint64_t clock = run_clock(), random = crash_random();
	struct found *found;

	run_show(x->run, p->depth, depth);
	/* what a recovery does depends on its image, and on nothing else */
	crash_set_random(sum);
	run_set_clock(RECOVERY_NS);
	x->recovered[depth]++;
	x->busy[depth] = sum;
	found = recover_entered(x, image, depth, is_cut(x, p, sum));
	crash_set_random(random);
	run_set_clock(clock);
	crash_world_enter(before);
	return found;
}

/* ---- images ------------------------------------------------------------------------- */

static uint64_t read_words(const struct explorer *x)
{
	return x->run->base.log.bytes / CRASH_SECTOR / 64 + 1;
}

/* one whose recovery reads nothing of that in which the two differ */
static const struct found *find_like(const struct point *p, const uint8_t *choice)
{
	uint32_t i;

	for (i = 0; i < p->looked_count; i++)
		if (flight_same(&p->flight, choice, p->looked[i].choice, p->looked[i].read))
			return p->looked[i].found;
	return NULL;
}

static void keep_looked(struct point *p, const uint8_t *choice, const uint64_t *read,
			const struct found *found)
{
	struct looked *looked = &p->looked[p->looked_count];

	if (p->looked_count == LOOKED)
		return;
	p->looked_count++;
	looked->choice = malloc(p->flight.count + 1);
	looked->read = malloc(read_words(p->x) * sizeof(*read));
	JASSERT(looked->choice && looked->read);
	memcpy(looked->choice, choice, p->flight.count);
	memcpy(looked->read, read, read_words(p->x) * sizeof(*read));
	looked->found = found;
}

static void note_rules(struct explorer *x, uint32_t rules)
{
	uint32_t i;

	for (i = 0; i < RULES; i++)
		x->rules[i] += rules >> i & 1;
}

static const struct found *look_at_new(struct point *p, const uint8_t *choice, uint64_t sum)
{
	uint64_t *read = calloc(read_words(p->x), sizeof(*read));
	struct crash_world image;
	const struct found *kept;
	struct found *found;

	JASSERT(read);
	flight_image(&p->flight, choice, &image);
	image.read = read;
	found = recover(p, &image, sum);
	crash_world_free(&image);
	kept = seen_add(&p->x->seen, sum, found);
	keep_looked(p, choice, read, kept);
	free(read);
	return kept;
}

/* A recovery that has changed nothing yet: its own image is looked at just now. */
static bool is_busy(const struct point *p, uint64_t sum)
{
	uint32_t i;

	for (i = 1; i <= p->depth; i++)
		if (p->x->busy[i] == sum)
			return true;
	return false;
}

static bool look_at(void *context, const uint8_t *choice)
{
	struct point *p = context;
	uint64_t sum = flight_sum(&p->flight, choice);
	const struct found *found = seen_find(&p->x->seen, sum);

	if (is_busy(p, sum))
		return true;
	if (found) {
		p->x->repeated++;
	} else {
		found = find_like(p, choice);
		if (found)
			p->x->unread++;
		else
			found = look_at_new(p, choice, sum);
	}
	note_rules(p->x, p->rules | rules_found(found));
	judge(p, found, sum);
	return !p->wrong;
}

/* A process is killed: caches go on, and are lost only later. */
static void look_killed(struct point *p)
{
	uint8_t *choice = calloc(p->flight.count + 1, 1);
	uint64_t none = p->flight.sum, sum;
	const struct found *found;
	struct crash_world image;
	uint32_t i;

	JASSERT(choice);
	for (i = 0; i < p->flight.count; i++)
		choice[i] = (uint8_t)p->flight.all[i].versions;
	sum = crash_sum(flight_sum(&p->flight, choice), &none, 8);
	free(choice);
	found = seen_find(&p->x->seen, sum);
	if (!found) {
		crash_world_clone(p->world, true, &image);
		found = seen_add(&p->x->seen, sum, recover(p, &image, sum));
		crash_world_free(&image);
	}
	note_rules(p->x, p->rules | 1u << RULE_P7);
	judge(p, found, sum);
}

static void trace(const struct explorer *x, const struct point *p)
{
	static const char *const kinds[] = { "word", "sector", "checkpoint" };
	uint32_t i;

	printf("point %" PRIu64 ": %.0f images of %u elements\n", x->points, p->flight.images,
	       p->flight.count);
	rules_print_stack();
	for (i = 0; i < p->flight.count; i++)
		printf("    %s %#" PRIx64 ", %u\n", kinds[p->flight.all[i].kind],
		       p->flight.all[i].at, p->flight.all[i].versions);
}

static void look_around(struct explorer *x, const struct crash_world *world, uint32_t depth,
			const struct found *must)
{
	struct point p = { .x = x, .world = world, .depth = depth, .must = must };
	uint32_t i;

	if (*x->run->oracle.why || depth >= RUN_DEPTH)
		return;
	x->points += !depth;
	if (!depth)
		run_see_medium(x->run);
	flight_collect(&p.flight, world);
	p.flight.sum += run_sum(x->run, depth);
	p.rules = rules_here(&p.flight, &x->run->geometry) |
		  (!depth && writers_other_stands() ? 1u << RULE_P18 : 0);
	if (x->trace && !depth)
		trace(x, &p);
	flight_each(&p.flight, depth ? x->inside_all : x->all,
		    depth ? x->inside_samples : x->samples, p.flight.sum, look_at, &p);
	if (!depth && !p.wrong && p.flight.count)
		look_killed(&p);
	for (i = 0; i < p.looked_count; i++) {
		free(p.looked[i].choice);
		free(p.looked[i].read);
	}
	flight_free(&p.flight);
}

/* ---- a run ----------------------------------------------------------------------------- */

static void run_hook(struct crash_world *world, void *context)
{
	struct explorer *x = context;

	writers_hold(true);
	if (!x->schedule || !schedule_is_old(x->schedule))
		look_around(x, world, 0, NULL);
	writers_hold(false);
	writers_operation();
}

void explore_begin(struct explorer *x, struct run *run)
{
	x->run = run;
	run->world.hook = run_hook;
	run->world.context = x;
}

bool explore_idle(struct explorer *x)
{
	look_around(x, &x->run->world, 0, NULL);
	return !*x->run->oracle.why;
}

void explore_end(struct explorer *x)
{
	x->run->world.hook = NULL;
}
