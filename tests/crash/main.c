/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops.h"
#include "worker.h"

static const char help[] =
"explore [OPTION]...: every crash of every short run, recovered and judged\n"
"\n"
"  --check           what `make check-crash` does\n"
"  --long            what `make check-crash-long` does\n"
"  --only=SEQUENCE   that one, for instance nvram:put,retire or nvram:put+retire\n"
"What comes after an option is done with it:\n"
"  --config=NAMES    kinds of journal, nvram,file at first; --list lists them, and operations\n"
"  --seed=N          of all that is by chance (1)\n"
"  --singles --pairs --triples  every sequence of one, two, three operations\n"
"  --random=N        so many sequences of three\n"
"  --together        every two operations by two threads, in every order of their steps\n"
"How:\n"
"  --all=N           of up to N images of a point each is looked at (4096)\n"
"  --samples=N       of more, so many (32), beside none, all, each alone, all but each\n"
"  --inside=N        the recovery of one image in N is cut (8), of those again one in N\n"
"  --schedules=N     of two threads, at most (100)\n"
"  --jobs=N          processes (2)\n"
"  --resume=DIR      what was done is kept there, and is not done again\n"
"  --trace           what is on its way at each point, and where that is\n"
"  --progress\n"
"\n"
"The last line is `crash: I images, S states, Q sequences, V violations`; exit 1 with any.\n";

struct options {
	struct explorer x;
	struct work work;
	uint32_t configs;
	uint64_t seed;
};

enum { CHECK = 256, LONG, SINGLES, PAIRS, TRIPLES, RANDOM, TOGETHER, ONLY, CONFIG, LIST, ALL,
       SAMPLES, INSIDE, SCHEDULES, SEED, JOBS, RESUME, PROGRESS, TRACE, HELP };

static const struct option longs[] = {
	{ "check", no_argument, NULL, CHECK }, { "long", no_argument, NULL, LONG },
	{ "singles", no_argument, NULL, SINGLES }, { "pairs", no_argument, NULL, PAIRS },
	{ "triples", no_argument, NULL, TRIPLES }, { "random", required_argument, NULL, RANDOM },
	{ "together", no_argument, NULL, TOGETHER }, { "only", required_argument, NULL, ONLY },
	{ "config", required_argument, NULL, CONFIG }, { "list", no_argument, NULL, LIST },
	{ "all", required_argument, NULL, ALL }, { "samples", required_argument, NULL, SAMPLES },
	{ "inside", required_argument, NULL, INSIDE },
	{ "schedules", required_argument, NULL, SCHEDULES },
	{ "seed", required_argument, NULL, SEED }, { "jobs", required_argument, NULL, JOBS },
	{ "resume", required_argument, NULL, RESUME }, { "progress", no_argument, NULL, PROGRESS },
	{ "trace", no_argument, NULL, TRACE },
	{ "help", no_argument, NULL, HELP }, { NULL, 0, NULL, 0 },
};

static void usage(const char *what)
{
	fprintf(stderr, "explore: %s\n", what);
	exit(2);
}

static uint32_t configs_named(const char *text)
{
	uint32_t i, found = 0;
	size_t length;

	for (; *text; text += length + (text[length] == ',')) {
		length = strcspn(text, ",");
		for (i = 0; i < config_count; i++)
			if (strlen(configs[i].name) == length &&
			    !strncmp(configs[i].name, text, length))
				break;
		if (i == config_count)
			usage("there is no such configuration (--list)");
		found |= 1u << i;
	}
	return found;
}

static void list(void)
{
	uint32_t i;

	for (i = 0; i < config_count; i++)
		printf("%s:\n", configs[i].name);
	for (i = 0; i < op_count; i++)
		printf("  %s%s\n", ops[i].name, ops[i].beside ? " +" : "");
	exit(0);
}

static void each_config(struct options *o, void (*add)(struct tasks *, uint32_t, uint32_t),
			uint32_t length)
{
	uint32_t i;

	for (i = 0; i < config_count; i++)
		if (o->configs >> i & 1)
			add(&o->work.tasks, i, length);
}

static void together(struct tasks *tasks, uint32_t config, uint32_t least)
{
	tasks_together(tasks, config, (enum op_beside)least);
}

/* NVRAM is given up, and gone back to: before each operation, and beside it. */
static void with_health(struct tasks *tasks, uint32_t config, uint32_t least)
{
	static const char *const names[] = { "distrust", "return" };
	uint32_t i;

	for (i = 0; i < 2; i++) {
		tasks_after(tasks, config, names[i]);
		tasks_beside(tasks, config, names[i], (enum op_beside)least);
	}
}

/* All pairs of the two kinds that there mostly are, each operation on all kinds, and triples
 * of all by chance: some minutes. */
