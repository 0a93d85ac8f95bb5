/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "format/features.h"
#include "txn/background.h"
#include "txn/checkpoint.h"
#include "txn/copies.h"
#include "txn/entry.h"
#include "txn/extent.h"
#include "txn/extents.h"
#include "txn/found.h"
#include "txn/head.h"
#include "txn/health.h"
#include "txn/holds.h"
#include "txn/join.h"
#include "txn/lane.h"
#include "txn/leave.h"
#include "txn/list.h"
#include "txn/logs.h"
#include "txn/media.h"
#include "txn/member.h"
#include "txn/move.h"
#include "txn/on_file.h"
#include "txn/open_impl.h"
#include "txn/pool.h"
#include "txn/recover.h"
#include "txn/reserve.h"
#include "txn/return_to.h"
#include "txn/returning.h"
#include "txn/runs.h"
#include "txn/segment.h"
#include "txn/stand_in.h"
#include "txn/streams.h"
#include "txn/takeover.h"
#include "txn/txn_impl.h"

#define STAGE_MAX_DEFAULT 16384u

int journal_childs(struct journal *j)
{
	return journal_say(j, -ECHILD, "the handle is of pid %d, which forked: open the journal in "
			   "the child", j->opener_pid);
}

#define PAGE_BYTES 4096u

/* Without it (before Linux 4.14) a child is not noticed. */
static void journal_note_fork(struct journal *j)
{
	uint8_t *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	j->opener_pid = (int)getpid();
	if (page == MAP_FAILED)
		return;
	if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK)) {
		munmap(page, PAGE_BYTES);
		return;
	}
	*page = 1;
	j->parents = page;
}

static int journal_locks(struct journal *j)
{
	return pthread_mutex_init(&j->lines_lock, NULL) ||
			       pthread_mutex_init(&j->health_lock, NULL) ||
			       pthread_mutex_init(&j->own_lock, NULL) ||
			       pthread_mutex_init(&j->found_lock, NULL) ||
			       pthread_mutex_init(&j->logs_lock, NULL) ||
			       pthread_mutex_init(&j->view_lock, NULL) ||
			       pthread_mutex_init(&j->pool_lock, NULL) ?
		       -ENOMEM :
		       0;
}

/* The index, and who we are in it.  Where it cannot be shared, we are alone. */
static int journal_share(struct journal *j)
{
	int error;

	j->segments.room = runs_room(j);
	on_file_room(j);
	if (j->read_only || j->alone || *j->why_private.text) {
		error = shared_make(j, false, NULL);
	} else {
		error = shared_make(j, join_possible(j, &j->why_private), &j->why_private);
	}
	if (!error)
		error = runs_begin(j);
	if (!error && shared_is_shared(&j->shared_file))
		error = join_offer(j);
	return error;
}

static int journal_member(struct journal *j)
{
	int error = 0;

	if (shared_is_shared(&j->shared_file))
		error = member_join(j);
	else
		member_alone(j);
	return error ? error : holds_ready(j);
}

/* This process's own parts. */
static int journal_parts(struct journal *j)
{
	int error;

	if (j->role == ENTRY_FIRST)
		atomic_store(&j->view_turn, 1);
	j->pending_uses = calloc(j->segments.room, sizeof(*j->pending_uses));
	if (!j->pending_uses)
		return -ENOMEM;
	error = list_make(j);
	if (!error)
		error = heads_make(j);
	if (!error)
		error = lanes_make(j);
	if (!error)
		error = streams_make(j);
	if (!error)
		error = stream_make(&j->moved, j, HEAD_MOVED);
	if (!error)
		error = stream_make(&j->old, j, HEAD_OLD);
	if (!error)
		error = background_make(j);
	if (!error && !j->read_only)
		error = stream_make_ready(&j->streams[0]);
	return error ? error : extents_make(j);
}

static void journal_policy(struct journal *j, const struct journal_open_options *o)
{
	uint32_t wanted = o->stage_max_bytes ? o->stage_max_bytes : STAGE_MAX_DEFAULT;

	reserve_make(j);
	j->moves_lines = j->log_geometry[j->buffers_log].incompat & FORMAT_INCOMPAT_MOVED;
	if (segments_usable(j) > segments_reserve(j))
		j->txn_bytes_max = min_u64(JOURNAL_TXN_BYTES_MAX,
					   segment_room(j) * (segments_usable(j) -
							      segments_reserve(j)));
	j->stage_on = j->bits_durable && j->geometry.ring_bytes && !j->read_only;
	/* a quarter of a ring, and what a log record holds at its destage */
	wanted = (uint32_t)min_u64(wanted, LOG_BUFFER_BYTES / 2);
	/* what is staged must find room in one record of the log when it is destaged */
	wanted = (uint32_t)min_u64(wanted, extent_payload_max(j));
	j->stage_max_bytes =
		(uint32_t)min_u64(wanted, round_down(j->geometry.ring_bytes / 4, 64));
	view_survives(j, j->class_marker);
}

