/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for tar.c where libarchive's header was missing. */
#include <errno.h>

#include "forms.h"
#include "jnl.h"
#include "reader.h"

extern const char tar_missing[]; /* tar_library_none.c */

int tar_next(struct reader *reader)
{
	reader_begin(reader);
	return reader_fail(reader, -ENOTSUP, reader->start, tar_missing);
}

static int tar_begin(struct sink *sink, void **state)
{
	(void)state;
	jnl_error("%s: %s", sink->name, tar_missing);
	return -ENOTSUP;
}

static int tar_message(struct sink *sink, void *state, const struct form_message *message,
		       const char **why)
{
	(void)sink;
	(void)state;
	(void)message;
	(void)why;
	return -ENOTSUP;
}

const struct form form_tar = { .name = "tar", .begin = tar_begin, .message = tar_message };
