/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the logs of a new journal are to be.  Two logs at one place are of no use to
 * anybody, and on a device they would be one over the other; a mirror beside its log goes
 * with it.  The mirror of one log may be where another log is: two disks, each with the
 * mirror of the other one.
 */
#include <errno.h>
#include <sys/stat.h>

#include "txn/make_impl.h"
#include "txn/same_place.h"

static const char *place_log(const struct make *m, uint32_t log)
{
	return m->options->log_count ? m->options->logs[log] : m->dir;
}

static const char *place_mirror(const struct make *m, uint32_t log)
{
	return log < m->options->mirror_count ? m->options->mirrors[log] : NULL;
}

static int place_is_there(const struct make *m, const char *path)
{
	struct stat st;

	return path && stat(path, &st) ? message_errno(m->message, -errno, "%s", path) : 0;
}

/* @before, and @log or its mirror */
static int place_differs(const struct make *m, uint32_t before, uint32_t log)
{
	const char *mirror = place_mirror(m, log), *other = place_mirror(m, before);
	const char *twice = NULL;
	bool device = false;

	if (same_place(place_log(m, before), place_log(m, log), NULL))
		return message_set(m->message, -EINVAL, "%s: two logs cannot be at one place",
				   place_log(m, log));
	if (mirror && same_place(mirror, place_log(m, before), &device) && device)
		twice = mirror;
	device = false;
	if (mirror && other && same_place(mirror, other, &device) && device)
		twice = mirror;
	device = false;
	if (other && same_place(other, place_log(m, log), &device) && device)
		twice = other;
	return twice ? message_set(m->message, -EINVAL, "%s: two logs cannot be on one device",
				   twice) :
		       0;
}

int make_places(struct make *m)
{
	uint32_t count = (uint32_t)(m->options->log_count ? m->options->log_count : 1);
	uint32_t log, before;
	int error = 0;

	for (log = 0; log < count && !error; log++) {
		error = place_is_there(m, place_log(m, log));
		if (!error)
			error = place_is_there(m, place_mirror(m, log));
		for (before = 0; before < log && !error; before++)
			error = place_differs(m, before, log);
		if (!error && place_mirror(m, log) &&
		    same_place(place_log(m, log), place_mirror(m, log), NULL))
			error = message_set(m->message, -EINVAL, "%s: a log cannot be its own "
					    "mirror, nor beside it", place_mirror(m, log));
	}
	return error;
}