static void check(struct options *o)
{
	static const char *const others = "fresh,digests,two-logs,mirrored,mirrored-file,health,"
					  "at-the-end,at-the-ends,no-cache";

	each_config(o, tasks_all, 1);
	each_config(o, tasks_all, 2);
	each_config(o, together, BESIDE);
	o->configs = configs_named(others);
	each_config(o, tasks_all, 1);
	o->configs = configs_named("health");
	each_config(o, with_health, BESIDE);
	tasks_random(&o->work.tasks, (1u << (config_count - 1)) - 1, 200, o->seed);
	o->work.all[1] = 128;
	o->work.all[2] = 16;
	o->work.schedules = 8;
	o->x.samples = 4;
	o->x.inside_every = o->x.again_every = 16;
}

/* Hours: all triples of the two kinds, all pairs of each other one, and of two threads. */
static void check_long(struct options *o)
{
	o->configs = (1u << (config_count - 1)) - 1;
	each_config(o, tasks_all, 1);
	each_config(o, tasks_all, 2);
	each_config(o, together, BESIDE_LONG);
	o->configs = configs_named("health");
	each_config(o, with_health, BESIDE_LONG);
	o->configs = 3;
	each_config(o, tasks_all, 3);
	o->work.all[0] = o->work.all[1] = 512;
	o->work.all[2] = 64;
	o->x.samples = 8;
	o->x.inside_every = o->x.again_every = 16;
}

static void all_of(struct options *o, uint32_t all)
{
	uint32_t i;

	for (i = 0; i < TASK_OPS; i++)
		o->work.all[i] = all;
}

static void option(struct options *o, int which, const char *argument)
{
	uint64_t number = argument ? strtoull(argument, NULL, 0) : 0;

	switch (which) {
	case CHECK: check(o); break;
	case LONG: check_long(o); break;
	case SINGLES: each_config(o, tasks_all, 1); break;
	case PAIRS: each_config(o, tasks_all, 2); break;
	case TRIPLES: each_config(o, tasks_all, 3); break;
	case TOGETHER: each_config(o, together, BESIDE_LONG); break;
	case RANDOM: tasks_random(&o->work.tasks, o->configs, (uint32_t)number, o->seed); break;
	case CONFIG: o->configs = configs_named(argument); break;
	case LIST: list(); break;
	case ALL: all_of(o, (uint32_t)number); break;
	case SAMPLES: o->x.samples = (uint32_t)number; break;
	case INSIDE: o->x.inside_every = o->x.again_every = (uint32_t)number; break;
	case SCHEDULES: o->work.schedules = (uint32_t)number; break;
	case SEED: o->seed = number; break;
	case JOBS: o->work.jobs = (uint32_t)number; break;
	case RESUME: o->work.resume = argument; break;
	case TRACE: o->x.trace = true; break;
	case PROGRESS: o->work.progress = true; break;
	case ONLY:
		if (!tasks_named(&o->work.tasks, argument))
			usage("there is no such sequence (--list)");
		break;
	case HELP: fputs(help, stdout); exit(0);
	default: exit(2);
	}
}

static void print(const struct totals *t)
{
	uint32_t i;

	printf("cut points: %" PRIu64 ", schedules of two threads: %" PRIu64 "%s\n", t->points,
	       t->schedules, t->truncated ? " (not all of them)" : "");
	printf("recovered: %" PRIu64 " of runs, %" PRIu64 " of recoveries, %" PRIu64 " of those; "
	       "seen before: %" PRIu64 "; differ in what is not read: %" PRIu64 "; checked: %"
	       PRIu64 "\n", t->recovered[1], t->recovered[2], t->recovered[3], t->repeated,
	       t->unread, t->checked);
	for (i = 0; i < RULES; i++)
		printf("%-32s %10" PRIu64 " images\n", rule_names[i], t->rules[i]);
	printf("seconds: %.0f\n", t->seconds);
	printf("crash: %" PRIu64 " images, %" PRIu64 " states, %" PRIu64 " sequences, %" PRIu64
	       " violations\n", t->images, t->states, t->sequences, t->violations);
}

int main(int argc, char **argv)
{
	struct options o = {
		.x = { .samples = 32, .inside_all = 2, .inside_samples = 1,
		       .inside_every = 8, .again_every = 8, .check_every = 8 },
		.work = { .jobs = 2, .schedules = 100, .all = { 4096, 4096, 4096 } },
		.configs = 3, .seed = 1,
	};
	struct totals totals;
	int which, error;

	while ((which = getopt_long(argc, argv, "", longs, NULL)) >= 0)
		option(&o, which, optarg);
	if (optind < argc)
		usage("--help says what may be given");
	if (!o.work.tasks.count)
		usage("there is nothing to do: --check, --only=..., or what --help says");
	if (!o.work.jobs || o.work.jobs > 64)
		usage("--jobs: 1 to 64");
	if (o.work.resume && mkdir(o.work.resume, 0700) && errno != EEXIST)
		usage(strerror(errno));
	o.work.x = &o.x;
	error = work_do(&o.work, &totals);
	print(&totals);
	tasks_free(&o.work.tasks);
	return error || totals.violations ? 1 : 0;
}
