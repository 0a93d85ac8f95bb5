/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "format/log.h"
#include "format/marker.h"
#include "txn/journal_impl.h"

/* one thread, or a seed would not repeat a run */
const struct journal_open_options crash_open_options = { .recover_threads = 1 };

const char *crash_look_dir(struct crash_look *look, int which)
{
	return look->path[which];
}

/* ---- making a small journal --------------------------------------------------- */

/* Few lines, few lanes and small rings turn over often. */
static void shrink_geometry(const struct crash_plan *plan, struct marker_geometry *g)
{
	g->lanes = plan->checkpointed ? g->lanes : 2;
	g->lines = plan->lines ? plan->lines : 10;
	if (!plan->checkpointed)
		g->ring_bytes = plan->ring_bytes ? plan->ring_bytes : 16384;
	if (plan->digests_in_log)
		g->digests = 0;
	marker_geometry_make(g);
}

static void shrink(const struct crash_plan *plan, struct crash_world *world)
{
	struct marker_super *super = (struct marker_super *)(void *)world->marker.durable;
	struct marker_geometry g;
	struct marker_state *state;
	struct marker_lane *lane;
	const char *why;
	uint32_t i;

	JASSERT(!marker_super_decode(super, world->marker.bytes, false, &g, &why));
	shrink_geometry(plan, &g);
	JASSERT(g.bytes <= world->marker.bytes);
	world->marker.bytes = (g.bytes + 4095) & ~4095ull;
	memset(world->marker.durable, 0xff, world->marker.bytes);
	for (i = 0; i < MARKER_SUPERS; i++)
		marker_super_encode(&g, &super[i]);
	state = (struct marker_state *)(void *)(world->marker.durable + g.state_offset);
	lane = (struct marker_lane *)(void *)(world->marker.durable + g.lanes_offset);
	state->incarnation = word_seal(0);
	state->replay_seq = word_seal(0);
	for (i = 0; i < g.lanes; i++)
		lane[i].tail = word_seal(0);
	memcpy(world->marker.now, world->marker.durable, world->marker.bytes);
}

static void copy_file(const char *from, const char *to)
{
	char buffer[8192];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t got;

	JASSERT(in >= 0 && out >= 0);
	got = read(in, buffer, sizeof(buffer));
	JASSERT(got > 0 && write(out, buffer, (size_t)got) == got);
	(void)close(in);
	(void)close(out);
}

static int look_format(struct crash_look *look, struct oracle *oracle)
{
	char text[256], places[JOURNAL_LOGS_MAX + 1][PATH_MAX], nvram[PATH_MAX];
	char uri[PATH_MAX + 8];
	const char *logs[JOURNAL_LOGS_MAX + 1];
	uint32_t count = look->plan->mirrored ? 1 : look->plan->logs;
	struct journal_format_options options = {
		.marker = uri,
		.marker_bytes = 1 << 20,
		.logs = logs,
		.log_count = count,
		.mirrors = look->plan->mirrored ? logs + 1 : NULL,
		.mirror_count = look->plan->mirrored,
		.log_bytes = (12ull << 20) * (count ? count : 1),
	};
	uint32_t i;

	/* nothing lies there but the name of a medium that is made while the journal is in use */
	(void)snprintf(uri, sizeof(uri), "%s:%s", look->plan->checkpointed ? "file" : "sim",
		       scratch_path(look->scratch, "nvram", nvram));
	/* each in a place of its own: or they are refused */
	for (i = 0; i < count + look->plan->mirrored; i++) {
		(void)snprintf(text, sizeof(text), "log%u", i);
		logs[i] = scratch_path(look->scratch, text, places[i]);
		JASSERT(!mkdir(logs[i], 0700) || errno == EEXIST);
	}
	if (journal_format(look->path[0], &options, text, sizeof(text)))
		return oracle_wrong(oracle, "format: %s", text);
	return 0;
}

/* What the run has written there by now; and what looks have written is forgotten. */
/* Of a mirrored log, which leg was left (txn/left.h): those of @dir, in the copy, too, or
 * away from there. */
static void look_each_left(const char *dir, const char *copy, bool there)
{
	char path[PATH_MAX + 16];
	struct dirent *entry;
	DIR *files = opendir(dir);
	int fd;

	JASSERT(files);
	while ((entry = readdir(files))) {
		if (strncmp(entry->d_name, "left-", 5) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX / 2, copy, entry->d_name);
		fd = there ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : unlink(path);
		JASSERT(fd >= 0);
		if (there)
			close(fd);
	}
	(void)closedir(files);
}

static void look_copy_conf(const struct crash_look *look)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	(void)snprintf(from, sizeof(from), "%s/journal.conf", look->path[0]);
	(void)snprintf(to, sizeof(to), "%s/journal.conf", look->path[1]);
	copy_file(from, to);
	look_each_left(look->path[1], look->path[1], false);
	look_each_left(look->path[0], look->path[1], true);
}

