/* SPDX-License-Identifier: BSD-3-Clause */
#include "recovery_floor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends.h"
#include "lib_clock.h"
#include "util/math.h"

#define READ_BYTES (1u << 20)
#define READ_BUFFERS 64u

void read_floor_close(struct read_floor *floor)
{
	if (floor->store)
		log_store_close(floor->store);
	free(floor->io);
	free(floor->buffers);
}

/* All reads in one call, so that the queue never runs dry; they share some
 * buffers, since nobody looks at what was read. */
int read_floor_open(struct read_floor *floor, const char *path, uint64_t bytes,
		    struct message *why)
{
	size_t room = (size_t)READ_BUFFERS * READ_BYTES;
	int result = backend_open_log(path, LOG_RDONLY, 0, NULL, &floor->store, why);
	unsigned int i;

	if (result)
		return result;
	/* a quick run may leave all of it in the stage */
	bytes = max_u64(round_up(bytes, READ_BYTES), READ_BYTES);
	floor->bytes = min_u64(bytes, round_down(floor->store->bytes, READ_BYTES));
	floor->count = (unsigned int)(floor->bytes / READ_BYTES);
	floor->io = calloc(floor->count, sizeof(*floor->io));
	floor->buffers = aligned_alloc(4096, room);
	if (!floor->io || !floor->buffers)
		return message_set(why, -ENOMEM, "out of memory");
	memset(floor->buffers, 1, room);
	for (i = 0; i < floor->count; i++) {
		floor->io[i].offset = (uint64_t)i * READ_BYTES;
		floor->io[i].bytes = READ_BYTES;
		floor->io[i].buffer = floor->buffers + i % READ_BUFFERS * (size_t)READ_BYTES;
	}
	return 0;
}

int read_floor_once(struct read_floor *floor, uint64_t *ns)
{
	uint64_t begin = clock_ns();
	int result = log_store_read(floor->store, floor->io, floor->count);

	*ns = clock_ns() - begin;
	return result;
}
