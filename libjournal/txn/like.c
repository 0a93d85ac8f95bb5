/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/like.h"

#include <errno.h>
#include <unistd.h>

int like_file(const char *path, const struct stat *like)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	/* the group before the mode, which is for it; the owner last, who may change both */
	if ((st.st_gid != like->st_gid && chown(path, (uid_t)-1, like->st_gid)) ||
	    chmod(path, like->st_mode & 0777))
		return -errno;
	/* who is not root leaves it his own */
	if (st.st_uid != like->st_uid)
		(void)!chown(path, like->st_uid, (gid_t)-1);
	return 0;
}
