/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How large logs are by default.  The free space of a file system is for others, too; a device
 * is for its log alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "format/leg.h"
#include "txn/make_impl.h"

#define LOG_BYTES_DEFAULT (1ull << 30)

static int room_of_tenth(struct make *m, uint64_t *bytes)
{
	const char *where = m->options->log_count ? m->options->logs[0] : m->dir;
	struct statvfs fs;

	if (statvfs(where, &fs))
		return message_errno(m->message, -errno, "%s", where);
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize / 10;
	return 0;
}

/* What a log on @device has, beside its @head.  Makes @bytes less, if that is less. */
static int room_of_device(struct make *m, const char *device, uint64_t head, uint64_t *bytes)
{
	int error = 0, fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (end < 0)
		error = message_errno(m->message, -errno, "%s", device);
	else
		*bytes = min_u64(*bytes, (uint64_t)end - min_u64(head, (uint64_t)end));
	if (fd >= 0)
		close(fd);
	return error;
}

/* The least of those that are devices: all logs are alike. */
static int room_of_devices(struct make *m, uint64_t *bytes)
{
	uint32_t log;
	int error = 0;

	for (log = 0; log < m->conf.log_count && !error; log++) {
		bool mirrored = m->conf.mirrors[log][0];
		uint64_t head = mirrored ? LEG_HEAD_BYTES : 0;

		if (!m->log_is_file[log])
			error = room_of_device(m, m->conf.logs[log], head, bytes);
		if (!error && mirrored && !m->mirror_is_file[log])
			error = room_of_device(m, m->conf.mirrors[log], head, bytes);
	}
	return error;
}

int make_log_default(struct make *m, uint64_t *total, const char **whence)
{
	uint64_t each = LOG_BYTES_DEFAULT, tenth = LOG_BYTES_DEFAULT;
	int error = m->log_is_file[0] ? room_of_tenth(m, &tenth) : 0;

	if (!error)
		error = room_of_devices(m, &each);
	*total = min_u64(LOG_BYTES_DEFAULT, each * m->conf.log_count);
	*whence = ", which is what the device has,";
	if (tenth < *total) {
		*total = tenth;
		*whence = NULL;
	}
	return error;
}
