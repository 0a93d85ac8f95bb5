/* SPDX-License-Identifier: BSD-3-Clause */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jnl.h"

/* A terminal or pipe shared with others may have been set non-blocking. */
static int output_wait(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };

	return poll(&wait, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int output_write(int fd, const void *data, size_t bytes)
{
	const char *next = data;

	while (bytes) {
		ssize_t wrote = write(fd, next, bytes);

		if (wrote < 0 && errno == EAGAIN) {
			int err = output_wait(fd);

			if (err)
				return err;
			continue;
		}
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		next += wrote;
		bytes -= (size_t)wrote;
	}
	return 0;
}

int output_data(const void *data, size_t bytes)
{
	int err = output_write(STDOUT_FILENO, data, bytes);

	if (err)
		jnl_error("standard output: %s", strerror(-err));
	return err;
}

int output_id(uint64_t id)
{
	char text[JOURNAL_ID_CHARS + 1];
	size_t used;

	journal_id_print(id, text);
	used = strlen(text);
	text[used++] = '\n';
	return output_data(text, used);
}

int output_flush(void)
{
	int err = 0;

	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		err = errno ? -errno : -EIO;
	if (err)
		jnl_error("standard output: %s", strerror(-err));
	/* said once is enough: the handler at exit finds nothing more */
	clearerr(stdout);
	return err;
}

static void output_at_exit(void)
{
	/* argp prints --help and exits 0 by itself: the loss of that is seen here */
	if (output_flush())
		_exit(JNL_REFUSED);
}

/* With 0, 1 or 2 closed, the journal's own files would get these numbers and
 * the ids would be printed into the log. */
static void output_occupy(int fd, int flags)
{
	if (fcntl(fd, F_GETFD) >= 0)
		return;
	if (open("/dev/null", flags) != fd)
		_exit(JNL_REFUSED);
}

void output_guard(void)
{
	/* opened the wrong way round, so that using them is an error */
	output_occupy(STDIN_FILENO, O_WRONLY);
	output_occupy(STDOUT_FILENO, O_RDONLY);
	output_occupy(STDERR_FILENO, O_RDONLY);
	(void)signal(SIGPIPE, SIG_IGN);
	/* a limit of the size of files is an error that is told and cleaned up after */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)atexit(output_at_exit);
}