int crash_look_make(struct crash_look *look, const struct crash_plan *plan,
		    const struct scratch *scratch, struct crash_world *world,
		    struct oracle *oracle)
{
	look->plan = plan;
	look->scratch = scratch;
	(void)scratch_path(scratch, "run", look->path[0]);
	(void)scratch_path(scratch, "copy", look->path[1]);
	if (look_format(look, oracle))
		return -1;
	shrink(plan, world);
	JASSERT(!mkdir(look->path[1], 0700));
	look_copy_conf(look);
	return 0;
}

void crash_look_free(struct crash_look *look)
{
	free(look->first.ids);
	free(look->second.ids);
}

/* ---- looking ------------------------------------------------------------------- */

static void look_found(void *context, const struct journal_finding *finding)
{
	struct crash_look *look = context;

	/* a log that had failed, and is well again: it was left without its own digest,
	 * and with what its last writes were worth */
	if (look->plan->mirrored && finding->damage &&
	    strstr(finding->text, "this leg is not in use"))
		look->tolerated++;
	else if (look->plan->weight[CRASH_LOG_FAILS] && !look->plan->mirrored &&
		 finding->damage && !finding->id &&
	    (strstr(finding->text, "the second copy stands in") ||
	     strstr(finding->text, "its table is damaged")))
		look->tolerated++;
	else if (finding->damage)
		oracle_wrong(look->oracle, "check: %s", finding->text);
}

static int look_check(struct crash_look *look, struct oracle *oracle)
{
	char text[256] = "";
	int error;

	look->tolerated = 0;
	look->oracle = oracle;
	error = journal_check(look->path[1], &crash_open_options, look_found, look, text,
			      sizeof(text));
	if (error == -EUCLEAN && look->tolerated && !*oracle->why)
		error = 0;
	if (error)
		oracle_wrong(oracle, "check: %s: %s", strerror(-error), text);
	return error;
}

void crash_throw_away(struct journal *j)
{
	/* one that did not get far has nothing to store */
	if (j && j->shared)
		(void)journal_fail(j, -EIO); /* so that closing stores nothing */
	(void)journal_close(j);
}

/* Recover what is in @world and compare; the handle is thrown away. */
static int look_recover(struct crash_look *look, struct crash_world *world,
			struct oracle *oracle, struct oracle_list *list)
{
	struct journal *j;
	int error = journal_open(look->path[1], &crash_open_options, &j);

	if (error && !world->dead)
		oracle_wrong(oracle, "recovery: %s: %s", strerror(-error), journal_error(j));
	if (!error)
		error = oracle_check(oracle, j, list, false);
	world->dead = true;
	crash_throw_away(j);
	return error;
}

/* Cut the recovery itself at a random operation; the next one must do. */
static int look_inside(struct crash_look *look, struct crash_world *world,
		       struct oracle *oracle, uint64_t *random)
{
	world->die_at = world->operations + 1 + fault_random(random) % 16;
	if (look_recover(look, world, oracle, &look->first) && *oracle->why)
		return -1;
	crash_world_cut(world, (enum crash_how)(fault_random(random) % 4),
			fault_random(random));
	return 0;
}

static int look_at(struct crash_look *look, struct crash_world *world, struct oracle *oracle,
		   uint64_t *random)
{
	uint32_t inside = look->plan->inside ? look->plan->inside : 16;
	int error = 0;

	look->looked++;
	if (look->plan->mirrored)
		look_copy_conf(look);
	if (!(fault_random(random) % 4))
		error = look_check(look, oracle);
	if (!error && !(fault_random(random) % inside))
		error = look_inside(look, world, oracle, random);
	if (!error)
		error = look_recover(look, world, oracle, &look->first);
	if (error)
		return error;
	/* what was served is durable: at worst nothing else is (P7) */
	crash_world_cut(world, fault_random(random) & 1 ? CRASH_DROP : CRASH_MIXED,
			fault_random(random));
	error = look_recover(look, world, oracle, &look->second);
	return error ? error : oracle_same(oracle, &look->first, &look->second);
}

int crash_look(struct crash_look *look, const struct crash_world *world, struct oracle *oracle,
	       uint64_t seed)
{
	static const enum crash_how hows[] = { CRASH_DROP, CRASH_MIXED, CRASH_MIXED, CRASH_KILL,
					       CRASH_KEEP };
	enum crash_how how = hows[fault_random(&seed) % 5];
	struct crash_world copy, *before;
	int error;

	if (look->plan->kill_only)
		how = CRASH_KILL;
	crash_world_copy(world, how, fault_random(&seed), &copy);
	before = crash_world_enter(&copy);
	error = look_at(look, &copy, oracle, &seed);
	crash_world_enter(before);
	crash_world_free(&copy);
	return error ? -1 : 0;
}
