/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jnl dump: the configuration, then each medium that it names.  Nothing is
 * opened as a journal: what no open would accept is what one wants to look at.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "dump.h"
#include "format/run.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"

struct dump {
	const char *dir;
	struct log_runs runs;
	int status;
	struct progress progress;
};

static void dump_failed(struct dump *dump, const char *what, int err)
{
	jnl_error("%s: %s", what, err == -ENODATA     ? "ends before it should" :
				  err == -EMEDIUMTYPE ? "neither a file nor a device" :
							strerror(-err));
	dump->status = JNL_REFUSED;
}

/* @name: as in the configuration, where a relative path is below DIR */
static void dump_medium(struct dump *dump, const char *name, const char *what,
			int (*show)(const struct dump_source *))
{
	struct dump_progress progress = { .shown = &dump->progress };
	char path[PATH_MAX];
	struct dump_source source;
	int err;

	if (snprintf(path, sizeof(path), "%s%s%s", *name == '/' ? "" : dump->dir,
		     *name == '/' ? "" : "/", name) >= (int)sizeof(path)) {
		dump_failed(dump, name, -ENAMETOOLONG);
		return;
	}
	err = dump_open(path, &source);
	if (!err) {
		source.runs = &dump->runs;
		source.progress = &progress;
		progress.total = source.bytes;
		printf("\n%s %s, %llu bytes\n", what, path, (unsigned long long)source.bytes);
		err = show(&source);
		dump_close(&source);
	}
	if (err)
		dump_failed(dump, path, err);
}

/* "key = value": the value, without the line's end; NULL when it is another */
static char *dump_value(char *line, const char *key)
{
	size_t bytes = strlen(key);

	line[strcspn(line, "\r\n")] = '\0';
	if (strncmp(line, key, bytes) || !strchr(" \t=", line[bytes]))
		return NULL;
	line += bytes;
	return line + strspn(line, " \t=");
}

static void dump_line(struct dump *dump, char *line)
{
	char *value = dump_value(line, "marker");

	if (value && strchr(value, ':'))
		dump_medium(dump, strchr(value, ':') + 1, "marker",
			    strncmp(value, "file:", 5) ? dump_marker : dump_file);
	value = dump_value(line, "log");
	if (value && strcmp(value, "-"))
		dump_medium(dump, value, "log", dump_log);
	value = dump_value(line, "mirror");
	if (value)
		dump_medium(dump, value, "mirror", dump_log);
}

/* one that makes no sense is shown, and no more */
static void dump_run(struct dump *dump, char *line)
{
	const char *value = dump_value(line, "segments");

	if (value && dump->runs.count < LOG_RUNS_MAX &&
	    !log_run_parse(value, &dump->runs.of[dump->runs.count]))
		dump->runs.count++;
}

/* All of the configuration first, then the media in its order. */
static void dump_journal(struct dump *dump, FILE *conf, const char *path)
{
	char line[PATH_MAX + 64];

	printf("%s\n", path);
	while (fgets(line, sizeof(line), conf)) {
		printf("  %s", line);
		dump_run(dump, line);
	}
	rewind(conf);
	while (fgets(line, sizeof(line), conf))
		dump_line(dump, line);
}

static void dump_conf(struct dump *dump)
{
	FILE *conf = NULL;
	char *path;
	int err, fd;

	if (asprintf(&path, "%s/journal.conf", dump->dir) < 0) {
		dump_failed(dump, dump->dir, -ENOMEM);
		return;
	}
	err = dump_open_fd(path, &fd);
	if (!err && !(conf = fdopen(fd, "r"))) {
		err = -errno;
		(void)close(fd);
	}
	if (conf) {
		dump_journal(dump, conf, path);
		(void)fclose(conf);
	} else if (err == -ENOENT) {
		/* as the library says it to the other commands */
		jnl_error("%s: no journal there (no journal.conf)", dump->dir);
		dump->status = JNL_REFUSED;
	} else {
		dump_failed(dump, path, err);
	}
	free(path);
}

int cmd_dump(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct dump dump = { .status = JNL_DONE };

	arguments_dir(argc, argv, "Show the on-media structures of the journal in DIR, for people.",
		      false, &arguments);
	dump.dir = arguments.dir;
	progress_start_beside_output(&dump.progress, "reading");
	dump_conf(&dump);
	progress_end();
	if (output_flush())
		dump.status = JNL_REFUSED;
	return dump.status;
}
