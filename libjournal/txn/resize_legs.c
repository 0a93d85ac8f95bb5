/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mirrored log that becomes longer or shorter.  For both legs journal.conf is the point,
 * as for several logs: before it both are longer, after it both become shorter.  How long
 * a leg is nobody reads from its head.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool leg_of_file(const char *path, struct leg_meta *meta)
{
	struct leg_super head[LEG_SUPERS];
	const char *why;
	/* O_NONBLOCK: whatever is there */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good = fd >= 0 && pread(fd, head, sizeof(head), 0) == sizeof(head) &&
		    !leg_supers_decode(head, UINT64_MAX, true, meta, &why);

	if (fd >= 0)
		close(fd);
	return good;
}

/* Of this journal, of this log, and the one that belongs there: else it is not ours to
 * make longer, and is refused as it is by who brings the leg up to date. */
static bool leg_is_ours(struct journal *j, uint32_t log, unsigned int leg, const char *path)
{
	struct leg_meta meta, other;
	struct log_copy copy;

	log_copies_look(logs_at(j, log), !leg, &copy);
	return leg_of_file(path, &meta) && leg_of_file(copy.path, &other) && meta.leg == leg &&
	       meta.pair == other.pair && !memcmp(meta.uuid, j->conf.uuid, sizeof(meta.uuid));
}

int resize_leg(struct journal *j, uint32_t log, unsigned int leg, struct message *message)
{
	const char *path = leg ? j->conf.mirrors[log] : j->conf.logs[log];
	uint64_t bytes = log_store_bytes(logs_at(j, log)) + LEG_HEAD_BYTES;
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size <= LEG_HEAD_BYTES || (uint64_t)st.st_size >= bytes ||
	    !leg_is_ours(j, log, leg, path))
		return 0;
	return backend_extend_log(path, (uint64_t)st.st_size, bytes, NULL, message);
}
