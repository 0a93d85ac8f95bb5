/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/returning.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/checkpoint.h"
#include "txn/clock.h"
#include "txn/line.h"
#include "txn/reserve.h"
#include "txn/return_make.h"
#include "txn/segment.h"

#define LOOK_NS    1000000000ull  /* the medium is looked at so often, or twice the wait */
#define RELAPSE_NS 60000000000ull /* given up again within it: it is not so sound */
#define RELAPSES   8u

/* ---- its end ------------------------------------------------------------------------ */

/* Whether journal.conf names the medium; when it does, and its file is gone, for ever. */
static int returning_is_named(struct journal *j, const struct view_shared *v, bool *named)
{
	struct conf conf;
	int error = conf_read(j->dir, &conf, journal_message(j));

	*named = !error && !strcmp(conf.marker, v->uri);
	return error;
}

static int returning_sync(const char *dir)
{
	int error = 0, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

/* Called off it is what it was: on a file, perhaps, by choice. */
static uint64_t returning_word(struct journal *j, uint64_t word, enum health_state state)
{
	bool file = shared_view(j, health_view(word))->after_file;

	return state == HEALTH_ABANDONED && file ? health_word(health_turn(word), state, 0) :
						   health_word_as(word, state);
}

static void returning_over(struct journal *j, uint64_t word, enum health_state state)
{
	if (!health_raise(j, word, returning_word(j, word, state), NULL))
		return;
	if (state == HEALTH_TRUSTED) {
		atomic_fetch_add(&j->shared->returns, 1);
		atomic_store(&j->shared->returns_not, 0);
	}
	/* looked at anew, from the beginning */
	atomic_store(&j->shared->sound_since_ns, 0);
}

/* Somebody has taken the file away: he has renamed it, or given it up. */
static int returning_decided(struct journal *j, uint64_t word, const struct view_shared *v)
{
	bool named;
	int error = returning_is_named(j, v, &named);

	/* not known: nothing is said, and whoever looks next goes on */
	if (error)
		return error;
	if (!named) {
		returning_over(j, word, HEALTH_ABANDONED);
		return 0;
	}
	/* who renamed it may not have come to that */
	error = returning_sync(j->dir);
	if (error)
		return journal_fail(j, error);
	returning_over(j, word, HEALTH_TRUSTED);
	return 0;
}

int returning_cancel(struct journal *j, uint64_t word)
{
	const struct view_shared *v = shared_view(j, health_view(word));
	char path[PATH_MAX];
	int error;

	if (health_word_now(j) != word)
		return 0;
	error = conf_give_up(j->dir, j->lock_fd, v->suffix);
	if (error == -ENOENT)
		return returning_decided(j, word, v);
	/* it is there: somebody who is late could still put it in force */
	if (error)
		return message_errno(journal_message(j), error, "%s: calling a return off", j->dir);
	if (!return_path(v, v->suffix, path))
		(void)unlink(path);
	returning_over(j, word, HEALTH_ABANDONED);
	return 0;
}

/* ---- from where it is in force in the index ------------------------------------------- */

/* Its name, durably.  Who is late finds nothing to rename. */
static int returning_name(struct journal *j, const struct view_shared *v)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	struct stat st;
	int error = return_path(v, "", path);

	if (!error)
		error = return_path(v, v->suffix, temporary);
	if (error)
		return error;
	if (rename(temporary, path) && errno != ENOENT)
		return message_errno(journal_message(j), -errno, "%s", path);
	if (stat(path, &st) || st.st_dev != v->device || st.st_ino != v->inode)
		return journal_say(j, -ESTALE, "%s: is another file by now", path);
	error = returning_sync(dirname(path));
	return error ? message_errno(journal_message(j), error, "%s", path) : 0;
}

/* All that lives, and all that does not, on the new medium. */
static int returning_mark(struct journal *j, uint64_t word)
{
	const struct view_shared *v = shared_view(j, health_view(word));
	struct message why;
	uint32_t line;
	int error;

	/* who came since it was made, and asks for more, has looked after the barrier, or we
	 * see it (join.c) */
	if (v->class < atomic_load(&j->shared->require))
		return journal_say(j, -EPERM, "%s: survives less than somebody requires", v->uri);
	for (line = 0; line < atomic_load(&j->shared->lines_used); line++)
		view_mark_line(j, line);
	/* all of it before journal.conf names the medium */
	error = nv_fence(j->marker);
	if (!error && view_turn(j) == health_turn(word))
		error = marker_store_health(j->marker, &why);
	return error;
}

