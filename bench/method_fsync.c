/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people do today.
 *
 * append-fsync:        write to the end of one file, fsync.
 * create-fsync-rename: a file of its own as a maildir or a queue has it: make
 *                      tmp/N, write, fsync, rename to new/N, fsync new/, since
 *                      before that the name is not durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "lib_dir.h"

#define APPEND_BYTES_MAX (64u << 20) /* then it starts anew, between slices */

struct fsync_state {
	int fd;        /* the file, or the directory "new" */
	int tmp_fd;    /* the directory "tmp" */
	uint64_t first; /* of the files that are there */
};

static struct fsync_state *state_new(struct bench_case *bench)
{
	struct fsync_state *state = calloc(1, sizeof(*state));

	bench->survives = bench->env->disk_class;
	bench->state = state;
	if (!state) {
		(void)message_set(&bench->why, -ENOMEM, "out of memory");
		return NULL;
	}
	state->fd = state->tmp_fd = -1;
	return state;
}

static void case_path(struct bench_case *bench, char *path, size_t bytes)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s-%u", bench->method->name,
		       bench->payload_bytes);
	path_join(path, bytes, bench->env->dir, name);
}

static void fsync_close(struct bench_case *bench)
{
	struct fsync_state *state = bench->state;

	if (state && state->fd >= 0)
		(void)close(state->fd);
	if (state && state->tmp_fd >= 0)
		(void)close(state->tmp_fd);
	free(state);
}

static int write_all(int fd, const void *data, size_t bytes)
{
	ssize_t wrote = write(fd, data, bytes);

	if (wrote < 0)
		return -errno;
	return wrote == (ssize_t)bytes ? 0 : -EIO;
}

/* ---- append-fsync --------------------------------------------------------- */

static int append_open(struct bench_case *bench)
{
	struct fsync_state *state = state_new(bench);
	char path[4096];

	if (!state)
		return -ENOMEM;
	case_path(bench, path, sizeof(path));
	state->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (state->fd < 0)
		return message_errno(&bench->why, -errno, "%s", path);
	return 0;
}

static int append_op(struct bench_worker *worker)
{
	struct fsync_state *state = worker->bench->state;
	int result = write_all(state->fd, worker->bench->env->payload,
			       worker->bench->payload_bytes);

	if (result)
		return result;
	return fsync(state->fd) ? -errno : 0;
}

static int append_slice_end(struct bench_worker *worker)
{
	struct fsync_state *state = worker->bench->state;
	struct stat st;

	if (fstat(state->fd, &st))
		return -errno;
	if (st.st_size < APPEND_BYTES_MAX)
		return 0;
	return ftruncate(state->fd, 0) || fsync(state->fd) ? -errno : 0;
}

const struct bench_method append_fsync = {
	.name = "append-fsync",
	.open = append_open,
	.op = append_op,
	.slice_end = append_slice_end,
	.close = fsync_close,
};

/* ---- create-fsync-rename -------------------------------------------------- */

static int open_dir(const char *parent, const char *name)
{
	char path[4096];
	int fd, result;

	path_join(path, sizeof(path), parent, name);
	result = dir_make(path);
	if (result)
		return result;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int create_open(struct bench_case *bench)
{
	struct fsync_state *state = state_new(bench);
	char path[4096];

	if (!state)
		return -ENOMEM;
	case_path(bench, path, sizeof(path));
	state->tmp_fd = open_dir(path, "tmp");
	state->fd = state->tmp_fd < 0 ? state->tmp_fd : open_dir(path, "new");
	if (state->fd < 0)
		return message_errno(&bench->why, state->fd, "%s", path);
	return 0;
}

static int create_file(struct bench_worker *worker, const char *name)
{
	struct fsync_state *state = worker->bench->state;
	int fd = openat(state->tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int result;

	if (fd < 0)
		return -errno;
	result = write_all(fd, worker->bench->env->payload, worker->bench->payload_bytes);
	if (!result && fsync(fd))
		result = -errno;
	if (close(fd) && !result)
		result = -errno;
	return result;
}

static int create_op(struct bench_worker *worker)
{
	struct fsync_state *state = worker->bench->state;
	char name[32];
	int result;

	(void)snprintf(name, sizeof(name), "%llu", (unsigned long long)worker->sequence);
	result = create_file(worker, name);
	if (result)
		return result;
	if (renameat(state->tmp_fd, name, state->fd, name) || fsync(state->fd))
		return -errno;
	return 0;
}

/* what a delivered message costs is no part of it */
static int create_slice_end(struct bench_worker *worker)
{
	struct fsync_state *state = worker->bench->state;
	char name[32];

	for (; state->first < worker->sequence; state->first++) {
		(void)snprintf(name, sizeof(name), "%llu",
			       (unsigned long long)state->first);
		if (unlinkat(state->fd, name, 0))
			return -errno;
	}
	return 0;
}

const struct bench_method create_fsync_rename = {
	.name = "create-fsync-rename",
	.open = create_open,
	.op = create_op,
	.slice_end = create_slice_end,
	.close = fsync_close,
};
