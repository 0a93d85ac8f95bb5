/* SPDX-License-Identifier: BSD-3-Clause */
/* Mirrored logs: how it stands with them, and making them good. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/log_copies.h"
#include "txn/copies.h"
#include "txn/entry.h"
#include "txn/found.h"
#include "txn/left.h"
#include "txn/like.h"
#include "txn/log_open.h"
#include "txn/logs.h"
#include "txn/mirror.h"
#include "txn/open_impl.h"
#include "txn/resize.h"
#include "txn/same_disk.h"

/* ---- how it stands --------------------------------------------------------------- */

static void leg_medium(const struct journal *j, const struct log_copy *copy,
		       struct journal_medium *medium)
{
	const struct log_store *store = copy->store;

	(void)snprintf(medium->name, sizeof(medium->name), "%s", copy->path);
	(void)snprintf(medium->backend, sizeof(medium->backend), "%s",
		       store ? store->ops->backend : "none");
	(void)snprintf(medium->routine, sizeof(medium->routine), "%s",
		       store ? store->routine : "none: it is not there");
	(void)snprintf(medium->evidence, sizeof(medium->evidence), "%s",
		       store ? store->evidence : copy->why);
	medium->survives = j->conf.assume_log ? j->conf.assume_log :
			   store	      ? store->class :
						JOURNAL_CLASS_PROCESS;
	medium->assumed = j->conf.assume_log != JOURNAL_CLASS_UNSET;
	medium->bytes = store ? store->bytes : 0;
	medium->failed = !store || copy->out || store->failed;
}

static void leg_fill(const struct journal *j, uint32_t log, unsigned int number,
		     struct journal_leg *leg)
{
	struct log_copy copy;

	log_copies_look(j->logs[log], number, &copy);
	memset(leg, 0, sizeof(*leg));
	leg_medium(j, &copy, &leg->medium);
	leg->state = !copy.store ? JOURNAL_LEG_MISSING :
		     copy.copying ? JOURNAL_LEG_COPYING :
		     copy.out	 ? JOURNAL_LEG_OUT :
				   JOURNAL_LEG_GOOD;
	leg->left_time_ns = copy.left_ns;
	(void)snprintf(leg->why, sizeof(leg->why), "%s", copy.why);
	leg->damaged = copy.damaged;
	leg->repaired = copy.repaired;
	leg->damaged_offset = copy.offset;
	leg->repaired_time_ns = copy.repaired_ns;
}

int journal_legs(struct journal *j, uint32_t log, struct journal_leg legs[JOURNAL_LEGS])
{
	uint32_t number;
	unsigned int i;

	if (journal_is_childs(j))
		return journal_childs(j);
	/* by its place among those that are there, as journal_info() counts them */
	for (number = 0; number < logs_end(j); number++)
		if (!logs_removed(j, number) && !log--)
			break;
	if (number == logs_end(j))
		return journal_say(j, -EINVAL, "there is no such log");
	if (!logs_at(j, number)->copies)
		return journal_say(j, -ENOENT, "%s: is not mirrored", j->conf.logs[number]);
	for (i = 0; i < JOURNAL_LEGS; i++)
		leg_fill(j, number, i, &legs[i]);
	legs[0].same_disk = legs[1].same_disk = same_disk(legs[0].medium.name,
							  legs[1].medium.name);
	return 0;
}

/* ---- making them good --------------------------------------------------------------- */

struct mirroring {
	const struct journal_mirror_options *options;
	struct message *message;
	int damage;
};

static void mirroring_found(void *context, const struct journal_finding *finding)
{
	struct mirroring *m = context;

	m->damage |= finding->damage;
	if (m->options->found)
		m->options->found(m->options->context, finding);
}

/* one log of it */
struct mirroring_log {
	struct journal *j;
	uint32_t log;
};

/* Who may use one leg may use the other one, too: before they are to write it. */
static int mirroring_made(void *context, const char *path, const char *like,
			  struct message *message)
{
	struct stat from, to;
	int error;

	(void)context;
	if (stat(like, &from) || stat(path, &to) || !S_ISREG(from.st_mode) ||
	    !S_ISREG(to.st_mode))
		return 0;
	error = like_file(path, &from);
	return error ? message_errno(message, error, "%s: group and mode", path) : 0;
}

/* Its head will say that it has all: there is nothing to add. */
static int mirroring_whole(void *context, struct message *message)
{
	const struct mirroring_log *of = context;
	int error = left_forget(of->j->dir, of->j->conf.uuid, of->log, 0);

	return error ? message_errno(message, error, "%s: that a leg was left", of->j->dir) : 0;
}

