/* SPDX-License-Identifier: BSD-3-Clause */
/* The marker medium of a new journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "txn/clock.h"
#include "format/features.h"
#include "txn/make_impl.h"
#include "txn/media.h"
#include "txn/others_files.h"
#include "txn/others_log.h"
#include "txn/own_files.h"
#include "txn/remark.h"

#define MARKER_BYTES_DEFAULT (64ull << 20)
#define MARKER_BYTES_MIN     (1ull << 20)
#define LINES_MIN            256u
#define RING_BYTES_MIN       (16u << 10)
#define RING_BYTES_LANE      (128u << 10) /* below it there are fewer lanes */

/* What a log can hold, at 128 bytes a transaction, and never few. */
uint32_t make_lines_for(uint64_t log_bytes)
{
	return (uint32_t)min_u64(max_u64(log_bytes / 65536, LINES_MIN), MARKER_LINES_MAX);
}

/* Those that are in use keep their numbers: records name them. */
static uint32_t make_lines(const struct make *m)
{
	uint32_t lines = make_lines_for(m->log_bytes * m->conf.log_count);

	return m->remark ? (uint32_t)max_u64(lines, remark_lines_used(m->remark)) : lines;
}

/*
 * A process that is not running keeps the lane in which it was interrupted: of 64
 * processes that do nothing but commit, two thirds have one.  So many lanes where
 * there is room for rings of half a MiB, and 8 where there is not.
 */
#define RING_BYTES_MANY (512u << 10)

static uint32_t make_lanes(uint64_t stage_bytes)
{
	uint32_t lanes = MARKER_LANES_MAX;

	while (lanes > 8 && stage_bytes / lanes < RING_BYTES_MANY)
		lanes /= 2;
	return lanes;
}

bool make_stage(struct marker_geometry *g, uint64_t bytes)
{
	g->lanes = make_lanes(bytes);
	/* each lane takes a line of a summary at least, 20 KiB of its share (P8) */
	while (g->lanes > 1 && bytes / g->lanes < RING_BYTES_LANE)
		g->lanes /= 2;
	g->ring_bytes = round_down(bytes / g->lanes, 4096);
	return g->ring_bytes >= RING_BYTES_MIN;
}

bool make_geometry_beside(const struct marker_geometry *file, uint64_t log_bytes,
			  struct marker_geometry *g)
{
	*g = *file;
	g->incompat = 0;
	g->compat = 0;
	g->digests = 0;
	g->lanes = MARKER_LANES_MAX;
	g->ring_bytes = 0;
	marker_geometry_make(g);
	if (g->bytes >= MARKER_BYTES_DEFAULT ||
	    !make_stage(g, min_u64(MARKER_BYTES_DEFAULT - g->bytes, log_bytes / 16)))
		return false;
	marker_geometry_make(g);
	return true;
}

static void make_identity(struct make *m)
{
	memcpy(m->geometry.uuid, m->conf.uuid, sizeof(m->geometry.uuid));
	m->geometry.nonce = m->nonce;
	m->geometry.created_ns = clock_ns();
	if (m->remark && !strncmp(m->conf.marker, "file:", 5))
		m->geometry.incompat = FORMAT_INCOMPAT_COMMITS;
}

static int make_too_few(struct make *m, uint64_t bytes)
{
	return message_set(m->message, -EINVAL, "%s: %llu bytes are too few for markers: at least "
			   "1M", m->conf.marker, (unsigned long long)bytes);
}

/*
 * NVRAM of @bytes: at most an eighth for lines, an eighth for digests; the
 * rest is stage, but no more than a sixteenth of the log, where all of it must
 * find room when the log is full (P8).
 */
static int make_geometry_nvram(struct make *m, uint64_t bytes)
{
	struct marker_geometry *g = &m->geometry;
	uint64_t total = m->log_bytes * m->conf.log_count, rest;
	uint32_t segments = m->log.segments * m->conf.log_count;

	g->lanes = MARKER_LANES_MAX;
	g->lines = (uint32_t)min_u64(make_lines(m), bytes / 8 / MARKER_LINE_BYTES);
	if (m->remark && g->lines < remark_lines_used(m->remark))
		return message_set(m->message, -ENOSPC, "%s: %llu bytes are too few for the %u "
				   "lines that are in use", m->conf.marker,
				   (unsigned long long)bytes, remark_lines_used(m->remark));
	g->digest_bytes = m->log.digest_bytes;
	/* where segments are sealed already, their second digests are in the logs */
	if (!m->remark && (uint64_t)segments * g->digest_bytes <= bytes / 8)
		g->digests = segments;
	g->ring_bytes = 0;
	marker_geometry_make(g);
	if (bytes < MARKER_BYTES_MIN || g->bytes >= bytes)
		return make_too_few(m, bytes);
	rest = min_u64(bytes - g->bytes, total / 16);
	if (!make_stage(g, rest))
		return message_set(m->message, -EINVAL, "%s: no room for a stage",
				   m->conf.marker);
	marker_geometry_make(g);
	return 0;
}

