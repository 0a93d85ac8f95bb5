/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To the newest format.  Only superblocks change, and there are two copies of each; of a
 * medium with NVRAM or of a log one is written, made durable, then the other, so that one
 * is good at any time; of a checkpointed medium both come with the next checkpoint.  A
 * crash in between leaves two that differ: either serves, and the next call ends it.
 */
#include "txn/upgrade.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends.h"
#include "format/log.h"
#include "format/marker.h"
#include "format/super.h"
#include "txn/entry.h"
#include "txn/log_open.h"

/* the same in both kinds of superblocks */
_Static_assert(offsetof(struct marker_super, compat) == offsetof(struct log_super, compat) &&
	       offsetof(struct marker_super, incompat) == offsetof(struct log_super, incompat) &&
	       offsetof(struct marker_super, ro_compat) == offsetof(struct log_super, ro_compat) &&
	       offsetof(struct marker_super, uuid) == offsetof(struct log_super, uuid) &&
	       sizeof(struct marker_super) == SUPER_BYTES &&
	       sizeof(struct log_super) == SUPER_BYTES &&
	       MARKER_SUPERS == UPGRADE_COPIES && LOG_SUPERS == UPGRADE_COPIES, "alike");

static void upgrade_tell(struct upgrade *u, const struct upgrade_medium *m, const char *what)
{
	u->changes++;
	if (u->options->change)
		u->options->change(u->options->context, m->name, what);
}

/* ---- looking -------------------------------------------------------------------- */

/* as an open for writing would */
static int upgrade_decode(const struct upgrade_medium *m, unsigned int copy, const char **why)
{
	const void *super = m->copies + copy * SUPER_BYTES;
	struct marker_geometry marker;
	struct log_geometry log;

	return m->kind == FEATURE_MARKER ?
		       marker_super_decode(super, m->marker->bytes, false, &marker, why) :
		       log_super_decode(super, m->log->bytes, false, &log, why);
}

static size_t upgrade_crc_offset(const struct upgrade_medium *m)
{
	return m->kind == FEATURE_MARKER ? offsetof(struct marker_super, crc) :
					   offsetof(struct log_super, crc);
}

/* whole, whatever it says */
static bool upgrade_is_sealed(const struct upgrade_medium *m, unsigned int copy)
{
	const uint8_t *super = m->copies + copy * SUPER_BYTES;
	size_t at = upgrade_crc_offset(m);
	__le32 crc;

	memcpy(&crc, super + at, sizeof(crc));
	return get_le32(crc) == super_crc(super, at);
}

/* Which copy is good.  One that is of a newer version, or has a feature that is not
 * known, is not damaged if it is whole: then all of it is refused. */
static int upgrade_choose(struct upgrade *u, struct upgrade_medium *m)
{
	const char *why[UPGRADE_COPIES] = { NULL };
	int error[UPGRADE_COPIES];
	unsigned int i;

	for (i = 0; i < UPGRADE_COPIES; i++) {
		error[i] = upgrade_decode(m, i, &why[i]);
		if (error[i] == -EPROTO && upgrade_is_sealed(m, i))
			return message_set(u->message, error[i], "%s: %s", m->name, why[i]);
	}
	if (error[0] && error[1])
		return message_set(u->message, error[0] == -EPROTO ? -EPROTO : -EUCLEAN,
				   "%s: both superblocks: %s", m->name, why[0]);
	m->good = error[0] != 0;
	memcpy(m->wanted, m->copies + m->good * SUPER_BYTES, SUPER_BYTES);
	if (memcmp(m->wanted + offsetof(struct log_super, uuid), u->conf.uuid, 16))
		return message_set(u->message, -EXDEV, "%s: belongs to another journal (uuid)",
				   m->name);
	return 0;
}

static void upgrade_features(struct upgrade *u, struct upgrade_medium *m)
{
	__le64 *masks = (__le64 *)(void *)(m->wanted + offsetof(struct log_super, compat));
	const struct feature *f;
	char what[256];

	for (f = u->features; f->name; f++) {
		if (f->medium != m->kind || !f->upgrade || get_le64(masks[f->mask]) & f->bit)
			continue;
		masks[f->mask] = put_le64(get_le64(masks[f->mask]) | f->bit);
		(void)snprintf(what, sizeof(what), "feature \"%s\" is turned on: %s", f->name,
			       f->what);
		upgrade_tell(u, m, what);
	}
}

static void upgrade_seal(struct upgrade_medium *m)
{
	size_t at = upgrade_crc_offset(m);
	__le32 crc = put_le32(super_crc(m->wanted, at));

	memcpy(m->wanted + at, &crc, sizeof(crc));
}

static void upgrade_want(struct upgrade *u, struct upgrade_medium *m)
{
	unsigned int before = u->changes, i;
	const char *why;
	char what[256];

	upgrade_features(u, m);
	upgrade_seal(m);
	for (i = 0; i < UPGRADE_COPIES; i++) {
		m->write[i] = memcmp(m->wanted, m->copies + i * SUPER_BYTES, SUPER_BYTES) != 0;
		if (!m->write[i] || (before != u->changes && !upgrade_decode(m, i, &why)))
			continue;
		(void)snprintf(what, sizeof(what), "copy %u of the superblock is written anew: %s",
			       i + 1, upgrade_decode(m, i, &why) ? why : "it is not as the other");
		upgrade_tell(u, m, what);
	}
}

static struct upgrade_medium *upgrade_medium(struct upgrade *u, enum feature_medium kind,
					     const char *name)
{
	struct upgrade_medium *m = &u->media[u->count++];

	m->kind = kind;
	m->name = name;
	return m;
}