static int mirroring_log(struct mirroring *m, struct journal *j, uint32_t log)
{
	struct mirroring_log of = { .j = j, .log = log };
	const struct log_renew how = {
		.progress = m->options->progress,
		.block_bytes = j->block_bytes,
		.class = j->conf.assume_log ? JOURNAL_CLASS_UNSET : j->require,
		.made = mirroring_made, .whole = mirroring_whole, .context = &of,
	};
	struct log_copy copy[2];
	unsigned int leg;
	int error;

	for (leg = 0; leg < 2; leg++)
		log_copies_look(j->logs[log], leg, &copy[leg]);
	/* it may have been away when the log became longer */
	error = copy[0].out || copy[1].out || !copy[0].store || !copy[1].store ?
			resize_leg(j, log, copy[0].store && !copy[0].out, m->message) : 0;
	if (!error)
		error = log_copies_renew(j->logs[log], &how, m->message);
	/* given up in the end, it is said again that it was left */
	(void)logs_note_left(j, log);
	for (leg = 0; leg < 2 && !error; leg++)
		if (!copy[leg].store || copy[leg].out)
			found_remark(j, 0, "%s: is up to date: all of the log was copied from %s",
				     leg ? j->conf.mirrors[log] : j->conf.logs[log],
				     copy[!leg].path);
	return error;
}

static int mirroring_logs(struct mirroring *m, struct journal *j, const char *dir)
{
	uint32_t log, mirrored = 0, both = 0;
	int error = 0;

	for (log = 0; log < logs_end(j) && !error; log++)
		if (!logs_removed(j, log) && logs_at(j, log)->copies) {
			mirrored++;
			/* of one that is copied the other copy is made of the first one */
			both |= (uint32_t)log_copies_several(logs_at(j, log)) << log;
			error = mirroring_log(m, j, log);
		}
	if (!error && !mirrored)
		error = message_set(m->message, -EINVAL, "%s: no log is mirrored", dir);
	/* what lies on one disk only is in more danger than what may be damaged: after it */
	return error || !both ? error : mirror_look(j, both, &m->options->progress, m->message);
}

/* In DIR as in the heads.  The new one first: both count for none, and the heads decide. */
static int mirroring_say(struct mirroring *m, const char *dir, const struct conf *conf)
{
	uint32_t log;
	int error = 0;

	for (log = 0; log < conf->log_count && !error; log++) {
		if (!log_is_mirrored(conf, log) || !conf->left[log])
			continue;
		error = left_say(dir, conf->uuid, log, conf->left[log]);
		if (!error)
			error = left_forget(dir, conf->uuid, log, conf->left[log]);
	}
	return error ? message_errno(m->message, error, "%s: that a leg is out of date", dir) : 0;
}

/* Nobody has it open: their heads are written. */
static int mirroring_choose(struct mirroring *m, const char *dir)
{
	struct conf *conf = malloc(sizeof(*conf));
	int error, lock = -1;
	char *real = realpath(dir, NULL);

	if (!conf || !real)
		error = message_errno(m->message, conf ? -errno : -ENOMEM, "%s", dir);
	else
		error = conf_read(real, conf, m->message);
	if (!error)
		error = entry_exclusive(real, 0600, &lock, m->message);
	if (!error)
		error = log_choose(conf, real, m->options->keep, m->message);
	if (!error)
		error = mirroring_say(m, real, conf);
	if (lock >= 0)
		entry_end(lock);
	free(real);
	free(conf);
	return error;
}

static void mirroring_prepare(struct journal *j, void *context)
{
	j->scrub = true;
	copies_gather(j);
	j->found = mirroring_found;
	j->found_context = context;
}

/* As any writer: others come, go and write meanwhile. */
static int mirroring_open(struct mirroring *m, const char *dir)
{
	const struct journal_open_options o = { .progress = m->options->recovery };
	struct journal *j;
	int error = journal_open_prepared(dir, &o, mirroring_prepare, m, &j), closed;

	if (!error)
		error = resize_take(j);
	if (error)
		(void)message_set(m->message, error, "%s", journal_error(j));
	if (!error) {
		atomic_store(&j->shared->resize_phase, RESIZE_MIRRORS);
		error = mirroring_logs(m, j, dir);
		atomic_store(&j->shared->resize_phase, RESIZE_NONE);
		resize_drop(j);
	}
	closed = journal_close(j);
	if (closed && !error)
		error = message_errno(m->message, closed, "%s: closing", dir);
	return error;
}

static int mirroring(struct mirroring *m, const char *dir)
{
	int error = m->options->keep ? mirroring_choose(m, dir) : 0;

	if (error)
		return error;
	error = mirroring_open(m, dir);
	if (!error && m->damage)
		error = message_set(m->message, -EUCLEAN, "%s: damage that no copy can repair",
				    dir);
	return error;
}

/* Who may have written has died, and is taken over from now on: before any of that.  The
 * number that he had is still his. */
void mirror_takeover(struct journal *j, uint32_t member)
{
	bool copier = atomic_load(&j->shared->resizer) == member &&
		      atomic_load(&j->shared->resize_phase) == RESIZE_MIRRORS;
	uint32_t log;

	for (log = 0; log < logs_end(j); log++)
		if (!logs_removed(j, log) && logs_at(j, log)->copies)
			log_copies_died(logs_at(j, log), copier);
}

int journal_mirror(const char *dir, const struct journal_mirror_options *options, char *message,
		   size_t message_bytes)
{
	static const struct journal_mirror_options defaults;
	struct message text = { "" };
	struct mirroring m = { .options = options ? options : &defaults, .message = &text };
	int error = mirroring(&m, dir);

	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", error ? text.text : "");
	return error;
}
