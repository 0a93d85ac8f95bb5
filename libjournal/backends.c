/* SPDX-License-Identifier: BSD-3-Clause */
#include "backends.h"

#include <errno.h>
#include <string.h>

#include "log/log_file.h"
#include "log/log_mirror.h"
#include "marker/file.h"
#include "marker/pmem_open.h"
#include "marker/sim.h"
#include "util/math.h"

struct marker_backend {
	const char *scheme;
	marker_store_opener *open;
	marker_store_joiner *join; /* NULL: not to be shared */
};

static const struct marker_backend marker_backends[] = {
	{ "file", marker_file_open, marker_file_join },
	{ "pmem", marker_pmem_open, marker_pmem_join },
	{ "sim", marker_sim_open, NULL },
};

#define MARKER_SCHEMES "file:, pmem:, sim:"

_Static_assert(ARRAY_COUNT(marker_backends) == 3, "MARKER_SCHEMES names them all");

static const struct marker_backend *find_marker(const char *uri, size_t scheme_chars)
{
	for (size_t i = 0; i < ARRAY_COUNT(marker_backends); i++)
		if (strlen(marker_backends[i].scheme) == scheme_chars &&
		    !memcmp(marker_backends[i].scheme, uri, scheme_chars))
			return &marker_backends[i];
	return NULL;
}

int backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			struct marker_store **store, struct message *message)
{
	const char *colon = strchr(uri, ':');
	const struct marker_backend *backend;

	if (!colon)
		return message_set(message, -EINVAL, "%s: no marker URI; it begins with one of %s",
				   uri, MARKER_SCHEMES);
	backend = find_marker(uri, (size_t)(colon - uri));
	if (!backend)
		return message_set(message, -ENOTSUP, "%s: unknown kind of marker; known are %s",
				   uri, MARKER_SCHEMES);
	if (!colon[1])
		return message_set(message, -EINVAL, "%s: the path is missing", uri);
	return backend->open(colon + 1, flags, bytes, store, message);
}

int backend_join_marker(const char *uri, unsigned int flags, struct marker_share *share,
			void *map, struct marker_store **store, struct message *message)
{
	const char *colon = strchr(uri, ':');
	const struct marker_backend *backend =
		colon ? find_marker(uri, (size_t)(colon - uri)) : NULL;

	if (!backend || !backend->join)
		return message_set(message, -ENOTSUP, "%s: cannot be shared", uri);
	return backend->join(colon + 1, flags, share, map, store, message);
}

int backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
		     const struct journal_progress *progress, struct log_store **store,
		     struct message *message)
{
	return log_file_open(path, flags, bytes, progress, store, message);
}

int backend_join_log(const char *path, unsigned int flags, struct log_share *share,
		     struct log_store **store, struct message *message)
{
	return log_file_join(path, flags, share, store, message);
}

int backend_extend_log(const char *path, uint64_t from, uint64_t to,
		       const struct journal_progress *progress, struct message *message)
{
	return log_file_extend(path, from, to, progress, message);
}

int backend_trim_log(const char *path, uint64_t bytes, struct message *message)
{
	return log_file_trim(path, bytes, message);
}

int backend_open_mirror(const char *const path[2], const uint8_t uuid[16], unsigned int left,
			const struct log_runs *runs, uint32_t log, log_store_opener *open,
			unsigned int flags, uint64_t bytes,
			const struct journal_progress *progress, struct log_store **store,
			struct message *message)
{
	const struct log_legs_of of = {
		.path = { path[0], path[1] }, .uuid = uuid, .left = left,
		.open = open, .join = backend_join_log, .runs = runs, .log = log,
	};

	return log_mirror_open(&of, flags, bytes, progress, store, message);
}

int backend_join_mirror(const char *const path[2], const uint8_t uuid[16], log_store_joiner *join,
			unsigned int flags, struct log_share *share, struct log_store **store,
			struct message *message)
{
	const struct log_legs_of of = {
		.path = { path[0], path[1] }, .uuid = uuid, .open = backend_open_log,
		.join = join,
	};

	return log_mirror_join(&of, flags, share, store, message);
}

int backend_choose_leg(const char *const path[2], const uint8_t uuid[16], unsigned int left,
		       const struct log_runs *runs, uint32_t log, log_store_opener *open,
		       unsigned int keep, struct message *message)
{
	const struct log_legs_of of = {
		.path = { path[0], path[1] }, .uuid = uuid, .left = left, .open = open,
		.runs = runs, .log = log,
	};

	return log_mirror_choose(&of, keep, message);
}
