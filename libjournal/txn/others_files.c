/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A journal knows its configuration, its lock and its processes by their names: written over,
 * it is gone, or in use without anybody seeing it, whether somebody has it open or not.
 */
#include "txn/others_files.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "txn/member.h"
#include "txn/own_files.h"
#include "txn/same_place.h"

/* @above: the directory of a journal, or anything */
static int others_of(const char *above, const char *dir, const char *path, struct message *message)
{
	struct conf *conf;
	char name[PATH_MAX];
	int error;

	if (same_place(above, dir, NULL) || conf_path(above, CONF_NAME, name, NULL) ||
	    access(name, F_OK))
		return 0;
	conf = calloc(1, sizeof(*conf));
	if (!conf)
		return message_set(message, -ENOMEM, "no memory");
	/* one that cannot be read leaves the names */
	if (conf_read(above, conf, NULL))
		memset(conf, 0, sizeof(*conf));
	error = own_files_guard(above, conf, path, OWN_BUT_MARKERS, message);
	free(conf);
	return error;
}

/* in the directory above, or the one above that */
static int others_above(const char *dir, const char *path, struct message *message)
{
	char above[PATH_MAX], last[PATH_MAX];
	int error;

	(void)snprintf(above, sizeof(above), "%s", path);
	(void)dirname(above);
	error = others_of(above, dir, path, message);
	(void)snprintf(last, sizeof(last), "%s", above);
	return error || strcmp(basename(last), PEERS_DIR) ? error :
		       others_of(dirname(above), dir, path, message);
}

int others_files_guard(const char *dir, const char *path, struct message *message)
{
	char real[PATH_MAX];
	int error = others_above(dir, path, message);

	/* or what it is a link to */
	return error || !realpath(path, real) ? error : others_above(dir, real, message);
}
