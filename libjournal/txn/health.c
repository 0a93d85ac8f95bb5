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

#include "store/log_copies.h"
#include "txn/checkpoint.h"
#include "txn/clock.h"
#include "txn/evacuate.h"
#include "txn/logs.h"
#include "txn/returning.h"
#include "txn/stand_in.h"
#include "util/own_limit.h"

static long health_membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0);
}

/* Those who are registered are reached at once, by an interrupt; a barrier that waits
 * until all processors were somewhere else takes milliseconds. */
void health_begin(struct journal *j)
{
	j->health_fence = health_membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0;
}

/*
 * What others have stored in the index before they looked at health is there for the
 * scan.  Those who could not be registered at open have a fence of their own; should
 * it be only us who may not, a store leaves its buffer at the next interrupt.
 */
void health_barrier(void)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	atomic_thread_fence(memory_order_seq_cst);
	if (health_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) &&
	    health_membarrier(MEMBARRIER_CMD_GLOBAL))
		nanosleep(&moment, NULL);
}

bool health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why)
{
	struct shared *s = j->shared;

	if (!atomic_compare_exchange_strong(&s->health, &from, to))
		return false;
	atomic_store(&s->health_ns, clock_ns());
	if (why)
		shared_text_set(&s->health_why, why);
	return true;
}

/* ---- what is changed while health is --------------------------------------------------- */

int health_seen(struct journal *j, uint64_t word)
{
	int error = view_ready(j, word);
	struct message why;

	/* it has gone on: look again */
	if (!error || health_word_now(j) != word)
		return 0;
	why = *journal_message(j);
	return journal_say(j, error, "NVRAM is used again, and not to be had here (close the "
			   "journal and open it again): %.300s", why.text);
}

/* The medium of @turn does not take what was marked.  A return is called off; if it is
 * too late for that, or over, it is as with every medium (P16). */
static int health_marks_failed(struct journal *j, uint64_t turn, int error)
{
	uint64_t word = health_word_now(j);

	if (health_state_of(word) == HEALTH_RETURNING && health_turn(word) == turn) {
		(void)returning_cancel(j, word);
		word = health_word_now(j);
	}
	return health_turn(word) == turn && health_state_of(word) == HEALTH_TRUSTED ?
		       journal_fail(j, error) : 0;
}

int health_marks(struct journal *j, uint64_t word, const uint32_t *lines, size_t count,
		 struct settled *s)
{
	uint64_t turn = health_turn(word);
	int error = health_seen(j, word);
	size_t i;

	if (error || view_turn(j) < turn)
		return error;
	for (i = 0; i < count; i++)
		view_mark_line(j, lines[i]);
	/* before anybody is told: for recovery from this medium */
	error = nv_fence(j->marker);
	s->turn = turn;
	return error ? health_marks_failed(j, turn, error) : 0;
}

int health_settle_line(struct journal *j, uint32_t line, struct settled *s)
{
	uint64_t word = health_look(j);
	int error = 0;

	while (!error && settled_wants_marks(s, word)) {
		error = health_marks(j, word, &line, 1, s);
		word = health_look(j);
	}
	return error;
}

/* ---- down --------------------------------------------------------------------------------- */

/* A list of what lives, begun from here on, is in force in the stand-in. */
static int health_checkpoint(struct journal *j)
{
	int error;

	do
		error = checkpoint_try(j);
	while (error == -EAGAIN && !journal_failed(j));
	return error;
}

/* Who may not see NVRAM leaves what it holds to others; what nobody can see is lost. */
static int health_see(struct journal *j, uint64_t word)
{
	int error = view_ready(j, word);
	uint32_t i;

	/* and the rings, or the evacuation would take for lost what only we cannot map */
	for (i = 0; !error && i < j->lane_count && j->geometry.ring_bytes; i++)
		if (atomic_load(&j->lanes[i].s->turn) == health_turn(word))
			error = view_lane(j, &j->lanes[i]);
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EACCES ||
	       error == -EPERM ? error : 0;
}

/* first what only NVRAM has, and can still be read; again, if a log fails in it */
static int health_evacuate(struct journal *j, uint64_t *lost)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i <= logs_end(j); i++) {
		error = evacuate(j, lost);
		if (error != -EIO || journal_failed(j))
			break;
	}
	return error;
}

