/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and making a mirrored log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/mirror.h"
#include "store/log_gone.h"
#include "util/assert.h"
#include "util/math.h"

/* what a leg that is not there is taken for, until it is known better */
#define GONE_BLOCK_BYTES 4096u

/*
 * The disk is gone, or what was on it is: the other leg will do.  What is only refused to
 * us (-EACCES) would be there for somebody else, and he would write to both.
 */
static bool leg_is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ENXIO || error == -ENODEV ||
	       error == -ENOMEDIUM || error == -EIO || error == -EUCLEAN || error == -EXDEV;
}

int mirror_without(struct mirror *m, unsigned int leg, int error, const char *why)
{
	log_store_close(m->leg[leg]);
	m->leg[leg] = NULL;
	if (m->legs == &m->own)
		(void)snprintf(m->own.why[leg], sizeof(m->own.why[leg]), "%.159s", why);
	return log_store_gone(error, why, m->meta.bytes ? m->meta.bytes + LEG_HEAD_BYTES :
							  GONE_BLOCK_BYTES,
			      GONE_BLOCK_BYTES, m->store.read_only, &m->leg[leg]);
}

static void settle_text(struct mirror *m)
{
	const struct log_store *first = m->leg[0], *second = m->leg[1];
	struct log_store *store = &m->store;

	if (!strcmp(first->evidence, second->evidence))
		(void)snprintf(store->evidence, sizeof(store->evidence), "both: %.249s",
			       first->evidence);
	else
		(void)snprintf(store->evidence, sizeof(store->evidence), "1: %.122s; 2: %.122s",
			       first->evidence, second->evidence);
	if (!strcmp(first->routine, second->routine))
		(void)snprintf(store->routine, sizeof(store->routine), "both: %.57s",
			       first->routine);
	else
		(void)snprintf(store->routine, sizeof(store->routine), "1: %.26s; 2: %.26s",
			       first->routine, second->routine);
}

void mirror_settle(struct mirror *m)
{
	struct log_store *store = &m->store;
	unsigned int i;

	store->block_bytes = 512;
	store->class = JOURNAL_CLASS_POWER;
	for (i = 0; i < LEGS; i++) {
		if (!log_store_can_share(m->leg[i]))
			m->ops.share = NULL;
		if (!mirror_has(m, i))
			continue;
		/* what survives on one only is gone with the other one's disk */
		if (m->leg[i]->class < store->class)
			store->class = m->leg[i]->class;
		if (m->leg[i]->block_bytes > store->block_bytes)
			store->block_bytes = m->leg[i]->block_bytes;
	}
	settle_text(m);
}

/* As far as what is used of it goes: it may be longer by now than it was formatted, or
 * shorter (txn/resize.h). */
static void settle_bytes(struct mirror *m)
{
	unsigned int i, legs = mirror_in_use(m) & atomic_load(&m->there);

	m->store.bytes = UINT64_MAX;
	for (i = 0; i < LEGS; i++)
		if (legs >> i & 1)
			m->store.bytes = min_u64(m->store.bytes,
						 m->leg[i]->bytes - LEG_HEAD_BYTES);
}

static struct mirror *mirror_new(const struct log_legs_of *of, unsigned int flags)
{
	struct mirror *m = log_store_alloc(sizeof(*m));
	unsigned int i;

	if (!m || pthread_mutex_init(&m->meet, NULL)) {
		free(m);
		return NULL;
	}
	m->ops = mirror_ops;
	m->store.ops = &m->ops;
	m->store.copies = &mirror_copies_ops;
	m->store.read_only = flags & LOG_RDONLY;
	m->legs = &m->own;
	m->flags = flags & (LOG_RDONLY | LOG_NO_URING);
	m->of = *of;
	for (i = 0; i < LEGS; i++)
		m->path[i] = strdup(of->path[i]);
	if (m->path[0] && m->path[1])
		return m;
	mirror_ops.close(&m->store);
	return NULL;
}

/* ---- two that are there ------------------------------------------------------------ */

struct found {
	struct leg_meta meta[LEGS];
	struct message why[LEGS];
	int error[LEGS];
};

