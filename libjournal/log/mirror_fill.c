/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A leg that is out of date gets what the other one has, while others write
 * (store/log_copies.h has the steps, mirror_word.h the states).
 *
 * A block that is copied while somebody writes it:
 *
 *   copier                               writer (mirror.c)
 *   a  reads it on the good leg          1  writes it on the good leg; that is done
 *   b  writes it on the other one        2  writes it on the other one
 *   c  reads it again: the same?
 *
 * If it is the same in c, 1 was not done in c, so 2 comes after b.  If not, from a again.
 * What is the same on both legs is not written at all.
 *
 * Who has begun before he could know that the other leg is written again, looks after 1:
 * if it is by then, he writes it, too; else 1 was done before the copying began.
 *
 * One who is stopped between 1 and 2 has not acknowledged anything, and goes on to 2
 * when he goes on.  One who is killed there is counted: word_dead().
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/mirror.h"
#include "store/evidence.h"
#include "util/math.h"

#define RENEW_BYTES   LOG_BUFFER_BYTES
#define RENEW_AT_ONCE 4u
#define RENEW_UNIT    4096u
/* so often it begins anew when somebody dies in the moment of its end */
#define RENEW_TRIES   8u

struct renew {
	struct mirror *m;
	unsigned int from, to;
	uint64_t word; /* by which it is written by all */
	uint8_t *buffer;
	const struct log_renew *how;
	struct message *message;
};

static int renew_say(struct renew *r, unsigned int leg, int error)
{
	return message_errno(r->message, error, "%s: copying %s to %s", mirror_path(r->m, leg),
			     mirror_path(r->m, r->from), mirror_path(r->m, r->to));
}

/* Another one has given it up: because he could not write it, or because somebody died. */
static int renew_lost(struct renew *r)
{
	int error = atomic_load(&r->m->legs->failed);

	if (!error)
		return -EAGAIN;
	return message_errno(r->message, error, "%s: who has the log open cannot write it",
			     mirror_path(r->m, r->to));
}

static bool renew_goes_on(const struct renew *r)
{
	return word_gen(mirror_word(r->m)) == word_gen(r->word);
}

/* ---- where to --------------------------------------------------------------------- */

static bool renew_is_ours(const struct renew *r, const struct leg_meta *meta)
{
	return meta->leg == r->to && meta->pair == r->m->meta.pair &&
	       !memcmp(meta->uuid, r->m->of.uuid, sizeof(meta->uuid));
}

/* A file that a crash has left when it was being made: nothing was written to its head.
 * Or one that was cut off: nothing but its head is left. */
static bool renew_is_stump(const struct renew *r, const char *path)
{
	struct leg_super head[LEG_SUPERS] = { 0 };
	struct leg_meta meta;
	const char *why;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ?
			      -1 : pread(fd, head, sizeof(head), 0);

	if (fd >= 0)
		(void)close(fd);
	if (got < 0)
		return false;
	/* of its head itself, which is all there is, too little is left to say whose it was */
	if (st.st_size && st.st_size < (off_t)offsetof(struct leg_super, reserved))
		return !memcmp(head[0].magic, LEG_MAGIC,
			       min_u64(sizeof(head[0].magic), (uint64_t)st.st_size));
	if (st.st_size <= LEG_HEAD_BYTES &&
	    !leg_supers_decode(head, UINT64_MAX, true, &meta, &why))
		return renew_is_ours(r, &meta);
	return !head[0].magic[0] &&
	       !memcmp(head, (const uint8_t *)head + 1, sizeof(head) - 1);
}

