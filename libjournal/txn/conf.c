/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/features.h"
#include "store/evidence.h"
#include "txn/entry.h"
#include "txn/left.h"

#define NO_LOG "-" /* in place of a path */
#define CONF_NAME_CHARS 80 /* with a suffix */

void uuid_print(const uint8_t uuid[16], char text[37])
{
	int i, at = 0;

	for (i = 0; i < 16; i++)
		at += snprintf(text + at, (size_t)(37 - at), "%s%02x",
			       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static int uuid_parse(const char *text, uint8_t uuid[16])
{
	const char *start = text;
	char again[37];
	unsigned int byte;
	int i;

	if (strlen(text) != 36)
		return -EINVAL;
	for (i = 0; i < 16; i++) {
		text += *text == '-';
		if (sscanf(text, "%2x", &byte) != 1)
			return -EINVAL;
		uuid[i] = (uint8_t)byte;
		text += 2;
	}
	uuid_print(uuid, again);
	return strcmp(again, start) ? -EINVAL : 0;
}

int conf_path(const char *dir, const char *path, char out[PATH_MAX], struct message *message)
{
	int length = *path == '/' ? snprintf(out, PATH_MAX, "%s", path) :
				    snprintf(out, PATH_MAX, "%s/%s", dir, path);

	return length < PATH_MAX ? 0 : message_set(message, -ENAMETOOLONG, "%s: path too long",
						   path);
}

static int class_parse(const char *text, enum journal_class *class)
{
	for (*class = JOURNAL_CLASS_PROCESS; *class <= JOURNAL_CLASS_POWER; (*class)++)
		if (!strcmp(text, journal_class_name(*class)))
			return 0;
	return -EINVAL;
}

static int conf_marker(char out[PATH_MAX], const char *dir, const char *value,
		       struct message *message)
{
	const char *colon = strchr(value, ':');
	char path[PATH_MAX];
	int error;

	if (!colon)
		return -EINVAL;
	error = conf_path(dir, colon + 1, path, message);
	if (error)
		return error;
	return snprintf(out, PATH_MAX, "%.*s:%s", (int)(colon - value), value, path) <
			       PATH_MAX ?
		       0 :
		       -EINVAL;
}

static int conf_log(struct conf *conf, const char *dir, const char *value,
		    struct message *message)
{
	if (conf->log_count == JOURNAL_LOGS_MAX || !*value)
		return -EINVAL;
	if (!strcmp(value, NO_LOG)) {
		conf->logs[conf->log_count++][0] = '\0';
		return 0;
	}
	return conf_path(dir, value, conf->logs[conf->log_count++], message);
}

static int conf_run(struct conf *conf, const char *value)
{
	struct log_runs *runs = &conf->runs;

	return runs->count == LOG_RUNS_MAX ? -EINVAL :
					     log_run_parse(value, &runs->of[runs->count++]);
}

uint32_t conf_logs(const struct conf *conf)
{
	uint32_t log, logs = 0;

	for (log = 0; log < conf->log_count; log++)
		logs |= (uint32_t)conf_has_log(conf, log) << log;
	return logs;
}

static int conf_mirror(struct conf *conf, const char *dir, const char *value,
		       struct message *message)
{
	if (!conf->log_count || !*value || conf->mirrors[conf->log_count - 1][0])
		return -EINVAL;
	return conf_path(dir, value, conf->mirrors[conf->log_count - 1], message);
}

static int conf_version(struct conf *conf, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (!digits || value[digits])
		return -EINVAL;
	conf->has_format = true;
	return strtoul(value, NULL, 10) == FORMAT_VERSION ? 0 : -EPROTO;
}

static int conf_uuid(struct conf *conf, const char *value)
{
	conf->has_uuid = true;
	return uuid_parse(value, conf->uuid);
}

/* Of what there is one of, another line would be in force over the first one, or not: who
 * edits the file is told. */
static bool conf_has(const struct conf *conf, const char *key)
{
	return (!strcmp(key, "format") && conf->has_format) ||
	       (!strcmp(key, "uuid") && conf->has_uuid) ||
	       (!strcmp(key, "marker") && conf->marker[0]) ||
	       (!strcmp(key, "return-to") && conf->return_to[0]) ||
	       (!strcmp(key, "require") && conf->require) ||
	       (!strcmp(key, "assume-marker") && conf->assume_marker) ||
	       (!strcmp(key, "assume-log") && conf->assume_log);
}

static int conf_set(struct conf *conf, const char *dir, const char *key, const char *value,
		    struct message *message)
{
	if (conf_has(conf, key))
		return -EEXIST;
	if (!strcmp(key, "format"))
		return conf_version(conf, value);
	if (!strcmp(key, "uuid"))
		return conf_uuid(conf, value);
	if (!strcmp(key, "marker"))
		return conf_marker(conf->marker, dir, value, message);
	if (!strcmp(key, "return-to"))
		return conf_marker(conf->return_to, dir, value, message);
	if (!strcmp(key, "log"))
		return conf_log(conf, dir, value, message);
	if (!strcmp(key, "segments"))
		return conf_run(conf, value);
	if (!strcmp(key, "mirror"))
		return conf_mirror(conf, dir, value, message);
	if (!strcmp(key, "require"))
		return class_parse(value, &conf->require);
	if (!strcmp(key, "assume-marker"))
		return class_parse(value, &conf->assume_marker);
	if (!strcmp(key, "assume-log"))
		return class_parse(value, &conf->assume_log);
	return -EINVAL;
}

static char *conf_trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text;
}

static int conf_line(struct conf *conf, const char *dir, char *line, unsigned int number,
		     struct message *message)
{
	char *key = conf_trim(line), *equals = strchr(line, '=');
	int error = -EINVAL;

	if (!*key || *key == '#')
		return 0;
	if (equals) {
		*equals = '\0';
		error = conf_set(conf, dir, conf_trim(line), conf_trim(equals + 1), message);
	}
	if (error == -EPROTO)
		return message_set(message, error, "%s/" CONF_NAME ": line %u: the format "
				   "version is not one that this library knows", dir, number);
	if (error == -EEXIST)
		return message_set(message, -EUCLEAN, "%s/" CONF_NAME ": line %u: there is one of "
				   "these already", dir, number);
	return error ? message_set(message, -EUCLEAN, "%s/" CONF_NAME ": line %u makes no sense",
				   dir, number) :
		       0;
}

int conf_parse(char *text, const char *dir, struct conf *conf, struct message *message)
{
	unsigned int number = 0;
	char *line;
	int error = 0;

	memset(conf, 0, sizeof(*conf));
	while (!error && (line = strsep(&text, "\n")))
		error = conf_line(conf, dir, line, ++number, message);
	if (!error && (!conf->has_format || !conf->has_uuid || !conf->marker[0] ||
		       !conf_logs(conf) || !conf->require))
		error = message_set(message, -EUCLEAN, "%s/" CONF_NAME ": format, uuid, marker, "
				    "log or require is missing", dir);
	return error;
}

static int conf_read_fd(int fd, const char *dir, struct conf *conf, struct message *message)
{
	char *text;
	struct stat st;
	ssize_t got;
	int error;

	if (fstat(fd, &st))
		return message_errno(message, -errno, "%s/" CONF_NAME, dir);
	if (!S_ISREG(st.st_mode))
		return message_set(message, -EUCLEAN, "%s/" CONF_NAME ": is no file", dir);
	text = malloc(CONF_BYTES_MAX + 2);
	if (!text)
		return message_set(message, -ENOMEM, "no memory");
	got = read(fd, text, CONF_BYTES_MAX + 1);
	if (got < 0) {
		error = message_errno(message, -errno, "%s/" CONF_NAME, dir);
	} else if (got > (ssize_t)CONF_BYTES_MAX) {
		error = message_set(message, -EUCLEAN, "%s/" CONF_NAME ": is over %u bytes", dir,
				    CONF_BYTES_MAX);
	} else if (memchr(text, '\0', (size_t)got)) {
		error = message_set(message, -EUCLEAN, "%s/" CONF_NAME ": is no text", dir);
	} else {
		text[got] = '\0';
		error = conf_parse(text, dir, conf, message);
	}
	free(text);
	return error;
}

/* What stands beside it. */
static int conf_read_left(const char *dir, struct conf *conf, struct message *message)
{
	uint32_t log;
	int error = 0;

	for (log = 0; log < conf->log_count && !error; log++)
		if (conf->mirrors[log][0])
			error = left_find(dir, conf->uuid, log, &conf->left[log]);
	return error ? message_errno(message, error, "%s: which legs were left", dir) : 0;
}

int conf_read(const char *dir, struct conf *conf, struct message *message)
{
	char path[PATH_MAX];
	int fd, error = conf_path(dir, CONF_NAME, path, message);

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* never hang on a fifo */
	if (fd < 0 && errno == ENOENT)
		return message_set(message, -ENOENT, "%s: no journal there (no " CONF_NAME ")",
				   dir);
	if (fd < 0)
		return message_errno(message, -errno, "%s", path);
	error = conf_read_fd(fd, dir, conf, message);
	close(fd);
	return error ? error : conf_read_left(dir, conf, message);
}

/* a path below @dir is written relative, so that the journal can be moved */
static const char *conf_relative(const char *dir, const char *path)
{
	size_t length = strlen(dir);

	return !strncmp(path, dir, length) && path[length] == '/' ? path + length + 1 : path;
}

/* a value that would be read as another one is not written */
static bool conf_printable(const char *dir, const char *path)
{
	const char *value = conf_relative(dir, path);
	size_t length = strlen(value);

	return length && !strchr(value, '\n') && !strchr(" \t\r", value[0]) &&
	       !strchr(" \t\r", value[length - 1]);
}

static int conf_check_paths(const char *dir, const struct conf *conf, struct message *message)
{
	const char *path = strchr(conf->marker, ':') + 1;
	uint32_t i;

	if (conf->return_to[0] && !conf_printable(dir, strchr(conf->return_to, ':') + 1))
		path = conf->return_to;
	for (i = 0; i < conf->log_count; i++)
		if (conf->mirrors[i][0] && !conf_printable(dir, conf->mirrors[i]))
			path = conf->mirrors[i];
	for (i = 0; conf_printable(dir, path); i++) {
		while (i < conf->log_count && !conf_has_log(conf, i))
			i++;
		if (i == conf->log_count)
			return 0;
		path = conf->logs[i];
	}
	return message_set(message, -EINVAL, "%s: a path with a line break, or with a space at "
			   "its end, cannot be kept in " CONF_NAME, path);
}

static void conf_print_uri(FILE *file, const char *dir, const char *key, const char *uri)
{
	const char *path = strchr(uri, ':') + 1;

	fprintf(file, "%s = %.*s%s\n", key, (int)(path - uri), uri, conf_relative(dir, path));
}

static int conf_print(FILE *file, const char *dir, const struct conf *conf)
{
	char uuid[37], run[LOG_RUN_CHARS];
	uint32_t i;

	uuid_print(conf->uuid, uuid);
	fprintf(file, "# A journal of libjournal: see jnl(1).\nformat = %u\nuuid = %s\n",
		FORMAT_VERSION, uuid);
	conf_print_uri(file, dir, "marker", conf->marker);
	for (i = 0; i < conf->log_count; i++) {
		fprintf(file, "log = %s\n", conf_has_log(conf, i) ?
				conf_relative(dir, conf->logs[i]) : NO_LOG);
		if (conf->mirrors[i][0])
			fprintf(file, "mirror = %s\n", conf_relative(dir, conf->mirrors[i]));
	}
	for (i = 0; i < conf->runs.count; i++) {
		log_run_print(&conf->runs.of[i], run);
		fprintf(file, "segments = %s\n", run);
	}
	fprintf(file, "require = %s\n", journal_class_name(conf->require));
	if (conf->assume_marker)
		fprintf(file, "assume-marker = %s\n", journal_class_name(conf->assume_marker));
	if (conf->assume_log)
		fprintf(file, "assume-log = %s\n", journal_class_name(conf->assume_log));
	if (conf->return_to[0])
		conf_print_uri(file, dir, "return-to", conf->return_to);
	return fflush(file) || fsync(fileno(file)) ? -errno : 0;
}

/* DIR, and that of @lock, if it is one: from here on it stays that, whatever comes to its
 * place.  Another journal that is there by now is left alone. */
static int conf_directory(const char *dir, int lock, int *directory, struct message *message)
{
	int fd = lock >= 0 ? entry_directory(dir, lock) :
			     open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && lock < 0)
		fd = -errno;
	if (fd == -ESTALE)
		return entry_stale(dir, message);
	*directory = fd;
	return fd < 0 ? message_errno(message, fd, "%s", dir) : 0;
}

