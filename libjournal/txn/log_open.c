/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/log_open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int log_open(const struct conf *conf, uint32_t log, unsigned int flags, uint64_t bytes,
	     const struct journal_progress *progress, struct log_store **store,
	     struct message *message)
{
	const char *const path[2] = { conf->logs[log], conf->mirrors[log] };

	if (!log_is_mirrored(conf, log))
		return backend_open_log(path[0], flags, bytes, progress, store, message);
	return backend_open_mirror(path, conf->uuid, conf->left[log], backend_open_log, flags,
				   bytes, progress, store, message);
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

/* As journal.conf names it, or as a path that leads there. */
static bool log_is_called(const char *leg, const char *name)
{
	char real[2][PATH_MAX];

	return !strcmp(leg, name) || (realpath(leg, real[0]) && realpath(name, real[1]) &&
				      !strcmp(real[0], real[1]));
}

int log_choose(struct conf *conf, const char *keep, struct message *message)
{
	uint32_t log;
	unsigned int leg;

	for (log = 0; log < conf->log_count; log++) {
		const char *const path[2] = { conf->logs[log], conf->mirrors[log] };

		if (!log_is_mirrored(conf, log))
			continue;
		for (leg = 0; leg < 2; leg++) {
			if (!log_is_called(path[leg], keep))
				continue;
			conf->left[log] = 2 - leg;
			return backend_choose_leg(path, conf->uuid, backend_open_log, leg,
						  message);
		}
	}
	return message_set(message, -ENOENT, "%s: no leg of a mirrored log in " CONF_NAME, keep);
}
