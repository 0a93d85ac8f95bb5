/* SPDX-License-Identifier: BSD-3-Clause */
/* A log of a journal, by journal.conf: on one medium, or on two. */
#ifndef TXN_LOG_OPEN_H
#define TXN_LOG_OPEN_H

#include "backends.h"
#include "txn/conf.h"

static inline bool log_is_mirrored(const struct conf *conf, uint32_t log)
{
	return conf->mirrors[log][0];
}

/* as backend_open_log() */
int log_open(const struct conf *conf, uint32_t log, unsigned int flags, uint64_t bytes,
	     const struct journal_progress *progress, struct log_store **store,
	     struct message *message);
/* as backend_join_log(); @share: LOG_SHARES of them */
int log_join(const struct conf *conf, uint32_t log, unsigned int flags,
	     struct log_share *share, struct log_store **store, struct message *message);
/* The leg that is in @keep is to count: log_mirror_choose(), and @conf says so then.
 * @dir: what journal.conf's paths are below
 * Return: 0, -ENOENT there is no such leg, -EINVAL it may be several, or as that. */
int log_choose(struct conf *conf, const char *dir, const char *keep, struct message *message);

#endif
