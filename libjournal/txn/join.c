/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/join.h"

#include <errno.h>
#include <string.h>

#include "backends.h"
#include "store/log_gone.h"
#include "txn/health.h"
#include "txn/log_open.h"
#include "txn/logs.h"
#include "txn/media.h"
#include "txn/on_file.h"
#include "txn/stand_in.h"

static bool join_not(struct message *why, const char *medium)
{
	(void)message_set(why, 0, "%s: processes cannot share it", medium);
	return false;
}

bool join_possible(const struct journal *j, struct message *why)
{
	uint32_t i;

	for (i = 0; i < JOURNAL_LOGS_MAX; i++)
		if (j->logs[i] && !log_store_can_share(j->logs[i]))
			return join_not(why, j->conf.logs[i]);
	return marker_store_can_share(j->marker) || join_not(why, j->conf.marker);
}

/* With the path from the root on: ours may begin where this process is. */
static int join_uri(struct journal *j, char uri[PATH_MAX])
{
	struct conf conf;
	int error = conf_read(j->dir, &conf, journal_message(j));

	if (!error)
		memcpy(uri, conf.marker, sizeof(conf.marker));
	return error;
}

int join_offer(struct journal *j)
{
	struct shared_common *c = &j->shared->common;
	uint32_t i;
	int error;

	c->marker_geometry = j->geometry;
	memcpy(c->log_geometry, j->log_geometry, sizeof(c->log_geometry));
	c->block_bytes = j->block_bytes;
	c->segment_bytes = j->segment_bytes;
	c->digest_bytes = j->digest_bytes;
	c->segments_room = j->segments.room;
	c->bits_durable = j->bits_durable;
	c->class_marker = j->class_marker;
	c->class_log = j->class_log;
	error = join_uri(j, c->marker_uri);
	if (error)
		return error;
	/* a file is shared as what stands in for NVRAM: on_file.c */
	if (j->bits_durable)
		marker_store_share(j->marker, &c->marker, NULL);
	for (i = 0; i < JOURNAL_LOGS_MAX; i++)
		if (j->logs[i])
			log_store_share(j->logs[i], c->logs[i]);
	return 0;
}

void require_raise(struct journal *j)
{
	uint32_t before = atomic_load(&j->shared->require);

	while (before < j->require &&
	       !atomic_compare_exchange_weak(&j->shared->require, &before, j->require))
		;
}

void join_geometry(struct journal *j)
{
	const struct shared_common *c = &j->shared->common;

	j->geometry = c->marker_geometry;
	j->room_geometry = c->marker_geometry;
	memcpy(j->log_geometry, c->log_geometry, sizeof(j->log_geometry));
	j->block_bytes = c->block_bytes;
	j->segment_bytes = c->segment_bytes;
	j->digest_bytes = c->digest_bytes;
	j->segments.room = c->segments_room;
	j->bits_durable = c->bits_durable;
	j->on_file = c->on_file;
}

/* NVRAM that was given up may not be there any more, and one that was gone back to is
 * another file: none is seen until it is wanted (view.h). */
static int join_later(struct journal *j, struct message *message)
{
	struct shared_common *c = &j->shared->common;
	struct marker_store *store;
	int error = backend_join_marker(c->marker_uri,
					MARKER_VACANT | (j->read_only ? MARKER_RDONLY : 0),
					&c->marker, NULL, &store, message);

	if (!error)
		j->marker = store;
	j->class_marker = (enum journal_class)c->class_marker;
	return error;
}

/* What is in use by now may survive less than what the first one opened. */
static int join_class(struct journal *j, uint64_t word, struct message *message)
{
	const struct view_shared *v = shared_view(j, health_view(word));
	enum journal_class class = (enum journal_class)v->class;

	return j->read_only ? 0 : media_class(v->uri, class, "by what it lies on",
					      JOURNAL_CLASS_UNSET, j->require, &class, message);
}

/* Who moves it looks at what we require after it has said where to. */
static int join_require(struct journal *j, struct message *message)
{
	int error = join_class(j, health_word_now(j), message);

	if (error || j->read_only)
		return error;
	require_raise(j);
	return join_class(j, health_word_now(j), message);
}

static int join_on_file(struct journal *j, struct message *message)
{
	int error = on_file_join(j, message);

	if (!error && health_on_file(j)) {
		atomic_store(&j->view_turn, 1);
		/* who may not write it is told now */
		error = j->read_only ? 0 : stand_in_open(j, message);
	}
	return error;
}

/* Not by journal.conf: that names the stand-in once NVRAM is given up. */
static int join_nvram(struct journal *j, struct message *message)
{
	struct shared_common *c = &j->shared->common;
	uint64_t word = health_word_now(j);
	struct marker_store *store;
	int error;

	if (word != health_word(1, HEALTH_TRUSTED, 0))
		return join_later(j, message);
	error = backend_join_marker(c->marker_uri, j->read_only ? MARKER_RDONLY : 0, &c->marker,
				    NULL, &store, message);
	if (error && health_word_now(j) != word)
		return join_later(j, message);
	if (error)
		return error;
	j->marker = store;
	atomic_store(&j->view_turn, 1);
	return media_class(c->marker_uri, j->marker->class, j->marker->evidence,
			   j->conf.assume_marker, j->require, &j->class_marker, message);
}

static int join_marker(struct journal *j, struct message *message)
{
	int error = j->on_file ? join_on_file(j, message) : join_nvram(j, message);

	return error ? error : join_require(j, message);
}

/* It was not there when the first one opened, and is out of use for all. */
static int join_gone(struct journal *j, uint32_t log, struct message *message)
{
	const struct log_share *share = &j->shared->common.logs[log][0];

	if (log_store_gone(-(int)share->gone, share->evidence, share->bytes, share->block_bytes,
			   j->read_only, &j->logs[log]))
		return message_set(message, -ENOMEM, "no memory");
	return 0;
}

static int join_log(struct journal *j, uint32_t log, unsigned int flags,
		    struct message *message)
{
	struct shared_common *c = &j->shared->common;
	enum journal_class class;
	int error;

	if (c->logs[log][0].gone)
		return join_gone(j, log, message);
	error = log_join(&j->conf, log,
			 (j->read_only ? LOG_RDONLY : 0) |
				 (flags & JOURNAL_NO_URING ? LOG_NO_URING : 0),
			 c->logs[log], &j->logs[log], message);
	if (error)
		return error;
	log_store_longer(j->logs[log], atomic_load(&j->shared->log_bytes[log]));
	return media_class(j->conf.logs[log], j->logs[log]->class, j->logs[log]->evidence,
			   j->conf.assume_log, j->require, &class, message);
}

/* It may go just now: by the time that its file has, that is known. */
static int join_or_gone(struct journal *j, uint32_t log, unsigned int flags,
			struct message *message)
{
	int error = join_log(j, log, flags, message);

	return error && logs_removed(j, log) ? 0 : error;
}

int join_media(struct journal *j, unsigned int flags, struct message *message)
{
	uint32_t log, logs = logs_end(j);
	int error = join_marker(j, message);

	/* those that come and go just now are met later, or not at all */
	for (log = 0; log < logs && !error; log++)
		if (!logs_removed(j, log) && conf_has_log(&j->conf, log))
			error = join_or_gone(j, log, flags, message);
	for (log = 0; log < logs && !j->logs[log]; log++)
		;
	if (!error && log == logs)
		error = message_set(message, -ESTALE, "%s: journal.conf was changed while the "
				    "journal is in use", j->dir);
	j->buffers_log = log;
	j->class_log = (enum journal_class)j->shared->common.class_log;
	return error;
}