static int journal_configure(struct journal *j, const char *dir,
			     const struct journal_open_options *o)
{
	struct message *message = journal_message(j);
	int error = conf_read(dir, &j->conf, message);

	if (error)
		return error;
	j->dir = realpath(dir, NULL);
	if (!j->dir)
		return message_errno(message, -errno, "%s", dir);
	j->require = o->require > j->conf.require ? o->require : j->conf.require;
	return 0;
}

/* what is not known today must be free to mean something tomorrow */
static int journal_options_sane(struct journal *j, const struct journal_open_options *o)
{
	if (o->flags & ~(JOURNAL_RDONLY | JOURNAL_NO_URING | JOURNAL_BESIDE))
		return journal_say(j, -EINVAL, "flags %#x: not all of them are known", o->flags);
	if (o->flags & JOURNAL_BESIDE && !j->read_only)
		return journal_say(j, -EINVAL, "JOURNAL_BESIDE is to read: with JOURNAL_RDONLY");
	if (o->require > JOURNAL_CLASS_POWER)
		return journal_say(j, -EINVAL, "require %d: no such durability class",
				   (int)o->require);
	return 0;
}

static int journal_no_memory(struct journal *j, int error)
{
	return error == -ENOMEM ? journal_say(j, error, "%s: no memory", j->dir) : error;
}

/* Another medium may take the place of this one while it is open. */
static int journal_first_medium(struct journal *j, const struct journal_open_options *o)
{
	int error = 0;

	if (j->bits_durable) {
		error = stand_in_first(j);
	} else {
		error = on_file_begin(j);
		if (!error)
			journal_policy(j, o);
	}
	return error ? error : view_first(j);
}

/* Nobody is there: recover, and let others join. */
static int journal_first(struct journal *j, const struct journal_open_options *o)
{
	int error = media_open(j, o->flags, journal_message(j));

	if (error)
		return error;
	/* what others have left who were all killed */
	if (!j->read_only)
		shared_sweep(j);
	error = journal_share(j);
	if (!error)
		logs_begin(j);
	if (!error)
		error = journal_member(j);
	if (!error)
		error = journal_parts(j);
	if (error)
		return journal_no_memory(j, error);
	reserve_set(j, j->bits_durable);
	require_raise(j);
	journal_policy(j, o);
	health_begin(j);
	error = recover(j, o);
	if (!error && !j->read_only)
		error = media_mend(j);
	if (!error && !j->read_only && !j->alone)
		error = journal_first_medium(j, o);
	if (error || j->read_only)
		return error;
	if (!shared_is_shared(&j->shared_file))
		return entry_alone(j->lock_fd, j->why_private.text);
	error = shared_announce(j, journal_message(j));
	return error ? error : entry_ready(j->lock_fd);
}

/* Others are there: nothing is recovered, no medium looked at. */
static int journal_join(struct journal *j, const struct journal_open_options *o)
{
	int error = join_media(j, o->flags, journal_message(j));

	if (!error && !j->read_only)
		error = journal_member(j);
	if (!error)
		error = journal_parts(j);
	if (error)
		return journal_no_memory(j, error);
	journal_policy(j, o);
	health_begin(j);
	j->recovered = j->shared->common.recovered;
	if (j->read_only)
		return 0;
	/* those before us may all be asleep; if it fails, that is sticky */
	(void)health_ask(j);
	return entry_ready(j->lock_fd);
}

/* The writer is one that shares with nobody: it has said why. */
static void journal_look_alone(struct journal *j)
{
	char why[256];

	entry_why_alone(j->dir, why, sizeof(why));
	if (*why && j->writer_pid)
		(void)message_set(&j->why_private, 0, "pid %d shares it with nobody: %s",
				  j->writer_pid, why);
}

/* Nobody was there before we read: if somebody has come since, and perhaps left again, it
 * was read beside him, and what looks lost is looked at again. */