static int upgrade_look_marker(struct upgrade *u)
{
	struct upgrade_medium *m = upgrade_medium(u, FEATURE_MARKER, u->conf.marker);
	int error = backend_open_marker(m->name, u->options->dry_run ? MARKER_RDONLY : 0, 0,
					&m->marker, u->message);

	if (error)
		return error;
	if (m->marker->bytes < MARKER_SUPERS * MARKER_SUPER_BYTES)
		return message_set(u->message, -EUCLEAN, "%s: too short for a superblock", m->name);
	m->copies = m->marker->map;
	return upgrade_choose(u, m);
}

static int upgrade_look_log(struct upgrade *u, uint32_t log)
{
	struct upgrade_medium *m = upgrade_medium(u, FEATURE_LOG, u->conf.logs[log]);
	unsigned int flags = LOG_NO_URING | (u->options->dry_run ? LOG_RDONLY : 0);
	struct log_io io = { .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	int error = log_open(&u->conf, log, flags, 0, NULL, &m->log, u->message);

	if (error)
		return error;
	if (m->log->bytes < io.bytes)
		return message_set(u->message, -EUCLEAN, "%s: too short for a superblock", m->name);
	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return message_errno(u->message, -ENOMEM, "%s", m->name);
	m->copies = io.buffer;
	error = log_store_read(m->log, &io, 1);
	return error ? message_errno(u->message, error, "%s: superblock", m->name) :
		       upgrade_choose(u, m);
}

/* all of them, before any is changed */
static int upgrade_look(struct upgrade *u)
{
	uint32_t log;
	unsigned int i;
	int error = upgrade_look_marker(u);

	for (log = 0; log < u->conf.log_count && !error; log++)
		if (conf_has_log(&u->conf, log))
			error = upgrade_look_log(u, log);
	for (i = 0; i < u->count && !error; i++)
		upgrade_want(u, &u->media[i]);
	return error;
}

/* ---- writing -------------------------------------------------------------------- */

static int upgrade_write_marker(struct upgrade_medium *m, unsigned int copy)
{
	nv_copy(m->marker, m->marker->map + copy * SUPER_BYTES, m->wanted, SUPER_BYTES);
	/* of NVRAM: this copy before a byte of the other; one of them is always good */
	return nv_fence(m->marker);
}

static int upgrade_write_log(struct upgrade_medium *m, unsigned int copy)
{
	struct log_io io = {
		.offset = copy * SUPER_BYTES,
		.buffer = m->copies + copy * SUPER_BYTES,
		.bytes = SUPER_BYTES,
	};

	memcpy(io.buffer, m->wanted, SUPER_BYTES);
	/* durable on return, before a byte of the other */
	return log_store_write(m->log, &io, 1, true);
}

static int upgrade_write_copy(struct upgrade_medium *m, unsigned int copy)
{
	if (!m->write[copy])
		return 0;
	return m->marker ? upgrade_write_marker(m, copy) : upgrade_write_log(m, copy);
}

/* The bad copy first, if one is. */
static int upgrade_write(struct upgrade *u, struct upgrade_medium *m)
{
	bool some = m->write[0] || m->write[1];
	int error = upgrade_write_copy(m, !m->good);

	if (!error)
		error = upgrade_write_copy(m, m->good);
	/* a map that is durable as a whole, in place of the one before */
	if (!error && some && m->marker && !m->marker->byte_persistent)
		error = marker_store_checkpoint(m->marker, m->marker->bytes, 1);
	return error ? message_errno(u->message, error, "%s: superblock", m->name) : 0;
}

static void upgrade_close(struct upgrade *u)
{
	unsigned int i;

	for (i = 0; i < u->count; i++) {
		if (u->media[i].marker)
			marker_store_close(u->media[i].marker);
		if (u->media[i].log) {
			log_store_close(u->media[i].log);
			free(u->media[i].copies);
		}
	}
}

/* ---- all of it ------------------------------------------------------------------ */

static int upgrade_locked(struct upgrade *u)
{
	unsigned int i;
	int error = upgrade_look(u);

	for (i = 0; i < u->count && !error && !u->options->dry_run; i++)
		error = upgrade_write(u, &u->media[i]);
	upgrade_close(u);
	return error;
}

static int upgrade_unused(struct upgrade *u)
{
	int pid = entry_holder(u->dir);

	return pid ? message_set(u->message, -EBUSY, "%s: in use by pid %d", u->dir, pid) : 0;
}

int upgrade_journal(struct upgrade *u, const char *dir)
{
	int error, lock = -1;

	if (!realpath(dir, u->dir))
		return message_errno(u->message, -errno, "%s", dir);
	/* before the lock, which would be made where there is no journal */
	error = conf_read(u->dir, &u->conf, u->message);
	if (!error)
		error = u->options->dry_run ? upgrade_unused(u) :
					      entry_exclusive(u->dir, 0600, &lock, u->message);
	/* again: it may be another by now */
	if (!error)
		error = conf_read(u->dir, &u->conf, u->message);
	if (!error)
		error = upgrade_locked(u);
	if (lock >= 0)
		entry_end(lock);
	return error;
}

int journal_upgrade(const char *dir, const struct journal_upgrade_options *options,
		    unsigned int *changes, char *message, size_t message_bytes)
{
	static const struct journal_upgrade_options defaults;
	struct message text = { "" };
	struct upgrade *u = calloc(1, sizeof(*u));
	int error = -ENOMEM;

	(void)message_set(&text, 0, "%s: no memory", dir);
	if (u) {
		u->features = features;
		u->options = options ? options : &defaults;
		u->message = &text;
		error = upgrade_journal(u, dir);
		if (changes)
			*changes = u->changes;
	}
	free(u);
	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", error ? text.text : "");
	return error;
}
