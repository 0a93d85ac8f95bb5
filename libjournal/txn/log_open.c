/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/log_open.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/same_place.h"

int log_open(const struct conf *conf, uint32_t log, unsigned int flags, uint64_t bytes,
	     const struct journal_progress *progress, struct log_store **store,
	     struct message *message)
{
	const char *const path[2] = { conf->logs[log], conf->mirrors[log] };

	if (!log_is_mirrored(conf, log))
		return backend_open_log(path[0], flags, bytes, progress, store, message);
	return backend_open_mirror(path, conf->uuid, conf->left[log], &conf->runs, log,
				   backend_open_log, flags, bytes, progress, store, message);
}

int log_join(const struct conf *conf, uint32_t log, unsigned int flags,
	     struct log_share *share, struct log_store **store, struct message *message)
{
	const char *const path[2] = { conf->logs[log], conf->mirrors[log] };

	if (!log_is_mirrored(conf, log))
		return backend_join_log(path[0], flags, share, store, message);
	return backend_join_mirror(path, conf->uuid, backend_join_log, flags, share, store,
				   message);
}

/* As journal.conf names it, where a relative path is below @dir; or as a path that leads
 * there, or to the directory that it is in. */
static bool log_is_called(const char *dir, const char *leg, const char *name)
{
	char below[PATH_MAX], above[PATH_MAX];

	(void)snprintf(above, sizeof(above), "%s", leg);
	return !strcmp(leg, name) ||
	       (!conf_path(dir, name, below, NULL) && !strcmp(leg, below)) ||
	       same_place(leg, name, NULL) || same_place(dirname(above), name, NULL);
}

/* Return: how many legs are called @keep; which is in @log and @leg when it is one */
static unsigned int log_called(const struct conf *conf, const char *dir, const char *keep,
			       uint32_t *log, unsigned int *leg)
{
	unsigned int count = 0;
	uint32_t i;

	for (i = 0; i < 2 * conf->log_count; i++) {
		if (!log_is_mirrored(conf, i / 2) ||
		    !log_is_called(dir, i % 2 ? conf->mirrors[i / 2] : conf->logs[i / 2], keep))
			continue;
		*log = i / 2;
		*leg = i % 2;
		count++;
	}
	return count;
}

int log_choose(struct conf *conf, const char *dir, const char *keep, struct message *message)
{
	uint32_t log = 0;
	unsigned int leg = 0, count = log_called(conf, dir, keep, &log, &leg);
	const char *const path[2] = { conf->logs[log], conf->mirrors[log] };
	int error;

	if (!count)
		return message_set(message, -ENOENT, "%s: no leg of a mirrored log in " CONF_NAME,
				   keep);
	/* what the other one has will be gone: nothing is guessed */
	if (count > 1)
		return message_set(message, -EINVAL, "%s: may be any of %u legs: give the whole "
				   "path", keep, count);
	error = backend_choose_leg(path, conf->uuid, conf->left[log], &conf->runs, log,
				   backend_open_log, leg, message);
	if (!error)
		conf->left[log] = 2 - leg;
	return error;
}
