/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same threads serve all rows, so that a thread's lane, its caches and the
 * kernel's idea of it are warm alike for every method.  A row with no more
 * threads than processors has each on a processor of its own, from the last
 * down: interrupts mostly go to the first.
 */
#include "lib_run.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib_clock.h"
#include "lib_pace.h"
#include "util/math.h"

struct run_thread {
	struct run *run;
	pthread_t thread;
	unsigned int index;
};

struct run {
	struct run_thread threads[RUN_THREADS_MAX];
	pthread_barrier_t all;  /* every thread and the main one: begin, end */
	pthread_barrier_t some; /* the threads of the slice: ready, done */
	_Atomic unsigned int awake; /* those that left it; see awake() */
	struct bench_case *bench;
	uint64_t *ns; /* the samples of a slice, of all threads together */
	size_t room;
	uint64_t pace; /* the best of all */
	bool stop;
};

static void place(unsigned int index, unsigned int threads)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	long i;

	CPU_ZERO(&set);
	if ((long)threads <= processors)
		CPU_SET((size_t)(processors - 1 - (long)index), &set);
	else
		for (i = 0; i < processors; i++)
			CPU_SET((size_t)i, &set);
	/* forbidden in some containers: then the scheduler decides for all alike */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* the loop that is measured: two clocks around the operation, nothing else */
static int operations(struct bench_worker *worker)
{
	const struct bench_case *bench = worker->bench;
	const struct bench_method *method = bench->method;
	uint64_t until = worker->begin_ns + bench->slice_ns, begin, end;
	int result = 0;

	do {
		if (method->before && (result = method->before(worker)))
			break;
		begin = clock_ns();
		result = method->op(worker);
		end = clock_ns();
		if (result)
			break;
		worker->timed_ns += end - begin;
		worker->ns[worker->count++] = end - begin;
		if (method->after && (result = method->after(worker)))
			break;
		worker->sequence++;
	} while (worker->count < bench->ops && end < until);
	return result;
}

/* The kernel wakes the waiters of a barrier one after the other, 20 to 50 us
 * apart: up to a tenth of a slice.  So those who have a processor each wait for
 * the last one awake. */
static void awake(struct bench_worker *worker, struct run *run)
{
	unsigned int threads = worker->bench->threads;

	if (threads > (unsigned long)sysconf(_SC_NPROCESSORS_ONLN))
		return;
	atomic_fetch_add(&run->awake, 1);
	while (atomic_load(&run->awake) % threads)
		; /* nobody goes on, and counts again, before the barrier after the loop */
}

/* Both loops begin and end their time with one clock, all threads together: the
 * barrier after keeps the untimed work of one from disturbing the last
 * operations of another. */
static void together(struct bench_worker *worker, struct run *run,
		     int (*loop)(struct bench_worker *))
{
	(void)pthread_barrier_wait(&run->some);
	awake(worker, run);
	worker->begin_ns = clock_ns();
	if (!worker->error)
		worker->error = loop(worker);
	worker->end_ns = clock_ns();
	(void)pthread_barrier_wait(&run->some);
}

/* long enough that the end of the slower one does not weigh */
#define CYCLES 4

static int cycles(struct bench_worker *worker)
{
	const struct bench_method *method = worker->bench->method;
	int result = 0;
	size_t i;

	worker->cycles = worker->count * CYCLES;
	for (i = 0; i < worker->cycles && !result; i++)
		result = method->cycle(worker);
	return result;
}

/* Threads that share processors would measure each other. */
static uint64_t pace(const struct bench_worker *worker)
{
	return (long)worker->bench->threads <= sysconf(_SC_NPROCESSORS_ONLN) ? pace_ns() : 0;
}

static void slice(struct bench_worker *worker, struct run *run)
{
	const struct bench_method *method = worker->bench->method;

	worker->pace = pace(worker);
	worker->count = 0;
	worker->timed_ns = 0;
	worker->error = method->slice_begin ? method->slice_begin(worker) : 0;
	together(worker, run, operations);
	if (method->slice_end && !worker->error)
		worker->error = method->slice_end(worker);
	if (method->rate == RATE_CYCLE)
		together(worker, run, cycles);
	worker->pace = max_u64(worker->pace, pace(worker));
}

static void *thread_main(void *argument)
{
	struct run_thread *thread = argument;
	struct run *run = thread->run;

	for (;;) {
		(void)pthread_barrier_wait(&run->all);
		if (run->stop)
			return NULL;
		if (thread->index < run->bench->threads) {
			place(thread->index, run->bench->threads);
			slice(&run->bench->workers[thread->index], run);
		}
		(void)pthread_barrier_wait(&run->all);
	}
}

