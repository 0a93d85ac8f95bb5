/* SPDX-License-Identifier: BSD-3-Clause */
/* floor-read: the log's bytes, read as fast as the disk gives them. */
#ifndef BENCH_RECOVERY_FLOOR_H
#define BENCH_RECOVERY_FLOOR_H

#include <stdint.h>

#include "store/log_store.h"
#include "util/message.h"

struct read_floor {
	struct log_store *store;
	struct log_io *io;
	uint8_t *buffers;
	unsigned int count;
	uint64_t bytes;
};

/* For the first @bytes of the log at @path.  read_floor_close() in every case. */
int read_floor_open(struct read_floor *floor, const char *path, uint64_t bytes,
		    struct message *why);
int read_floor_once(struct read_floor *floor, uint64_t *ns);
void read_floor_close(struct read_floor *floor);

#endif
