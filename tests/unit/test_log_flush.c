/* SPDX-License-Identifier: BSD-3-Clause */
/* P13: flushes are shared, cover only what completed before they began, and
 * nobody waits for one that has stopped. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/syscall_arguments.h"
#include "log/log_flush.h"

#define THREADS 16
#define FOREVER (UINT64_MAX / 4)

/* a disk whose flush waits to be let go on; counts them */
struct disk {
	struct log_flush flush;
	sem_t begun, go;
	_Atomic unsigned int syncs;
	_Atomic int error;
	bool waits;
};

static int disk_sync(void *context)
{
	struct disk *disk = context;

	atomic_fetch_add(&disk->syncs, 1);
	if (disk->waits) {
		sem_post(&disk->begun);
		while (sem_wait(&disk->go))
			;
	}
	return atomic_load(&disk->error);
}

/* what a healthy flusher of the same disk does */
static int quick_sync(void *context)
{
	struct disk *disk = context;

	atomic_fetch_add(&disk->syncs, 1);
	return 0;
}

/* sleepers now, how often one was woken, and how often one came back at all */
static _Atomic unsigned int asleep, woke, came_back;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[6], result;
	va_list list;

	va_start(list, number);
	syscall_arguments(a, list);
	va_end(list);
	if (a[1] != FUTEX_WAIT_BITSET)
		return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	atomic_fetch_add(&asleep, 1);
	result = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	atomic_fetch_sub(&asleep, 1);
	atomic_fetch_add(&came_back, 1);
	/* else it had not slept yet */
	if (!result)
		atomic_fetch_add(&woke, 1);
	return result;
}

struct waiter {
	struct disk *disk;
	pthread_t thread;
	int (*sync)(void *context);
	uint64_t patience_ns;
	int result;
	_Atomic bool done;
};

static void *wait_for_flush(void *argument)
{
	struct waiter *waiter = argument;
	struct log_flusher flusher = { waiter->sync, waiter->disk, waiter->patience_ns };

	waiter->result = log_flush_wait(&waiter->disk->flush, &flusher);
	atomic_store(&waiter->done, true);
	return NULL;
}

static void start(struct waiter *waiter, struct disk *disk, int (*sync)(void *context),
		  uint64_t patience_ns)
{
	waiter->disk = disk;
	waiter->sync = sync;
	waiter->patience_ns = patience_ns;
	waiter->result = 1;
	waiter->done = false;
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_flush, waiter), 0);
}

static void join(struct waiter *waiter, int result)
{
	assert_int_equal(pthread_join(waiter->thread, NULL), 0);
	assert_int_equal(waiter->result, result);
}

static void until_asleep(struct disk *disk, unsigned int count)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	/* counted: all are past the point where they noted the last flush */
	while (atomic_load(&disk->flush.sleepers[0]) + atomic_load(&disk->flush.sleepers[1]) <
	       count)
		nanosleep(&pause, NULL);
}

static void disk_init(struct disk *disk, bool waits)
{
	*disk = (struct disk){ .waits = waits };
	sem_init(&disk->begun, 0, 0);
	sem_init(&disk->go, 0, 0);
}

static void P13_alone_it_flushes_once(void **state)
{
	struct disk disk;
	struct log_flusher flusher = { disk_sync, &disk, FOREVER };

	(void)state;
	disk_init(&disk, false);
	assert_int_equal(log_flush_wait(&disk.flush, &flusher), 0);
	assert_int_equal(log_flush_wait(&disk.flush, &flusher), 0);
	assert_int_equal(disk.syncs, 2);
}

static void until_so_many_sleep(unsigned int count)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (atomic_load(&asleep) != count)
		nanosleep(&pause, NULL);
}

/* ... and who waits for the next one sleeps on when one ends */
static void P13_threads_share_flushes(void **state)
{
	struct waiter first, others[THREADS];
	struct disk disk;

	(void)state;
	disk_init(&disk, true);
	start(&first, &disk, disk_sync, FOREVER);
	sem_wait(&disk.begun);
	for (int i = 0; i < THREADS; i++)
		start(&others[i], &disk, disk_sync, FOREVER);
	until_so_many_sleep(THREADS);
	atomic_store(&woke, 0);
	sem_post(&disk.go);
	sem_wait(&disk.begun);
	/* one flushes; one more had been woken, and sleeps again */
	until_so_many_sleep(THREADS - 1);
	assert_in_range(atomic_load(&woke), 1, 2);
	sem_post(&disk.go);
	join(&first, 0);
	for (int i = 0; i < THREADS; i++)
		join(&others[i], 0);
	assert_int_equal(disk.syncs, 2);
}