int run_open(struct run **out)
{
	struct run *run = calloc(1, sizeof(*run));
	unsigned int i;

	if (!run)
		return -ENOMEM;
	(void)pthread_barrier_init(&run->all, NULL, RUN_THREADS_MAX + 1);
	for (i = 0; i < RUN_THREADS_MAX; i++) {
		struct run_thread *thread = &run->threads[i];
		int result;

		thread->run = run;
		thread->index = i;
		result = pthread_create(&thread->thread, NULL, thread_main, thread);
		if (result) /* the others wait at a barrier for ever: the program ends */
			return -result;
	}
	*out = run;
	return 0;
}

void run_close(struct run *run)
{
	unsigned int i;

	run->stop = true;
	(void)pthread_barrier_wait(&run->all);
	for (i = 0; i < RUN_THREADS_MAX; i++)
		(void)pthread_join(run->threads[i].thread, NULL);
	(void)pthread_barrier_destroy(&run->all);
	free(run->ns);
	free(run);
}

int run_case_init(struct bench_case *bench, unsigned int slices)
{
	unsigned int i;

	bench->workers = aligned_alloc(128, bench->threads * sizeof(*bench->workers));
	if (!bench->workers)
		return -ENOMEM;
	memset(bench->workers, 0, bench->threads * sizeof(*bench->workers));
	for (i = 0; i < bench->threads; i++) {
		struct bench_worker *worker = &bench->workers[i];

		worker->bench = bench;
		worker->index = i;
		worker->ns = malloc(bench->ops * sizeof(*worker->ns));
		if (!worker->ns)
			return -ENOMEM;
		memset(worker->ns, 1, bench->ops * sizeof(*worker->ns));
	}
	return samples_init(&bench->samples, (size_t)bench->ops * bench->threads * slices,
			    slices);
}

void run_case_free(struct bench_case *bench)
{
	unsigned int i;

	for (i = 0; bench->workers && i < bench->threads; i++)
		free(bench->workers[i].ns);
	free(bench->workers);
	samples_free(&bench->samples);
	bench->workers = NULL;
}

static double rate(const struct bench_case *bench)
{
	uint64_t begin = UINT64_MAX, end = 0, timed = 0, span;
	bool cycle = bench->method->rate == RATE_CYCLE;
	size_t count = 0;
	unsigned int i;

	for (i = 0; i < bench->threads; i++) {
		const struct bench_worker *worker = &bench->workers[i];

		begin = worker->begin_ns < begin ? worker->begin_ns : begin;
		end = worker->end_ns > end ? worker->end_ns : end;
		timed += worker->timed_ns;
		count += cycle ? worker->cycles : worker->count;
	}
	span = bench->method->rate == RATE_OPERATION ? timed / bench->threads : end - begin;
	return span ? (double)count * bench->batch * 1e9 / (double)span : 0;
}

static int make_room(struct run *run, size_t room)
{
	if (run->room >= room)
		return 0;
	free(run->ns);
	run->ns = malloc(room * sizeof(*run->ns));
	run->room = run->ns ? room : 0;
	return run->ns ? 0 : -ENOMEM;
}

static int collect(struct run *run, struct bench_case *bench)
{
	uint64_t slowest = 0;
	size_t count = 0;
	unsigned int i;
	int result = make_room(run, (size_t)bench->ops * bench->threads);

	if (result)
		return result;
	for (i = 0; i < bench->threads; i++) {
		const struct bench_worker *worker = &bench->workers[i];

		memcpy(run->ns + count, worker->ns, worker->count * sizeof(*worker->ns));
		count += worker->count;
		slowest = max_u64(slowest, worker->pace);
	}
	if (slowest)
		run->pace = run->pace ? min_u64(run->pace, slowest) : slowest;
	result = samples_slice(&bench->samples, run->ns, count, rate(bench));
	if (!result)
		samples_pace(&bench->samples, slowest);
	return result;
}

uint64_t run_pace(const struct run *run)
{
	return run->pace;
}

int run_slice(struct run *run, struct bench_case *bench, bool keep)
{
	unsigned int i;

	run->bench = bench;
	run->awake = 0;
	(void)pthread_barrier_init(&run->some, NULL, bench->threads);
	(void)pthread_barrier_wait(&run->all);
	(void)pthread_barrier_wait(&run->all);
	(void)pthread_barrier_destroy(&run->some);
	for (i = 0; i < bench->threads; i++)
		if (bench->workers[i].error)
			return bench->workers[i].error;
	return keep ? collect(run, bench) : 0;
}
