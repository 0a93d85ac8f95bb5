/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/return_make.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "store/persist.h"
#include "txn/checkpoint.h"
#include "txn/clock.h"
#include "txn/health.h"
#include "txn/line.h"
#include "txn/media.h"
#include "txn/return_left.h"
#include "txn/stand_in.h"

int return_path(const struct view_shared *v, const char *suffix, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s%s", strchr(v->uri, ':') + 1, suffix) < PATH_MAX ?
		       0 : -ENAMETOOLONG;
}

/* A device has no other bytes: with one in use it is gone back to by the first who opens
 * (return_to.c).  One that is not there is not made: its place may be another file
 * system's. */
bool return_is_sound(const struct view_shared *v)
{
	struct marker_store *store;
	struct message unused;
	struct stat st;
	bool sound;

	if (stat(strchr(v->uri, ':') + 1, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return false;
	if (backend_open_marker(v->uri, MARKER_RDONLY, 0, &store, &unused))
		return false;
	sound = store->ops->replace && !marker_store_health(store, &unused);
	marker_store_close(store);
	return sound;
}

/* ---- where it is described ------------------------------------------------------------ */

static int return_take_view(struct journal *j, uint64_t word, uint32_t *view)
{
	uint32_t i, lease, made;
	int error = -EAGAIN;

	for (i = 1; i < VIEWS && error == -EAGAIN; i++) {
		lease = 0;
		/* also one that was in use, and is ours since we made it */
		if (i == health_view(word))
			continue;
		error = shared_view_ready(j, i);
		if (error)
			return error;
		if (!atomic_compare_exchange_strong(&shared_view(j, i)->lease, &lease, j->member) &&
		    lease != j->member)
			error = -EAGAIN;
		*view = i;
	}
	if (error)
		return error;
	made = atomic_load(&j->shared->views_made);
	while (made < *view &&
	       !atomic_compare_exchange_weak(&j->shared->views_made, &made, *view))
		;
	return 0;
}

static void return_describe(struct journal *j, uint64_t word, const struct return_where *where,
			    struct view_shared *v)
{
	const struct view_shared *before = shared_view(j, health_view(word));

	(void)snprintf(v->uri, sizeof(v->uri), "%s", where ? where->uri : before->uri);
	v->assume = where ? where->assume : before->assume;
	v->after_file = health_word_on_file(j, word);
	/* of no other attempt that anybody may still be at */
	(void)snprintf(v->suffix, sizeof(v->suffix), ".return-%llu-%u",
		       (unsigned long long)health_turn(word) + 1, j->member);
}

/* ---- the medium ----------------------------------------------------------------------- */

static int return_geometry(const struct journal *j, const struct view_shared *v,
			   const struct marker_store *store, struct marker_geometry *g,
			   struct message *message)
{
	*g = j->geometry;
	g->created_ns = clock_ns();
	g->incompat = 0;
	g->compat = 0;
	/* of segments that are sealed the second digests are in the logs, or were in NVRAM */
	g->digests = 0;
	marker_geometry_make(g);
	return g->bytes <= store->bytes ? 0 :
	       message_set(message, -ENOSPC, "%s: it has become too small", v->uri);
}

static bool return_is_first(const struct journal *j, const struct view_shared *v)
{
	return v->after_file && health_turn(health_word_now(j)) == 1;
}

/* The persist routine was chosen for the one before, by all; for the first one ever as late
 * as then. */
static int return_fits(const struct journal *j, const struct view_shared *v,
		       struct marker_store *store, struct message *message)
{
	const struct marker_share *before = &j->shared->common.marker;
	struct marker_share now = { 0 };

	if (!shared_is_shared(&j->shared_file))
		return 0;
	if (!store->ops->replace || !marker_store_can_share(store))
		return message_set(message, -ENOTSUP, "%s: it is no memory that a journal in use "
				   "can be moved to", v->uri);
	if (return_is_first(j, v))
		return 0;
	marker_store_share(store, &now, NULL);
	return now.kind == before->kind && persist_serves(before->routine, now.routine) ?
		       0 : message_set(message, -ENOTSUP, "%s: it is another kind of memory than "
				       "the one before: all have to close the journal for that",
				       v->uri);
}

/* Before anybody can see it. */
static void return_choose(struct journal *j, const struct view_shared *v,
			  struct marker_store *store)
{
	struct marker_share *share = &j->shared->common.marker;

	if (!return_is_first(j, v))
		return;
	marker_store_describe(store, share);
	if (shared_is_shared(&j->shared_file))
		marker_store_share(store, share, NULL);
}

/* Nothing is marked on it yet: that comes when all know of it. */
static int return_write(struct journal *j, struct marker_store *store,
			const struct marker_geometry *g)
{
	struct marker_state *state = (struct marker_state *)(void *)(store->map + g->state_offset);
	struct marker_lane *lanes = (struct marker_lane *)(void *)(store->map + g->lanes_offset);
	uint64_t incarnation = atomic_load(&j->shared->incarnation);
	struct marker_super super;
	uint32_t i;
	int error;

	/* one more: should ids run over just now, by who knows of this one only later */
	nv_store8(store, (uint64_t *)&state->incarnation, (uint64_t)word_seal(incarnation + 1));
	nv_store8(store, (uint64_t *)&state->replay_seq, 0);
	nv_store8(store, (uint64_t *)&state->abandoned, (uint64_t)word_seal(incarnation - 1));
	for (i = 0; i < g->lanes; i++)
		nv_store8(store, (uint64_t *)&lanes[i].tail, (uint64_t)word_seal(0));
	/* what the superblock vouches for, before the superblock */
	error = nv_fence(store);
	marker_super_encode(g, &super);
	for (i = 0; i < MARKER_SUPERS; i++)
		nv_copy(store, store->map + i * MARKER_SUPER_BYTES, &super, sizeof(super));
	return error ? error : nv_fence(store); /* before journal.conf names it */
}

/* Whether what was made will do; nothing of it is in the index yet. */
static int return_will_do(struct journal *j, const struct view_shared *v,
			  struct marker_store *store, bool ordered, enum journal_class *class,
			  struct marker_geometry *g)
{
	struct message *message = journal_message(j);
	/* nobody goes by himself to what survives less */
	uint32_t require = ordered ? atomic_load(&j->shared->require) :
				     shared_view(j, health_view(health_word_now(j)))->class;
	int error = media_class(v->uri, store->class, store->evidence,
				(enum journal_class)v->assume,
				(enum journal_class)require, class, message);

	if (!error)
		error = marker_store_health(store, message);
	if (!error)
		error = return_fits(j, v, store, message);
	return error ? error : return_geometry(j, v, store, g, message);
}

static int return_fill(struct journal *j, struct view_shared *v, struct marker_store *store,
		       const char *path, bool ordered)
{
	struct message *message = journal_message(j);
	enum journal_class class;
	struct marker_geometry g;
	struct stat st;
	int error = return_will_do(j, v, store, ordered, &class, &g);

	if (error)
		return error;
	return_choose(j, v, store);
	error = return_write(j, store, &g);
	if (!error)
		error = stand_in_permissions(j, path, message);
	if (!error && stat(path, &st))
		error = message_errno(message, -errno, "%s", path);
	if (error)
		return error;
	v->device = st.st_dev;
	v->inode = st.st_ino;
	v->class = class;
	v->stage_offset = g.stage_offset;
	return 0;
}

/* What is said is of the name that it gets in the end. */
static void return_cut(struct message *message, const char *suffix)
{
	char *at = strstr(message->text, suffix);

	if (at)
		memmove(at, at + strlen(suffix), strlen(at + strlen(suffix)) + 1);
}

static int return_create(struct journal *j, const struct view_shared *v, const char *path,
			 struct marker_store **store)
{
	char uri[PATH_MAX + 64];
	int error;

	(void)snprintf(uri, sizeof(uri), "%.*s:%s", (int)(strchr(v->uri, ':') - v->uri), v->uri,
		       path);
	/* never bytes that somebody has mapped */
	(void)unlink(path);
	error = backend_open_marker(uri, MARKER_CREATE, j->marker->bytes, store,
				    journal_message(j));
	if (error)
		return_cut(journal_message(j), v->suffix);
	return error;
}

static int return_medium(struct journal *j, struct view_shared *v, bool ordered)
{
	struct marker_store *store;
	char path[PATH_MAX];
	int error = return_path(v, v->suffix, path);

	if (!error)
		error = return_create(j, v, path, &store);
	if (error)
		return error;
	error = return_fill(j, v, store, path, ordered);
	marker_store_close(store);
	if (error)
		return_cut(journal_message(j), v->suffix);
	return error;
}

/* One that is made, looked at, and removed. */
static int return_trial(struct journal *j, const struct view_shared *v)
{
	struct marker_store *store;
	struct marker_geometry g;
	enum journal_class class;
	char path[PATH_MAX];
	int error = return_path(v, v->suffix, path);

	if (error)
		return journal_say(j, error, "%s: path too long", v->uri);
	error = return_create(j, v, path, &store);
	if (!error) {
		error = return_will_do(j, v, store, true, &class, &g);
		marker_store_close(store);
	}
	(void)unlink(path);
	if (error)
		return_cut(journal_message(j), v->suffix);
	return error;
}

int return_try(struct journal *j, const struct return_where *where)
{
	struct view_shared v = { 0 };
	int error = -EAGAIN;

	pthread_mutex_lock(&j->health_lock);
	/* or one that returns removes it under us (return_clear()) */
	if (entry_conf(j->lock_fd)) {
		return_describe(j, health_word_now(j), where, &v);
		error = return_trial(j, &v);
	}
	entry_conf_done(j->lock_fd);
	pthread_mutex_unlock(&j->health_lock);
	return error;
}

/* ---- journal.conf --------------------------------------------------------------------- */

static int return_conf(struct journal *j, const struct view_shared *v)
{
	struct message *message = journal_message(j);
	struct conf conf;
	int error = conf_read(j->dir, &conf, message);

	if (error)
		return error;
	memcpy(conf.marker, v->uri, sizeof(conf.marker));
	conf.assume_marker = (enum journal_class)v->assume;
	conf.return_to[0] = '\0';
	return conf_prepare(j->dir, j->lock_fd, &conf, v->suffix, message);
}

/* ---- all of it ------------------------------------------------------------------------ */

/* Ids from here on are of a higher incarnation than any that the medium before has seen. */
static int return_incarnation(struct journal *j)
{
	uint64_t wanted, number = atomic_load(&j->shared->next_number);
	int error;

	pthread_mutex_lock(&j->lines_lock);
	wanted = atomic_load(&j->shared->incarnation) + 1;
	error = incarnation_raise(j, wanted);
	pthread_mutex_unlock(&j->lines_lock);
	while (!error && number < wanted << LINE_COUNTER_BITS &&
	       !atomic_compare_exchange_weak(&j->shared->next_number, &number,
					     wanted << LINE_COUNTER_BITS))
		;
	return error;
}

static int return_possible(struct journal *j)
{
	uint32_t line;

	for (line = 0; line < atomic_load(&j->shared->lines_used); line++)
		if (line_is_bad(j, line))
			return journal_say(j, -EUCLEAN, "the epoch of line %u is damaged", line);
	return 0;
}

void return_undo(struct journal *j, uint32_t view)
{
	struct view_shared *v = shared_view(j, view);
	char path[PATH_MAX];

	(void)conf_give_up(j->dir, j->lock_fd, v->suffix);
	if (!return_path(v, v->suffix, path))
		(void)unlink(path);
	atomic_store(&v->lease, 0);
}

/* Who was killed in this has left a second medium: without room for a third there would be
 * no way back any more.  Nobody else is at it: entry_conf(), and health is what it was. */
static void return_clear(const struct journal *j, const struct view_shared *v)
{
	char path[PATH_MAX];

	if (!return_path(v, "", path))
		return_left_remove(path);
	if (!conf_path(j->dir, CONF_NAME, path, NULL))
		return_left_remove(path);
}

int return_make(struct journal *j, uint64_t word, const struct return_where *where,
		uint32_t *view)
{
	struct view_shared *v;
	int error = return_possible(j);

	if (!error)
		error = return_take_view(j, word, view);
	if (error)
		return error;
	v = shared_view(j, *view);
	return_describe(j, word, where, v);
	return_clear(j, v);
	error = return_incarnation(j);
	if (!error)
		error = return_medium(j, v, where);
	if (!error)
		error = return_conf(j, v);
	if (error)
		return_undo(j, *view);
	return error;
}