static int journal_look_after(struct journal *j, int error)
{
	uint64_t now;

	/* without memory it may not have read what it would be held against */
	if (j->writer_pid || error == -ENOMEM)
		return error;
	j->writer_pid = entry_holder(j->dir);
	if (!j->writer_pid && j->marker && j->bits_durable && j->shared &&
	    !word_unseal(state_media(j)->incarnation, &now) && now != j->shared->incarnation)
		j->writer_pid = ENTRY_PID_UNKNOWN;
	return error && j->writer_pid ? journal_say(j, -ESTALE, "%s: somebody came while it was "
						    "being opened", j->dir) : error;
}

/*
 * To read: in the index of those who write, if there are any.  Nobody waits for a
 * reader, so it holds no lock, and the index may be given up under it: it looks at
 * the state again.  Otherwise it recovers in memory, beside them perhaps.
 * journal_check() always does: it is to look at the media.
 */
static int journal_look(struct journal *j, const struct journal_open_options *o)
{
	int error;

	j->writer_pid = entry_holder(j->dir);
	if (!j->writer_pid)
		(void)message_set(&j->why_private, 0, "nobody has the journal open to write");
	else if (!j->found && !shared_join(j, &j->why_private)) {
		j->role = ENTRY_JOINS;
		error = journal_join(j, o);
		if (atomic_load(&j->shared->state) != SHARED_READY)
			return journal_say(j, -ESTALE, "%s: closed while it was being opened",
					   j->dir);
		/* who was the first may have left since */
		j->writer_pid = member_some_pid(j);
		return error;
	}
	shared_forget(j);
	journal_look_alone(j);
	if (o->flags & JOURNAL_BESIDE)
		return journal_say(j, -ESRCH, "%s: %s", j->dir, j->why_private.text);
	error = media_unchanged(j, journal_first(j, o));
	return journal_look_after(j, error);
}

#define JOIN_TRIES 100

/* Others write it: it cannot be had alone. */
static int journal_in_use(struct journal *j)
{
	entry_end(j->lock_fd);
	j->lock_fd = -1;
	return journal_say(j, -EBUSY, "%s: in use by pid %d", j->dir, entry_holder(j->dir));
}

/* Find out who is there.  The index may go with its last member just now: again. */
static int journal_enter(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct message why;
	int error, try;

	for (try = 0;; try++) {
		error = entry_come(j->dir, 0600, &j->lock_fd, &j->role,
				   journal_message(j));
		if (error || j->role == ENTRY_FIRST)
			return error;
		if (j->alone)
			return journal_in_use(j);
		error = shared_join(j, &why);
		if (error != -ESTALE || try == JOIN_TRIES)
			break;
		shared_forget(j);
		entry_again(&j->lock_fd);
		nanosleep(&moment, NULL);
	}
	if (error == -ESTALE)
		return journal_say(j, -EBUSY, "%s: others have it open, and what they share is not "
				   "to be found here (another /dev/shm, a chroot?): %s", j->dir,
				   why.text);
	return error ? journal_say(j, error, "%s", why.text) : 0;
}

int journal_open_impl(struct journal *j, const char *dir,
		      const struct journal_open_options *o)
{
	int error;

	j->lock_fd = -1;
	j->member_fd = -1;
	j->shared_file.fd = -1;
	j->read_only = o->flags & JOURNAL_RDONLY;
	j->open_flags = o->flags;
	journal_note_fork(j);
	error = journal_locks(j);
	if (!error)
		error = journal_options_sane(j, o);
	if (!error)
		error = journal_configure(j, dir, o);
	if (error)
		return error;
	if (j->conf.return_to[0] && !j->read_only && !j->alone)
		return_to(j->dir, &j->conf);
	j->role = ENTRY_FIRST;
	if (j->read_only)
		return j->alone ? journal_first(j, o) : journal_look(j, o);
	error = journal_enter(j);
	/* it may be another by now (health.c, set_marker.c), and from here on it stays */
	if (!error && j->role == ENTRY_FIRST)
		error = conf_read(dir, &j->conf, journal_message(j));
	/* with the lock of one journal nothing of another is opened */
	if (!error)
		error = entry_not_there(dir, entry_there(j->dir, j->lock_fd), journal_message(j));
	if (error)
		return error;
	return j->role == ENTRY_FIRST ? journal_first(j, o) : journal_join(j, o);
}

