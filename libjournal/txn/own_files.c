/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/own_files.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "txn/member.h"
#include "txn/same_place.h"
#include "txn/shared_file.h"

/* Names in DIR that are there at times; a name with a star: what begins so */
static const struct {
	const char *name, *what;
	bool markers;
} own_names[] = {
	{ CONF_NAME, "configuration", false },
	{ CONF_NAME ".*", "configuration", false },
	{ "lock", "lock", false },
	{ "index", "index", false },
	{ PEERS_DIR, "processes", false },
	{ "left-*", "note of a leg that is out of date", false },
	{ "stand-in", "stand-in of its NVRAM", true },
};

struct own_path {
	char above[PATH_MAX];
	const char *name;
};

static int own_split(const char *path, struct own_path *split)
{
	char *slash;

	if (snprintf(split->above, sizeof(split->above), "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	slash = strrchr(path, '/');
	split->name = slash ? slash + 1 : path;
	(void)dirname(split->above);
	return 0;
}

static bool own_name_is(const char *name, const char *own)
{
	size_t length = strlen(own);

	return own[length - 1] == '*' ? !strncmp(name, own, length - 1) : !strcmp(name, own);
}

/* The file or device; or the name, where there is none yet. */
static bool own_is(const char *own, const char *path)
{
	struct own_path one, other;

	if (!own[0])
		return false;
	if (same_place(own, path, NULL))
		return true;
	return !own_split(own, &one) && !own_split(path, &other) && !strcmp(one.name, other.name) &&
	       same_place(one.above, other.above, NULL);
}

static const char *own_medium(const struct conf *conf, const char *path, enum own_files which)
{
	uint32_t log;

	for (log = 0; log < conf->log_count; log++) {
		if (own_is(conf->logs[log], path))
			return "log";
		if (own_is(conf->mirrors[log], path))
			return "mirror";
	}
	if (which == OWN_BUT_MARKERS)
		return NULL;
	if (conf->marker[0] && own_is(strchr(conf->marker, ':') + 1, path))
		return "marker medium";
	if (conf->return_to[0] && own_is(strchr(conf->return_to, ':') + 1, path))
		return "marker medium to return to";
	return NULL;
}

/* By its name in DIR; or as a link to one that is there, with any name. */
static const char *own_in_dir(const char *dir, const char *path, enum own_files which)
{
	char own[PATH_MAX], peers[PATH_MAX];
	struct own_path split;
	bool in_dir;
	size_t i;

	if (own_split(path, &split))
		return NULL;
	if (!conf_path(dir, PEERS_DIR, peers, NULL) && same_place(peers, split.above, NULL))
		return "processes";
	in_dir = same_place(dir, split.above, NULL);
	for (i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
		if (which == OWN_BUT_MARKERS && own_names[i].markers)
			continue;
		if ((in_dir && own_name_is(split.name, own_names[i].name)) ||
		    (!conf_path(dir, own_names[i].name, own, NULL) && same_place(own, path, NULL)))
			return own_names[i].what;
	}
	return NULL;
}

static const char *own_in_memory(const char *dir, const char *path)
{
	struct shared_file file;
	struct message unused;
	uint64_t bytes;
	bool is;

	if (shared_file_find(dir, true, &file, &bytes, &unused))
		return NULL;
	is = own_is(file.path, path);
	shared_file_close(&file);
	return is ? "index in memory" : NULL;
}

int own_files_guard(const char *dir, const struct conf *conf, const char *path,
		    enum own_files which, struct message *message)
{
	const char *what = own_in_dir(dir, path, which);

	if (!what)
		what = own_medium(conf, path, which);
	if (!what)
		what = own_in_memory(dir, path);
	return what ? message_set(message, -EEXIST, "%s: belongs to the journal in %s, as its %s: "
				  "nothing else goes there", path, dir, what) :
		      0;
}

int journal_owns(const char *dir, const char *path, char *message, size_t message_bytes)
{
	struct conf *conf = malloc(sizeof(*conf));
	struct message text = { "" };
	int error = conf ? conf_read(dir, conf, &text) :
			   message_set(&text, -ENOMEM, "%s: no memory", dir);

	if (!error)
		error = own_files_guard(dir, conf, path, OWN_ALL, &text);
	free(conf);
	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", text.text);
	return error;
}
