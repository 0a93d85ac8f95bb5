/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/media.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends.h"
#include "format/features.h"
#include "format/leg.h"
#include "store/evidence.h"
#include "store/log_copies.h"
#include "store/log_gone.h"
#include "txn/copies.h"
#include "txn/found.h"
#include "txn/log_open.h"
#include "txn/make_impl.h"
#include "txn/rescue_store.h"

int media_class(const char *name, enum journal_class by_evidence, const char *evidence,
		enum journal_class assumed, enum journal_class require,
		enum journal_class *class, struct message *message)
{
	*class = assumed ? assumed : by_evidence;
	if (*class >= require)
		return 0;
	return message_set(message, -EPERM, "%s: survives only \"%s\" but \"%s\" is required: %s",
			   name, journal_class_name(*class), journal_class_name(require),
			   assumed ? "so the user asserted" : evidence);
}

/* Either copy of the superblock serves; a bad one is reported. */
static int media_marker_super(struct journal *j, struct message *message)
{
	const struct marker_super *super = (const struct marker_super *)j->marker->map;
	const char *why[MARKER_SUPERS] = { NULL };
	int i, good = -1, error[MARKER_SUPERS];

	if (j->marker->bytes < MARKER_SUPERS * MARKER_SUPER_BYTES)
		return message_set(message, -EUCLEAN, "%s: too short for a superblock",
				   j->conf.marker);
	for (i = MARKER_SUPERS - 1; i >= 0; i--) {
		error[i] = marker_super_decode(&super[i], j->marker->bytes, j->read_only,
					       &j->geometry, &why[i]);
		if (!error[i])
			good = i;
	}
	if (error[0] == -EFBIG || error[1] == -EFBIG)
		return message_set(message, -EUCLEAN, "%s: %s: %llu bytes (truncate -s makes a "
				   "file as long again)", j->conf.marker, why[error[0] != -EFBIG],
				   (unsigned long long)j->geometry.bytes);
	if (good < 0)
		return message_set(message, error[0] == -ENODATA ? -EUCLEAN : error[0], "%s: %s",
				   j->conf.marker, why[0]);
	(void)marker_super_decode(&super[good], j->marker->bytes, j->read_only, &j->geometry,
				  &why[good]);
	if (error[!good])
		found_damage(j, 0, "%s: superblock copy %d: %s", j->conf.marker, !good + 1,
			     why[!good]);
	j->supers_bad.marker = error[!good] && error[!good] != -EPROTO;
	return 0;
}

uint64_t media_log_bytes(const struct journal *j)
{
	return log_runs_total(&j->conf.runs) *
	       (j->log_geometry[j->buffers_log].segment_bytes +
		j->log_geometry[j->buffers_log].digest_bytes);
}

/* In place of a medium that is gone: rescue.c. */
static int media_open_no_marker(struct journal *j, struct message *message)
{
	struct marker_geometry *g = &j->geometry;
	struct marker_store *store;
	int error;

	memcpy(g->uuid, j->conf.uuid, sizeof(g->uuid));
	g->lanes = 1;
	g->lines = (uint32_t)max_u64(j->rescue_lines, make_lines_for(media_log_bytes(j)));
	marker_geometry_make(g);
	error = rescue_store_make(g, &store);
	if (error)
		return message_errno(message, error, "memory for markers");
	j->marker = store;
	/* class and evidence are those of what takes its place: set_marker.c */
	j->class_marker = JOURNAL_CLASS_POWER;
	return 0;
}

/* The medium is not there, or not the one it was: what to do if it stays so.  One that is
 * there has held markers, since journal.conf names it: that it holds none is damage. */
static int media_marker_gone(const char *uri, int error, struct message *message)
{
	const struct message why = *message;

	if (error == -ENOENT && !access(strchr(uri, ':') + 1, F_OK))
		error = -EUCLEAN;

	if (error == -ENOENT || error == -ENXIO || error == -ENODEV || error == -EUCLEAN ||
	    error == -EXDEV || error == -EIO)
		return message_set(message, error, "%s (if the markers are gone for good: jnl "
				   "rescue)", why.text);
	return error;
}