/* One that is this leg, or was made to be it; or nothing is there, and it is made. */
static int renew_open(struct renew *r, const char *path, struct log_store **store)
{
	struct mirror *m = r->m;
	struct message why = { "" };
	struct leg_meta meta;
	unsigned int flags;
	int error = m->of.open(path, m->flags, 0, NULL, store, &why);

	if (!error) {
		error = mirror_head_read(*store, path, &meta, &why);
		if (!error && renew_is_ours(r, &meta) &&
		    (*store)->bytes >= log_store_bytes(&m->store) + LEG_HEAD_BYTES)
			return 0;
		log_store_close(*store);
	}
	*store = NULL;
	flags = m->flags | LOG_CREATE | LOG_OURS | (renew_is_stump(r, path) ? LOG_FORCE : 0);
	return m->of.open(path, flags, log_store_bytes(&m->store) + LEG_HEAD_BYTES,
			  &r->how->progress, store, r->message);
}

static int renew_fits(struct renew *r, const char *path, const struct log_store *store)
{
	uint32_t block_bytes = r->how->block_bytes ? r->how->block_bytes :
						     r->m->store.block_bytes;

	if (store->block_bytes > block_bytes)
		return message_set(r->message, -EINVAL, "%s: wants blocks of %u bytes, the log has "
				   "%u", path, store->block_bytes, block_bytes);
	if (store->class < r->how->class)
		return message_set(r->message, -EPERM, "%s: survives only \"%s\" but \"%s\" is "
				   "required: %s", path, journal_class_name(store->class),
				   journal_class_name(r->how->class), store->evidence);
	return 0;
}

/* From here on it says itself that it is not whole: the other one may go, too. */
static int renew_begin(struct renew *r, struct log_store *store)
{
	struct mirror *m = r->m;
	struct leg_meta meta = m->meta;
	int error;

	meta.events = atomic_load(&m->legs->events) + word_gen(r->word) + 1;
	meta.good = 1u << r->from;
	meta.left_ns = mirror_left_ns(m);
	error = mirror_head_write(store, &meta, r->to);
	return error ? renew_say(r, r->to, error) : 0;
}

/* The one that is there will do, if it is where it is to be, and has not failed. */
static int renew_where(struct renew *r)
{
	struct mirror *m = r->m;
	const char *path = m->of.path[r->to];
	struct log_store *store = mirror_store(m, r->to), *opened = NULL;
	bool there = mirror_has(m, r->to) && mirror_met(m, r->to) && !store->failed &&
		     store->bytes >= log_store_bytes(&m->store) + LEG_HEAD_BYTES &&
		     !strcmp(path, mirror_path(m, r->to));
	int error = there ? 0 : renew_open(r, path, &opened);

	if (!error)
		error = renew_fits(r, path, there ? store : opened);
	if (!error && r->how->made)
		error = r->how->made(r->how->context, path, mirror_path(m, r->from), r->message);
	if (!error)
		error = renew_begin(r, there ? store : opened);
	if (!error) {
		error = mirror_show(m, r->to, opened, path);
		if (!error)
			return 0;
		(void)renew_say(r, r->to, error);
	}
	if (opened)
		log_store_close(opened);
	return error;
}

/* All write it from here on. */
static int renew_admit(struct renew *r)
{
	struct mirror *m = r->m;
	uint64_t word = mirror_word(m);

	atomic_store(&m->legs->failed, 0);
	r->word = word_next(word, FILL_COPYING);
	if (word_fill(word) != FILL_NONE ||
	    !atomic_compare_exchange_strong(&m->legs->word, &word, r->word))
		return -EAGAIN;
	/* the word before what is read: who did not see it was done before */
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}

/* ---- what ------------------------------------------------------------------------- */

static unsigned int renew_chunks(const struct renew *r, uint64_t at, struct log_io *io,
				 uint8_t *buffer)
{
	uint64_t bytes = log_store_bytes(&r->m->store);
	unsigned int count = 0;

	for (; count < RENEW_AT_ONCE && at < bytes; at += RENEW_BYTES, count++)
		io[count] = (struct log_io){
			.offset = at,
			.buffer = buffer + (size_t)count * RENEW_BYTES,
			.bytes = (uint32_t)min_u64(RENEW_BYTES, bytes - at),
		};
	return count;
}