/* Context: health_lock. */
static int health_switch_all(struct journal *j, uint64_t word)
{
	uint64_t lost = 0;
	int error;

	pthread_mutex_lock(&j->lines_lock);
	error = stand_in_open(j, journal_message(j));
	pthread_mutex_unlock(&j->lines_lock);
	if (error)
		return error;
	health_barrier();
	/* here, not where it was asked: what was stored there meanwhile sees health */
	pthread_mutex_lock(&j->view_lock);
	marker_store_plug(j->marker);
	pthread_mutex_unlock(&j->view_lock);
	error = health_evacuate(j, &lost);
	/* then the list: what is not in the log is lost by it, by its id */
	if (!error)
		error = health_checkpoint(j);
	/* then it is in force: before anybody is told what the log alone certifies */
	if (!error)
		error = stand_in_enforce(j);
	if (error)
		return error;
	atomic_store(&j->shared->evacuated_not, lost);
	(void)health_raise(j, word, health_word_as(word, HEALTH_ABANDONED), NULL);
	return 0;
}

/*
 * All would do the same, and each would copy the stage to segments of its own: so one
 * does, and the others wait while he goes on.  Nothing depends on it (P18): who has not
 * for long, stopped or dead, loses the job to who waits, and no more.
 */
#define SWITCH_PATIENCE_NS 30000000ull
#define SWITCH_MOMENT_NS   200000

static bool switcher_take(struct journal *j, uint64_t word)
{
	return atomic_compare_exchange_strong(&j->shared->switcher, &word,
					      ((word >> 32) + 1) << 32 | j->member);
}

static void switcher_wait(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = SWITCH_MOMENT_NS };
	uint64_t seen = UINT64_MAX, beat = 0, since = 0, word, now;

	while (health_now(j) == HEALTH_SWITCHING && !journal_failed(j)) {
		word = atomic_load(&j->shared->switcher);
		now = clock_monotonic_ns();
		if (word != seen || beat != atomic_load(&j->shared->switcher_beat)) {
			seen = word;
			beat = atomic_load(&j->shared->switcher_beat);
			since = now;
		}
		if ((!(uint32_t)word || now - since > SWITCH_PATIENCE_NS) && switcher_take(j, word))
			return;
		(void)nanosleep(&moment, NULL);
	}
}

static void switcher_leave(struct journal *j)
{
	uint64_t word = atomic_load(&j->shared->switcher);

	if ((uint32_t)word == j->member)
		(void)atomic_compare_exchange_strong(&j->shared->switcher, &word, word >> 32 << 32);
}

bool health_is_left(const struct journal *j)
{
	uint32_t i;

	for (i = 0; i < MEMBERS; i++)
		if (atomic_load(&j->members[i].switching))
			return true;
	return false;
}

/*
 * While somebody may write journal.conf for a switch, nobody goes back (p14.pml,
 * BREAK_RESTORE_EARLY): so it is said before health is looked at, and of the dead by who
 * takes over from them.  Nor does anybody resize.  Context: health_lock.
 */
static int health_switch_one(struct journal *j)
{
	_Atomic uint32_t *switching = &j->members[j->member - 1].switching;
	uint64_t word;
	int error = 0;

	switcher_wait(j);
	atomic_store(switching, 1);
	word = health_word_now(j);
	if (health_state_of(word) == HEALTH_SWITCHING)
		error = journal_failed(j) ? -EIO : health_switch_all(j, word);
	atomic_store(switching, 0);
	switcher_leave(j);
	return error;
}

int health_switch(struct journal *j)
{
	char why[sizeof(j->stand_in_not.text)], distrust[SHARED_TEXT_BYTES];
	uint64_t word = health_word_now(j);
	int error = 0, unseen;

	if (!j->bits_durable || health_state_of(word) != HEALTH_SWITCHING)
		return 0;
	unseen = health_see(j, word);
	if (unseen)
		return unseen;
	pthread_mutex_lock(&j->health_lock);
	if (health_now(j) == HEALTH_SWITCHING)
		error = health_switch_one(j);
	pthread_mutex_unlock(&j->health_lock);
	if (!error || own_limit(error) || journal_failed_here(j))
		return error ? journal_fail(j, error) : 0;
	/* neither NVRAM nor what should stand in for it: nothing can be told any more */
	(void)snprintf(why, sizeof(why), "%s", journal_message(j)->text);
	shared_text_get(&j->shared->health_why, distrust);
	(void)journal_fail(j, -EIO);
	return journal_say(j, -EIO, "NVRAM is not trusted (%s), and there is nothing in its place: "
			   "%.200s", distrust, why);
}