static int media_open_marker(struct journal *j, struct message *message)
{
	struct marker_store *store;
	int error = backend_open_marker(j->conf.marker, j->read_only ? MARKER_RDONLY : 0, 0,
					&store, message);

	if (error)
		return media_marker_gone(j->conf.marker, error, message);
	j->marker = store;
	j->bits_durable = j->marker->byte_persistent;
	if (j->marker->head_damaged)
		found_damage(j, 0, "%s: the head of the file is damaged: those of its checkpoints "
			     "stand in, and who writes mends it", j->conf.marker);
	if (j->marker->truncated)
		found_damage(j, 0, "%s: the file is truncated, and who writes makes it as long "
			     "again", j->conf.marker);
	if (j->marker->fell_back && (j->marker->head_damaged || j->marker->truncated ||
				     j->marker->unread))
		found_damage(j, 0, "%s: of a checkpoint no head is whole: if it was the newest, "
			     "the one before it is in use", j->conf.marker);
	else if (j->marker->fell_back)
		found_damage(j, 0, "%s: the newest checkpoint is damaged, the one before it "
			     "is in use", j->conf.marker);
	error = media_marker_super(j, message);
	if (!error && memcmp(j->geometry.uuid, j->conf.uuid, 16))
		error = message_set(message, -EXDEV, "%s: belongs to another journal (uuid)",
				    j->conf.marker);
	if (error)
		return media_marker_gone(j->conf.marker, error, message);
	return media_class(j->conf.marker, j->marker->class, j->marker->evidence,
			   j->conf.assume_marker, j->require, &j->class_marker, message);
}

/* Either copy of the superblock serves; a bad one is reported. */
static int media_log_supers(struct journal *j, uint32_t log, const struct log_super *super,
			    const char *path, struct message *message)
{
	struct log_geometry *g = &j->log_geometry[log];
	const char *why[LOG_SUPERS] = { NULL };
	int i, good = -1, error[LOG_SUPERS];

	for (i = LOG_SUPERS - 1; i >= 0; i--) {
		error[i] = log_super_decode(&super[i], j->logs[log]->bytes, j->read_only, g,
					    &why[i]);
		if (error[i] == -EFBIG) /* what there is can be read: media_short() */
			error[i] = 0;
		if (!error[i])
			good = i;
	}
	if (good < 0)
		return message_set(message, error[0] == -ENODATA ? -EUCLEAN : error[0], "%s: %s",
				   path, why[0]);
	(void)log_super_decode(&super[good], j->logs[log]->bytes, j->read_only, g, &why[good]);
	if (error[!good])
		found_damage(j, 0, "%s: superblock copy %d: %s", path, !good + 1, why[!good]);
	/* one of a newer version is not ours to write over: jnl upgrade */
	if (error[!good] && error[!good] != -EPROTO)
		j->supers_bad.logs |= 1u << log;
	return 0;
}

/* From one leg of a mirrored log; another one is not asked for more than it has. */
static int media_log_super_leg(struct journal *j, uint32_t log, unsigned int leg,
			       struct log_io *io, struct message *message)
{
	struct log_store *store = j->logs[log];
	const char *path = leg ? j->conf.mirrors[log] : j->conf.logs[log];
	int error = store->copies ? log_copies_read(store, leg, io, 1) :
				    log_store_read(store, io, 1);

	if (error)
		return message_errno(message, error, "%s: superblock", path);
	return media_log_supers(j, log, io->buffer, path, message);
}