/* Of @io, from the first block that is not as in @has to the last one: it is written, and
 * @has has it. */
static int renew_write(struct renew *r, const struct log_io *io, struct log_io *has)
{
	const uint8_t *now = io->buffer;
	uint8_t *before = has->buffer;
	uint32_t first = 0, end = io->bytes;
	struct log_io part;

	while (first < end && !memcmp(now + first, before + first, RENEW_UNIT))
		first += RENEW_UNIT;
	while (first < end && !memcmp(now + end - RENEW_UNIT, before + end - RENEW_UNIT,
				      RENEW_UNIT))
		end -= RENEW_UNIT;
	if (first == end)
		return 0;
	memcpy(before + first, now + first, end - first);
	part = (struct log_io){ io->offset + LEG_HEAD_BYTES + first, before + first, end - first,
				0 };
	return log_store_write(mirror_store(r->m, r->to), &part, 1, false);
}

/* Until it is what it was when it was copied. */
static int renew_chunk(struct renew *r, struct log_io *io, struct log_io *has)
{
	int error;

	do {
		error = renew_write(r, io, has);
		if (error)
			return renew_say(r, r->to, error);
		if (!renew_goes_on(r))
			return renew_lost(r);
		error = mirror_leg_read(r->m, r->from, io, 1);
		if (error)
			return renew_say(r, r->from, error);
	} while (memcmp(io->buffer, has->buffer, io->bytes));
	return 0;
}

/* It could not be read: all of it is written. */
static void renew_differs(const struct log_io *from, struct log_io *to)
{
	const uint8_t *bytes = from->buffer;
	uint32_t at;

	for (at = 0; at < to->bytes; at += RENEW_UNIT)
		((uint8_t *)to->buffer)[at] = (uint8_t)~bytes[at];
}

/* What is the same already is not written: most of it is, after a short absence, or when
 * copying begins again. */
static int renew_some(struct renew *r, uint64_t at)
{
	struct mirror *m = r->m;
	struct log_io from[RENEW_AT_ONCE], to[RENEW_AT_ONCE];
	unsigned int i, count = renew_chunks(r, at, from, r->buffer);
	int error = mirror_leg_read(m, r->from, from, count);

	if (error)
		return renew_say(r, r->from, error);
	(void)renew_chunks(r, at, to, r->buffer + (size_t)RENEW_AT_ONCE * RENEW_BYTES);
	(void)mirror_leg_read(m, r->to, to, count);
	for (i = 0; i < count && !error; i++) {
		if (to[i].result)
			renew_differs(&from[i], &to[i]);
		if (memcmp(from[i].buffer, to[i].buffer, from[i].bytes))
			error = renew_chunk(r, &from[i], &to[i]);
	}
	return error;
}

static int renew_round(struct renew *r)
{
	const struct journal_progress *progress = &r->how->progress;
	uint64_t at, bytes = log_store_bytes(&r->m->store);
	uint64_t step = (uint64_t)RENEW_AT_ONCE * RENEW_BYTES;
	int error = 0;

	for (at = 0; at < bytes && !error; at += step) {
		error = renew_goes_on(r) ? renew_some(r, at) : renew_lost(r);
		if (!error && progress->report)
			progress->report(progress->context, min_u64(at + step, bytes), bytes);
	}
	if (error)
		return error;
	error = log_store_flush(mirror_store(r->m, r->to));
	return error ? renew_say(r, r->to, error) : 0;
}

/* Rounds, until nobody has died in one.  It is whole then, and stays so. */
static int renew_all(struct renew *r)
{
	_Atomic uint64_t *legs = &r->m->legs->word;
	uint64_t now = r->word, next;
	int error;

	for (;;) {
		error = renew_round(r);
		if (error)
			return error;
		now = r->word;
		next = word_next(now, FILL_ENDING);
		/* nobody dead: the word is what it was when the round began */
		if (atomic_compare_exchange_strong(legs, &now, next)) {
			r->word = next;
			return 0;
		}
		do {
			if (word_gen(now) != word_gen(r->word))
				return renew_lost(r);
			next = word_with_dead(now, 0);
		} while (!atomic_compare_exchange_weak(legs, &now, next));
		r->word = next;
	}
}