/* Context: health_lock; @word is a return.  Return: -ECANCELED it cannot go on */
static int returning_end(struct journal *j, uint64_t word)
{
	const struct view_shared *v = shared_view(j, health_view(word));
	int error = view_ready(j, word);

	if (error == -ESTALE)
		return 0; /* it is over */
	if (error)
		return error;
	health_barrier();
	if (returning_mark(j, word))
		return -ECANCELED;
	if (health_is_left(j))
		return -EAGAIN;
	if (returning_name(j, v))
		return health_word_now(j) == word ? -ECANCELED : 0;
	/* THE POINT.  Before it each who has changed something has done so for both. */
	error = conf_enforce(j->dir, j->lock_fd, v->suffix, journal_message(j));
	if (error == -ENOENT)
		return health_word_now(j) == word ? returning_decided(j, word, v) : 0;
	if (error)
		return journal_fail(j, error);
	returning_over(j, word, HEALTH_TRUSTED);
	return 0;
}

/* What waited for a checkpoint waits no more. */
static void returning_free(struct journal *j)
{
	if (health_bits_durable(j) && segments_pending(j))
		(void)checkpoint(j);
}

int returning_help(struct journal *j)
{
	uint64_t word = health_word_now(j);
	int error = 0;

	if (!j->bits_durable || health_state_of(word) != HEALTH_RETURNING)
		return 0;
	pthread_mutex_lock(&j->health_lock);
	word = health_word_now(j);
	if (health_state_of(word) == HEALTH_RETURNING)
		error = returning_end(j, word);
	if (error == -ECANCELED)
		error = returning_cancel(j, word);
	pthread_mutex_unlock(&j->health_lock);
	if (!error)
		returning_free(j);
	return error;
}

/* ---- its begin ------------------------------------------------------------------------ */

/* Context: health_lock. */
static int returning_begin(struct journal *j, const struct return_where *where)
{
	uint64_t word = health_word_now(j), next;
	uint32_t view;
	int error;

	if (health_state_of(word) != HEALTH_ABANDONED || health_is_left(j))
		return -EAGAIN;
	error = return_make(j, word, where, &view);
	if (error)
		return error;
	/* before anybody can stage.  Should this come to nothing, it stays set aside. */
	reserve_set(j, true);
	next = health_word(health_turn(word) + 1, HEALTH_RETURNING, view);
	if (health_raise(j, word, next, NULL))
		return 0;
	/* another one did */
	return_undo(j, view);
	return -EAGAIN;
}

int returning_try_at(struct journal *j, const struct return_where *where)
{
	int error;

	pthread_mutex_lock(&j->health_lock);
	/* or what is made ready has the segments of before a resize (resize_point.c) */
	if (!entry_conf(j->lock_fd))
		error = -EAGAIN;
	else
		error = journal_failed(j) ? -EIO : returning_begin(j, where);
	entry_conf_done(j->lock_fd);
	pthread_mutex_unlock(&j->health_lock);
	return error ? error : returning_help(j);
}

int returning_try(struct journal *j)
{
	return returning_try_at(j, NULL);
}

/* ---- when ----------------------------------------------------------------------------- */

void returning_relapsed(struct journal *j)
{
	struct shared *s = j->shared;

	if (atomic_load(&s->returns) && clock_ns() - atomic_load(&s->health_ns) < RELAPSE_NS)
		atomic_fetch_add(&s->relapses, 1);
	else
		atomic_store(&s->relapses, 0);
	atomic_store(&s->sound_since_ns, 0);
}

static uint64_t returning_wait(const struct journal *j, uint64_t steady_ns)
{
	return steady_ns << min_u64(atomic_load(&j->shared->relapses), RELAPSES);
}

/* Looked at by one, once in a while.  Return: whether it has been sound for long. */
static bool returning_is_due(struct journal *j, uint64_t wait_ns)
{
	struct shared *s = j->shared;
	uint64_t now = clock_monotonic_ns(), before = atomic_load(&s->sound_look_ns), none = 0;

	if (atomic_load(&s->returns_not) || now - before < min_u64(LOOK_NS, wait_ns / 4) ||
	    !atomic_compare_exchange_strong(&s->sound_look_ns, &before, now))
		return false;
	if (!return_is_sound(shared_view(j, health_view(health_word_now(j))))) {
		atomic_store(&s->sound_since_ns, 0);
		return false;
	}
	(void)atomic_compare_exchange_strong(&s->sound_since_ns, &none, now);
	return now - atomic_load(&s->sound_since_ns) >= wait_ns;
}

int returning_watch(struct journal *j, uint64_t steady_ns)
{
	if (health_now(j) == HEALTH_RETURNING)
		(void)returning_help(j);
	else if (returning_is_due(j, returning_wait(j, steady_ns)) && returning_try(j))
		/* not so soon again */
		atomic_store(&j->shared->sound_since_ns, 0);
	return journal_failed(j) ? journal_fail(j, -EIO) : 0;
}