static int leg_open(struct mirror *m, unsigned int i, unsigned int flags, struct found *found)
{
	const char *path = m->of.path[i];
	struct leg_meta *meta = &found->meta[i];
	int error = m->of.open(path, flags, 0, NULL, &m->leg[i], &found->why[i]);

	if (!error)
		error = mirror_head_read(m->leg[i], path, meta, &found->why[i]);
	if (!error && memcmp(meta->uuid, m->of.uuid, sizeof(meta->uuid)))
		error = message_set(&found->why[i], -EXDEV, "%s: belongs to another journal (uuid)",
				    path);
	if (!error && meta->leg != i)
		error = message_set(&found->why[i], -EXDEV, "%s: is leg %u of its log, but "
				    "journal.conf has it as leg %u", path, meta->leg + 1, i + 1);
	return error;
}

/* It goes on as it was left. */
static void found_out(struct mirror *m, unsigned int out)
{
	m->own.word = word_make(0, FILL_NONE, out, out); /* the leg's number + 1 is its bit */
	m->own.left_at = out ? m->meta.left_ns / 1000000000u & UINT32_MAX : 0;
}

static int found_both(struct mirror *m, const struct found *found, struct message *message)
{
	uint32_t out = legs_judge(found->meta), left = m->of.left ? 1u << (m->of.left - 1) : 0;

	/* where it is remembered it was decided, by a write or by somebody */
	out = out == LEGS_ALL && left ? left : out | left;

	if (found->meta[0].pair != found->meta[1].pair ||
	    found->meta[0].bytes != found->meta[1].bytes)
		return message_set(message, -EXDEV, "%s, %s: are not of one log", m->path[0],
				   m->path[1]);
	if (out == LEGS_ALL)
		return message_set(message, -ENOTUNIQ, "%s, %s: each has gone on without the other "
				   "one: which of them is to count must be said (jnl mirror "
				   "--keep)", m->path[0], m->path[1]);
	m->meta = found->meta[out == 1];
	found_out(m, out);
	if (out)
		(void)snprintf(m->own.why[out == 2], sizeof(m->own.why[0]),
			       "it is out of date: the other one went on without it");
	m->own.events = max_u64(found->meta[0].events, found->meta[1].events);
	return 0;
}

/* Is there reason to believe that the other one, which is not there, has more? */
static int found_one(struct mirror *m, unsigned int i, const struct found *found,
		     struct message *message)
{
	unsigned int other = !i;

	m->meta = found->meta[i];
	if (!(m->meta.good >> i & 1) || m->of.left == i + 1)
		return message_set(message, -EUCLEAN, "%s: is out of date, and the other leg is "
				   "not to be had: %.200s", m->path[i], found->why[other].text);
	m->own.events = m->meta.events;
	if (!(m->meta.good >> other & 1) || m->of.left)
		found_out(m, 1u << other);
	return mirror_without(m, other, found->error[other], found->why[other].text) ? -ENOMEM :
										       0;
}

static int mirror_find(struct mirror *m, unsigned int flags, struct message *message)
{
	struct found found = { 0 };
	unsigned int i;

	for (i = 0; i < LEGS; i++) {
		found.error[i] = leg_open(m, i, flags, &found);
		if (!found.error[i])
			atomic_fetch_or(&m->there, 1u << i);
		else if (!leg_is_gone(found.error[i]))
			return message_set(message, found.error[i], "%s", found.why[i].text);
	}
	if (!m->there)
		return message_set(message, found.error[0], "%.250s; %.250s", found.why[0].text,
				   found.why[1].text);
	if (m->there == LEGS_ALL) {
		int error = found_both(m, &found, message);

		return error ? error : mirror_without_short(m, message);
	}
	return found_one(m, m->there == 2, &found, message);
}

/* ---- new ones ----------------------------------------------------------------------- */

struct halves {
	const struct journal_progress *progress;
	unsigned int leg;
};

static void halves_report(void *context, uint64_t done, uint64_t total)
{
	const struct halves *halves = context;

	halves->progress->report(halves->progress->context, halves->leg * total + done,
				 LEGS * total);
}

static int legs_make(struct mirror *m, unsigned int flags, const struct journal_progress *progress,
		     struct message *message)
{
	struct halves halves = { .progress = progress };
	struct journal_progress half = { .context = &halves };
	int error = 0;

