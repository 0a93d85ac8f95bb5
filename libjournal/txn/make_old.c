/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Formatting over a journal: its logs may lie elsewhere than the new ones.  They
 * would stay behind, large and with nobody to name them.
 */
#include <string.h>
#include <unistd.h>

#include "txn/left.h"
#include "txn/make_impl.h"
#include "txn/remove.h"
#include "txn/same_place.h"

void make_remember_old(struct make *m)
{
	if (conf_read(m->dir, &m->old, NULL))
		m->old.log_count = 0; /* nothing can be known of it */
}

/* A log that was written over has the new uuid by now. */
void make_remove_old(struct make *m)
{
	uint32_t log;

	for (log = 0; log < m->old.log_count; log++) {
		if (remove_is_log(m->old.logs[log], m->old.uuid))
			(void)unlink(m->old.logs[log]);
		(void)left_forget(m->dir, m->old.uuid, log, 0);
		if (m->old.mirrors[log][0] && remove_is_log(m->old.mirrors[log], m->old.uuid))
			(void)unlink(m->old.mirrors[log]);
	}
}

static bool old_has(const struct make *m, const char *path)
{
	uint32_t log;

	if (same_place(strchr(m->old.marker, ':') + 1, path, NULL))
		return true;
	for (log = 0; log < m->old.log_count; log++)
		if (same_place(m->old.logs[log], path, NULL) ||
		    (m->old.mirrors[log][0] && same_place(m->old.mirrors[log], path, NULL)))
			return true;
	return false;
}

bool make_hits_old(const struct make *m)
{
	uint32_t log;

	/* it has none, or what cannot be read */
	if (!m->old.log_count || old_has(m, strchr(m->conf.marker, ':') + 1))
		return true;
	for (log = 0; log < m->conf.log_count; log++)
		if (old_has(m, m->conf.logs[log]) ||
		    (m->conf.mirrors[log][0] && old_has(m, m->conf.mirrors[log])))
			return true;
	return false;
}
