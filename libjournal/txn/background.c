/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/background.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/destage.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/segment.h"
#include "txn/streams.h"

#define STAGE_LEAST  (8ull << 20) /* below that, destaging a part in line takes no time */
#define PARTS_MOST   16u
#define BYTES_MOST   (4ull << 20) /* of one round, and of a batch */

/* of the stage, in percent: when it begins, when it ends; when writers are slowed */
#define BEGINS_AT 50u
#define ENDS_AT   30u
#define SLOWS_AT  60u

#define SLEEP_UNIT_NS 50000ull    /* half way between SLOWS_AT and full */
#define MOMENT_FULL_NS 250000
#define PATIENCE_NS   50000000ull
#define MOMENT_NS     1000000ull

/* ---- how much is staged ------------------------------------------------------------ */

static uint64_t stage_bytes(const struct journal *j)
{
	return (uint64_t)j->lane_count * j->geometry.ring_bytes;
}

static uint64_t stage_used(const struct journal *j)
{
	uint64_t used = 0;
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		used += atomic_load_explicit(&j->lanes[i].s->used, memory_order_relaxed);
	return used;
}

static uint32_t stage_percent(const struct journal *j)
{
	return (uint32_t)min_u64(stage_used(j) * 100 / stage_bytes(j), 100);
}

/* ---- the job ------------------------------------------------------------------------- */

/* Of all processes one destages in the background.  With the lock. */
static bool job_take(struct journal *j)
{
	struct background *b = &j->background;
	uint64_t word = atomic_load(&j->shared->destager);
	uint64_t beat = atomic_load(&j->shared->destager_beat), now = clock_monotonic_ns();

	if ((uint32_t)word == j->member)
		return true;
	if (word != b->seen_job || beat != b->seen_beat) {
		b->seen_job = word;
		b->seen_beat = beat;
		b->since_ns = now;
	}
	if ((uint32_t)word && now - b->since_ns < PATIENCE_NS)
		return false;
	/* nobody's, or of one who is stopped or dead: what he has leased stays his */
	return atomic_compare_exchange_strong(&j->shared->destager, &word,
					      ((word >> 32) + 1) << 32 | j->member);
}

static void job_leave(struct journal *j)
{
	uint64_t word = atomic_load(&j->shared->destager);

	if ((uint32_t)word == j->member)
		(void)atomic_compare_exchange_strong(&j->shared->destager, &word,
						     word >> 32 << 32);
}

/* ---- one round ------------------------------------------------------------------------ */

struct round {
	struct journal *j;
	struct destage_part part[PARTS_MOST];
	uint32_t count;
	uint64_t bytes, most;
};

/* Of a lane that nobody holds: what lives in it is to go, all of it. */
static void round_add(struct round *r, struct lane *lane)
{
	uint64_t used;

	if (atomic_load_explicit(&lane->s->used, memory_order_relaxed) < lane->ring_bytes / 4 ||
	    !lane_try(r->j, lane))
		return;
	/* what is retired never touches the disk */
	if (!lane_reclaim(r->j, lane, UINT64_MAX) && lane->s->head != lane->s->tail) {
		used = min_u64(lane->s->head - lane->s->tail, r->most - r->bytes);
		r->part[r->count++] = (struct destage_part){ .lane = lane, .want = used };
		r->bytes += used;
	} else {
		lane_return(lane);
	}
}

static void round_choose(struct round *r)
{
	struct journal *j = r->j;
	uint32_t i, at;

	for (i = 0; i < j->lane_count && r->count < PARTS_MOST && r->bytes < r->most; i++) {
		at = atomic_fetch_add_explicit(&j->background.next, 1, memory_order_relaxed);
		round_add(r, &j->lanes[at % j->lane_count]);
	}
}

static bool round_has_segments(const struct journal *j)
{
	/* for rounds of all threads, and one more */
	return atomic_load_explicit(&j->shared->segments_free, memory_order_relaxed) >=
	       segments_reserve(j) + j->background.threads + 1;
}

/* Return: whether anything left the stage. */
static bool round_run(struct background_thread *t)
{
	struct journal *j = t->j;
	struct round r = { .j = j, .most = min_u64(BYTES_MOST, stage_bytes(j) / 4) };
	uint32_t i;
	bool some = false;

	if (journal_failed(j) || !health_bits_durable(j) || !round_has_segments(j))
		return false;
	round_choose(&r);
	if (r.count)
		(void)destage_parts(j, &t->stream, r.part, r.count, false);
	for (i = 0; i < r.count; i++) {
		some = some || r.part[i].tail == r.part[i].lane->s->tail;
		lane_return(r.part[i].lane);
	}
	atomic_fetch_add(&j->shared->destager_beat, 1);
	return some;
}

/* ---- the threads ----------------------------------------------------------------------- */

