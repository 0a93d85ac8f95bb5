/* SPDX-License-Identifier: BSD-3-Clause */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_BYTES 1024
/* who connects and says nothing keeps nobody waiting for longer */
#define PATIENCE_MS 5000

/* ---- words ------------------------------------------------------------------ */

struct word {
	const char *word;
	unsigned int value;
};

static int word_find(const struct word *words, const char *word, unsigned int *value)
{
	for (; words->word; words++) {
		if (!strcmp(words->word, word)) {
			*value = words->value;
			return 0;
		}
	}
	return -EINVAL;
}

int control_fate(const char *word, enum disk_fate *fate)
{
	static const struct word fates[] = { { "drop", DISK_DROP }, { "keep", DISK_KEEP },
					     { "tear", DISK_TEAR }, { "mix", DISK_MIX }, { 0 } };
	unsigned int value;
	int error = word_find(fates, word, &value);

	if (!error)
		*fate = (enum disk_fate)value;
	return error;
}

int control_lies(const char *word, unsigned int *lies)
{
	static const struct word all[] = { { "none", DISK_HONEST },
					   { "flush", DISK_LIE_FLUSH },
					   { "fua", DISK_LIE_FUA },
					   { "both", DISK_LIE_FLUSH | DISK_LIE_FUA },
					   { 0 } };

	return word_find(all, word, lies);
}

int control_number(const char *word, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(word, &end, 0);
	return *end || end == word || *word == '-' || errno ? -EINVAL : 0;
}

/* ---- commands --------------------------------------------------------------- */

struct request {
	struct disk *disk;
	char *rest; /* of the line, for strtok_r */
	char *answer;
	size_t bytes;
};

static int next_word(struct request *request, const char **word)
{
	*word = strtok_r(NULL, " ", &request->rest);
	return *word ? 0 : -EINVAL;
}

static int command_stats(struct request *request)
{
	struct disk_counts c;

	disk_count(request->disk, &c);
	(void)snprintf(request->answer, request->bytes,
		       "ok reads=%" PRIu64 " read_bytes=%" PRIu64 " writes=%" PRIu64
		       " written_bytes=%" PRIu64 " flushes=%" PRIu64 " fua=%" PRIu64
		       " lies=%" PRIu64 " evicted=%" PRIu64 " refused=%" PRIu64 " cuts=%" PRIu64
		       " kept=%" PRIu64 " dropped=%" PRIu64 " torn=%" PRIu64 " pending=%" PRIu64
		       " pending_bytes=%" PRIu64 " flushing=%" PRIu64 " at_once=%" PRIu64
		       " held=%" PRIu64,
		       c.reads, c.read_bytes, c.writes, c.written_bytes, c.flushes, c.fua, c.lies,
		       c.evicted, c.refused, c.cuts, c.kept, c.dropped, c.torn, c.pending,
		       c.pending_bytes, c.flushing, c.at_once, c.held);
	return 0;
}

static int command_cut(struct request *request)
{
	enum disk_fate fate = request->disk->options.fate;
	/* each cut its own, also when nobody names one */
	uint64_t seed = request->disk->options.seed + request->disk->counts.cuts;
	struct disk_cut cut;
	const char *word;
	int error = 0;

	while (!error && !next_word(request, &word)) {
		if (!strncmp(word, "seed=", 5))
			error = control_number(word + 5, &seed);
		else if (!strncmp(word, "fate=", 5))
			error = control_fate(word + 5, &fate);
		else
			error = -EINVAL;
	}
	if (!error)
		error = disk_cut(request->disk, fate, seed, &cut);
	if (!error)
		(void)snprintf(request->answer, request->bytes,
			       "ok kept=%" PRIu64 " dropped=%" PRIu64 " torn=%" PRIu64, cut.kept,
			       cut.dropped, cut.torn);
	return error;
}

static int command_on(struct request *request)
{
	disk_on(request->disk);
	return 0;
}