int health_distrust(struct journal *j, const char *why)
{
	uint64_t word = health_word_now(j);
	int error = 0;

	while (!error && health_state_of(word) <= HEALTH_TRUSTED) {
		if (health_state_of(word) == HEALTH_RETURNING)
			error = returning_cancel(j, word);
		else if (health_raise(j, word, health_word_as(word, HEALTH_SWITCHING), why))
			returning_relapsed(j);
		word = health_word_now(j);
	}
	/* who says so again wants it to last */
	atomic_store(&j->shared->sound_since_ns, 0);
	return error ? error : health_switch(j);
}

int health_watch(struct journal *j, uint64_t steady_ns)
{
	if (!j->bits_durable)
		return 0;
	switch (health_now(j)) {
	case HEALTH_SWITCHING:
		return health_switch(j); /* one who was stopped or killed in it */
	case HEALTH_RETURNING:
	case HEALTH_ABANDONED:
		return returning_watch(j, steady_ns);
	case HEALTH_TRUSTED:
		break;
	}
	return health_ask(j);
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
	return error ? error : health_settle_log(j);
}

int journal_distrust(struct journal *j, const char *why)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	if (journal_failed(j))
		return journal_fail(j, -EIO);
	if (health_is_file(j))
		return journal_say(j, -ENOTSUP, "the markers are a file");
	return health_distrust(j, why && *why ? why : "by order");
}

/* Return: how many legs mirrored logs have; *@out: of these, those that are not in use */
static uint32_t health_legs(struct journal *j, uint32_t *out)
{
	struct log_copy copy;
	uint32_t log, legs = 0;
	unsigned int leg;

	for (log = 0; log < logs_end(j); log++) {
		if (logs_removed(j, log) || !logs_at(j, log)->copies)
			continue;
		for (leg = 0; leg < 2; leg++) {
			log_copies_look(logs_at(j, log), leg, &copy);
			if (out)
				*out += !copy.store || copy.out;
			legs++;
		}
	}
	return legs;
}

/* ---- telling ------------------------------------------------------------------------ */

/* Whoever switches replaces journal.conf, whatever process that is; and who leaves a leg of
 * a mirrored log, or brings it up to date, makes or removes a file there (left.h). */
static int health_watch_conf(struct journal *j)
{
	uint32_t what = IN_MOVED_TO | (health_legs(j, NULL) ? IN_CREATE | IN_DELETE : 0);
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, j->dir, what) >= 0)
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

static enum journal_trust health_trust(const struct journal *j)
{
	if (health_on_file(j))
		return JOURNAL_TRUSTED;
	switch (health_now(j)) {
	case HEALTH_RETURNING:
		return JOURNAL_RETURNING;
	case HEALTH_SWITCHING:
		return JOURNAL_SWITCHING;
	case HEALTH_ABANDONED:
		return JOURNAL_ABANDONED;
	case HEALTH_TRUSTED:
		break;
	}
	return JOURNAL_TRUSTED;
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
	/* who was told of it sees the end of it */
	if (!j->read_only && !journal_failed(j))
		(void)(health_switch(j) || returning_help(j));
	health->trust = health_trust(j);
	health->since_ns = atomic_load(&s->health_ns);
	shared_text_get(&s->health_why, health->why);
	(void)health_legs(j, &health->legs_out);
	health->evacuated = atomic_load(&s->evacuated);
	health->evacuated_lost = atomic_load(&s->evacuated_not);
	health->stand_in = !j->bits_durable || s->common.stand_in_is_there;
	if (!health->stand_in)
		(void)snprintf(health->stand_in_not, sizeof(health->stand_in_not), "%.255s",
			       j->stand_in_not.text);
	return 0;
}