static void doze(struct background *b, uint64_t ns)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ns;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&b->wake, &b->lock, &until);
}

/* With the lock, which is dropped meanwhile. */
static void background_round(struct background_thread *t)
{
	struct background *b = &t->j->background;
	bool some = false;

	/* given up: whoever did that has brought what was there to the log (P14) */
	if (stage_percent(t->j) < ENDS_AT || !health_bits_durable(t->j)) {
		atomic_store(&b->due, false);
		job_leave(t->j);
		return;
	}
	if (job_take(t->j)) {
		pthread_mutex_unlock(&b->lock);
		some = round_run(t);
		pthread_mutex_lock(&b->lock);
	}
	if (!some && !b->stopping)
		doze(b, MOMENT_NS);
}

/* The program's signals are for its own threads. */
int background_thread(pthread_t *thread, void *(*run)(void *context), void *context)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static void *background_run(void *context)
{
	struct background_thread *t = context;
	struct background *b = &t->j->background;

	pthread_mutex_lock(&b->lock);
	while (!b->stopping) {
		if (atomic_load(&b->due))
			background_round(t);
		else
			pthread_cond_wait(&b->wake, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Without memory, or threads: in line, as ever.  With the lock. */
static void background_start(struct journal *j)
{
	struct background *b = &j->background;
	uint32_t i, bytes = (uint32_t)max_u64(min_u64(BYTES_MOST, j->segment_bytes),
						      LOG_BUFFER_BYTES);

	b->started = true;
	for (i = 0; i < b->threads; i++)
		b->of[i].runs = !stream_buffers_large(&b->of[i].stream, bytes) &&
				!background_thread(&b->of[i].thread, background_run, &b->of[i]);
}

static void background_wake(struct journal *j)
{
	struct background *b = &j->background;

	pthread_mutex_lock(&b->lock);
	if (!b->started && !b->stopping)
		background_start(j);
	atomic_store(&b->due, true);
	pthread_cond_broadcast(&b->wake);
	pthread_mutex_unlock(&b->lock);
}

/* x / (1 - x) of the unit: however many write, and however slow the disk is, there is a
 * fill at which no more comes in than goes out. */
static void slow_down(uint32_t percent)
{
	uint64_t over = percent - SLOWS_AT, left = max_u64(100 - percent, 1);
	const struct timespec sleep = { .tv_nsec = (long)(SLEEP_UNIT_NS * over / left) };

	(void)nanosleep(&sleep, NULL);
}

bool background_worth(const struct journal *j)
{
	return stage_bytes(j) >= STAGE_LEAST;
}

void background_look(struct journal *j)
{
	uint32_t percent;

	if (!background_worth(j))
		return;
	percent = stage_percent(j);
	if (percent >= BEGINS_AT &&
	    !atomic_load_explicit(&j->background.due, memory_order_relaxed)) {
		/* the retired in it are not to start anything */
		lanes_refresh(j, j->lane_count, 1);
		percent = stage_percent(j);
		if (percent >= BEGINS_AT)
			background_wake(j);
	}
	/* a log without room: then it is no matter of time */
	if (percent > SLOWS_AT && round_has_segments(j))
		slow_down(percent);
}

bool background_moment(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_FULL_NS };

	if (!atomic_load_explicit(&j->background.due, memory_order_relaxed) ||
	    journal_failed(j) || !round_has_segments(j))
		return false;
	(void)nanosleep(&moment, NULL);
	return true;
}

int background_make(struct journal *j)
{
	struct background *b = &j->background;
	pthread_condattr_t attributes;
	uint32_t i;
	int error;

	if (pthread_condattr_init(&attributes))
		return -ENOMEM;
	error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) ||
		pthread_mutex_init(&b->lock, NULL) || pthread_cond_init(&b->wake, &attributes) ||
		pthread_cond_init(&b->age.wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	/* of each disk one that writes and one that copies */
	b->threads = (uint32_t)max_u64(min_u64(2 * streams_count(j), BACKGROUND_THREADS_MAX),
				       BACKGROUND_THREADS);
	for (i = 0; i < BACKGROUND_THREADS_MAX && !error; i++) {
		b->of[i].j = j;
		error = stream_make(&b->of[i].stream, j, HEAD_STREAM);
		b->of[i].stream.index = i;
	}
	return error ? -ENOMEM : 0;
}

void background_stop(struct journal *j)
{
	struct background *b = &j->background;
	uint32_t i;

	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_broadcast(&b->wake);
	pthread_mutex_unlock(&b->lock);
	background_age_stop(j);
	for (i = 0; i < b->threads; i++)
		if (b->of[i].runs)
			pthread_join(b->of[i].thread, NULL);
	job_leave(j);
}

void background_free(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < BACKGROUND_THREADS_MAX; i++)
		stream_free(&j->background.of[i].stream);
}
