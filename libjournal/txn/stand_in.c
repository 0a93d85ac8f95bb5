/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "format/features.h"
#include "txn/clock.h"
#include "txn/health.h"
#include "txn/like.h"
#include "txn/line.h"
#include "txn/media.h"
#include "txn/slots.h"
#include "util/own_limit.h"

#define STAND_IN "stand-in"

static int stand_in_own_uri(const struct journal *j, char uri[PATH_MAX], struct message *why)
{
	if (snprintf(uri, PATH_MAX, "file:%s/" STAND_IN, j->dir) >= PATH_MAX)
		return message_set(why, -ENAMETOOLONG, "%s: path too long", j->dir);
	return 0;
}

/* A file that the journal was opened on has its own name, until it gets that one, too. */
static int stand_in_uri(const struct journal *j, char uri[PATH_MAX], struct message *why)
{
	const struct shared_common *c = &j->shared->common;

	if (!j->on_file || atomic_load(&c->on_file_named))
		return stand_in_own_uri(j, uri, why);
	memcpy(uri, c->marker_uri, sizeof(c->marker_uri));
	return 0;
}

int stand_in_own_path(const struct journal *j, char path[PATH_MAX], struct message *why)
{
	char uri[PATH_MAX];
	int error = stand_in_own_uri(j, uri, why);

	if (!error)
		(void)snprintf(path, PATH_MAX, "%s", strchr(uri, ':') + 1);
	return error;
}

/* DIR may have been removed, and another journal be in its place, whose stand-in has the same
 * path. */
static int stand_in_there(const struct journal *j, struct message *why)
{
	return entry_not_there(j->dir, entry_there(j->dir, j->lock_fd), why);
}

int stand_in_path(const struct journal *j, char path[PATH_MAX], struct message *why)
{
	char uri[PATH_MAX];
	int error = stand_in_uri(j, uri, why);

	if (!error)
		(void)snprintf(path, PATH_MAX, "%s", strchr(uri, ':') + 1);
	return error;
}

/* Lines have the numbers that they have on NVRAM; all else is a file's. */
static void stand_in_shape(struct journal *j)
{
	struct marker_geometry *g = &j->stand_in_geometry;

	if (j->on_file) {
		*g = j->shared->common.stand_in_geometry;
		return;
	}
	memset(g, 0, sizeof(*g));
	memcpy(g->uuid, j->geometry.uuid, sizeof(g->uuid));
	g->nonce = j->geometry.nonce;
	g->created_ns = j->geometry.created_ns;
	g->lanes = 8;
	g->lines = j->geometry.lines;
	g->digest_bytes = j->digest_bytes;
	g->incompat = FORMAT_INCOMPAT_COMMITS;
	marker_geometry_make(g);
}

/* ---- what a checkpoint of it holds ------------------------------------------------ */

/*
 * A line as one moment had it.  One that is being opened is closed under its next number:
 * what that commits later is only in the log.  One that is free is all retired.
 */
static void snapshot_line(const struct journal *j, uint32_t line, bool commits,
			  struct marker_line *copy)
{
	const struct line *state = &j->lines[line];
	uint64_t use = atomic_load(&state->use), before, live, claimed;
	uint64_t undecided[MARKER_LINE_WORDS];
	uint32_t word;

	do {
		before = use;
		for (word = 0; word < MARKER_LINE_WORDS; word++) {
			/* commits before claims: never one without the retire that followed */
			live = atomic_load(&state->committed[word]);
			claimed = atomic_load(&state->claimed[word]);
			live = slots_named(j, line, word, live & ~claimed);
			copy->commit[word] = put_le64(commits ? ~live : ~0ull);
			undecided[word] = atomic_load(&state->undecided[word]);
			copy->retire[word] = put_le64(~claimed | undecided[word]);
		}
		use = atomic_load(&state->use);
	} while (use != before);
	memset(copy->reserved, 0xff, sizeof(copy->reserved));
	copy->epoch = line_state_of(use) == LINE_BAD ? put_le64(0) :
		      !(use >> 2)		     ? put_le64(WORD_ERASED) :
		      word_seal(use >> 2 << 1 | (line_state_of(use) != LINE_OPENING));
	copy->epoch_copy = copy->epoch;
	for (word = 0; line_state_of(use) == LINE_FREE && word < MARKER_LINE_WORDS; word++)
		copy->retire[word] = put_le64(undecided[word]);
}

/* What only a bit commits there is, once there was NVRAM. */
static bool snapshot_has_commits(const struct journal *j)
{
	return j->stand_in_geometry.incompat & FORMAT_INCOMPAT_COMMITS || !health_on_file(j);
}

static __le64 snapshot_clean(const struct slots_from *from)
{
	uint32_t line = atomic_load(&from->line);

	return line == NO_LINE ? (__le64)WORD_ERASED :
				 word_seal((uint64_t)line << MARKER_CLEAN_SLOT_BITS |
					   atomic_load(&from->next));
}

