/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With several logs, who is to write waits for those who were woken by the write before.
 * Nobody waits for long where the others are not to come, nor with one log.  The records of
 * those who meet are one write: logs_write() is replaced at link time, and so is
 * pthread_cond_timedwait(), by which one waits for the others.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "txn/clock.h"
#include "txn/logs.h"
#include "txn/stream_gather.h"
#include "txn/streams.h"

#define LOG_BYTES  (18ull << 20)
#define BYTES      20000u /* no header, no summary is that large here */
#define LARGE      600000u /* two of these are too much for a segment */
#define LONG_NS    60000000000ull
#define WRITE_NS   (4 * LONG_NS)

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

static _Atomic uint32_t record_writes;

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	record_writes += io->bytes >= BYTES;
	return __real_logs_write(j, log, io, count, durable);
}

/* One who waits for the others is awake late: not before he is told. */
static struct {
	pthread_cond_t *_Atomic of; /* once */
	sem_t waits, wakes;
} late;

int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  const struct timespec *until);

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  const struct timespec *until)
{
	if (cond != late.of)
		return __real_pthread_cond_timedwait(cond, lock, until);
	late.of = NULL;
	pthread_mutex_unlock(lock);
	sem_post(&late.waits);
	sem_wait(&late.wakes);
	pthread_mutex_lock(lock);
	return 0;
}

/* so many have waited for the batch that fills; Return: as many as were written for */
static uint32_t written_for(struct stream *s, uint32_t waiting)
{
	uint32_t i, woken;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < waiting; i++)
		gather_enter(s);
	woken = gather_close(s);
	pthread_mutex_unlock(&s->lock);
	return woken;
}

static void expect(struct stream *s, uint32_t woken, uint64_t now, uint64_t takes)
{
	pthread_mutex_lock(&s->lock);
	gather_expect(s, woken, now, takes);
	pthread_mutex_unlock(&s->lock);
}

static bool waits(struct stream *s)
{
	bool is;

	pthread_mutex_lock(&s->lock);
	is = s->gather.waits;
	pthread_mutex_unlock(&s->lock);
	return is;
}

/* ---- who is expected ------------------------------------------------------------------- */

static void those_woken_have_seats(enum bed_medium medium)
{
	struct stream *s;
	struct bed bed;
	uint32_t i;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	assert_int_equal(streams_count(bed.j), 2);
	s = &bed.j->streams[1];
	assert_false(gather_seat(s));
	/* as many wait for the other one: so all of them are its share */
	assert_int_equal(written_for(&bed.j->streams[0], 3), 3);
	assert_int_equal(written_for(s, 3), 3);
	expect(s, 3, clock_monotonic_ns(), WRITE_NS);
	for (i = 0; i < 3; i++)
		assert_true(gather_seat(s));
	assert_false(gather_seat(s));
	/* nobody waits for the other one any more: half of them are to go there */
	expect(&bed.j->streams[0], 0, clock_monotonic_ns(), WRITE_NS);
	assert_int_equal(written_for(s, 4), 4);
	expect(s, 4, clock_monotonic_ns(), WRITE_NS);
	assert_true(gather_seat(s) && gather_seat(s) && !gather_seat(s));
	/* a seat in a batch that is being written is none */
	(void)written_for(s, 4);
	expect(s, 4, clock_monotonic_ns(), WRITE_NS);
	(void)written_for(s, 0);
	assert_false(gather_seat(s));
	bed_remove(&bed);
}

static void nobody_waits_for_one_or_for_a_fast_disk(enum bed_medium medium)
{
	struct stream *s;
	struct bed bed;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	s = &bed.j->streams[0];
	(void)written_for(s, 1);
	expect(s, 1, clock_monotonic_ns(), WRITE_NS);
	assert_int_equal(s->gather.expected, 0);
	(void)written_for(s, 8);
	expect(s, 8, clock_monotonic_ns(), 100000);
	assert_int_equal(s->gather.expected, 0);
	assert_false(gather_seat(s));
	bed_remove(&bed);
}

/* Return: whether some were expected, and did not come */
static bool in_vain(struct stream *s)
{
	bool waited;

	(void)written_for(s, 8);
	/* it ended long ago */
	expect(s, 8, 1, 1000000);
	pthread_mutex_lock(&s->lock);
	waited = gather_wait(s);
	pthread_mutex_unlock(&s->lock);
	return waited;
}

static void those_who_do_not_come_are_expected_less(enum bed_medium medium)
{
	uint32_t i, times = 0;
	struct bed bed;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	for (i = 0; i < 64; i++)
		times += in_vain(&bed.j->streams[0]);
	/* after 1, 3, 7, 15, 31 more */
	assert_int_equal(times, 6);
	bed_remove(&bed);
}