	if (progress && progress->report)
		half.report = halves_report;
	for (; halves.leg < LEGS && !error; halves.leg++) {
		error = m->of.open(m->of.path[halves.leg], flags, m->meta.bytes + LEG_HEAD_BYTES,
				   &half, &m->leg[halves.leg], message);
		if (!error)
			atomic_fetch_or(&m->there, 1u << halves.leg);
	}
	return error;
}

static int mirror_make(struct mirror *m, unsigned int flags, uint64_t bytes,
		       const struct journal_progress *progress, struct message *message)
{
	unsigned int i;
	int error;

	if (!bytes || bytes % 4096 || bytes > INT64_MAX - LEG_HEAD_BYTES)
		return message_set(message, -EINVAL, "%s: a log of %llu bytes makes no sense",
				   m->path[0], (unsigned long long)bytes);
	memcpy(m->meta.uuid, m->of.uuid, sizeof(m->meta.uuid));
	m->meta.bytes = bytes;
	m->meta.good = LEGS_ALL;
	m->meta.events = 1;
	m->own.events = 1;
	if (getrandom(&m->meta.pair, sizeof(m->meta.pair), 0) != sizeof(m->meta.pair))
		return message_errno(message, -errno, "no random numbers");
	error = legs_make(m, flags, progress, message);
	for (i = 0; i < LEGS && !error; i++) {
		error = mirror_head_write(m->leg[i], &m->meta, i);
		if (error)
			(void)message_errno(message, error, "%s", m->path[i]);
	}
	return error;
}

static void mirror_unmake(struct mirror *m)
{
	struct stat st;
	unsigned int i;

	for (i = 0; i < LEGS; i++)
		if (mirror_has(m, i) && !stat(m->of.path[i], &st) && S_ISREG(st.st_mode))
			(void)unlink(m->of.path[i]);
}

int log_mirror_open(const struct log_legs_of *of, unsigned int flags, uint64_t bytes,
		    const struct journal_progress *progress, struct log_store **store,
		    struct message *message)
{
	struct mirror *m = mirror_new(of, flags);
	unsigned int i;
	int error;

	if (!m)
		return message_errno(message, -ENOMEM, "%s", of->path[0]);
	if (flags & LOG_CREATE)
		error = mirror_make(m, flags, bytes, progress, message);
	else
		error = mirror_find(m, flags, message);
	if (!error && !(flags & LOG_CREATE))
		error = mirror_heads(m, message);
	if (error) {
		if (flags & LOG_CREATE)
			mirror_unmake(m);
		mirror_ops.close(&m->store);
		return error;
	}
	m->of.runs = NULL; /* the caller's */
	settle_bytes(m);
	mirror_settle(m);
	m->pool = m->leg[m->there == 2];
	/* they count the use of the log, not its making or opening */
	for (i = 0; i < LEGS; i++)
		memset(&m->leg[i]->counters, 0, sizeof(m->leg[i]->counters));
	log_store_check(&m->store);
	*store = &m->store;
	return 0;
}

/* ---- joining ------------------------------------------------------------------------- */

static int leg_join(struct mirror *m, unsigned int i, unsigned int flags,
		    struct log_share *share, struct message *message)
{
	uint32_t fills = atomic_load_explicit(&m->legs->fills[i], memory_order_acquire);
	struct message why = { "" };
	int error;

	/* one that is opened anew meanwhile is another one then: mirror_meet() */
	atomic_store(&m->met[i], fills);
	share += mirror_share_of(i, fills);
	if (share->gone)
		return mirror_without(m, i, -(int)share->gone, share->evidence);
	error = m->of.join(share->path[0] ? share->path : m->of.path[i], flags, share,
			   &m->leg[i], &why);
	if (!error) {
		atomic_fetch_or(&m->there, 1u << i);
		return 0;
	}
	if (!leg_is_gone(error))
		return message_set(message, error, "%s", why.text);
	return mirror_without(m, i, error, why.text);
}

int log_mirror_join(const struct log_legs_of *of, unsigned int flags, struct log_share *share,
		    struct log_store **store, struct message *message)
{
	struct mirror *m = mirror_new(of, flags);
	unsigned int i;
	int error = 0;