/* They wait for flush 1, whose flusher has stopped; flush 2 is for them, too. */
static void P13_who_waits_for_one_that_was_passed_over_wakes(void **state)
{
	struct waiter others[THREADS], later;
	struct disk disk;

	(void)state;
	disk_init(&disk, false);
	atomic_store(&disk.flush.turn, 1);
	for (int i = 0; i < THREADS; i++)
		start(&others[i], &disk, quick_sync, FOREVER);
	until_so_many_sleep(THREADS);
	atomic_store(&disk.flush.started, 1);
	start(&later, &disk, quick_sync, 1000000);
	join(&later, 0);
	for (int i = 0; i < THREADS; i++)
		join(&others[i], 0);
	assert_int_equal(disk.syncs, 1);
}

static void P13_a_flush_covers_nothing_that_came_after_it_began(void **state)
{
	struct waiter first, later;
	struct disk disk;

	(void)state;
	disk_init(&disk, true);
	start(&first, &disk, disk_sync, FOREVER);
	sem_wait(&disk.begun); /* the flush is on its way: a write completes now */
	start(&later, &disk, disk_sync, FOREVER);
	until_asleep(&disk, 2);
	sem_post(&disk.go);
	join(&first, 0);
	sem_wait(&disk.begun); /* there is a second flush ... */
	assert_false(atomic_load(&later.done)); /* ... and it is waited for */
	sem_post(&disk.go);
	join(&later, 0);
	assert_int_equal(disk.syncs, 2);
}

static void P13_a_stopped_flusher_holds_up_nobody(void **state)
{
	struct waiter stopped, others[THREADS];
	struct disk disk;

	(void)state;
	disk_init(&disk, true);
	start(&stopped, &disk, disk_sync, FOREVER);
	sem_wait(&disk.begun); /* and there it stays */
	for (int i = 0; i < THREADS; i++)
		start(&others[i], &disk, quick_sync, 1000000);
	/* would hang here if one waited for it */
	for (int i = 0; i < THREADS; i++)
		join(&others[i], 0);
	assert_false(atomic_load(&stopped.done));
	/* its turn was taken from it: the next one is not delayed at all */
	start(&others[0], &disk, quick_sync, FOREVER);
	join(&others[0], 0);
	sem_post(&disk.go);
	join(&stopped, 0);
	/* and its late end does not take the turn away from anybody */
	start(&others[0], &disk, quick_sync, FOREVER);
	join(&others[0], 0);
}

static void P13_flushers_that_stop_in_turn_are_not_waited_for_for_ever(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct waiter waiter;
	struct disk disk;

	(void)state;
	disk_init(&disk, false);
	atomic_store(&disk.flush.turn, 1);
	start(&waiter, &disk, quick_sync, FOREVER);
	/* the turn passes from one to the next, and none of them finishes */
	while (!atomic_load(&waiter.done)) {
		atomic_fetch_add(&disk.flush.turn, 2);
		atomic_fetch_add(&disk.flush.signal[1], 1);
		(void)syscall(SYS_futex, &disk.flush.signal[1], FUTEX_WAKE, 1, NULL, NULL, 0);
		nanosleep(&pause, NULL);
	}
	join(&waiter, 0);
	assert_int_equal(disk.syncs, 1);
}

