/* SPDX-License-Identifier: BSD-3-Clause */
/* The logs of a new journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends.h"
#include "format/features.h"
#include "txn/clock.h"
#include "txn/log_open.h"
#include "txn/make_impl.h"
#include "txn/media.h"

#define LOG_BYTES_LEAST (9ull << 20) /* of one log; a little less would do */
#define LOG_BYTES_MOST (1ull << 50)

/* A directory gets a file, named so that several journals can share it. */
static int make_log_path(struct make *m, const char *path, uint32_t log, bool mirror)
{
	char (*to)[PATH_MAX] = mirror ? &m->conf.mirrors[log] : &m->conf.logs[log];
	char name[PATH_MAX], uuid[37];
	struct stat st;

	if (stat(path, &st))
		return message_errno(m->message, -errno, "%s", path);
	if (S_ISBLK(st.st_mode))
		return conf_path("", path, *to, m->message);
	if (!S_ISDIR(st.st_mode))
		return message_set(m->message, -EINVAL, "%s: a log is a directory or a block "
				   "device", path);
	if (mirror)
		m->mirror_is_file[log] = true;
	else
		m->log_is_file[log] = true;
	uuid_print(m->conf.uuid, uuid);
	if (!strcmp(path, m->dir))
		return conf_path(path, mirror ? "mirror" : "log", *to, m->message);
	if (snprintf(name, sizeof(name), "journal-%s-%u%s.log", uuid, log + 1,
		     mirror ? "-mirror" : "") >= (int)sizeof(name))
		return -ENAMETOOLONG;
	return conf_path(path, name, *to, m->message);
}

static int make_mirror_path(struct make *m, uint32_t log)
{
	const char *path = log < m->options->mirror_count ? m->options->mirrors[log] : NULL;
	char real[PATH_MAX];

	if (!path)
		return 0;
	if (!realpath(path, real))
		return message_errno(m->message, -errno, "%s", path);
	return make_log_path(m, real, log, true);
}

static int make_log_paths(struct make *m)
{
	const char *const *paths = m->options->logs;
	uint32_t log, count = (uint32_t)m->options->log_count;
	char real[PATH_MAX];
	int error = 0;

	m->conf.log_count = count ? count : 1;
	for (log = 0; log < m->conf.log_count && !error; log++) {
		if (!count)
			error = make_log_path(m, m->dir, log, false);
		else if (!realpath(paths[log], real))
			error = message_errno(m->message, -errno, "%s", paths[log]);
		else
			error = make_log_path(m, real, log, false);
		if (!error)
			error = make_mirror_path(m, log);
	}
	return error;
}

struct make_size {
	char text[32];
};

/* @bytes as a person would write it who writes @like: in the same unit, if that goes */
static struct make_size make_size_like(uint64_t bytes, uint64_t like)
{
	unsigned int unit = 4;
	struct make_size size;

	while (unit && (bytes | like) & ((1ull << 10 * unit) - 1))
		unit--;
	(void)snprintf(size.text, sizeof(size.text), "%llu%s",
		       (unsigned long long)(bytes >> 10 * unit),
		       (const char *[]){ " bytes", "K", "M", "G", "T" }[unit]);
	return size;
}

static int make_log_size_refuse(struct make *m, uint64_t total, const char *whence)
{
	uint64_t least = LOG_BYTES_LEAST * m->conf.log_count;
	uint64_t most = LOG_BYTES_MOST * m->conf.log_count;

	if (!whence)
		return message_set(m->message, -ENOSPC, "%s: too little space is free: a tenth of "
				   "it, the log's size where none is given, is %llu bytes, and "
				   "the least is %s", m->conf.logs[0], (unsigned long long)total,
				   make_size_like(least, least).text);
	return message_set(m->message, -EINVAL, "a log of %s%s makes no sense: at least %s and "
			   "at most %s", make_size_like(total, total).text, whence,
			   make_size_like(least, total).text, make_size_like(most, most).text);
}

static int make_log_size(struct make *m)
{
	uint64_t total = m->options->log_bytes;
	const char *whence = "";
	int error = total ? 0 : make_log_default(m, &total, &whence);

	if (error)
		return error;
	m->log_bytes = round_down(total / m->conf.log_count, 4096);
	m->log.segment_bytes = LOG_SEGMENT_MIN;
	while (m->log.segment_bytes < LOG_SEGMENT_MAX && m->log.segment_bytes * 256 < total)
		m->log.segment_bytes <<= 1;
	m->log.digest_bytes = (uint32_t)max_u64(4096, m->log.segment_bytes / 256);
	m->log.bytes = m->log_bytes;
	m->log.block_bytes = 4096;
	if (m->log_bytes > LOG_BYTES_MOST || log_geometry_make(&m->log))
		return make_log_size_refuse(m, total, whence);
	return 0;
}

static int make_log(struct make *m, uint32_t log)
{
	const char *path = m->conf.logs[log];
	enum journal_class class;
	int error = log_open(&m->conf, log, LOG_CREATE | (m->options->force ? LOG_FORCE : 0),
			     m->log_bytes, &m->options->progress, &m->logs[log], m->message);

	if (error)
		return error;
	m->logs_made = log + 1;
	return media_class(path, m->logs[log]->class, m->logs[log]->evidence,
			   m->conf.assume_log, m->conf.require, &class, m->message);
}

/* One shape for all logs: the largest block that any of them wants. */
static void make_log_geometry(struct make *m)
{
	uint32_t log;

	m->log.block_bytes = 512;
	for (log = 0; log < m->conf.log_count; log++)
		if (m->logs[log]->block_bytes > m->log.block_bytes)
			m->log.block_bytes = m->logs[log]->block_bytes;
	memcpy(m->log.uuid, m->conf.uuid, sizeof(m->log.uuid));
	m->log.nonce = m->nonce;
	m->log.created_ns = clock_ns();
	m->log.logs = m->conf.log_count;
}

static int make_log_super(struct make *m, uint32_t log)
{
	struct log_io io = { .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	struct log_super *super;
	uint32_t i;
	int error;

	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return message_set(m->message, -ENOMEM, "no memory");
	super = io.buffer;
	m->log.log = log;
	m->log.incompat = FORMAT_INCOMPAT_MOVED |
			  (log_is_mirrored(&m->conf, log) ? FORMAT_INCOMPAT_MIRRORED : 0);
	for (i = 0; i < LOG_SUPERS; i++)
		log_super_encode(&m->log, &super[i]);
	error = log_store_write(m->logs[log], &io, 1, true);
	free(io.buffer);
	return error ? message_errno(m->message, error, "%s", m->conf.logs[log]) : 0;
}

int make_logs_plan(struct make *m)
{
	int error = make_log_paths(m);

	return error ? error : make_log_size(m);
}

int make_logs(struct make *m)
{
	uint32_t log;
	int error = 0;

	for (log = 0; log < m->conf.log_count && !error; log++)
		error = make_log(m, log);
	if (error)
		return error;
	make_log_geometry(m);
	for (log = 0; log < m->conf.log_count && !error; log++)
		error = make_log_super(m, log);
	return error;
}

void make_close(struct make *m)
{
	uint32_t log;

	for (log = 0; log < m->logs_made; log++)
		log_store_close(m->logs[log]);
	if (m->marker)
		marker_store_close(m->marker);
}
