/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Formatting over a journal: its logs may lie elsewhere than the new ones.  They
 * would stay behind, large and with nobody to name them.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/make_impl.h"

void make_remember_old(struct make *m)
{
	if (conf_read(m->dir, &m->old, NULL))
		m->old.log_count = 0; /* nothing can be known of it */
}

/* A file, and by its beginning and uuid a log of the journal that was. */
static bool make_is_old_log(const struct make *m, const char *path)
{
	struct log_super super;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is;

	if (fd < 0)
		return false;
	is = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	     pread(fd, &super, sizeof(super), 0) == (ssize_t)sizeof(super) &&
	     !memcmp(super.magic, LOG_MAGIC, sizeof(super.magic)) &&
	     !memcmp(super.uuid, m->old.uuid, sizeof(super.uuid));
	close(fd);
	return is;
}

/* A log that was written over has the new uuid by now. */
void make_remove_old(struct make *m)
{
	uint32_t log;

	for (log = 0; log < m->old.log_count; log++)
		if (make_is_old_log(m, m->old.logs[log]))
			(void)unlink(m->old.logs[log]);
}