	if (!m)
		return message_errno(message, -ENOMEM, "%s", of->path[0]);
	m->legs = &share->legs;
	m->share = share;
	memcpy(m->meta.uuid, of->uuid, sizeof(m->meta.uuid));
	m->meta.pair = share->pair;
	m->meta.bytes = share->pair_bytes;
	m->store.shared_counters = share->counters;
	for (i = 0; i < LEGS && !error; i++)
		error = leg_join(m, i, flags, share, message);
	/* with nothing to read or write he would fail, and the log with him, for all */
	if (!error && !mirror_readable(m))
		error = message_set(message, -ENODEV, "no leg that is up to date is to be had: "
				    "%.200s", m->leg[mirror_in_use(m) == 2]->evidence);
	if (error) {
		mirror_ops.close(&m->store);
		return error;
	}
	settle_bytes(m);
	mirror_settle(m);
	m->pool = m->leg[m->there == 2];
	log_store_check(&m->store);
	*store = &m->store;
	return 0;
}

/* ---- one of them is to count ---------------------------------------------------------- */

/* One that is too short would not open, and the other one is out of date then. */
static int choose_look(struct mirror *m, unsigned int keep, struct message *message)
{
	unsigned int found;
	uint64_t bytes;
	int error = mirror_short(m, 1u << keep, &found, &bytes);

	if (error)
		return message_errno(message, error, "%s", m->path[keep]);
	return found ? message_set(message, -EUCLEAN, "%s: is too short: %llu bytes are wanted",
				   m->path[keep], (unsigned long long)bytes + LEG_HEAD_BYTES) : 0;
}

/*
 * All that the other one has will be gone.  So it may be old, or have gone on alone as this
 * one has; but not have all: then there is nothing to choose, and where this one is damaged
 * the other one is what it can be repaired from.
 */
static int choose_allowed(struct mirror *m, const struct found *found, unsigned int keep,
			  struct message *message)
{
	unsigned int judged = legs_judge(found->meta), out, is_short;
	uint64_t bytes;
	int error = mirror_short(m, LEGS_ALL, &is_short, &bytes);

	if (error)
		return message_errno(message, error, "%s", m->path[keep]);
	out = judged | is_short | (m->of.left ? 1u << (m->of.left - 1) : 0);
	if (judged == LEGS_ALL || out >> !keep & 1)
		return 0;
	if (!out)
		return message_set(message, -EINVAL, "%s, %s: both are up to date and in use, and "
				   "each is repaired from the other one without --keep",
				   m->path[0], m->path[1]);
	return message_set(message, -EINVAL, "%s: is out of date, and %s has all: without --keep "
			   "it is brought up to date; to go back to what it has, take the other "
			   "one away", m->path[keep], m->path[!keep]);
}

static int choose_write(struct mirror *m, const struct found *found, unsigned int keep,
			struct message *message)
{
	struct leg_meta meta = found->meta[keep];
	unsigned int i;
	int error = 0;

	meta.events = max_u64(found->meta[0].events, found->meta[1].events) + 1;
	meta.good = 1u << keep;
	/* the other one first: until both are written neither counts, or this one does */
	for (i = 0; i < LEGS && !error; i++) {
		unsigned int leg = i ? keep : !keep;

		if (mirror_has(m, leg))
			error = mirror_head_write(m->leg[leg], &meta, leg);
	}
	return error ? message_errno(message, error, "%s: superblock of a leg", m->path[keep]) : 0;
}

int log_mirror_choose(const struct log_legs_of *of, unsigned int keep, struct message *message)
{
	struct mirror *m = mirror_new(of, 0);
	struct found found = { 0 };
	unsigned int i;
	int error;

	if (!m)
		return message_errno(message, -ENOMEM, "%s", of->path[keep]);
	for (i = 0; i < LEGS; i++) {
		found.error[i] = leg_open(m, i, 0, &found);
		if (!found.error[i])
			atomic_fetch_or(&m->there, 1u << i);
	}
	error = found.error[keep];
	if (error)
		(void)message_set(message, error, "%s", found.why[keep].text);
	else if (m->there == LEGS_ALL && found.meta[0].pair != found.meta[1].pair)
		error = message_set(message, -EXDEV, "%s, %s: are not of one log", m->path[0],
				    m->path[1]);
	else
		error = choose_look(m, keep, message);
	if (!error && m->there == LEGS_ALL)
		error = choose_allowed(m, &found, keep, message);
	if (!error)
		error = choose_write(m, &found, keep, message);
	mirror_ops.close(&m->store);
	return error;
}
