/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a rescued journal's markers go.  Its own damaged file is not written over:
 *
 *  1. the new one, whole and durable, beside it: PATH.rescued;
 *  2. journal.conf, durable: what was asserted of the medium before is forgotten;
 *  3. the damaged one gets a second name, PATH.damaged-1, or the next that is free;
 *  4. the new one is renamed over PATH: THE POINT from which on it counts.
 *
 * A crash before 4 leaves the journal with its damaged file, to be rescued again.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "txn/remove.h"
#include "txn/set_marker_impl.h"
#include "util/in_use.h"

#define BESIDE   ".rescued"
#define KEPT     ".damaged-"
#define KEPT_MAX 1000u

static int place_content(struct set_marker *s, const char *uri)
{
	return message_set(s->message, -EEXIST, "%s: there is content already",
			   strchr(uri, ':') + 1);
}

/* ---- before anything is made ------------------------------------------------------ */

/* Whole, and another journal's: it was put there instead, or journal.conf is wrong. */
static bool place_is_others(const char *uri, const uint8_t uuid[16])
{
	const struct marker_super *super;
	struct marker_store *store;
	struct message unused;
	bool others = false;
	unsigned int copy;

	if (backend_open_marker(uri, MARKER_RDONLY, 0, &store, &unused))
		return false;
	super = (const struct marker_super *)(const void *)store->map;
	for (copy = 0; copy < MARKER_SUPERS; copy++)
		if (store->bytes >= MARKER_SUPERS * MARKER_SUPER_BYTES &&
		    !memcmp(super[copy].magic, MARKER_MAGIC, sizeof(super->magic)))
			others = !set_marker_is_of(store, uuid);
	marker_store_close(store);
	return others;
}

/* Who has it open would go on with a file that no name leads to. */
static bool place_in_use(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	bool in_use = fd >= 0 && in_use_claim(fd);

	if (fd >= 0)
		(void)close(fd);
	return in_use;
}

static int place_own(struct set_marker *s, const char *uri)
{
	const char *path = strchr(uri, ':') + 1;

	if (!s->options->force && place_is_others(uri, s->make.conf.uuid))
		return place_content(s, uri);
	if (place_in_use(path))
		return message_set(s->message, -EBUSY, "%s: in use by a journal", path);
	(void)snprintf(s->place, sizeof(s->place), "%s", uri);
	(void)snprintf(s->beside, sizeof(s->beside), "%s" BESIDE, uri);
	return 0;
}

static bool place_is_blank(const char *path)
{
	uint8_t block[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : pread(fd, block, sizeof(block), 0);

	if (fd >= 0)
		(void)close(fd);
	/* what cannot be read is told when it is written */
	return got <= 0 || ((block[0] == 0 || block[0] == 0xff) &&
			    !memcmp(block, block + 1, (size_t)got - 1));
}

/* What making it would refuse, told to who makes nothing. */
static int place_free(struct set_marker *s, const char *uri)
{
	struct stat st;

	if (!s->options->dry_run || s->options->force || stat(strchr(uri, ':') + 1, &st) ||
	    !S_ISREG(st.st_mode) || set_marker_is_left(s) ||
	    place_is_blank(strchr(uri, ':') + 1))
		return 0;
	return place_content(s, uri);
}

int rescue_place(struct set_marker *s, struct journal *j)
{
	const char *uri = s->make.conf.marker;
	struct stat st;
	int error;

	s->format.marker = s->options->marker;
	(void)snprintf(s->make.dir, sizeof(s->make.dir), "%s", j->dir);
	error = make_marker_uri(&s->make);
	if (error)
		return error;
	if (!strncmp(uri, "file:", 5) && !strncmp(j->conf.marker, "file:", 5) &&
	    !lstat(uri + 5, &st) && S_ISREG(st.st_mode) && set_marker_same(uri, j->conf.marker))
		return place_own(s, uri);
	return place_free(s, uri);
}

/* ---- taking the place -------------------------------------------------------------- */

static const char *place_path(const struct set_marker *s)
{
	return strchr(s->place, ':') + 1;
}

static bool place_is(const char *name, const char *path)
{
	struct stat st, other;

	return !lstat(name, &st) && !lstat(path, &other) && st.st_dev == other.st_dev &&
	       st.st_ino == other.st_ino;
}

/* By force also where files have no second name: then it is not kept. */
static int place_keep(struct set_marker *s, char *kept, size_t bytes)
{
	unsigned int n;

	for (n = 1; n <= KEPT_MAX; n++) {
		(void)snprintf(kept, bytes, "%s" KEPT "%u", place_path(s), n);
		if (!link(place_path(s), kept))
			return 0;
		if (errno != EEXIST)
			break;
		/* by one who was killed before 4 */
		if (place_is(kept, place_path(s)))
			return 0;
	}
	kept[0] = '\0';
	return s->options->force ? 0 : message_errno(s->message, -errno, "%s: cannot be kept under "
						     "another name", place_path(s));
}

static int place_conf(struct set_marker *s)
{
	int error = set_marker_like(s, s->beside);

	if (error)
		return error;
	(void)snprintf(s->make.conf.marker, sizeof(s->make.conf.marker), "%s", s->place);
	return conf_rewrite(s->make.dir, s->make.lock_fd, &s->make.conf, s->message);
}

static int place_take(struct set_marker *s)
{
	char kept[PATH_MAX + 16];
	int error = place_conf(s);

	if (!error)
		error = place_keep(s, kept, sizeof(kept));
	if (error)
		return error;
	/* the new one is durable: its checkpoint was before */
	if (rename(strchr(s->beside, ':') + 1, place_path(s))) {
		error = message_errno(s->message, -errno, "%s", place_path(s));
		if (kept[0])
			(void)unlink(kept);
		return error;
	}
	s->in_force = true;
	/* orders both names before whoever is told that it is done */
	error = remove_sync_above(place_path(s));
	s->undecided = error;
	if (!error && kept[0])
		(void)message_set(s->message, 0, "%s: the one before is kept as %s", place_path(s),
				  kept);
	return error;
}

int rescue_switch(struct set_marker *s)
{
	int error;

	if (!s->place[0])
		return set_marker_switch(s);
	error = place_take(s);
	set_marker_undo(s);
	return error;
}

/* ---- what is left of it --------------------------------------------------------------- */

static bool place_is_kept(const char *name, const char *of)
{
	size_t length = strlen(of);

	if (strncmp(name, of, length))
		return false;
	name += length;
	if (strncmp(name, KEPT, sizeof(KEPT) - 1))
		return !strcmp(name, BESIDE);
	name += sizeof(KEPT) - 1;
	return isdigit((unsigned char)*name) && !name[strspn(name, "0123456789")];
}

void rescue_forget(const char *path)
{
	remove_beside(path, place_is_kept);
}
