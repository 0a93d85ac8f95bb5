/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "lib_dir.h"
#include "store/evidence.h"

/* the file of "pmem:/dev/shm/x"; NULL when the URI names something else */
static const char *file_of(const char *uri)
{
	const char *path = strchr(uri, ':');
	struct stat st;

	if (!path || path[1] != '/')
		return NULL;
	if (!stat(path + 1, &st) && !S_ISREG(st.st_mode))
		return NULL;
	return path + 1;
}

static void name_nvram(struct bench_env *env)
{
	const struct bench_options *o = &env->options;
	const char *path;

	(void)snprintf(env->nvram_dir, sizeof(env->nvram_dir), "/dev/shm/jnl-bench-%ld",
		       (long)getpid());
	if (o->marker)
		(void)snprintf(env->marker, sizeof(env->marker), "%s", o->marker);
	else
		(void)snprintf(env->marker, sizeof(env->marker), "pmem:%.1900s/markers",
			       env->nvram_dir);
	path = file_of(env->marker);
	if (o->marker && path) /* the peers' pools belong on the same medium */
		(void)snprintf(env->nvram_dir, sizeof(env->nvram_dir), "%.2000s.bench-%ld",
			       path, (long)getpid());
	if (o->floor_marker)
		(void)snprintf(env->floor_marker, sizeof(env->floor_marker), "%s",
			       o->floor_marker);
	else if (path)
		(void)snprintf(env->floor_marker, sizeof(env->floor_marker), "%.2000s.floor",
			       env->marker);
}

/* Make @dir, and find out what files in it survive. */
static int make_and_look(const char *dir, enum journal_class *class, char text[256])
{
	struct evidence evidence;
	int result = dir_make(dir), fd;

	if (result)
		return result;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	result = evidence_read(fd, &evidence);
	(void)close(fd);
	if (result)
		return result;
	*class = evidence.class;
	(void)snprintf(text, 256, "%s", evidence.text);
	return 0;
}

/* xorshift: fast, and the same bytes in every run */
static uint8_t *make_payload(void)
{
	uint64_t x = 0x9e3779b97f4a7c15u;
	uint64_t *words = aligned_alloc(4096, BENCH_PAYLOAD_MAX);
	size_t i;

	for (i = 0; words && i < BENCH_PAYLOAD_MAX / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
	return (uint8_t *)words;
}

/* What stands in for NVRAM; others' memory is taken as it is. */
static int make_even(struct bench_env *env, struct message *why)
{
	const char *path = file_of(env->marker), *floor = file_of(env->floor_marker);
	int result;

	if (env->options.marker || env->options.floor_marker)
		return 0;
	result = even_file(path, env->options.marker_bytes, &env->even);
	if (result)
		return message_errno(why, result, "%s", path);
	result = even_file(floor, env->options.marker_bytes, &env->even);
	return result ? message_errno(why, result, "%s", floor) : 0;
}

int env_open(struct bench_env *env, const struct bench_options *options,
	     struct message *why)
{
	int result;

	*env = (struct bench_env){ .options = *options };
	(void)snprintf(env->dir, sizeof(env->dir), "%.2000s/%ld", options->dir,
		       (long)getpid());
	name_nvram(env);
	env->payload = make_payload();
	if (!env->payload)
		return message_set(why, -ENOMEM, "payload: out of memory");
	result = make_and_look(env->dir, &env->disk_class, env->disk_evidence);
	if (result)
		return message_errno(why, result, "%s", env->dir);
	result = make_and_look(env->nvram_dir, &env->nvram_class, env->nvram_evidence);
	if (result)
		return message_errno(why, result, "%s", env->nvram_dir);
	return make_even(env, why);
}

static void remove_made(const char *uri)
{
	const char *path = uri[0] ? file_of(uri) : NULL;

	if (path)
		(void)unlink(path);
}

void env_close(struct bench_env *env)
{
	(void)journal_close(env->nvram);
	(void)journal_close(env->embedded);
	if (env->floor)
		marker_store_close(env->floor);
	remove_made(env->floor_marker);
	remove_made(env->marker);
	dir_remove(env->nvram_dir);
	dir_remove(env->dir);
	(void)rmdir(env->options.dir); /* unless another run is at work in it */
	even_release(&env->even);
	free(env->payload);
}

int env_make_journal(const char *dir, const char *marker, uint64_t log_bytes,
		     uint64_t marker_bytes, struct journal **journal, struct message *why)
{
	struct journal_format_options format = {
		.marker = marker,
		.marker_bytes = marker_bytes,
		.log_bytes = log_bytes,
		.require = JOURNAL_CLASS_PROCESS, /* whatever it is: the rows say it */
		.force = 1,
	};
	int result;

	result = journal_format(dir, &format, why->text, sizeof(why->text));
	if (result)
		return result;
	result = journal_open(dir, NULL, journal);
	if (result) {
		(void)message_set(why, result, "%s", journal_error(*journal));
		(void)journal_close(*journal);
		*journal = NULL;
	}
	return result;
}

static int make_journal_at(struct bench_env *env, const char *name, const char *marker,
			   struct journal **journal, struct message *why)
{
	char dir[4096];

	path_join(dir, sizeof(dir), env->dir, name);
	return env_make_journal(dir, marker, env->options.log_bytes,
				env->options.marker_bytes, journal, why);
}

int env_journal(struct bench_env *env, bool embedded, struct journal **journal,
		struct message *why)
{
	struct journal **at = embedded ? &env->embedded : &env->nvram;
	struct message *said = embedded ? &env->why_embedded : &env->why_nvram;
	int *error = embedded ? &env->embedded_error : &env->nvram_error;

	if (!*at && !*error)
		*error = make_journal_at(env, embedded ? "embedded" : "nvram",
					 embedded ? NULL : env->marker, at, said);
	*journal = *at;
	*why = *said;
	return *error;
}

static int floor_open(struct bench_env *env)
{
	struct marker_store *store;
	int result;

	if (!env->floor_marker[0])
		return message_set(&env->why_floor, -ENOTSUP,
				   "%s is no file: the floors need --floor-marker",
				   env->marker);
	result = backend_open_marker(env->floor_marker, MARKER_CREATE | MARKER_FORCE,
				     env->options.marker_bytes, &store, &env->why_floor);
	if (result)
		return result;
	if (!store->byte_persistent) {
		marker_store_close(store);
		return message_set(&env->why_floor, -ENOTSUP, "%s is no NVRAM",
				   env->floor_marker);
	}
	memset(store->map, 0xff, store->bytes); /* touched, and erased */
	nv_flush(store, store->map, store->bytes);
	env->floor = store;
	return nv_fence(store);
}

int env_floor(struct bench_env *env, struct marker_store **store, struct message *why)
{
	if (!env->floor && !env->floor_error)
		env->floor_error = floor_open(env);
	*store = env->floor;
	*why = env->why_floor;
	return env->floor_error;
}
