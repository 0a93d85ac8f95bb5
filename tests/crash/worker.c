/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker takes the next task that nobody has; what it has found it appends to a file of its
 * own, task by task, so that who is killed has lost one task.
 */
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops.h"
#include "util/assert.h"

struct shared {
	_Atomic uint32_t next;
	_Atomic uint64_t violations;
};

/* what is appended after each task; its sums follow */
struct report {
	uint64_t task;  /* report_key() */
	uint64_t schedules, points, recovered[RUN_DEPTH + 1], repeated, unread, checked;
	uint64_t violations, truncated, rules[RULES];
	uint32_t images, states;
};

int __real_clock_gettime(clockid_t clock, struct timespec *now);

static double now_s(void)
{
	struct timespec now;

	(void)__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t report_key(const struct task *task)
{
	char text[96] = "";

	task_name(task, text);
	return crash_sum(0, text, sizeof(text));
}

/* ---- one task ------------------------------------------------------------------- */

struct together {
	struct run *run;
	const struct task *task;
};

static void together_run(void *context)
{
	struct together *t = context;

	(void)ops[t->task->op[writers_self()]].does(t->run);
}

/* Return: whether the run came to its end, with nothing wrong */
static bool run_schedule(struct explorer *x, struct run *run, const struct task *task,
			 struct schedule *schedule)
{
	struct together t = { run, task };

	if (run_begin(run))
		return false;
	x->schedule = schedule;
	explore_begin(x, run);
	writers_run(schedule, together_run, &t, 0);
	x->schedule = NULL;
	if (!*run->oracle.why)
		(void)explore_idle(x);
	explore_end(x);
	return !*run->oracle.why;
}

static void do_together(struct explorer *x, struct run *run, const struct task *task,
			uint32_t most, struct report *report)
{
	struct schedule schedule = { .count = 0 };
	bool more = true, well = true;

	while (more && well && report->schedules < most) {
		report->schedules++;
		well = run_schedule(x, run, task, &schedule);
		if (!well)
			break;
		run_end(run);
		more = schedule_next(&schedule);
	}
	report->truncated = more && well;
}

static void do_sequence(struct explorer *x, struct run *run, const struct task *task)
{
	uint32_t i;
	int error = run_begin(run);

	for (i = 0; !error && i + 1 < task->count; i++)
		error = ops[task->op[i]].does(run);
	if (error)
		return;
	explore_begin(x, run);
	if (!ops[task->op[i]].does(run))
		(void)explore_idle(x);
	explore_end(x);
}

/* what the explorer has counted since @before */
static void report_fill(struct report *report, const struct explorer *x,
			const struct explorer *before)
{
	uint32_t i;

	report->points = x->points - before->points;
	for (i = 0; i <= RUN_DEPTH; i++)
		report->recovered[i] = x->recovered[i] - before->recovered[i];
	report->repeated = x->repeated - before->repeated;
	report->unread = x->unread - before->unread;
	report->checked = x->checked - before->checked;
	for (i = 0; i < RULES; i++)
		report->rules[i] = x->rules[i] - before->rules[i];
	report->violations = x->violations - before->violations;
}

/* what is new since the task began, of states beyond the first @states */
static void report_write(int fd, struct report *report, const struct seen *seen, uint32_t states)
{
	uint64_t fresh = 0;
	ssize_t bytes;

	report->images = seen->fresh_count;
	report->states = seen->found_count - states;
	bytes = (ssize_t)sizeof(*report);
	JASSERT(write(fd, report, (size_t)bytes) == bytes);
	bytes = (ssize_t)(report->images * sizeof(fresh));
	JASSERT(write(fd, seen->fresh, (size_t)bytes) == bytes);
	bytes = (ssize_t)(report->states * sizeof(fresh));
	JASSERT(write(fd, seen->states + states, (size_t)bytes) == bytes);
}

/* An assertion has failed: in what is said by the signal's handler. */
static char under_way[96];

static void aborted(int signal)
{
	static const char text[] = "violation: aborted in ";

	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	(void)!write(STDOUT_FILENO, under_way, strlen(under_way));
	(void)!write(STDOUT_FILENO, "\n", 1);
	(void)raise(signal);
}

static void do_task(const struct work *work, struct explorer *x, struct run *run,
		    const struct task *task, int fd)
{
	struct report report = { .task = report_key(task) };
	struct explorer before = *x;
	uint32_t states = x->seen.found_count;
	char name[96];

	task_name(task, name);
	memcpy(under_way, name, sizeof(name));
	x->sequence = name;
	x->all = work->all[task->together ? 1 : task->count - 1];
	x->seen.fresh_count = 0;
	if (task->together)
		do_together(x, run, task, work->schedules, &report);
	else
		do_sequence(x, run, task);
	if (*run->oracle.why && x->violations == before.violations) {
		printf("violation: %s: %s\n", name, run->oracle.why);
		x->violations++;
	}
	run_end(run);
	report_fill(&report, x, &before);
	report_write(fd, &report, &x->seen, states);
}

/* ---- workers ---------------------------------------------------------------------- */

/* A run of another configuration takes the place of the one there is. */
static void run_for(struct run *run, const struct config *config)
{
	if (run->config == config)
		return;
	if (run->config)
		run_remove(run);
	if (run_make(run, config)) {
		printf("violation: %s: warming up: %s\n", config->name, run->oracle.why);
		exit(1);
	}
}

static bool was_done(const struct tasks *tasks, uint32_t index, const uint64_t *done, size_t count)
{
	uint64_t key = report_key(&tasks->all[index]);
	size_t i;

	for (i = 0; i < count; i++)
		if (done[i] == key)
			return true;
	return false;
}

static void worker(const struct work *work, struct shared *shared, int fd, const uint64_t *done,
		   size_t done_count)
{
	struct explorer x = *work->x;
	struct run run = { 0 };
	uint32_t index;

	seen_make(&x.seen);
	(void)sigaction(SIGABRT, &(struct sigaction){ .sa_handler = aborted,
						      .sa_flags = (int)SA_RESETHAND }, NULL);
	while ((index = atomic_fetch_add(&shared->next, 1)) < work->tasks.count) {
		const struct task *task = &work->tasks.all[index];

		if (was_done(&work->tasks, index, done, done_count))
			continue;
		run_for(&run, &configs[task->config]);
		do_task(work, &x, &run, task, fd);
		(void)fflush(stdout);
		if (work->progress && !(index % 16))
			fprintf(stderr, "\r%u of %u sequences ", index, work->tasks.count);
	}
	if (run.config)
		run_remove(&run);
	seen_free(&x.seen);
}

/* ---- all together ------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t distinct(uint64_t *all, size_t count)
{
	uint64_t found = 0;
	size_t i;

	if (count)
		qsort(all, count, sizeof(*all), by_value);
	for (i = 0; i < count; i++)
		found += !i || all[i] != all[i - 1];
	return found;
}

/* growing */
struct sums {
	uint64_t *all;
	size_t count, room;
};

static bool sums_read(struct sums *sums, FILE *file, size_t count)
{
	if (sums->count + count > sums->room) {
		sums->room = (sums->count + count) * 2;
		sums->all = realloc(sums->all, sums->room * sizeof(*sums->all));
		JASSERT(sums->all);
	}
	if (fread(sums->all + sums->count, sizeof(*sums->all), count, file) != count)
		return false;
	sums->count += count;
	return true;
}

static void totals_add(struct totals *totals, const struct report *report)
{
	uint32_t i;

	totals->sequences++;
	totals->schedules += report->schedules;
	totals->points += report->points;
	for (i = 0; i <= RUN_DEPTH; i++)
		totals->recovered[i] += report->recovered[i];
	totals->repeated += report->repeated;
	totals->unread += report->unread;
	totals->checked += report->checked;
	totals->violations += report->violations;
	totals->truncated += report->truncated;
	for (i = 0; i < RULES; i++)
		totals->rules[i] += report->rules[i];
}

/* What is cut off at its end was being written by one who was killed. */
static void gather_file(const char *path, struct totals *totals, struct sums *images,
			struct sums *states, struct sums *tasks)
{
	FILE *file = fopen(path, "re");
	struct report report;

	JASSERT(file);
	while (fread(&report, sizeof(report), 1, file) == 1) {
		if (!sums_read(images, file, report.images) ||
		    !sums_read(states, file, report.states))
			break;
		totals_add(totals, &report);
		if (tasks->count == tasks->room) {
			tasks->room = tasks->room * 2 + 64;
			tasks->all = realloc(tasks->all, tasks->room * sizeof(*tasks->all));
			JASSERT(tasks->all);
		}
		tasks->all[tasks->count++] = report.task;
	}
	(void)fclose(file);
}

static void gather(const char *dir, struct totals *totals, struct sums *tasks)
{
	struct sums images = { 0 }, states = { 0 };
	char path[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *files = opendir(dir);

	JASSERT(files);
	memset(totals, 0, sizeof(*totals));
	tasks->count = 0;
	while ((entry = readdir(files))) {
		if (strncmp(entry->d_name, "found-", 6) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		gather_file(path, totals, &images, &states, tasks);
	}
	(void)closedir(files);
	totals->images = distinct(images.all, images.count);
	totals->states = distinct(states.all, states.count);
	free(images.all);
	free(states.all);
}

static pid_t start(const struct work *work, struct shared *shared, const char *dir,
		   const struct sums *done)
{
	char path[PATH_MAX + 48];
	pid_t pid;
	int fd;

	(void)fflush(NULL);
	pid = fork();
	JASSERT(pid >= 0);
	if (pid)
		return pid;
	(void)snprintf(path, sizeof(path), "%s/found-%d-%ld", dir, (int)getpid(),
		       (long)now_s());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	JASSERT(fd >= 0);
	worker(work, shared, fd, done->all, done->count);
	(void)fflush(NULL);
	_exit(0);
}

static int wait_all(const pid_t *pids, uint32_t count)
{
	int status, error = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		JASSERT(waitpid(pids[i], &status, 0) == pids[i]);
		if (status) {
			printf("a worker ended with status %#x\n", (unsigned int)status);
			error = -1;
		}
	}
	return error;
}

int work_do(const struct work *work, struct totals *totals)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sums done = { 0 };
	struct scratch scratch;
	double from = now_s();
	pid_t pids[64];
	const char *dir;
	uint32_t i;
	int error;

	JASSERT(shared != MAP_FAILED && work->jobs <= 64);
	JASSERT(!scratch_make(&scratch, NULL));
	dir = work->resume ? work->resume : scratch.directory;
	gather(dir, totals, &done);
	for (i = 0; i < work->jobs; i++)
		pids[i] = start(work, shared, dir, &done);
	error = wait_all(pids, work->jobs);
	gather(dir, totals, &done);
	totals->seconds = now_s() - from;
	free(done.all);
	scratch_remove(&scratch);
	(void)munmap(shared, sizeof(*shared));
	return error;
}
