/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/unfinished.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/same_place.h"

static bool is_medium(const char *path, const struct conf *conf)
{
	uint32_t log;

	if (same_place(strchr(conf->marker, ':') + 1, path, NULL) ||
	    (conf->return_to[0] && same_place(strchr(conf->return_to, ':') + 1, path, NULL)))
		return true;
	for (log = 0; log < conf->log_count; log++)
		if (same_place(conf->logs[log], path, NULL) ||
		    (conf->mirrors[log][0] && same_place(conf->mirrors[log], path, NULL)))
			return true;
	return false;
}

void unfinished_remove(const char *dir, const struct conf *conf)
{
	/* elsewhere such a name may be anybody's */
	static const char *const names[] = { "markers" UNFINISHED, "log" UNFINISHED,
					     "mirror" UNFINISHED };
	char path[PATH_MAX];
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!conf_path(dir, names[i], path, NULL) && !lstat(path, &st) &&
		    S_ISREG(st.st_mode) && !is_medium(path, conf))
			(void)unlink(path);
}
