/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the disk costs at least: one O_DIRECT write over a zero-filled file,
 * block after block as a log would, with DSYNC and without.  A payload smaller
 * than a block is a block.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"
#include "lib_dir.h"
#include "store/evidence.h"
#include "util/math.h"

struct disk_state {
	int fd;
	int flags;
	uint32_t bytes; /* of one write */
	uint64_t at, file_bytes;
};

static int disk_file(struct bench_case *bench, struct disk_state *state)
{
	char path[4096], name[64];

	(void)snprintf(name, sizeof(name), "%s-%u", bench->method->name,
		       bench->payload_bytes);
	path_join(path, sizeof(path), bench->env->dir, name);
	state->file_bytes = bench->env->options.quick ? 4u << 20 : 64u << 20;
	state->fd = file_zero_filled(path, state->file_bytes, O_DIRECT);
	if (state->fd < 0)
		return message_errno(&bench->why, state->fd, "%s: O_DIRECT", path);
	state->bytes = (uint32_t)round_up(bench->payload_bytes, file_block_bytes(state->fd));
	return 0;
}

static int disk_open(struct bench_case *bench, int flags)
{
	struct disk_state *state = calloc(1, sizeof(*state));

	if (!state)
		return message_set(&bench->why, -ENOMEM, "out of memory");
	state->fd = -1;
	state->flags = flags;
	bench->state = state;
	return disk_file(bench, state);
}

static int dsync_open(struct bench_case *bench)
{
	bench->survives = bench->env->disk_class;
	return disk_open(bench, RWF_DSYNC);
}

/* a completed write without sync is durable only where P12 allows */
static int direct_open(struct bench_case *bench)
{
	struct disk_state *state;
	struct evidence evidence;
	int result = disk_open(bench, 0);

	bench->survives = JOURNAL_CLASS_PROCESS;
	if (result)
		return result;
	state = bench->state;
	if (!evidence_read(state->fd, &evidence) && evidence.no_volatile_cache &&
	    evidence.overwrites_in_place)
		bench->survives = evidence.class;
	return 0;
}

static int disk_op(struct bench_worker *worker)
{
	struct disk_state *state = worker->bench->state;
	struct iovec iov = { worker->bench->env->payload, state->bytes };
	ssize_t wrote;

	if (state->bytes > state->file_bytes - state->at)
		state->at = 0;
	wrote = pwritev2(state->fd, &iov, 1, (off_t)state->at, state->flags);
	state->at += state->bytes;
	if (wrote < 0)
		return -errno;
	return wrote == (ssize_t)state->bytes ? 0 : -EIO;
}

static void disk_close(struct bench_case *bench)
{
	struct disk_state *state = bench->state;

	if (state && state->fd >= 0)
		(void)close(state->fd);
	free(state);
}

const struct bench_method floor_dsync = {
	.name = "floor-dsync",
	.open = dsync_open,
	.op = disk_op,
	.close = disk_close,
};

const struct bench_method floor_direct = {
	.name = "floor-direct",
	.open = direct_open,
	.op = disk_op,
	.close = disk_close,
};
