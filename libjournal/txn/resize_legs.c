/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mirrored log that becomes longer or shorter.  For both legs journal.conf is the point,
 * as for several logs: before it both are longer, after it both become shorter.  How long
 * a leg is nobody reads from its head.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "backends.h"
#include "format/leg.h"
#include "store/log_copies.h"
#include "txn/logs.h"
#include "txn/resize.h"

unsigned int resize_parts(const struct resize *r, uint32_t log, struct resize_part parts[2])
{
	struct log_store *store = logs_at(r->j, log);
	struct log_copy copy;
	unsigned int leg, count = 0;

	if (!store->copies) {
		parts[0].before = 0;
		(void)snprintf(parts[0].path, PATH_MAX, "%s", r->conf.logs[log]);
		return 1;
	}
	for (leg = 0; leg < 2; leg++) {
		log_copies_look(store, leg, &copy);
		if (!copy.store || copy.out)
			continue;
		parts[count].before = LEG_HEAD_BYTES;
		(void)snprintf(parts[count++].path, PATH_MAX, "%s", copy.path);
	}
	return count;
}

int resize_leg(struct journal *j, uint32_t log, const char *path, struct message *message)
{
	uint64_t bytes = log_store_bytes(logs_at(j, log)) + LEG_HEAD_BYTES;
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size <= LEG_HEAD_BYTES || (uint64_t)st.st_size >= bytes)
		return 0;
	return backend_extend_log(path, (uint64_t)st.st_size, bytes, NULL, message);
}