/* The last one leaves, in order: where slots are taken from goes on there. */
static void snapshot_cleans(const struct journal *j, struct marker_state *state,
			    struct marker_lane *lanes)
{
	uint32_t i;

	for (i = 0; i < j->stand_in_geometry.lanes && i < j->lane_count; i++)
		lanes[i].clean = snapshot_clean(&j->lanes[i].s->from);
	state->shared_clean = snapshot_clean(j->own);
}

/* Everything below the lines. */
static void snapshot_head(const struct journal *j, uint8_t *map)
{
	struct marker_geometry geometry = j->stand_in_geometry, *g = &geometry;
	struct marker_state *state = (struct marker_state *)(void *)(map + g->state_offset);
	struct marker_lane *lanes = (struct marker_lane *)(void *)(map + g->lanes_offset);
	/* who draws a number of the next one has drawn it before it is raised */
	uint64_t drawn = atomic_load(&j->shared->next_number) >> LINE_COUNTER_BITS;
	uint64_t incarnation = max_u64(max_u64(atomic_load(&j->shared->incarnation), drawn),
				       atomic_load(&j->shared->incarnation_wanted));
	uint32_t i;

	memset(map, 0xff, g->lines_offset);
	if (snapshot_has_commits(j))
		g->incompat |= FORMAT_INCOMPAT_COMMITS;
	for (i = 0; i < MARKER_SUPERS; i++)
		marker_super_encode(g, (struct marker_super *)(void *)(map +
								       i * MARKER_SUPER_BYTES));
	state->incarnation = word_seal(incarnation);
	state->replay_seq = put_le64(atomic_load(&j->shared->replay_seq));
	if (!health_on_file(j))
		state->abandoned = word_seal(incarnation);
	for (i = 0; i < g->lanes; i++)
		lanes[i].tail = word_seal(0);
	if (j->leaves_clean)
		snapshot_cleans(j, state, lanes);
}

#define HEAD_BYTES (MARKER_SUPERS * MARKER_SUPER_BYTES + MARKER_STATE_BYTES + \
		    MARKER_LANES_MAX * MARKER_LANE_BYTES)

static uint64_t stand_in_snapshot(const struct marker_store *store, uint64_t at, void *buffer,
				  uint64_t bytes)
{
	const struct journal *j = store->snapshot_context;
	const struct marker_geometry *g = &j->stand_in_geometry;
	uint8_t head[HEAD_BYTES] __attribute__((aligned(64)));
	bool commits;
	uint64_t i, count;

	if (at < g->lines_offset) {
		JASSERT(g->lines_offset <= sizeof(head));
		snapshot_head(j, head);
		bytes = min_u64(bytes, g->lines_offset - at);
		memcpy(buffer, head + at, bytes);
		return bytes;
	}
	commits = snapshot_has_commits(j);
	count = bytes / MARKER_LINE_BYTES;
	for (i = 0; i < count; i++)
		snapshot_line(j, (uint32_t)((at - g->lines_offset) / MARKER_LINE_BYTES + i),
			      commits, (struct marker_line *)buffer + i);
	return count * MARKER_LINE_BYTES;
}

static void stand_in_ready(struct journal *j, struct marker_store *store)
{
	store->snapshot_context = j;
	store->snapshot = stand_in_snapshot;
	j->stand_in = store;
}

/* ---- making it ---------------------------------------------------------------------- */

/* As journal.conf; who may not is told by the class, or by the next open. */
int stand_in_permissions(const struct journal *j, const char *path, struct message *why)
{
	char conf[PATH_MAX];
	struct stat like;
	int error = conf_path(j->dir, CONF_NAME, conf, why);

	if (error)
		return error;
	if (access(path, F_OK))
		return 0; /* no file of the system's */
	error = stat(conf, &like) ? -errno : like_file(path, &like);
	return error ? message_errno(why, error, "%s: permissions", path) : 0;
}

static int stand_in_make(struct journal *j, const char *uri, struct message *why)
{
	struct marker_store *store;
	int error = stand_in_there(j, why);

	if (!error)
		error = backend_open_marker(uri, MARKER_CREATE | MARKER_FORCE,
					    round_up(j->stand_in_geometry.bytes, 4096), &store,
					    why);
	if (error)
		return error;
	stand_in_ready(j, store);
	error = stand_in_permissions(j, strchr(uri, ':') + 1, why);
	/* a first one, so that it opens; nobody names it yet */
	if (!error)
		error = marker_store_checkpoint(store, j->stand_in_geometry.lines_offset,
						j->member);
	return error ? message_errno(why, error, "%s", uri) : 0;
}

static bool stand_in_fits(const struct journal *j, const struct marker_store *store)
{
	const struct marker_super *super = (const struct marker_super *)(void *)store->map;

	return store->bytes >= j->stand_in_geometry.bytes &&
	       !memcmp(super->uuid, j->geometry.uuid, sizeof(super->uuid));
}