static int media_log_super(struct journal *j, uint32_t log, struct message *message)
{
	struct log_store *store = j->logs[log];
	struct log_io io = { .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	unsigned int leg, legs = store->copies ? store->copies->good(store) : 1;
	struct message why;
	int error = -EIO, one;

	if (store->bytes < io.bytes)
		return message_set(message, -EUCLEAN, "%s: too short for a superblock",
				   j->conf.logs[log]);
	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return message_set(message, -ENOMEM, "no memory");
	for (leg = 0; leg < 2; leg++) {
		/* of two the second one only where the first is bad, or all is looked at */
		if (!(legs >> leg & 1) || (!error && !copies_all(j, log)))
			continue;
		one = media_log_super_leg(j, log, leg, &io, &why);
		if (one && legs == 3)
			copies_tell(j, log, NO_SEGMENT, leg, 0, false);
		if (error && one)
			(void)message_set(message, one, "%s", why.text);
		error = error && one ? one : 0;
	}
	free(io.buffer);
	return error;
}

/* All logs are of one journal and of one shape, that of @first. */
static int media_log_fits(struct journal *j, uint32_t log, uint32_t first,
			  struct message *message)
{
	const struct log_geometry *g = &j->log_geometry[log], *as = &j->log_geometry[first];
	const char *path = j->conf.logs[log];

	if (j->rescue_lines && log == first)
		j->geometry.nonce = g->nonce;
	if (memcmp(g->uuid, j->conf.uuid, 16) || g->nonce != j->geometry.nonce)
		return message_set(message, -EXDEV, "%s: belongs to another journal (uuid)",
				   path);
	if (g->log != log || (!j->conf.runs.count && g->logs != j->conf.log_count))
		return message_set(message, -EUCLEAN, "%s: is log %u of %u, but journal.conf has "
				   "it as %u of %u", path, g->log + 1, g->logs, log + 1,
				   j->conf.log_count);
	if (!(g->incompat & FORMAT_INCOMPAT_MIRRORED) == log_is_mirrored(&j->conf, log))
		return message_set(message, -EUCLEAN, "%s: is %smirrored, but journal.conf has "
				   "it the other way", path,
				   log_is_mirrored(&j->conf, log) ? "not " : "");
	if (g->segment_bytes != as->segment_bytes ||
	    (!j->conf.runs.count && g->segments != as->segments) ||
	    g->digest_bytes != as->digest_bytes || g->block_bytes != as->block_bytes)
		return message_set(message, -EUCLEAN, "%s: its geometry is not that of the other "
				   "logs", path);
	if (g->block_bytes < j->logs[log]->block_bytes)
		return message_set(message, -EUCLEAN, "%s: the medium wants blocks of %u bytes, "
				   "the journal was formatted with %u", path,
				   j->logs[log]->block_bytes, g->block_bytes);
	return 0;
}

static int media_open_log(struct journal *j, uint32_t log, unsigned int flags,
			  struct message *message)
{
	int error = log_open(&j->conf, log,
			     (j->read_only ? LOG_RDONLY : 0) |
				     (flags & JOURNAL_NO_URING ? LOG_NO_URING : 0),
			     0, NULL, &j->logs[log], message);

	if (error)
		return error;
	error = media_log_super(j, log, message);
	if (error) {
		log_store_close(j->logs[log]);
		j->logs[log] = NULL;
	}
	return error;
}

/*
 * The disk is gone, or what was on it, and not only out of our reach: the rest is
 * opened without it.  What is refused to us (-EACCES), or is another journal's,
 * would be there for somebody else, or for us if we were told right.
 */
static bool media_log_is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ENXIO || error == -ENODEV ||
	       error == -ENOMEDIUM || error == -EIO || error == -ESTALE || error == -EUCLEAN;
}

static int media_log_gone(struct journal *j, uint32_t log, uint32_t like, int error,
			  const char *why, struct message *message)
{
	struct log_geometry *g = &j->log_geometry[log];
	uint64_t bytes;

	*g = j->log_geometry[like];
	g->log = log;
	bytes = max_u64(g->bytes, log_runs_bytes(&j->conf.runs, g, log));
	if (log_store_gone(error, why, bytes, g->block_bytes, j->read_only, &j->logs[log]))
		return message_set(message, -ENOMEM, "no memory");
	found_damage(j, 0, "%s: what is on this log alone is lost, unless it comes back", why);
	return 0;
}