/* The open failed: others find no trace of us. */
static void journal_undo(struct journal *j)
{
	/* a reader has left none, and the index is not its own */
	if (!j->shared || !shared_is_shared(&j->shared_file) || j->read_only)
		return;
	if (j->role == ENTRY_FIRST)
		shared_remove(j);
	else if (j->member)
		member_leave(j);
}

int journal_open_once(const char *dir, const struct journal_open_options *options,
		      void (*prepare)(struct journal *j, void *context), void *context,
		      const struct message *why_private, struct journal **journal)
{
	struct journal *j;
	int error;

	*journal = NULL;
	if (posix_memalign((void **)&j, 128, sizeof(*j)))
		return -ENOMEM;
	memset(j, 0, sizeof(*j));
	*journal = j;
	if (why_private)
		j->why_private = *why_private;
	journal_say(j, 0, "no error"); /* this address may have had another's */
	if (prepare)
		prepare(j, context);
	error = journal_open_impl(j, dir, options);
	if (error)
		journal_undo(j);
	if (error)
		/* it serves only journal_error() and journal_close() from here on */
		j->open_error = error;
	else
		j->opened = true;
	return error;
}

/* The last one leaves. */
static int journal_end(struct journal *j)
{
	int error;

	/* all others are gone; some of them may have been killed */
	takeover_sweep(j, 0);
	error = health_switch(j);
	if (error)
		return error;
	/* if it cannot end, all is right by the stand-in, which is still in force */
	(void)returning_help(j);
	leave_pool(j);
	move_end(j);
	error = heads_name(j);
	if (!error)
		error = leave_lines(j);
	return error ? error : checkpoint(j);
}

static void journal_spares_free(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++) {
		/* a transaction is still open */
		JASSERT(!j->member || j->lanes[i].s->lease != j->member);
		if (j->lanes[i].spare)
			txn_free(j->lanes[i].spare);
		j->lanes[i].spare = NULL;
	}
}

/* Leave; who turns out to be the last leaves everything in order. */
static int journal_leave(struct journal *j)
{
	int error = journal_failed(j) ? -EIO : streams_drain(j);

	if (!shared_is_shared(&j->shared_file))
		return error ? error : journal_end(j);
	if (journal_failed_here(j))
		return error; /* journal_die() */
	/* a line is kept only for the last one's clean word */
	if (!error)
		pool_give(j, j->own);
	if (!entry_leave(j->lock_fd)) {
		holds_takeover(j, j->member - 1);
		member_leave(j);
		return error;
	}
	if (!error)
		error = journal_end(j);
	shared_remove(j);
	return error;
}

/* Nothing is under way any more: from here on it is as if the process had been killed.  Who
 * leaves as the last looks for the dead, so the member's lock goes first. */
static void journal_die(struct journal *j)
{
	member_die(j);
	if (entry_leave(j->lock_fd))
		shared_remove(j);
}

static void journal_free(struct journal *j)
{
	bool dies = j->opened && !j->read_only && journal_failed_here(j) &&
		    shared_is_shared(&j->shared_file);

	streams_free(j);
	stream_free(&j->moved);
	stream_free(&j->old);
	background_free(j);
	txn_pool_free(j);
	lanes_free(j);
	heads_free(j);
	free(j->pending_uses);
	list_free(j);
	stand_in_close(j);
	media_close(j);
	if (dies)
		journal_die(j);
	shared_free(j);
	member_drop(j);
	if (j->lock_fd >= 0)
		entry_end(j->lock_fd); /* the locks go last: media are closed */
	if (j->health_fd)
		close(j->health_fd - 1);
	if (j->parents)
		munmap((void *)(uintptr_t)j->parents, PAGE_BYTES);
	free(j);
}

int journal_close(struct journal *j)
{
	int error = 0;

	if (!j)
		return 0;
	/* what is the parent's stays as it is, and this process's copies of it go
	 * with the process */
	if (journal_is_childs(j))
		return journal_childs(j);
	JASSERT(!atomic_load_explicit(&j->reads_open, memory_order_relaxed));
	JASSERT(!atomic_load_explicit(&j->asyncs_open, memory_order_relaxed));
	/* also of an open that failed */
	copies_gathered(j);
	if (j->opened && !j->read_only)
		background_stop(j);
	if (j->opened) {
		journal_spares_free(j);
		error = j->read_only ? (journal_failed(j) ? -EIO : 0) : journal_leave(j);
	}
	journal_free(j);
	return error;
}