/* ---- two who meet ----------------------------------------------------------------------- */

struct putter {
	struct bed *bed;
	struct model *model;
	size_t bytes;
	uint64_t seed;
	pthread_t thread;
	int error;
};

static void *put(void *context)
{
	struct putter *p = context;

	p->error = bed_put(p->bed, p->model, p->bytes, p->seed, JOURNAL_PATH_SYNCED, NULL);
	return NULL;
}

static void start(struct putter *p)
{
	assert_int_equal(pthread_create(&p->thread, NULL, put, p), 0);
}

static void end(struct putter *p)
{
	pthread_join(p->thread, NULL);
	assert_int_equal(p->error, 0);
}

/* Return: the stream that two are expected at, and all go to */
static struct stream *expects_two(struct bed *bed, enum bed_medium medium, struct model *model)
{
	struct stream *s;
	uint32_t i;

	bed_make_logs(bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(model);
	for (i = 0; i < 4; i++)
		assert_int_equal(bed_put(bed, model, BYTES, i, JOURNAL_PATH_SYNCED, NULL), 0);
	/* the other disk is busy, and for two */
	atomic_store(&bed->j->streams[1].busy_ns, clock_monotonic_ns());
	(void)written_for(&bed->j->streams[1], 2);
	s = &bed->j->streams[0];
	(void)written_for(s, 2);
	expect(s, 2, clock_monotonic_ns(), WRITE_NS);
	/* even if the other one's is about to end */
	atomic_store(&s->takes_ns, WRITE_NS);
	record_writes = 0;
	return s;
}

/* Of two who are expected the first one waits, and the other one goes there, too. */
static void two_who_come_back_are_one_write(enum bed_medium medium)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct putter first, second;
	struct model model;
	struct bed bed;
	struct stream *s;
	uint32_t i;

	s = expects_two(&bed, medium, &model);
	first = (struct putter){ .bed = &bed, .model = &model, .bytes = BYTES, .seed = 100 };
	second = (struct putter){ .bed = &bed, .model = &model, .bytes = BYTES, .seed = 101 };
	start(&first);
	for (i = 0; i < 60000 && !waits(s) && !record_writes; i++)
		(void)nanosleep(&moment, NULL);
	assert_true(waits(s));
	start(&second);
	end(&first);
	end(&second);
	assert_int_equal(record_writes, 1);
	atomic_store(&bed.j->streams[1].busy_ns, 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/*
 * The first one waits for the others.  What the second one puts does not fit beside his: so it
 * is written for him, and the second one leaves the next batch to him, who waits still.  Then
 * he is awake, finds that his own is durable, and goes.
 */
static void who_is_late_leaves_nobody_behind(enum bed_medium medium)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct putter first, second;
	struct timespec end_of_it;
	struct model model;
	struct stream *s;
	struct bed bed;
	bool left = false;

	s = expects_two(&bed, medium, &model);
	sem_init(&late.waits, 0, 0);
	sem_init(&late.wakes, 0, 0);
	late.of = &s->gather.all;
	first = (struct putter){ .bed = &bed, .model = &model, .bytes = LARGE, .seed = 100 };
	second = (struct putter){ .bed = &bed, .model = &model, .bytes = LARGE,
				  .seed = 101 };
	start(&first);
	sem_wait(&late.waits);
	start(&second);
	while (!left) {
		(void)nanosleep(&moment, NULL);
		pthread_mutex_lock(&s->lock);
		/* he has counted himself, and the lock is to be had: he waits */
		left = s->gather.here == 1 && record_writes == 1;
		pthread_mutex_unlock(&s->lock);
	}
	sem_post(&late.wakes);
	end(&first);
	(void)clock_gettime(CLOCK_REALTIME, &end_of_it);
	end_of_it.tv_sec += 60;
	assert_int_equal(pthread_timedjoin_np(second.thread, NULL, &end_of_it), 0);
	assert_int_equal(second.error, 0);
	assert_int_equal(record_writes, 2);
	atomic_store(&bed.j->streams[1].busy_ns, 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "those_woken_have_seats", those_woken_have_seats, 1u << BED_FILE },
		{ "nobody_waits_for_one_or_for_a_fast_disk",
		  nobody_waits_for_one_or_for_a_fast_disk, 1u << BED_FILE },
		{ "those_who_do_not_come_are_expected_less",
		  those_who_do_not_come_are_expected_less, 1u << BED_FILE },
		{ "two_who_come_back_are_one_write", two_who_come_back_are_one_write,
		  1u << BED_FILE },
		{ "who_is_late_leaves_nobody_behind", who_is_late_leaves_nobody_behind,
		  1u << BED_FILE },
	};

	return bed_run(tests, ARRAY_COUNT(tests));
}
