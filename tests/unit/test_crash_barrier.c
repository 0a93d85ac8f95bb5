/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P14: between the word that says that health has changed, and the scan of the index,
 * there is a barrier on all processors: what a commit has published, or a retire
 * claimed, before it looked may still be in their store buffers, where no test can hold
 * it.  So it is seen here that the barrier is there, after the one and before the other,
 * on the way down and on the way up; and that who cannot have it done has one of his own.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "lib/sick.h"
#include "lib/syscall_arguments.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/returning.h"

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static struct {
	struct sick *sick;
	bool refused; /* by the system */
	uint32_t seen[4]; /* barriers, by the state that health has */
	uint32_t after;   /* of these, those after the scan has begun */
	uint32_t registered;
} barrier;

/* whether anything that lives is marked on the medium that is gone back to */
static bool some_marked(const struct sick *sick)
{
	const struct journal *j = sick->p->j;
	const uint8_t *map = sick->next.marker.now;

	return map && ((const struct marker_line *)(const void *)(
			       map + j->geometry.lines_offset))->epoch != (__le64)WORD_ERASED;
}

static void barrier_seen(void)
{
	const struct journal *j = barrier.sick->p->j;

	barrier.seen[health_now(j)]++;
	barrier.after += some_marked(barrier.sick) ||
			 (health_now(j) == HEALTH_SWITCHING &&
			  atomic_load(&j->shared->switcher_beat));
}

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	syscall_arguments(a, list);
	va_end(list);
	if (number == __NR_membarrier && barrier.refused) {
		errno = EPERM;
		return -1;
	}
	if (number == __NR_membarrier && a[0] == MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
		barrier.registered++;
	else if (number == __NR_membarrier && barrier.sick && barrier.sick->p->j)
		barrier_seen();
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void down_and_up(struct sick *sick)
{
	uint64_t x;

	memset(&barrier.seen, 0, sizeof(barrier.seen));
	barrier.after = 0;
	assert_int_equal(place_put(sick->p, JOURNAL_PATH_STAGED, 1, &x), 0);
	assert_int_equal(journal_distrust(sick->p->j, "a test"), 0);
	assert_int_equal(returning_try(sick->p->j), 0);
	assert_int_equal(health_now(sick->p->j), HEALTH_TRUSTED);
	assert_int_equal(place_state(sick->p, x), JOURNAL_LIVE);
}

static void p14_a_barrier_is_before_each_scan(void **state)
{
	struct sick sick;

	(void)state;
	memset(&barrier, 0, sizeof(barrier));
	sick_make(&sick);
	/* who is not registered would not be reached */
	assert_true(barrier.registered > 0);
	assert_false(sick.p->j->health_fence);
	barrier.sick = &sick;
	down_and_up(&sick);
	barrier.sick = NULL;
	assert_int_equal(barrier.seen[HEALTH_SWITCHING], 1);
	assert_int_equal(barrier.seen[HEALTH_RETURNING], 1);
	assert_int_equal(barrier.seen[HEALTH_TRUSTED] + barrier.seen[HEALTH_ABANDONED], 0);
	assert_int_equal(barrier.after, 0);
	sick_free(&sick);
}

static void p14_who_cannot_be_reached_has_a_fence_of_its_own(void **state)
{
	struct sick sick;

	(void)state;
	memset(&barrier, 0, sizeof(barrier));
	barrier.refused = true;
	sick_make(&sick);
	assert_true(sick.p->j->health_fence);
	down_and_up(&sick);
	barrier.refused = false;
	sick_free(&sick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_a_barrier_is_before_each_scan),
		cmocka_unit_test(p14_who_cannot_be_reached_has_a_fence_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
