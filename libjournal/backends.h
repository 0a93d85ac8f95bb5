/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens a medium by its name; the only file that names concrete backends is
 * backends.c. */
#ifndef BACKENDS_H
#define BACKENDS_H

#include "store/log_store.h"
#include "store/marker_store.h"

struct log_runs;

/* @uri: "scheme:path"; flags MARKER_* */
int backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			struct marker_store **store, struct message *message);
/* one that another process has shared: marker_store_joiner */
int backend_join_marker(const char *uri, unsigned int flags, struct marker_share *share,
			void *map, struct marker_store **store, struct message *message);
/* @path: log file or block device; flags LOG_* */
int backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
		     const struct journal_progress *progress, struct log_store **store,
		     struct message *message);
/* one that another process has shared: log_store_joiner */
int backend_join_log(const char *path, unsigned int flags, struct log_share *share,
		     struct log_store **store, struct message *message);
/* One that lies on two legs, as log_mirror.h says, log @log of @runs: each is opened by
 * @open, which is backend_open_log(), or stands in for it */
int backend_open_mirror(const char *const path[2], const uint8_t uuid[16], unsigned int left,
			const struct log_runs *runs, uint32_t log, log_store_opener *open,
			unsigned int flags, uint64_t bytes,
			const struct journal_progress *progress, struct log_store **store,
			struct message *message);
int backend_join_mirror(const char *const path[2], const uint8_t uuid[16], log_store_joiner *join,
			unsigned int flags, struct log_share *share, struct log_store **store,
			struct message *message);
/* log_mirror_choose() */
int backend_choose_leg(const char *const path[2], const uint8_t uuid[16], unsigned int left,
		       const struct log_runs *runs, uint32_t log, log_store_opener *open,
		       unsigned int keep, struct message *message);

/**
 * backend_extend_log() - zeros from @from to @to, durable; a file becomes that long
 * Others may use what is before @from meanwhile.  A file is as it was after an error.
 * Return: 0, -ENOSPC, or what the system said, with the text in @message.
 */
int backend_extend_log(const char *path, uint64_t from, uint64_t to,
		       const struct journal_progress *progress, struct message *message);
/* A file that is longer becomes @bytes long; of a device nothing is changed. */
int backend_trim_log(const char *path, uint64_t bytes, struct message *message);

#endif
