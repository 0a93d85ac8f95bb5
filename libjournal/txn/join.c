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
	int error = shared_map_ready(j);
	uint32_t i;

	if (error)
		return error;
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
	marker_store_share(j->marker, &c->marker, shared_map_at(j));
	for (i = 0; i < JOURNAL_LOGS_MAX; i++)
		if (j->logs[i])
			log_store_share(j->logs[i], c->logs[i]);
	return 0;
}

void join_geometry(struct journal *j)
{
	const struct shared_common *c = &j->shared->common;

	j->geometry = c->marker_geometry;
	memcpy(j->log_geometry, c->log_geometry, sizeof(j->log_geometry));
	j->block_bytes = c->block_bytes;
	j->segment_bytes = c->segment_bytes;
	j->digest_bytes = c->digest_bytes;
	j->segments.room = c->segments_room;
	j->bits_durable = c->bits_durable;
}

/* NVRAM that was given up may not be there any more, and one that was gone back to is
 * another file: none is seen until it is wanted (view.h). */
static int join_later(struct journal *j, struct message *message)
{
	struct shared_common *c = &j->shared->common;
	int error = backend_join_marker(c->marker_uri,
					MARKER_VACANT | (j->read_only ? MARKER_RDONLY : 0),
					&c->marker, NULL, &j->marker, message);

	j->class_marker = (enum journal_class)c->class_marker;
	return error;
}

/* Not by journal.conf: that names the stand-in once NVRAM is given up. */
static int join_marker(struct journal *j, struct message *message)
{
	struct shared_common *c = &j->shared->common;
	uint64_t word = health_word_now(j);
	int error;

	if (j->bits_durable && word != health_word(1, HEALTH_TRUSTED, 0))
		return join_later(j, message);
	error = backend_join_marker(c->marker_uri, j->read_only ? MARKER_RDONLY : 0, &c->marker,
				    shared_map_at(j), &j->marker, message);
	if (error && j->bits_durable && health_word_now(j) != word)
		return join_later(j, message);
	if (error)
		return error;
	atomic_store(&j->view_turn, 1);
	return media_class(c->marker_uri, j->marker->class, j->marker->evidence,
			   j->conf.assume_marker, j->require, &j->class_marker, message);
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
