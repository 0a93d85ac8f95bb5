/* SPDX-License-Identifier: BSD-3-Clause */
#include "reads_fio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_FIO 127 /* as a shell says it */
#define REPORT_BYTES_MAX (256u << 10)

__attribute__((noreturn))
static void child(const struct fio_job *job, int out)
{
	char file[4200], bytes[48], block[48], depth[48], time[48], engine[48];
	const char *rw = job->write ? "--rw=write" : "--rw=randread";
	int null = open("/dev/null", O_RDWR);

	(void)snprintf(file, sizeof(file), "--filename=%s", job->path);
	(void)snprintf(bytes, sizeof(bytes), "--size=%" PRIu64, job->bytes);
	(void)snprintf(block, sizeof(block), "--bs=%" PRIu32, job->block_bytes);
	(void)snprintf(depth, sizeof(depth), "--iodepth=%" PRIu32, job->depth);
	(void)snprintf(time, sizeof(time), "--runtime=%" PRIu32 "ms", job->ms);
	(void)snprintf(engine, sizeof(engine), "--ioengine=%.30s", job->engine);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	(void)execlp("fio", "fio", "--name=bench", rw, "--direct=1", "--overwrite=1", file, bytes,
		     block, depth, engine, "--time_based", time, "--output-format=json",
		     (char *)NULL);
	_exit(errno == ENOENT ? NO_FIO : 1);
}

static size_t read_all(int fd, char *text, size_t room)
{
	size_t used = 0;
	ssize_t got;

	while (used < room) {
		got = read(fd, text + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	return used;
}

/* Run it; its report to @text.  Return: its exit status, or negative errno. */
static int run(const struct fio_job *job, char *text, size_t room)
{
	int fds[2], status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	(void)fflush(NULL);
	pid = fork();
	if (!pid)
		child(job, fds[1]);
	(void)close(fds[1]);
	if (pid > 0) {
		text[read_all(fds[0], text, room - 1)] = '\0';
		(void)waitpid(pid, &status, 0);
	}
	(void)close(fds[0]);
	if (pid < 0)
		return -EAGAIN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static double number(struct json_object *object, const char *name)
{
	return json_object_get_double(json_object_object_get(object, name));
}

/* fio's percentiles are the upper ends of ranges: the last may be above the maximum */
static double percentile_of(struct json_object *latency, const char *name)
{
	double value = number(json_object_object_get(latency, "percentile"), name);
	double most = number(latency, "max");

	return value < most ? value : most;
}

static int parse(const char *text, const char *what, struct fio_report *report)
{
	struct json_object *root = json_tokener_parse(text), *read, *latency;

	read = json_object_object_get(root, "jobs");
	read = json_object_object_get(json_object_array_get_idx(read, 0), what);
	latency = json_object_object_get(read, "clat_ns");
	*report = (struct fio_report){
		.per_s = number(read, "iops"),
		.n = number(read, "total_ios"),
		.p50_ns = percentile_of(latency, "50.000000"),
		.p90_ns = percentile_of(latency, "90.000000"),
		.p99_ns = percentile_of(latency, "99.000000"),
		.p999_ns = percentile_of(latency, "99.900000"),
		.p9999_ns = percentile_of(latency, "99.990000"),
		.max_ns = number(latency, "max"),
	};
	json_object_put(root);
	return report->per_s > 0 && report->max_ns > 0 ? 0 : -EBADMSG;
}

int fio_run(const struct fio_job *job, struct fio_report *report, struct message *why)
{
	char *text = malloc(REPORT_BYTES_MAX), *begin;
	int result = text ? run(job, text, REPORT_BYTES_MAX) : -ENOMEM;

	if (result == NO_FIO) {
		result = message_set(why, -ENOENT, "fio is not installed");
	} else if (result) {
		result = message_set(why, -EIO, "fio with engine %s failed (%d)", job->engine,
				     result);
	} else {
		begin = strchr(text, '{'); /* a note may come before it */
		result = begin ? parse(begin, job->write ? "write" : "read", report) : -EBADMSG;
		if (result)
			(void)message_set(why, result, "what fio reports has no rate");
	}
	free(text);
	return result;
}
