/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does a durable commit cost here, by which means?  Every row is cut into
 * slices, and the slices of all rows take turns, to and fro, so that a noisy
 * minute hits all alike and no row always follows the same neighbour.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "lib_clock.h"
#include "lib_rows.h"
#include "lib_pace.h"
#include "lib_run.h"
#include "store/evidence.h"
#include "util/math.h"

struct suite {
	struct bench_env *env;
	struct bench_case *cases; /* as many as plans */
	struct run *run;
	struct clock_cost clock;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

static bool is_selected(const char *only, const char *name)
{
	size_t length = strlen(name);
	const char *at;

	if (!only)
		return true;
	for (at = only; (at = strstr(at, name)); at += length)
		if ((at == only || at[-1] == ',') &&
		    (at[length] == '\0' || at[length] == ','))
			return true;
	return false;
}

static void leave_out(const struct bench_case *bench, int error, const char *when)
{
	const char *why = bench->why.text[0] ? bench->why.text : strerror(-error);

	fprintf(stderr, "bench: %s, %" PRIu32 " bytes, %" PRIu32 " threads: %s: %s\n",
		bench->method->name, bench->payload_bytes, bench->threads, when, why);
}

static void open_case(struct bench_case *bench, const struct bench_plan *plan,
		      struct bench_env *env)
{
	int result;

	bench->method = plan->method;
	bench->payload_bytes = plan->payload_bytes;
	bench->threads = plan->threads;
	bench->batch = plan->batch;
	bench->ops = env->options.quick ? (uint32_t)min_u64(plan->ops, 400) : plan->ops;
	bench->path = plan->path;
	bench->env = env;
	bench->slice_ns = env->options.slice_ns;
	if (bench->method->missing) {
		fprintf(stderr, "bench: %s, %" PRIu32 " bytes: left out: built without %s\n",
			bench->method->name, bench->payload_bytes, bench->method->missing);
		return;
	}
	result = run_case_init(bench, env->options.rounds);
	if (!result && bench->method->open)
		result = bench->method->open(bench);
	bench->usable = !result;
	if (result)
		leave_out(bench, result, "left out");
}

/* bytes mapped, from the first number of statm */
static uint64_t mapped_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* All that is mapped by now: no page fault is measured later.  Maps that are
 * large and mostly empty may be more than there is memory. */
static void lock_memory(void)
{
	uint64_t free_bytes = (uint64_t)sysconf(_SC_AVPHYS_PAGES) *
			      (uint64_t)sysconf(_SC_PAGESIZE);
	const char *why = NULL;

	if (mapped_bytes() > free_bytes / 2)
		why = "more is mapped than half of what is free";
	else if (mlockall(MCL_CURRENT))
		why = strerror(errno);
	if (why)
		fprintf(stderr, "bench: memory is not locked (%s): the tails may hold page "
			"faults\n", why);
}

static void open_all(struct suite *suite)
{
	const char *only = suite->env->options.only;
	size_t i;

	for (i = 0; i < bench_plan_count && !interrupted; i++)
		if (is_selected(only, bench_plans[i].method->name))
			open_case(&suite->cases[i], &bench_plans[i], suite->env);
	lock_memory();
}

static void close_all(struct suite *suite)
{
	size_t i;

	for (i = 0; i < bench_plan_count; i++) {
		struct bench_case *bench = &suite->cases[i];

		if (bench->workers && bench->method->close)
			bench->method->close(bench);
		run_case_free(bench);
	}
}

static void one_round(struct suite *suite, unsigned int round)
{
	size_t i, count = bench_plan_count;

	for (i = 0; i < count && !interrupted; i++) {
		struct bench_case *bench = &suite->cases[round % 2 ? count - 1 - i : i];
		int result;

		if (!bench->usable)
			continue;
		/* the first round warms up */
		result = run_slice(suite->run, bench, round > 0);
		if (result) {
			leave_out(bench, result, "failed");
			bench->usable = false;
		}
	}
}

static void measure(struct suite *suite)
{
	unsigned int round, rounds = suite->env->options.rounds;

	for (round = 0; round <= rounds && !interrupted; round++) {
		one_round(suite, round);
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rbench: round %u of %u%s", round, rounds,
				round == rounds ? "\n" : "");
	}
}