/* the turn passes on, and the first of those who sleep is told */
static void turn_passes(struct disk *disk)
{
	atomic_fetch_add(&disk->flush.turn, 2);
	atomic_fetch_add(&disk->flush.signal[1], 1);
	(void)syscall(SYS_futex, &disk->flush.signal[1], FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* One of those who wait for flush 1 makes it, out of turn: nobody else will tell them. */
static void P13_who_flushes_out_of_turn_tells_the_others(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct waiter first, others[THREADS];
	unsigned int before;
	struct disk disk;

	(void)state;
	disk_init(&disk, false);
	atomic_store(&disk.flush.turn, 1);
	start(&first, &disk, quick_sync, FOREVER);
	for (int i = 0; i < 3; i++) {
		until_so_many_sleep(1);
		before = atomic_load(&came_back);
		turn_passes(&disk);
		while (atomic_load(&came_back) == before)
			nanosleep(&pause, NULL);
	}
	until_so_many_sleep(1);
	for (int i = 0; i < THREADS; i++)
		start(&others[i], &disk, quick_sync, FOREVER);
	until_so_many_sleep(THREADS + 1);
	turn_passes(&disk);
	join(&first, 0);
	for (int i = 0; i < THREADS; i++)
		join(&others[i], 0);
	assert_int_equal(disk.syncs, 1);
}

/* Who slept while the turn passed to one that stopped has waited for that, too. */
static void P13_patience_begins_with_the_turn(void **state)
{
	struct timespec now;
	struct waiter waiter;
	struct disk disk;

	(void)state;
	disk_init(&disk, false);
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	atomic_store(&disk.flush.turn, 1);
	atomic_store(&disk.flush.turn_ns, 1);
	/* half of all the time that the machine is up: or the test takes that long */
	start(&waiter, &disk, quick_sync, (uint64_t)now.tv_sec * 500000000);
	join(&waiter, 0);
	assert_int_equal(atomic_load(&disk.flush.turn), 4);
	assert_int_equal(disk.syncs, 1);
	/* whoever takes it says when */
	assert_true(atomic_load(&disk.flush.turn_ns) > (uint64_t)now.tv_sec * 1000000000);
}

static void a_failure_is_everybodys_and_stays(void **state)
{
	struct waiter first, later;
	struct disk disk;

	(void)state;
	disk_init(&disk, true);
	atomic_store(&disk.error, -EIO);
	start(&first, &disk, disk_sync, FOREVER);
	sem_wait(&disk.begun);
	start(&later, &disk, disk_sync, FOREVER);
	until_asleep(&disk, 2);
	sem_post(&disk.go);
	join(&first, -EIO);
	join(&later, -EIO);
	atomic_store(&disk.error, 0);
	start(&first, &disk, disk_sync, FOREVER);
	join(&first, -EIO);
	assert_int_equal(disk.syncs, 1); /* never again over a failure */
}

static void patience_goes_by_what_a_flush_takes(void **state)
{
	struct log_flush flush = { 0 };
	struct log_flusher flusher = { quick_sync, &(struct disk){ .waits = false }, FOREVER };

	(void)state;
	/* not known */
	assert_int_equal(log_flush_patience(&flush), LOG_FLUSH_PATIENCE_MAX_NS);
	atomic_store(&flush.typical_ns, 1);
	assert_int_equal(log_flush_patience(&flush), LOG_FLUSH_PATIENCE_MIN_NS);
	atomic_store(&flush.typical_ns, 8000000);
	assert_int_equal(log_flush_patience(&flush), 8000000 * LOG_FLUSH_PATIENCE_TIMES);
	atomic_store(&flush.typical_ns, 1000000000);
	assert_int_equal(log_flush_patience(&flush), LOG_FLUSH_PATIENCE_MAX_NS);
	/* one that stood still is forgotten */
	atomic_store(&flush.typical_ns, 3600000000000ull);
	for (int i = 0; i < 200; i++)
		assert_int_equal(log_flush_wait(&flush, &flusher), 0);
	assert_true(atomic_load(&flush.typical_ns) < 3600000000000ull / 1000000);
}

static int bad_sync(void *context)
{
	(void)context;
	return -EIO;
}

static void a_success_beside_a_failure_proves_nothing(void **state)
{
	struct waiter slow, bad;
	struct disk disk;

	(void)state;
	disk_init(&disk, true);
	start(&slow, &disk, disk_sync, FOREVER);
	sem_wait(&disk.begun);
	start(&bad, &disk, bad_sync, 1000000); /* takes over, and is told of the loss */
	join(&bad, -EIO);
	sem_post(&disk.go); /* the other one's call returns 0 */
	join(&slow, -EIO);
}

static void a_late_failure_is_seen_by_the_next(void **state)
{
	struct waiter slow, quick;
	struct disk disk;

	(void)state;
	disk_init(&disk, true);
	start(&slow, &disk, disk_sync, FOREVER);
	sem_wait(&disk.begun);
	start(&quick, &disk, quick_sync, 1000000); /* takes over, succeeds */
	join(&quick, 0);
	atomic_store(&disk.error, -ENOSPC);
	sem_post(&disk.go);
	join(&slow, -ENOSPC);
	start(&quick, &disk, quick_sync, FOREVER);
	join(&quick, -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(P13_alone_it_flushes_once),
		cmocka_unit_test(P13_threads_share_flushes),
		cmocka_unit_test(P13_who_waits_for_one_that_was_passed_over_wakes),
		cmocka_unit_test(P13_a_flush_covers_nothing_that_came_after_it_began),
		cmocka_unit_test(P13_a_stopped_flusher_holds_up_nobody),
		cmocka_unit_test(P13_flushers_that_stop_in_turn_are_not_waited_for_for_ever),
		cmocka_unit_test(P13_who_flushes_out_of_turn_tells_the_others),
		cmocka_unit_test(P13_patience_begins_with_the_turn),
		cmocka_unit_test(patience_goes_by_what_a_flush_takes),
		cmocka_unit_test(a_failure_is_everybodys_and_stays),
		cmocka_unit_test(a_success_beside_a_failure_proves_nothing),
		cmocka_unit_test(a_late_failure_is_seen_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
