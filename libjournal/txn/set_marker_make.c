/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The new medium of a journal, and journal.conf that names it.  Order: the new medium
 * whole and durable, then journal.conf; so a crash leaves the journal with the one or
 * with the other, and each says of every transaction what it has to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "txn/like.h"
#include "txn/media.h"
#include "txn/set_marker_impl.h"

/* ---- content that is there --------------------------------------------------- */

bool set_marker_is_of(const struct marker_store *store, const uint8_t uuid[16])
{
	const struct marker_super *super = (const struct marker_super *)(const void *)store->map;
	unsigned int copy;

	if (store->bytes < MARKER_SUPERS * MARKER_SUPER_BYTES)
		return false;
	for (copy = 0; copy < MARKER_SUPERS; copy++)
		if (!memcmp(super[copy].magic, MARKER_MAGIC, sizeof(super->magic)) &&
		    !memcmp(super[copy].uuid, uuid, sizeof(super->uuid)))
			return true;
	return false;
}

bool set_marker_is_left(const struct set_marker *s)
{
	const char *uri = s->make.conf.marker;
	struct marker_store *store;
	struct message unused;
	struct stat st;
	bool ours;
	int error;

	if (stat(strchr(uri, ':') + 1, &st))
		return false;
	error = backend_open_marker(uri, MARKER_RDONLY, 0, &store, &unused);
	if (error)
		/* file: begun, without a checkpoint yet: nobody's */
		return error == -ENOENT && !strncmp(uri, "file:", 5) && st.st_size;
	ours = set_marker_is_of(store, s->make.conf.uuid);
	marker_store_close(store);
	return ours;
}

/* ---- who may use it: as journal.conf ------------------------------------------- */

static int set_marker_permissions(const char *path, const struct stat *like)
{
	struct stat st;

	return stat(path, &st) || !S_ISREG(st.st_mode) ? 0 : like_file(path, like);
}

/* ---- journal.conf --------------------------------------------------------------- */

/* The name may have been exchanged, and the directory not be synced: then either may be
 * what a power cut leaves, and both must stay. */
static void set_marker_doubt(struct set_marker *s)
{
	struct message unused;
	struct conf now;

	if (conf_read(s->make.dir, &now, &unused) || strcmp(now.marker, s->make.conf.marker))
		return;
	s->in_force = true;
	s->undecided = true;
}

int set_marker_like(struct set_marker *s, const char *uri)
{
	char path[PATH_MAX];
	struct stat like;
	int error = conf_path(s->make.dir, CONF_NAME, path, s->message);

	if (error)
		return error;
	if (stat(path, &like))
		return message_errno(s->message, -errno, "%s", path);
	error = set_marker_permissions(strchr(uri, ':') + 1, &like);
	return error ? message_errno(s->message, error, "%s: permissions", uri) : 0;
}

static int set_marker_conf(struct set_marker *s)
{
	int error = set_marker_like(s, s->make.conf.marker);

	if (error)
		return error;
	error = conf_rewrite(s->make.dir, s->make.lock_fd, &s->make.conf, s->message);
	if (error) {
		set_marker_doubt(s);
		return error;
	}
	s->in_force = true;
	return 0;
}

/* ---- the medium ------------------------------------------------------------------- */

static int set_marker_shape(struct set_marker *s)
{
	struct journal *j = s->remark.from;
	struct make *m = &s->make;
	/* with paths from the root on: ours may begin where this process is */
	int error = conf_read(j->dir, &m->conf, s->message);

	if (error)
		return error;
	m->conf.assume_marker = s->options->assume_marker;
	m->conf.return_to[0] = '\0';
	m->nonce = j->geometry.nonce;
	m->log = j->log_geometry[j->buffers_log];
	m->log_bytes = media_log_bytes(j) / m->conf.log_count;
	m->remark = &s->remark;
	s->format.marker = s->beside[0] ? s->beside : s->options->marker;
	s->format.marker_bytes = s->options->marker_bytes;
	s->format.force = s->options->force;
	return 0;
}

void set_marker_undo(struct set_marker *s)
{
	const char *made = s->beside[0] ? s->beside : s->make.conf.marker;

	if (s->make.marker)
		marker_store_close(s->make.marker);
	s->make.marker = NULL;
	if (s->make.marker_made && !s->in_force)
		(void)unlink(strchr(made, ':') + 1);
}

int set_marker_medium(struct set_marker *s)
{
	int error = set_marker_shape(s);

	if (!error)
		error = make_marker_uri(&s->make);
	if (error)
		return error;
	if (set_marker_is_left(s))
		s->format.force = 1;
	error = make_marker(&s->make);
	if (error)
		set_marker_undo(s);
	return error;
}

int set_marker_switch(struct set_marker *s)
{
	int error = set_marker_conf(s);

	set_marker_undo(s);
	return error;
}

int set_marker_make(struct set_marker *s)
{
	int error = set_marker_medium(s);

	return error ? error : set_marker_switch(s);
}

/* ---- the calls' beginning and end ----------------------------------------------- */

struct set_marker *set_marker_begin(const char *dir,
				    const struct journal_marker_options *options,
				    struct message *text)
{
	static const struct journal_marker_options defaults;
	struct set_marker *s = calloc(1, sizeof(*s));

	(void)message_set(text, 0, "%s: no memory", dir);
	if (!s)
		return NULL;
	s->options = options ? options : &defaults;
	s->message = text;
	s->make.message = text;
	s->make.options = &s->format;
	s->make.lock_fd = -1;
	return s;
}

int set_marker_end(struct set_marker *s, int error, char *message, size_t message_bytes)
{
	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", s->message->text);
	free(s);
	return error;
}

struct journal *set_marker_handle(struct set_marker *s)
{
	struct journal *j;

	if (posix_memalign((void **)&j, 128, sizeof(*j)))
		return NULL;
	memset(j, 0, sizeof(*j));
	j->alone = true;
	s->message->text[0] = '\0';
	return j;
}

int set_marker_say(struct set_marker *s, struct journal *j, int error)
{
	return message_set(s->message, error, "%s", journal_error(j));
}
