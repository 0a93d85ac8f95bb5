/* SPDX-License-Identifier: BSD-3-Clause */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "txn/journal_impl.h"
#include "util/assert.h"

#define PAYLOAD_ROOM (3u << 20)
#define BASE (RUN_DEPTH + 1)

/* ---- time: as long as it takes in calls --------------------------------------- */

static uint64_t clock_now = 1000000000000ull;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* Nobody who asks again and again waits for ever, and nothing takes long. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	clock_now += 1000;
	now->tv_sec = (time_t)(clock_now / 1000000000u);
	now->tv_nsec = (long)(clock_now % 1000000000u);
	return 0;
}

uint64_t run_clock(void)
{
	return clock_now;
}

void run_set_clock(uint64_t ns)
{
	clock_now = ns;
}

/* ---- directories ---------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	char buffer[8192];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t got;

	JASSERT(in >= 0 && out >= 0);
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		JASSERT(write(out, buffer, (size_t)got) == got);
	JASSERT(!got);
	(void)close(in);
	(void)close(out);
}

/* What a process that opens looks at: its own index and locks it makes itself. */
static bool is_shown(const char *name)
{
	return !strcmp(name, "journal.conf") || !strncmp(name, "left-", 5);
}

static void each_file(const char *dir, const char *to, void (*act)(const char *, const char *))
{
	char path[2][PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *files = opendir(dir);

	JASSERT(files);
	while ((entry = readdir(files))) {
		if (!is_shown(entry->d_name))
			continue;
		(void)snprintf(path[0], sizeof(path[0]), "%s/%s", dir, entry->d_name);
		(void)snprintf(path[1], sizeof(path[1]), "%s/%s", to, entry->d_name);
		act(path[0], path[1]);
	}
	(void)closedir(files);
}

static void remove_file(const char *path, const char *other)
{
	(void)other;
	JASSERT(!unlink(path));
}

void run_show(struct run *run, uint32_t from, uint32_t to)
{
	each_file(run->dir[to], run->dir[to], remove_file);
	each_file(run->dir[from], run->dir[to], copy_file);
}

#define FILE_ROOM 8192u

/* without the scratch directory's name */
static void strip(char *text, const char *name)
{
	size_t length = strlen(name);
	char *at;

	while ((at = strstr(text, name)))
		memmove(at, at + length, strlen(at + length) + 1);
}

static uint64_t file_sum(const struct run *run, const char *dir, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2], text[FILE_ROOM] = "";
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	JASSERT(fd >= 0);
	got = read(fd, text, sizeof(text) - 1);
	JASSERT(got >= 0 && got < (ssize_t)FILE_ROOM / 2);
	(void)close(fd);
	strip(text, run->scratch.directory);
	memset(text + strlen(text), 0, sizeof(text) - strlen(text));
	(void)snprintf(text + FILE_ROOM / 2, FILE_ROOM / 2, "%s", name);
	return crash_sum(0, text, sizeof(text));
}

uint64_t run_sum(const struct run *run, uint32_t which)
{
	struct dirent *entry;
	uint64_t sum = 0;
	DIR *files = opendir(run->dir[which]);

	JASSERT(files);
	while ((entry = readdir(files)))
		if (is_shown(entry->d_name))
			sum += file_sum(run, run->dir[which], entry->d_name);
	(void)closedir(files);
	return sum;
}

/* ---- opening and closing ----------------------------------------------------------- */

int run_error(struct run *run, const char *what, int error)
{
	if (!error || *run->oracle.why)
		return error ? -1 : 0;
	if (error == -ENOSPC || error == -EMSGSIZE || error == -ENOTSUP) {
		run->refused++;
		return 0; /* nothing has happened */
	}
	return oracle_wrong(&run->oracle, "%s: %s: %s", what, strerror(-error),
			    run->j ? journal_error(run->j) : "");
}

