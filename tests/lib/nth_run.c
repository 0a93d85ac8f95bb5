/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth_run.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "fault.h"
#include "nth.h"
#include "nth_image.h"
#include "scratch.h"
#include "util/math.h"

/* a guard against hanging only */
#define HANGS_S 90u
#define N_MAX   1000000u

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static const char *const kind_names[NTH_KINDS] = {
	"allocation", "call", "interruption", "completion", "marker", "log",
};

static const struct nth_place places[] = {
	{ .name = "file", .scheme = "file" },
	{ .name = "sim", .scheme = "sim" },
	{ .name = "pmem", .scheme = "pmem" },
	{ .name = "file2", .scheme = "file", .logs = 2 },
	{ .name = "pmem2", .scheme = "pmem", .logs = 2 },
	{ .name = "filem", .scheme = "file", .logs = 1, .mirrored = true },
	{ .name = "pmemm", .scheme = "pmem", .logs = 1, .mirrored = true },
};

struct left_over {
	int64_t allocations, files, maps;
};

struct run {
	const struct nth_scenario *scenario;
	struct nth_place place;
	struct scratch disk, memory;
	struct nth_image *image;
	struct nth_story *story, before; /* shared; at the beginning of each run */
	struct left_over usual[2];       /* of a run that is left alone, by whether traced */
	uint64_t stride, seed;
	uint64_t points[NTH_KINDS], failures;
};

/* ---- what is left over ---------------------------------------------------------------- */

static int64_t open_files(void)
{
	DIR *all = opendir("/proc/self/fd");
	int64_t count = 0;

	while (all && readdir(all))
		count++;
	if (all)
		closedir(all);
	return count;
}

/* mappings of files, shared memory and rings; of anonymous memory libc keeps some */
static int64_t mappings(const struct nth_place *place)
{
	FILE *all = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	int64_t count = 0;

	while (all && fgets(line, sizeof(line), all))
		count += strstr(line, place->root) || strstr(line, place->memory) ||
			 strstr(line, "/memfd:") || strstr(line, "/dev/shm/") ||
			 strstr(line, "io_uring");
	if (all)
		(void)fclose(all);
	return count;
}

static struct left_over now_there(const struct nth_place *place)
{
	struct left_over all = { nth_live(), open_files(), mappings(place) };

	return all;
}

/* ---- one run ------------------------------------------------------------------------------ */

static bool traced(enum nth_kind kind)
{
	return kind == NTH_CALL || kind == NTH_INTERRUPTION || kind == NTH_COMPLETION;
}