/* One copy of what the leg itself is known by. */
static void media_log_head(struct journal *j, const struct log_copy *copy)
{
	unsigned int bad = copy->heads_bad == 2 ? 2 : 1;

	if (copy->heads_bad && copy->heads_mended)
		found_remark(j, 0, "%s: superblock of the leg, copy %u: was damaged, and is "
			     "repaired from copy %u", copy->path, bad, 3 - bad);
	else if (copy->heads_bad)
		found_damage(j, 0, "%s: superblock of the leg, copy %u: is damaged, copy %u is "
			     "good (jnl mirror)", copy->path, bad, 3 - bad);
}

/* A leg that is out of date, or not there: what is on the other one is all there is. */
static void media_log_legs(struct journal *j, uint32_t log)
{
	struct log_copy copy;
	unsigned int leg;

	for (leg = 0; leg < 2 && j->logs[log]->copies; leg++) {
		log_copies_look(j->logs[log], leg, &copy);
		media_log_head(j, &copy);
		if ((copy.store && !copy.out) || j->scrub)
			continue;
		found_damage(j, 0, "%s: this leg is not in use: %s (jnl mirror)", copy.path,
			     copy.why);
	}
}

static int media_log_settle(struct journal *j, uint32_t log, uint32_t first,
			    struct message *message)
{
	enum journal_class class;
	int error = media_log_fits(j, log, first, message);

	if (!error)
		error = media_class(j->conf.logs[log], j->logs[log]->class,
				    j->logs[log]->evidence, j->conf.assume_log, j->require,
				    &class, message);
	if (!error && (log == first || class < j->class_log))
		j->class_log = class;
	if (!error)
		media_log_legs(j, log);
	return error;
}

/* of two legs the one that is read */
static const char *media_log_in_use(const struct journal *j, uint32_t log)
{
	return j->logs[log]->copies && j->logs[log]->copies->good(j->logs[log]) == 2 ?
		       j->conf.mirrors[log] : j->conf.logs[log];
}

/*
 * A log that does not end where it should is read as far as it goes, and not written: by
 * whoever made it shorter it may be made shorter still.
 */
static void media_short(struct journal *j, uint32_t log, struct message *why)
{
	const struct log_geometry *g = &j->log_geometry[log];
	struct log_store *store = j->logs[log];
	uint64_t bytes = log_runs_bytes(&j->conf.runs, g, log);

	/* of one that was resized it ends with its last segment, also if that was undone */
	if (!(g->incompat & FORMAT_INCOMPAT_RUNS))
		bytes = g->bytes;
	if (store->gone || store->bytes >= bytes)
		return;
	log_store_longer(store, bytes);
	log_store_fail(store, -EUCLEAN);
	(void)snprintf(store->routine, sizeof(store->routine), "none: it is too short");
	(void)message_set(why, -EUCLEAN, "%s: is too short, and is only read: what stood behind "
			  "its end is lost (truncate -s %llu makes a file as long again)",
			  media_log_in_use(j, log),
			  (unsigned long long)(bytes + (store->copies ? LEG_HEAD_BYTES : 0)));
	found_damage(j, 0, "%s", why->text);
}

static int media_all_short(struct journal *j, struct message *message)
{
	struct message why = { "" };
	uint32_t log;
	bool left = false;

	for (log = 0; log < j->conf.log_count; log++) {
		if (!conf_has_log(&j->conf, log))
			continue;
		media_short(j, log, &why);
		left |= !j->logs[log]->failed;
	}
	if (left || j->read_only || !why.text[0])
		return 0;
	return message_set(message, -EUCLEAN, "%s", why.text);
}

