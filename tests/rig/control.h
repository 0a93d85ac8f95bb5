/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the disk is told while it runs: by a Unix socket, one command for each connection,
 * a line, answered by a line, `ok NAME=NUMBER...` or `error WHY`.
 *
 *   stats                       all counts
 *   cut [seed=N] [fate=drop|keep|tear|mix]
 *                               the power goes; kept=N dropped=N torn=N
 *   on                          it comes back
 *   lie none|flush|fua|both
 *   hold none|write|flush|both  who comes from now on waits ...
 *   release [write|flush|both]  ... until this
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "disk.h"

struct control {
	struct disk *disk;
	const char *path;
	pthread_t thread;
	int fd;
	int end[2]; /* a pipe; closed when it is to end */
};

/* -EINVAL: there is no such word */
int control_fate(const char *word, enum disk_fate *fate);
int control_lies(const char *word, unsigned int *lies);
int control_number(const char *word, uint64_t *number);

/* who connects from then on waits for control_start() */
int control_listen(struct control *control, struct disk *disk, const char *path);
int control_start(struct control *control);
/* of one that was started */
void control_stop(struct control *control);

#endif