static size_t add_row(struct json_object *rows, struct bench_case *bench,
		    const struct clock_cost *clock, uint64_t pace)
{
	size_t slow = samples_leave_slow(&bench->samples, pace_limit(pace));
	struct json_object *object;
	struct row row = {
		.method = bench->method->name,
		.payload_bytes = bench->payload_bytes,
		.threads = bench->threads,
		.batch = bench->batch,
		.survives = journal_class_name(bench->survives),
	};

	samples_summarize(&bench->samples, bench->batch, &row.summary);
	object = rows_add(rows, &row);
	row_add_number(object, "slices", (double)bench->samples.slices);
	row_add_number(object, "slow_slices", (double)slow);
	row_add_number(object, "clock_ns", clock->pair_ns / bench->batch);
	if (bench->method->mode)
		row_add_text(object, "mode", bench->method->mode);
	if (bench->routine[0])
		row_add_text(object, "routine", bench->routine);
	if (bench->walk_bytes)
		row_add_number(object, "walk_bytes", (double)bench->walk_bytes);
	return slow;
}

static void say_slow(size_t slow, size_t slices)
{
	if (slow)
		fprintf(stderr, "bench: in %zu of %zu slices the processor was slower by a fifth "
			"than at its best: they are in no median\n", slow, slices);
}

static int report(struct suite *suite)
{
	const struct bench_options *options = &suite->env->options;
	struct json_object *rows = rows_open(options->json, options->append);
	size_t i, slow = 0, slices = 0;
	int result;

	if (!rows) {
		fprintf(stderr, "bench: %s: not a list of rows\n", options->json);
		return -EINVAL;
	}
	for (i = 0; i < bench_plan_count; i++) {
		if (!suite->cases[i].usable || !suite->cases[i].samples.count)
			continue;
		slices += suite->cases[i].samples.slices;
		slow += add_row(rows, &suite->cases[i], &suite->clock, run_pace(suite->run));
	}
	say_slow(slow, slices);
	result = rows_write(rows, options->json);
	if (result)
		fprintf(stderr, "bench: %s: %s\n", options->json, strerror(-result));
	json_object_put(rows);
	return result;
}

static void say_where(const struct suite *suite)
{
	const struct bench_env *env = suite->env;

	fprintf(stderr, "bench: files in %s: %s\n", env->dir, env->disk_evidence);
	fprintf(stderr, "bench: NVRAM %s: %s\n", env->marker, env->nvram_evidence);
	fprintf(stderr, "bench: two readings of the clock cost %.0f ns, contained in every "
		"latency; it goes in steps of %" PRIu64 " ns\n", suite->clock.pair_ns,
		suite->clock.step_ns);
}

static int run_all(struct suite *suite)
{
	int result;

	clock_measure(&suite->clock);
	say_where(suite);
	open_all(suite);
	measure(suite);
	result = interrupted ? -EINTR : report(suite);
	close_all(suite);
	return result;
}

static int start(struct bench_env *env)
{
	struct suite suite = { .env = env };
	int result;

	suite.cases = calloc(bench_plan_count, sizeof(*suite.cases));
	result = suite.cases ? run_open(&suite.run) : -ENOMEM;
	if (result) {
		fprintf(stderr, "bench: threads: %s\n", strerror(-result));
	} else {
		result = run_all(&suite);
		run_close(suite.run);
	}
	free(suite.cases);
	return result;
}

/* libpmem reads its environment when it is loaded, so it takes a second start.
 * Without this, libpmemlog and libpmemobj would call msync() on a file in DRAM,
 * which is not what they do on persistent memory. */
static void treat_dram_as_pmem(char **argv)
{
	if (getenv("PMEM_IS_PMEM_FORCE"))
		return;
	if (!setenv("PMEM_IS_PMEM_FORCE", "1", 1))
		(void)execv("/proc/self/exe", argv); /* or without: slower peers */
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct bench_options options;
	struct bench_env env;
	struct message why;
	int result;

	treat_dram_as_pmem(argv);
	bench_options_parse(&options, argc, argv);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	result = env_open(&env, &options, &why);
	if (result)
		fprintf(stderr, "bench: %s\n", why.text);
	else
		result = start(&env);
	env_close(&env);
	return result ? 1 : 0;
}