void run_see_medium(struct run *run)
{
	char path[PATH_MAX + 16], text[FILE_ROOM] = "";
	ssize_t got;
	int fd;

	if (!run->config->stand_in)
		return;
	(void)snprintf(path, sizeof(path), "%s/journal.conf", run->dir[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	JASSERT(fd >= 0);
	got = read(fd, text, sizeof(text) - 1);
	JASSERT(got > 0);
	(void)close(fd);
	run->world.given_up = strstr(text, "marker = file:stand-in");
	run->world.returned = run->next.marker.now && !run->world.given_up;
}

/* Who opens it finds one medium.  Its stores are closed, or of the dead. */
static void settle(struct run *run)
{
	run_see_medium(run);
	if (run->world.returned) {
		crash_map_free(&run->world.marker);
		run->world.marker = run->next.marker;
		run->next.marker = (struct crash_map){ .now_fd = -1, .durable_fd = -1 };
		run->world.returned = false;
	}
}

int run_open(struct run *run)
{
	int error;

	settle(run);
	crash_set_cpu(0);
	error = journal_open(run->dir[0], &crash_open_options, &run->j);
	if (error)
		return oracle_wrong(&run->oracle, "open: %s: %s", strerror(-error),
				    journal_error(run->j));
	return 0;
}

int run_close(struct run *run)
{
	struct journal *j = run->j;

	run->j = NULL;
	return run_error(run, "close", journal_close(j));
}

static void cut(struct run *run, enum crash_how how)
{
	struct crash_map *nvram = &run->world.marker;

	/* nobody sees a part of another medium in it any more */
	if (run->next.marker.now)
		crash_map_show(nvram, 0, nvram, 0, nvram->bytes);
	crash_world_cut(&run->world, how, run->seed);
	if (run->world.other && run->world.other->marker.now)
		crash_world_cut(run->world.other, how, run->seed);
	if (run->next.marker.now)
		crash_world_cut(&run->next, how, run->seed);
}

int run_killed(struct run *run, enum crash_how how)
{
	struct oracle_list list = { 0 };
	int error;

	/* what is in flight is so of who was alone */
	run->oracle.flight_count = run->flight[0].flight_count;
	memcpy(run->oracle.flight, run->flight[0].flight, sizeof(run->oracle.flight));
	oracle_not_committed(&run->flight[0]);
	run->world.dead = true;
	crash_throw_away(run->j);
	run->j = NULL;
	cut(run, how);
	error = run_open(run);
	if (!error)
		error = oracle_check(&run->oracle, run->j, &list, true);
	free(list.ids);
	return error;
}

/* ---- making ---------------------------------------------------------------------------- */

static void oracle_copy(struct oracle *to, const struct oracle *from)
{
	free(to->all);
	*to = *from;
	to->room = from->count;
	to->all = malloc((from->count + 1) * sizeof(*to->all));
	JASSERT(to->all);
	if (from->count)
		memcpy(to->all, from->all, from->count * sizeof(*to->all));
}

static int make_base(struct run *run)
{
	struct crash_look look = { 0 };
	const struct crash_plan *plan = &run->config->plan;
	const char *why;
	uint32_t i;
	char name[16];

	crash_world_make(&run->base);
	run->base.checkpointed = plan->checkpointed;
	run->base.block_bytes = plan->block_bytes ? plan->block_bytes : 4096;
	run->base.log_count = plan->logs;
	run->base.mirrored = plan->mirrored;
	run->base.no_cache = run->config->no_cache;
	crash_world_make(&run->base_other);
	run->base_other.checkpointed = true;
	run->base_other.main = &run->base;
	crash_world_enter(&run->base);
	if (crash_look_make(&look, plan, &run->scratch, &run->base, &run->oracle))
		return -1;
	memcpy(run->dir[0], crash_look_dir(&look, 0), PATH_MAX);
	crash_look_free(&look);
	JASSERT(!marker_super_decode((const void *)run->base.marker.durable, run->base.marker.bytes,
				     false, &run->geometry, &why));
	run->base.other = run->config->stand_in ? &run->base_other : NULL;
	run->base.other_scheme = "file:";
	for (i = 1; i < RUN_DEPTH + 2; i++) {
		(void)snprintf(name, sizeof(name), "depth%u", i);
		(void)scratch_path(&run->scratch, name, run->dir[i]);
		JASSERT(!mkdir(run->dir[i], 0700));
	}
	run_show(run, 0, BASE);
	return 0;
}

static void sum_all(struct crash_world *world)
{
	uint64_t at;

	world->summed = true;
	for (at = 0; at < world->log.bytes; at += CRASH_SECTOR)
		world->log_sum += crash_sum(at, world->log.durable + at, CRASH_SECTOR);
}

static void keep_other(struct crash_world *base, struct crash_world *warm)
{
	if (!warm->marker.now)
		return;
	crash_map_make(&base->marker, warm->marker.bytes, 0);
	memcpy(base->marker.durable, warm->marker.durable, warm->marker.bytes);
	memcpy(base->marker.now, warm->marker.durable, warm->marker.bytes);
}

/* The warming is a run as others are; what it leaves is what they begin with. */
static int warm_base(struct run *run)
{
	struct crash_world *warm = &run->world;
	int error = run->config->warm ? run_begin(run) : 0;

	if (!run->config->warm || error)
		return error;
	error = run->config->warm(run);
	if (!error)
		error = run_close(run);
	if (error)
		return error;
	run_show(run, 0, BASE);
	cut(run, CRASH_DROP);
	memcpy(run->base.marker.durable, warm->marker.durable, warm->marker.bytes);
	memcpy(run->base.marker.now, warm->marker.durable, warm->marker.bytes);
	crash_log_get(warm, 0, run->base.log.durable, warm->log.bytes);
	crash_log_get(warm, 0, run->base.log.now, warm->log.bytes);
	run->base.log_sum = warm->log_sum;
	if (warm->other)
		keep_other(&run->base_other, warm->other);
	oracle_copy(&run->base_oracle, &run->oracle);
	run->base_seed = run->seed;
	return 0;
}

int run_make(struct run *run, const struct config *config)
{
	uint32_t i;

	memset(run, 0, sizeof(*run));
	run->config = config;
	/* thousands of recoveries: their megabytes need not come from the kernel */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 25);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 28);
	crash_set_random(1);
	crash_set_cpu(0);
	crash_world_make(&run->world);
	crash_world_make(&run->next);
	for (i = 0; i < WRITERS; i++) {
		run->payload[i] = malloc(PAYLOAD_ROOM);
		JASSERT(run->payload[i]);
	}
	if (scratch_make(&run->scratch, "/dev/shm"))
		JASSERT(!scratch_make(&run->scratch, NULL));
	if (make_base(run))
		return -1;
	sum_all(&run->base);
	if (warm_base(run))
		return -1;
	run->base.no_dsync = config->plan.no_dsync; /* once it is there */
	return 0;
}