static int command_lie(struct request *request)
{
	const char *word;
	unsigned int lies;
	int error = next_word(request, &word);

	if (!error)
		error = control_lies(word, &lies);
	if (!error)
		disk_lie(request->disk, lies);
	return error;
}

static const struct word who[] = { { "none", DISK_HOLD_NONE },
				   { "write", DISK_HOLD_WRITE },
				   { "flush", DISK_HOLD_FLUSH },
				   { "both", DISK_HOLD_WRITE | DISK_HOLD_FLUSH },
				   { 0 } };

static int command_hold(struct request *request)
{
	const char *word;
	unsigned int holds;
	int error = next_word(request, &word);

	if (!error)
		error = word_find(who, word, &holds);
	if (!error)
		disk_hold(request->disk, holds);
	return error;
}

static int command_release(struct request *request)
{
	unsigned int holds = DISK_HOLD_WRITE | DISK_HOLD_FLUSH;
	const char *word;
	int error = 0;

	if (!next_word(request, &word))
		error = word_find(who, word, &holds);
	if (!error)
		disk_release(request->disk, holds);
	return error;
}

static const struct {
	const char *name;
	int (*run)(struct request *request);
} commands[] = {
	{ "stats", command_stats }, { "cut", command_cut },   { "on", command_on },
	{ "lie", command_lie },	    { "hold", command_hold }, { "release", command_release },
};

static void answer(struct disk *disk, char *line, char *text, size_t bytes)
{
	struct request request = { .disk = disk, .answer = text, .bytes = bytes };
	const char *name = strtok_r(line, " ", &request.rest);
	int error = -ENOTSUP;

	(void)snprintf(text, bytes, "ok");
	for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(name, commands[i].name))
			error = commands[i].run(&request);
	}
	if (!error && strtok_r(NULL, " ", &request.rest))
		error = -E2BIG;
	if (error == -ENOTSUP)
		(void)snprintf(text, bytes, "error no such command");
	else if (error == -ESHUTDOWN)
		(void)snprintf(text, bytes, "error the power is off");
	else if (error)
		(void)snprintf(text, bytes, "error %s", strerror(-error));
}

/* ---- the socket ------------------------------------------------------------- */

/* a line, without its end; false: none came */
static bool read_line(int fd, char line[LINE_BYTES])
{
	size_t length = 0;

	while (length < LINE_BYTES - 1) {
		struct pollfd in = { .fd = fd, .events = POLLIN };

		if (poll(&in, 1, PATIENCE_MS) <= 0 || read(fd, line + length, 1) != 1)
			return false;
		if (line[length] == '\n') {
			line[length] = '\0';
			return true;
		}
		length++;
	}
	return false;
}

static void serve(struct control *control, int fd)
{
	char line[LINE_BYTES], text[LINE_BYTES];
	size_t length;

	if (!read_line(fd, line))
		return;
	answer(control->disk, line, text, sizeof(text) - 1);
	length = strlen(text);
	text[length++] = '\n';
	/* who has gone does not want to know */
	(void)!send(fd, text, length, MSG_NOSIGNAL);
}

static void *control_run(void *argument)
{
	struct control *control = argument;
	struct pollfd in[2] = { { .fd = control->fd, .events = POLLIN },
				{ .fd = control->end[0], .events = POLLIN } };

	for (;;) {
		int fd;

		if (poll(in, 2, -1) < 0 && errno != EINTR)
			break;
		if (in[1].revents)
			break;
		fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		serve(control, fd);
		close(fd);
	}
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* what is left of one that was killed */
	(void)unlink(path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 16))
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

int control_listen(struct control *control, struct disk *disk, const char *path)
{
	control->disk = disk;
	control->path = path;
	control->fd = listen_at(path);
	return control->fd < 0 ? control->fd : 0;
}

int control_start(struct control *control)
{
	if (pipe(control->end))
		return -errno;
	return -pthread_create(&control->thread, NULL, control_run, control);
}

void control_stop(struct control *control)
{
	close(control->end[1]);
	pthread_join(control->thread, NULL);
	close(control->end[0]);
	close(control->fd);
	(void)unlink(control->path);
}