static int stand_in_find(struct journal *j, const char *uri, struct message *why)
{
	struct marker_store *store;
	int error = backend_open_marker(uri, 0, 0, &store, why);

	if (!error && stand_in_fits(j, store)) {
		stand_in_ready(j, store);
		return 0;
	}
	if (!error) {
		marker_store_close(store);
		error = -ENOENT;
	}
	if (error == -ENOENT || error == -EUCLEAN)
		error = stand_in_make(j, uri, why);
	return error;
}

static int stand_in_class(struct journal *j, const char *uri, struct message *why)
{
	const struct marker_store *store = j->stand_in;
	enum journal_class class;

	return media_class(uri, store->class, store->evidence, JOURNAL_CLASS_UNSET, j->require,
			   &class, why);
}

/* Once NVRAM is given up there would be none for all who joined: by then a limit of this
 * process alone may be the reason, which the next one to open does not meet. */
static int stand_in_refuse(struct journal *j, int error)
{
	const char *limit = own_limit(error);

	/* of a journal that is gone nobody opens the rest either */
	if (error == -ESTALE)
		return journal_say(j, error, "%s", j->stand_in_not.text);
	if (!limit || !shared_is_shared(&j->shared_file))
		return 0;
	return journal_say(j, error, "what stands in for NVRAM cannot be opened: %.300s: a limit "
			   "of this process (%s)", j->stand_in_not.text, limit);
}

int stand_in_first(struct journal *j)
{
	struct shared_common *c = &j->shared->common;
	struct message *why = &j->stand_in_not;
	char uri[PATH_MAX];
	int error = stand_in_uri(j, uri, why);

	stand_in_shape(j);
	if (!error)
		error = stand_in_find(j, uri, why);
	if (!error)
		error = stand_in_there(j, why);
	if (!error)
		error = stand_in_class(j, uri, why);
	if (error) {
		stand_in_close(j);
		return stand_in_refuse(j, error);
	}
	c->stand_in_is_there = 1;
	if (shared_is_shared(&j->shared_file))
		marker_store_share(j->stand_in, &c->stand_in, NULL);
	return 0;
}

void stand_in_take(struct journal *j, struct marker_store *store)
{
	struct shared_common *c = &j->shared->common;

	j->stand_in_geometry = c->stand_in_geometry;
	stand_in_ready(j, store);
	marker_store_describe(store, &c->stand_in);
	if (shared_is_shared(&j->shared_file))
		marker_store_share(store, &c->stand_in, NULL);
	c->stand_in_is_there = 1;
}

int stand_in_open(struct journal *j, struct message *message)
{
	struct shared_common *c = &j->shared->common;
	struct marker_store *store;
	char uri[PATH_MAX];
	uint32_t named;
	int error;

	if (j->stand_in)
		return 0;
	if (!c->stand_in_is_there)
		return message_set(message, -EIO, "%s", j->stand_in_not.text[0] ?
				   j->stand_in_not.text : "there is no stand-in for NVRAM");
	stand_in_shape(j);
	do {
		named = atomic_load(&c->on_file_named);
		error = stand_in_uri(j, uri, message);
		/* of the map nothing is ever read: any memory will do */
		if (!error)
			error = backend_join_marker(uri, 0, &c->stand_in, j->marker->map, &store,
						    message);
		/* it has got another name, and lost that one */
	} while (error == -ENOENT && named != atomic_load(&c->on_file_named));
	if (error)
		return error;
	error = stand_in_there(j, message);
	if (error)
		marker_store_close(store);
	else
		stand_in_ready(j, store);
	return error;
}

void stand_in_close(struct journal *j)
{
	if (j->stand_in)
		marker_store_close(j->stand_in);
	j->stand_in = NULL;
}

/* ---- in force ---------------------------------------------------------------------- */

/* Who resizes makes a journal.conf ready, looks at health, and renames it: so either he
 * sees that NVRAM is given up, or has renamed it before this, or finds nothing to rename.
 * Before the one in force is read, or what he has renamed would be lost. */
static int enforce_alone(const struct journal *j, struct message *message)
{
	int error = conf_give_up(j->dir, j->lock_fd, CONF_RESIZED);

	if (error == -ESTALE)
		return entry_stale(j->dir, message);
	return error && error != -ENOENT ?
		       message_errno(message, error, "%s/" CONF_NAME CONF_RESIZED, j->dir) : 0;
}

/* Of several who do so at once each writes the same. */
int stand_in_enforce(struct journal *j)
{
	struct message *message = journal_message(j);
	struct conf conf;
	char uri[PATH_MAX];
	int error = stand_in_uri(j, uri, message);

	if (!error)
		error = enforce_alone(j, message);
	if (!error)
		error = conf_read(j->dir, &conf, message);
	if (error)
		return error;
	if (strcmp(conf.marker, uri)) {
		memcpy(conf.return_to, conf.marker, sizeof(conf.return_to));
		memcpy(conf.marker, uri, sizeof(conf.marker));
		conf.assume_marker = JOURNAL_CLASS_UNSET;
	}
	/* also where it stands there already: who wrote it may not have synced it yet */
	return conf_rewrite(j->dir, j->lock_fd, &conf, message);
}