void run_remove(struct run *run)
{
	uint32_t i;

	crash_world_enter(NULL);
	crash_world_free(&run->world);
	crash_world_free(&run->base);
	crash_world_free(&run->base_other);
	crash_world_free(&run->next);
	oracle_free(&run->oracle);
	oracle_free(&run->base_oracle);
	for (i = 0; i < WRITERS; i++)
		free(run->payload[i]);
	scratch_remove(&run->scratch);
}

/* Parts of the medium that is gone back to are seen in the map of the one before. */
static void make_next(struct run *run)
{
	struct crash_map *clone = &run->world.marker, *made = &run->next.marker;

	crash_world_free(&run->next);
	crash_world_make(&run->next);
	crash_map_make(made, clone->bytes, 0);
	memcpy(made->now, clone->now, clone->bytes);
	memcpy(made->durable, clone->durable, clone->bytes);
	crash_map_free(clone);
	*clone = *made;
	*made = (struct crash_map){ .now_fd = -1, .durable_fd = -1 };
	run->next.main = &run->world;
	run->world.next = &run->next;
}

int run_begin(struct run *run)
{
	uint32_t i;

	crash_world_free(&run->world);
	crash_world_clone(&run->base, false, &run->world);
	if (run->config->stand_in)
		make_next(run);
	oracle_copy(&run->oracle, &run->base_oracle);
	for (i = 0; i < WRITERS; i++)
		oracle_begin(&run->flight[i]);
	run->seed = run->base_seed;
	run->smaller = false;
	run_show(run, BASE, 0);
	crash_world_enter(&run->world);
	crash_set_random(2);
	run_set_clock(2000000000000ull);
	return run_open(run);
}

void run_end(struct run *run)
{
	run->world.hook = NULL;
	run->world.dead = true;
	if (run->j)
		crash_throw_away(run->j);
	run->j = NULL;
	crash_world_enter(NULL);
}