/* journal.conf says which segments there are, or nobody ever changed that. */
static int media_runs(struct journal *j, uint32_t like, struct message *message)
{
	struct log_runs *runs = &j->conf.runs;
	const struct log_geometry *g = &j->log_geometry[like];
	uint32_t log;
	const char *why;

	if (!j->resized) {
		for (log = 0; log < j->conf.log_count; log++)
			if (conf_has_log(&j->conf, log))
				log_run_of(&j->log_geometry[log], &runs->of[runs->count++]);
		return 0;
	}
	if (log_runs_check(runs, g, conf_logs(&j->conf), &why))
		return message_set(message, -EUCLEAN, "%s/" CONF_NAME ": its segments make no "
				   "sense: %s", j->dir, why);
	return 0;
}

/* As many as are there; with none, what the first one said. */
static int media_open_logs(struct journal *j, unsigned int flags, struct message *message)
{
	struct message why[JOURNAL_LOGS_MAX];
	int gone[JOURNAL_LOGS_MAX] = { 0 }, error = 0;
	uint32_t log, count = j->conf.log_count, first = count;

	for (log = 0; log < count; log++) {
		if (!conf_has_log(&j->conf, log))
			continue;
		gone[log] = media_open_log(j, log, flags, &why[log]);
		if (!gone[log] && first == count)
			first = log;
		if (gone[log] && !media_log_is_gone(gone[log]))
			return message_set(message, gone[log], "%s", why[log].text);
	}
	if (first == count) {
		first = (uint32_t)__builtin_ctz(conf_logs(&j->conf));
		return message_set(message, gone[first], "%s", why[first].text);
	}
	j->buffers_log = first;
	for (log = first; log < count && !error; log++)
		if (!gone[log] && conf_has_log(&j->conf, log))
			error = media_log_settle(j, log, first, message);
	for (log = 0; log < count && !error; log++)
		if (gone[log])
			error = media_log_gone(j, log, first, gone[log], why[log].text, message);
	if (!error)
		error = media_runs(j, first, message);
	return error ? error : media_all_short(j, message);
}

static bool media_changed(const struct journal *j)
{
	const struct conf *before = &j->conf;
	struct message ignored;
	struct conf *now = malloc(sizeof(*now));
	bool changed = now && !conf_read(j->dir, now, &ignored) &&
		       (now->log_count != before->log_count ||
			conf_logs(now) != conf_logs(before) ||
			now->runs.count != (j->resized ? before->runs.count : 0) ||
			memcmp(now->runs.of, before->runs.of,
			       now->runs.count * sizeof(now->runs.of[0])));

	free(now);
	return changed;
}

int media_unchanged(struct journal *j, int error)
{
	if (!j->writer_pid || !media_changed(j))
		return error;
	return journal_say(j, -ESTALE, "%s: resized while it was being opened", j->dir);
}

int media_open(struct journal *j, unsigned int flags,
	       struct message *message)
{
	int error;

	j->resized = j->conf.runs.count;
	error = j->rescue_lines ? 0 : media_open_marker(j, message);
	if (!error)
		error = media_open_logs(j, flags, message);
	if (!error && j->rescue_lines)
		error = media_open_no_marker(j, message);
	if (error)
		return error;
	j->block_bytes = j->log_geometry[j->buffers_log].block_bytes;
	j->segment_bytes = j->log_geometry[j->buffers_log].segment_bytes;
	j->digest_bytes = j->log_geometry[j->buffers_log].digest_bytes;
	if (j->geometry.digests &&
	    (j->geometry.digest_bytes != j->digest_bytes ||
	     (!j->resized && j->geometry.digests != log_runs_total(&j->conf.runs))))
		return message_set(message, -EUCLEAN, "%s: its digests do not fit the logs",
				   j->conf.marker);
	return 0;
}

void media_close(struct journal *j)
{
	uint32_t log;

	for (log = 0; log < JOURNAL_LOGS_MAX; log++)
		if (j->logs[log])
			log_store_close(j->logs[log]);
	if (j->marker)
		marker_store_close(j->marker);
	/* after it: their map is one */
	if (j->marker_before)
		marker_store_close(j->marker_before);
}