/* an assertion: where */
static void on_abort(int number)
{
	void *frames[24];

	nth_off();
	backtrace_symbols_fd(frames, backtrace(frames, 24), STDOUT_FILENO);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void live(struct run *run, void (*what)(struct nth_life *life), bool killed)
{
	struct nth_life life = {
		.place = &run->place, .story = run->story, .unhindered = !nth->at,
		.killed = killed,
	};
	struct left_over before, after;

	(void)alarm(HANGS_S);
	(void)signal(SIGABRT, on_abort);
	(void)signal(SIGSEGV, on_abort);
	(void)signal(SIGBUS, on_abort);
	if (traced(nth->kind) && nth_calls_begin())
		nth_wrong(run->story, "system calls cannot be caught");
	before = now_there(&run->place);
	what(&life);
	nth_off();
	if (life.j)
		child_exit(0); /* as if it were killed */
	after = now_there(&run->place);
	run->story->closed = true;
	run->story->allocations = after.allocations - before.allocations;
	run->story->files = after.files - before.files;
	run->story->maps = after.maps - before.maps;
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		nth_wrong(run->story, "it leaks: see above");
	child_exit(0);
}

static void compare(struct run *run)
{
	struct nth_life life = { .place = &run->place, .story = run->story, .unhindered = true };

	(void)alarm(HANGS_S);
	if (run->scenario->after)
		run->scenario->after(&life);
	if (!run->story->absent)
		nth_compare_all(&life);
	child_exit(0);
}

static void ends(struct run *run, pid_t pid, const char *who)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		nth_wrong(run->story, "%s: %s", who, WTERMSIG(status) == SIGALRM ? "it hangs" :
			  strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		nth_wrong(run->story, "%s: exit status %d", who, WEXITSTATUS(status));
}

static void in_child(struct run *run, void (*what)(struct nth_life *life), bool killed,
		     const char *who)
{
	pid_t pid = child_fork();

	if (!pid) {
		if (what)
			live(run, what, killed);
		else
			compare(run);
	}
	ends(run, pid, who);
}

static void leaks(struct run *run, const struct left_over *usual)
{
	struct nth_story *story = run->story;

	if (!story->closed)
		return;
	if (story->allocations > usual->allocations)
		nth_wrong(story, "%d allocations are left over, %d usually",
			  (int)story->allocations, (int)usual->allocations);
	if (story->files > usual->files)
		nth_wrong(story, "%d descriptors are left open, %d usually", (int)story->files,
			  (int)usual->files);
	if (story->maps > usual->maps)
		nth_wrong(story, "%d mappings are left, %d usually", (int)story->maps,
			  (int)usual->maps);
}

static void begin(struct run *run, enum nth_kind kind, uint64_t at, bool forever)
{
	nth->kind = kind;
	nth->at = at;
	nth->forever = forever;
	nth->on = false;
	nth->seen = nth->struck = 0;
	nth->errors = 0;
	nth->what[0] = '\0';
	*run->story = run->before;
	nth_image_restore(run->image);
}

/* Return: whether the fault was met */
static bool one(struct run *run, enum nth_kind kind, uint64_t at, bool forever)
{
	struct left_over *usual = &run->usual[traced(kind)];

	begin(run, kind, at, forever);
	in_child(run, run->scenario->live, at && forever && at % 2, "it");
	if (!at)
		*usual = (struct left_over){ run->story->allocations, run->story->files,
					     run->story->maps };
	leaks(run, usual);
	in_child(run, NULL, false, "the next one");
	run->points[kind] += nth->struck != 0;
	if (!run->story->wrongs)
		return nth->struck;
	run->failures++;
	printf("# wrong: FAULT=%s/%s/%s/%s/%" PRIu64 " (%s)\n%s", run->scenario->name,
	       run->place.name, kind_names[kind], forever ? "forever" : "once", at, nth->what,
	       run->story->text);
	(void)fflush(stdout);
	return nth->struck;
}

/* ---- all of a scenario at a place ----------------------------------------------------------- */

static void make_place(struct run *run, const struct nth_place *place)
{
	struct nth_place *p = &run->place;
	const char *roots[2];

	*p = *place;
	assert_int_equal(scratch_make(&run->disk, NULL), 0);
	assert_int_equal(scratch_make(&run->memory, "/dev/shm"), 0);
	(void)snprintf(p->root, sizeof(p->root), "%s", run->disk.directory);
	(void)snprintf(p->memory, sizeof(p->memory), "%s", run->memory.directory);
	(void)snprintf(p->dir, sizeof(p->dir), "%s/j", p->root);
	(void)snprintf(p->marker, sizeof(p->marker), "%s:%s/markers", p->scheme,
		       strcmp(p->scheme, "pmem") ? p->root : p->memory);
	for (unsigned int i = 0; i < p->logs; i++) {
		(void)snprintf(p->log[i], sizeof(p->log[i]), "%s/log%u", p->root, i);
		assert_int_equal(mkdir(p->log[i], 0700), 0);
		(void)snprintf(p->mirror[i], sizeof(p->mirror[i]), "%s/mirror%u", p->root, i);
		assert_int_equal(mkdir(p->mirror[i], 0700), 0);
	}
	/* without faults: what each run begins with */
	memset(run->story, 0, sizeof(*run->story));
	nth->at = 0;
	nth->kind = NTH_KINDS;
	if (run->scenario->prepare)
		in_child(run, run->scenario->prepare, false, "preparing");
	if (run->story->wrongs)
		printf("# wrong: %s/%s: preparing\n%s", run->scenario->name, place->name,
		       run->story->text);
	run->failures += run->story->wrongs != 0;
	run->before = *run->story;
	run->before.closed = false;
	run->before.wrongs = 0;
	run->before.text[0] = '\0';
	roots[0] = p->root;
	roots[1] = p->memory;
	run->image = nth_image_take(roots, 2);
}

static void all_of_kind(struct run *run, enum nth_kind kind)
{
	uint64_t n, points = run->points[kind];

	for (int forever = 0; forever < 2; forever++) {
		n = 1 + fault_random(&run->seed) % run->stride;
		/* so many there are not: one of them */
		if (!one(run, kind, n, forever) && nth->seen && n > 1)
			n = fault_random(&run->seed) % nth->seen + 1;
		else
			n += run->stride;
		for (; one(run, kind, n, forever) && n < N_MAX; n += run->stride)
			;
	}
	printf("# %s/%s/%s: %" PRIu64 " points, of %" PRIu64 "\n", run->scenario->name,
	       run->place.name, kind_names[kind], run->points[kind] - points,
	       (uint64_t)nth->seen);
	(void)fflush(stdout);
}

static void all_at(struct run *run, const struct nth_place *place, const char *kinds)
{
	make_place(run, place);
	if (!run->failures) {
		(void)one(run, NTH_CALL, 0, false);
		(void)one(run, NTH_ALLOCATION, 0, false);
	}
	for (int kind = run->failures ? NTH_KINDS : 0; kind < NTH_KINDS; kind++)
		if (!(run->scenario->kinds >> kind & 1) &&
		    (!kinds || strstr(kinds, kind_names[kind])))
			all_of_kind(run, (enum nth_kind)kind);
	nth_image_free(run->image);
	scratch_remove(&run->disk);
	scratch_remove(&run->memory);
}

static bool goes_on(const struct nth_scenario *scenario, const struct nth_place *place)
{
	char name[32];

	(void)snprintf(name, sizeof(name), " %s ", place->name);
	return strstr(scenario->places, name);
}

/* FAULT=scenario/place/kind/once|forever/N */
static int only_one(struct run *run, const struct nth_scenario *scenarios, size_t count,
		    const char *given)
{
	char scenario[32], place[32], kind[32], how[32];
	unsigned long at;

	if (sscanf(given, "%31[^/]/%31[^/]/%31[^/]/%31[^/]/%lu", scenario, place, kind, how,
		   &at) != 5)
		return 1;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_COUNT(places); k++)
			for (int which = 0; which < NTH_KINDS; which++) {
				if (strcmp(scenarios[i].name, scenario) ||
				    strcmp(places[k].name, place) ||
				    strcmp(kind_names[which], kind))
					continue;
				run->scenario = &scenarios[i];
				make_place(run, &places[k]);
				if (traced((enum nth_kind)which) || !at)
					(void)one(run, NTH_CALL, 0, false);
				(void)one(run, NTH_ALLOCATION, 0, false);
				if (at && one(run, (enum nth_kind)which, at,
					      !strcmp(how, "forever")))
					printf("# met: %s\n", nth->what);
				scratch_remove(&run->disk);
				scratch_remove(&run->memory);
			}
	printf("%s 1 - %s\n", run->failures ? "not ok" : "ok", given);
	return run->failures != 0;
}