static void make_geometry_file(struct make *m)
{
	m->geometry.lanes = 8;
	m->geometry.lines = make_lines(m);
	m->geometry.digest_bytes = m->log.digest_bytes;
	marker_geometry_make(&m->geometry);
}

int make_marker_uri(struct make *m)
{
	const char *uri = m->options->marker, *colon;
	char path[PATH_MAX], real[PATH_MAX];
	int error;

	if (!uri)
		uri = "file:markers";
	colon = strchr(uri, ':');
	if (!colon)
		return message_set(m->message, -EINVAL, "%s: a marker URI is scheme:path", uri);
	error = m->options->marker ? conf_path(getcwd(real, sizeof(real)) ? real : ".",
					       colon + 1, path, m->message) :
				     conf_path(m->dir, colon + 1, path, m->message);
	if (error)
		return error;
	if (snprintf(m->conf.marker, sizeof(m->conf.marker), "%.*s:%s", (int)(colon - uri), uri,
		     path) >= (int)sizeof(m->conf.marker))
		return message_set(m->message, -ENAMETOOLONG, "%s: path too long", uri);
	if (m->options->marker_bytes && strncmp(m->conf.marker, "file:", 5) &&
	    m->options->marker_bytes < MARKER_BYTES_MIN)
		return make_too_few(m, m->options->marker_bytes);
	/* force is for what others have left */
	error = own_files_guard(m->dir, &m->conf, path, OWN_BUT_MARKERS, m->message);
	if (!error)
		error = others_log_guard(path, m->message);
	return error ? error : others_files_guard(m->dir, path, m->message);
}

/* file: gets the size that the geometry needs, the others what they have. */
uint64_t make_marker_bytes(struct make *m, bool *there)
{
	const char *path = strchr(m->conf.marker, ':') + 1;
	struct stat st;

	*there = !stat(path, &st);
	if (!strncmp(m->conf.marker, "file:", 5)) {
		make_geometry_file(m);
		return round_up(m->geometry.bytes, 4096);
	}
	if (m->options->marker_bytes)
		return round_down(m->options->marker_bytes, 4096);
	return *there && (st.st_size || !S_ISREG(st.st_mode)) ? 0 : MARKER_BYTES_DEFAULT;
}

static struct marker_lane *make_lane(struct make *m, uint32_t lane)
{
	return (struct marker_lane *)(m->marker->map + m->geometry.lanes_offset +
				      (uint64_t)lane * MARKER_LANE_BYTES);
}

static int make_marker_write(struct make *m)
{
	struct marker_store *store = m->marker;
	struct marker_state *state =
		(struct marker_state *)(store->map + m->geometry.state_offset);
	uint32_t i, lines = m->remark ? remark_lines_used(m->remark) : 0;
	struct marker_super super;
	int error;

	if (m->remark) {
		remark_write(m->remark, store, &m->geometry);
	} else {
		nv_store8(store, (uint64_t *)&state->incarnation, (uint64_t)word_seal(0));
		nv_store8(store, (uint64_t *)&state->replay_seq, 0);
	}
	for (i = 0; i < m->geometry.lanes; i++)
		nv_store8(store, (uint64_t *)&make_lane(m, i)->tail, (uint64_t)word_seal(0));
	/* what the superblock vouches for, before the superblock */
	error = nv_fence(store);
	marker_super_encode(&m->geometry, &super);
	for (i = 0; i < MARKER_SUPERS; i++)
		nv_copy(store, store->map + i * MARKER_SUPER_BYTES, &super, sizeof(super));
	if (!error)
		error = nv_fence(store); /* before journal.conf names it */
	if (!error && !store->byte_persistent)
		error = marker_store_checkpoint(store, marker_line_offset(&m->geometry, lines), 1);
	return error ? message_errno(m->message, error, "%s", m->conf.marker) : 0;
}

static int make_not_sound(struct make *m)
{
	struct message why = *m->message;

	return message_set(m->message, -EPERM, "%s: is not to be trusted: %.200s", m->conf.marker,
			   why.text);
}

int make_marker_judge(struct make *m, uint64_t bytes)
{
	enum journal_class class;
	int error = media_class(m->conf.marker, m->marker->class, m->marker->evidence,
				m->conf.assume_marker, m->conf.require, &class, m->message);

	if (!error && marker_store_health(m->marker, m->message))
		error = make_not_sound(m);
	return error || !m->marker->byte_persistent ? error : make_geometry_nvram(m, bytes);
}

int make_marker(struct make *m)
{
	uint64_t bytes;
	bool there;
	int error;

	make_identity(m);
	bytes = make_marker_bytes(m, &there);
	error = backend_open_marker(m->conf.marker,
				    MARKER_CREATE | (m->options->force ? MARKER_FORCE : 0),
				    bytes, &m->marker, m->message);
	if (error)
		return error;
	m->marker_made = !there;
	error = make_marker_judge(m, m->marker->bytes);
	return error ? error : make_marker_write(m);
}
