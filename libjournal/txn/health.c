/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/health.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "txn/checkpoint.h"
#include "txn/clock.h"
#include "txn/evacuate.h"
#include "txn/stand_in.h"

static long health_membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0);
}

void health_begin(struct journal *j)
{
	long known = health_membarrier(MEMBARRIER_CMD_QUERY);

	j->health_fence = known < 0 || !(known & MEMBARRIER_CMD_GLOBAL);
}

/*
 * What others have stored in the index before they looked at health is there for the
 * scan.  Those who found no membarrier at open have a fence of their own; should
 * it be only us who may not, a store leaves its buffer at the next interrupt.
 */
static void health_barrier(void)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	atomic_thread_fence(memory_order_seq_cst);
	if (health_membarrier(MEMBARRIER_CMD_GLOBAL))
		nanosleep(&moment, NULL);
}

static void health_raise(struct journal *j, uint32_t from, uint32_t to, const char *why)
{
	struct shared *s = j->shared;

	if (!atomic_compare_exchange_strong(&s->health, &from, to))
		return;
	atomic_store(&s->health_ns, clock_ns());
	if (why)
		(void)snprintf(s->health_why, sizeof(s->health_why), "%s", why);
}

/* A list of what lives, begun from here on, is in force in the stand-in. */
static int health_checkpoint(struct journal *j)
{
	int error;

	do
		error = checkpoint_try(j);
	while (error == -EAGAIN && !journal_failed(j));
	return error;
}

/* Context: health_lock. */
static int health_switch_all(struct journal *j)
{
	uint64_t lost = 0;
	uint32_t i;
	int error;

	pthread_mutex_lock(&j->lines_lock);
	error = stand_in_open(j);
	pthread_mutex_unlock(&j->lines_lock);
	if (error)
		return error;
	health_barrier();
	/* first what only NVRAM has, and can still be read; again, if a log fails in it */
	for (i = 0; i <= logs_end(j); i++) {
		error = evacuate(j, &lost);
		if (error != -EIO || journal_failed(j))
			break;
	}
	/* then the list: what is not in the log is lost by it, by its id */
	if (!error)
		error = health_checkpoint(j);
	/* then it is in force: before anybody is told what the log alone certifies */
	if (!error)
		error = stand_in_enforce(j);
	if (error)
		return error;
	atomic_store(&j->shared->evacuated_not, lost);
	health_raise(j, HEALTH_SWITCHING, HEALTH_ABANDONED, NULL);
	return 0;
}

int health_switch(struct journal *j)
{
	char why[sizeof(j->stand_in_not.text)];
	int error = 0;

	if (!j->bits_durable)
		return 0;
	pthread_mutex_lock(&j->health_lock);
	if (health_now(j) == HEALTH_SWITCHING)
		error = journal_failed(j) ? -EIO : health_switch_all(j);
	pthread_mutex_unlock(&j->health_lock);
	if (!error)
		return 0;
	/* neither NVRAM nor what should stand in for it: nothing can be told any more */
	(void)snprintf(why, sizeof(why), "%s", journal_message(j)->text);
	(void)journal_fail(j, -EIO);
	return journal_say(j, -EIO, "NVRAM is not trusted (%s), and there is nothing in its place: "
			   "%.200s", j->shared->health_why, why);
}

int health_distrust(struct journal *j, const char *why)
{
	health_raise(j, HEALTH_TRUSTED, HEALTH_SWITCHING, why);
	return health_switch(j);
}

int health_watch(struct journal *j)
{
	struct message why = { "" };

	if (!j->bits_durable || health_now(j) == HEALTH_ABANDONED)
		return 0;
	if (health_now(j) == HEALTH_SWITCHING)
		return health_switch(j); /* one who was stopped or killed in it */
	return marker_store_health(j->marker, &why) ? health_distrust(j, why.text) : 0;
}

int health_list(struct journal *j)
{
	int error = health_switch(j);

	return error ? error : health_checkpoint(j);
}

int health_unstage(struct journal *j, uint64_t id, uint32_t count)
{
	int error = health_switch(j);
	uint32_t i;

	/* by who switched: if it was done before we published, not yet */
	for (i = 0; i < count && !error; i++)
		error = evacuate_id(j, id + i);
	return error;
}

int journal_distrust(struct journal *j, const char *why)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	if (journal_failed(j))
		return journal_fail(j, -EIO);
	if (!j->bits_durable)
		return journal_say(j, -ENOTSUP, "the markers are a file");
	return health_distrust(j, why && *why ? why : "by order");
}

/* ---- telling ------------------------------------------------------------------------ */

/* Whoever switches replaces journal.conf, whatever process that is. */
static int health_watch_conf(struct journal *j)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, j->dir, IN_MOVED_TO) >= 0)
		return fd;
	close(fd);
	return -errno;
}

int journal_health_fd(struct journal *j)
{
	int error = 0;

	if (journal_is_childs(j))
		return journal_childs(j);
	pthread_mutex_lock(&j->health_lock);
	if (!j->health_fd) {
		error = health_watch_conf(j);
		if (error >= 0)
			j->health_fd = error + 1;
	}
	pthread_mutex_unlock(&j->health_lock);
	return error < 0 ? message_errno(journal_message(j), error, "%s: watching it", j->dir) :
			   j->health_fd - 1;
}

int journal_health(struct journal *j, struct journal_health *health)
{
	const struct shared *s = j->shared;
	char events[1024];

	if (journal_is_childs(j))
		return journal_childs(j);
	/* first: what comes to be after it is told again */
	while (j->health_fd && read(j->health_fd - 1, events, sizeof(events)) > 0)
		;
	memset(health, 0, sizeof(*health));
	health->trust = (enum journal_trust)(JOURNAL_TRUSTED + health_now(j));
	health->since_ns = atomic_load(&s->health_ns);
	(void)snprintf(health->why, sizeof(health->why), "%.127s", s->health_why);
	health->evacuated = atomic_load(&s->evacuated);
	health->evacuated_lost = atomic_load(&s->evacuated_not);
	health->stand_in = !j->bits_durable || s->common.stand_in_is_there;
	if (!health->stand_in)
		(void)snprintf(health->stand_in_not, sizeof(health->stand_in_not), "%.255s",
			       j->stand_in_not.text);
	return 0;
}