static void tell_calls(void)
{
	for (int i = 0; i < NTH_CALLS_MAX; i++)
		if (nth->calls[i])
			printf("# call %s (%d): made %" PRIu64 " times, failed %" PRIu64 "\n",
			       nth_call_name(i) ? nth_call_name(i) : "unknown", i,
			       (uint64_t)nth->calls[i], (uint64_t)nth->failed[i]);
}

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *given = getenv(name);

	return given && *given ? strtoull(given, NULL, 0) : otherwise;
}

#define STRIDE 193u

int nth_run(const struct nth_scenario *scenarios, size_t count)
{
	static struct run run;
	const char *given = getenv("FAULT"), *only = getenv("ONLY"), *kinds = getenv("KINDS");
	uint64_t points = 0, used = 0, failures = 0, tests = 0;

	/* The constructor of libpmem ends the process where memory is short, and libc's loader
	 * keeps half of what it had no memory for: what is tested is ours. */
	(void)dlopen("libjournal-pmem.so", RTLD_NOW | RTLD_NODELETE);
	nth_memory_begin();
	nth = shared(sizeof(*nth));
	run.story = shared(sizeof(*run.story));
	if (given)
		return only_one(&run, scenarios, count, given);
	run.seed = number("SEED", 1);
	run.stride = number("STRIDE", STRIDE * number("TEST_SHARE", 1));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_COUNT(places); k++) {
			if (!goes_on(&scenarios[i], &places[k]) ||
			    (scenarios[i].unfinished && !only && !getenv("ALL")) ||
			    (only && strcmp(only, scenarios[i].name)))
				continue;
			run.scenario = &scenarios[i];
			run.failures = 0;
			all_at(&run, &places[k], kinds);
			failures += run.failures;
			printf("%s %d - %s/%s\n", run.failures ? "not ok" : "ok", (int)++tests,
			       scenarios[i].name, places[k].name);
		}
	tell_calls();
	for (int kind = 0; kind < NTH_KINDS; kind++) {
		points += run.points[kind];
		used += run.points[kind] != 0;
		printf("# %s: %" PRIu64 " points\n", kind_names[kind], run.points[kind]);
	}
	printf("1..%d\n# SEED=%" PRIu64 " STRIDE=%" PRIu64 "\n", (int)tests,
	       number("SEED", 1), run.stride);
	printf("faults: %" PRIu64 " points, %" PRIu64 " kinds, %" PRIu64 " failures\n", points,
	       used, failures);
	return failures != 0;
}