/* ---- and then --------------------------------------------------------------------- */

static int renew_heads(struct renew *r)
{
	struct mirror *m = r->m;
	struct leg_meta meta = m->meta;
	int error;

	meta.events = atomic_load(&m->legs->events) + word_gen(r->word);
	meta.good = LEGS_ALL;
	meta.left_ns = 0;
	error = mirror_head_write(mirror_store(m, r->from), &meta, r->from);
	if (error)
		return renew_say(r, r->from, error);
	if (r->how->whole)
		error = r->how->whole(r->how->context, r->message);
	if (error)
		return error;
	/*
	 * Has it been given up meanwhile, that it was left is said elsewhere: if it was said
	 * before it was taken away there, this look comes after the word was changed, and
	 * the leg's own head goes on to say that it is old.  If the look finds nothing, it is
	 * said after it was taken away.
	 */
	if (!renew_goes_on(r))
		return renew_lost(r);
	/* Its own head last: until then it is nothing by itself, and may not be had without
	 * the other one, which may have gone on by then. */
	error = mirror_head_write(mirror_store(m, r->to), &meta, r->to);
	return error ? renew_say(r, r->to, error) : 0;
}

static int renew_end(struct renew *r)
{
	struct mirror *m = r->m;
	uint64_t now = r->word;
	int error = renew_heads(r);

	if (error)
		return error;
	memset(m->legs->why[r->to], 0, sizeof(m->legs->why[r->to]));
	/* release: all of it is durable before anybody relies on it */
	if (!atomic_compare_exchange_strong(&m->legs->word, &now,
					    word_make(word_gen(now) + 1, FILL_NONE, 0, 0)))
		return renew_lost(r);
	mirror_settle(m);
	return 0;
}

static int renew_once(struct renew *r)
{
	int error;

	r->word = mirror_word(r->m);
	error = renew_where(r);
	if (error)
		return error;
	error = renew_admit(r);
	if (error)
		return error;
	error = renew_all(r);
	if (!error)
		error = renew_end(r);
	if (error)
		(void)mirror_give_up(r->m, r->word, error == -EAGAIN ? 0 : error);
	return error;
}

static int renew_out(struct renew *r)
{
	unsigned int tries;
	void *buffer;
	int error;

	r->from = mirror_in_use(r->m) == 2;
	r->to = !r->from;
	error = mirror_meet(r->m, r->from);
	if (error)
		return message_errno(r->message, error, "%s", mirror_path(r->m, r->from));
	if (posix_memalign(&buffer, 4096, 2ul * RENEW_AT_ONCE * RENEW_BYTES))
		return message_errno(r->message, -ENOMEM, "%s", mirror_path(r->m, r->to));
	r->buffer = buffer;
	/* of a copier who was killed, and whom nobody has taken over */
	mirror_died(&r->m->store, true);
	error = -EAGAIN;
	for (tries = 0; tries < RENEW_TRIES && error == -EAGAIN; tries++)
		error = renew_once(r);
	free(buffer);
	return error == -EAGAIN ? renew_say(r, r->to, error) : error;
}

int mirror_renew(struct log_store *store, const struct log_renew *how, struct message *message)
{
	struct mirror *m = mirror_of(store);
	struct renew r = { .m = m, .how = how, .message = message };
	unsigned int there = mirror_readable(m);
	int error = 0;

	/* one that was missed, and not yet by a write */
	if (there != LEGS_ALL && mirror_in_use(m) == LEGS_ALL)
		error = mirror_leave(m, mirror_word(m), there == 1, -ENODEV);
	if (error)
		return message_errno(message, error, "%s", mirror_path(m, there == 2));
	return mirror_in_use(m) == LEGS_ALL ? 0 : renew_out(&r);
}