static int conf_replace(int directory, const char *temporary)
{
	int error = 0, fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* the name after the content: a crash leaves the old file or the new one */
	if (renameat(directory, temporary, directory, CONF_NAME) || fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

/* A name of its own for each who writes: one that is written by two is neither's. */
static int conf_temporary(int directory, char temporary[CONF_NAME_CHARS], FILE **file)
{
	uint64_t name;
	int fd;

	do {
		if (getrandom(&name, sizeof(name), 0) != sizeof(name))
			return -errno;
		(void)snprintf(temporary, CONF_NAME_CHARS, CONF_NAME ".new-%016" PRIx64, name);
		fd = openat(directory, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0)
		return -errno;
	*file = fdopen(fd, "w");
	if (*file)
		return 0;
	close(fd);
	(void)unlinkat(directory, temporary, 0);
	return -ENOMEM;
}

/* As @like's, if there is one.  Only root may give the owner; who may not give the group
 * keeps his own, and then the owner's access counts. */
static int conf_own(int fd, const struct stat *like, unsigned int mode)
{
	bool given = !like || !fchown(fd, like->st_uid, like->st_gid) ||
		     !fchown(fd, (uid_t)-1, like->st_gid);

	return fchmod(fd, given ? mode : mode & ~0070u) ? -errno : 0;
}

/* Into a file of its own, durably; its name is left in @temporary. */
static int conf_write_beside(int directory, const char *dir, const struct conf *conf,
			     unsigned int mode, const struct stat *like,
			     char temporary[CONF_NAME_CHARS], struct message *message)
{
	FILE *file = NULL;
	int error = conf_check_paths(dir, conf, message);

	if (error)
		return error;
	error = conf_temporary(directory, temporary, &file);
	if (error)
		return message_errno(message, error, "%s/" CONF_NAME, dir);
	error = conf_own(fileno(file), like, mode);
	if (!error)
		error = conf_print(file, dir, conf);
	if (fclose(file) && !error)
		error = -errno;
	if (!error)
		return 0;
	(void)unlinkat(directory, temporary, 0);
	return message_errno(message, error, "%s/%s", dir, temporary);
}

static int conf_write_as(int directory, const char *dir, const struct conf *conf,
			 unsigned int mode, const struct stat *like, struct message *message)
{
	char temporary[CONF_NAME_CHARS];
	int error = conf_write_beside(directory, dir, conf, mode, like, temporary, message);

	if (error)
		return error;
	error = conf_replace(directory, temporary);
	if (!error)
		return 0;
	(void)unlinkat(directory, temporary, 0);
	return message_errno(message, error, "%s/" CONF_NAME, dir);
}

int conf_write(const char *dir, int lock, const struct conf *conf, unsigned int mode,
	       struct message *message)
{
	int directory, error = conf_directory(dir, lock, &directory, message);

	if (error)
		return error;
	error = conf_write_as(directory, dir, conf, mode, NULL, message);
	close(directory);
	return error;
}

static int conf_suffixed(const char *suffix, char name[CONF_NAME_CHARS])
{
	return snprintf(name, CONF_NAME_CHARS, CONF_NAME "%s", suffix) < CONF_NAME_CHARS ?
		       0 : -ENAMETOOLONG;
}

/* @st: of journal.conf, as whose owner, group and mode it will be */
static int conf_like(int directory, const char *dir, struct stat *st, struct message *message)
{
	return fstatat(directory, CONF_NAME, st, 0) ?
		       message_errno(message, -errno, "%s/" CONF_NAME, dir) : 0;
}

int conf_rewrite(const char *dir, int lock, const struct conf *conf, struct message *message)
{
	struct stat st;
	int directory, error = conf_directory(dir, lock, &directory, message);

	if (error)
		return error;
	error = conf_like(directory, dir, &st, message);
	if (!error)
		error = conf_write_as(directory, dir, conf, st.st_mode & 0777, &st, message);
	close(directory);
	return error;
}

static int conf_prepare_at(int directory, const char *dir, const struct conf *conf,
			   const char *suffix, struct message *message)
{
	char temporary[CONF_NAME_CHARS], name[CONF_NAME_CHARS];
	struct stat st;
	int error = conf_like(directory, dir, &st, message);

	if (!error)
		error = conf_suffixed(suffix, name);
	if (!error)
		error = conf_write_beside(directory, dir, conf, st.st_mode & 0777, &st, temporary,
					  message);
	if (error || !renameat(directory, temporary, directory, name))
		return error;
	error = message_errno(message, -errno, "%s/%s", dir, name);
	(void)unlinkat(directory, temporary, 0);
	return error;
}

int conf_prepare(const char *dir, int lock, const struct conf *conf, const char *suffix,
		 struct message *message)
{
	int directory, error = conf_directory(dir, lock, &directory, message);

	if (error)
		return error;
	error = conf_prepare_at(directory, dir, conf, suffix, message);
	close(directory);
	return error;
}

int conf_enforce(const char *dir, int lock, const char *suffix, struct message *message)
{
	char name[CONF_NAME_CHARS];
	int directory, error = conf_directory(dir, lock, &directory, message);

	if (error)
		return error;
	error = conf_suffixed(suffix, name);
	if (!error)
		error = conf_replace(directory, name);
	close(directory);
	return error ? message_errno(message, error, "%s/" CONF_NAME, dir) : 0;
}

int conf_give_up(const char *dir, int lock, const char *suffix)
{
	struct message unused;
	char name[CONF_NAME_CHARS];
	int directory, error = conf_directory(dir, lock, &directory, &unused);

	if (error)
		return error;
	error = conf_suffixed(suffix, name);
	if (!error && unlinkat(directory, name, 0))
		error = -errno;
	close(directory);
	return error;
}
