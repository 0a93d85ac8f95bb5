/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tar: POSIX pax, a file for each message.  Read is any tar that libarchive reads;
 * its directories are passed over, and what is neither file nor directory is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"
#include "jnl.h"
#include "reader.h"
#include "tar_library.h"

struct tar {
	struct tar_library lib;
	struct archive *archive;
	struct archive_entry *entry; /* writing */
	struct sink *sink;           /* writing */
	struct reader *reader;       /* reading */
	int failed;                  /* of the input, while libarchive reads */
	uint8_t start[6];            /* what the input begins with */
	size_t started;
};

/* who compressed it; uncompressing is for the program that can do all of them */
static const struct {
	const char *name, *start;
	size_t bytes;
} tar_compressed[] = {
	{ "gzip", "\x1f\x8b", 2 },
	{ "bzip2", "BZh", 3 },
	{ "xz", "\xfd" "7zXZ", 6 },
	{ "zstd", "\x28\xb5\x2f\xfd", 4 },
};

static struct tar *tar_new(const char **why)
{
	struct tar *tar = calloc(1, sizeof(*tar));

	*why = strerror(ENOMEM);
	if (tar && tar_library_load(&tar->lib, why)) {
		free(tar);
		tar = NULL;
	}
	return tar;
}

static const char *tar_error(const struct tar *tar)
{
	const char *text = tar->archive ? tar->lib.archive_error_string(tar->archive) : NULL;

	return text	    ? text :
	       tar->archive ? "makes no sense from here on: it was cut, perhaps" :
			      strerror(ENOMEM);
}

/* ---- reading ---------------------------------------------------------------- */

static void tar_end_reading(struct reader *reader)
{
	struct tar *tar = reader->state;

	if (tar->archive)
		(void)tar->lib.archive_read_free(tar->archive);
	free(tar);
	reader->state = NULL;
	reader->end = NULL;
}

static la_ssize_t tar_input(struct archive *archive, void *context, const void **data)
{
	struct tar *tar = context;
	struct input_piece piece;
	int got = input_some(tar->reader->input, &piece);

	(void)archive;
	if (got < 0)
		tar->failed = got;
	for (size_t i = 0; got > 0 && i < piece.bytes && tar->started < sizeof(tar->start); i++)
		tar->start[tar->started++] = piece.data[i];
	*data = got > 0 ? piece.data : NULL;
	return got > 0 ? (la_ssize_t)piece.bytes : got < 0 ? -1 : 0;
}

static int tar_failed(struct reader *reader)
{
	struct tar *tar = reader->state;
	char why[80];

	if (tar->failed)
		return reader_fail(reader, tar->failed, reader->start, strerror(-tar->failed));
	for (size_t i = 0; i < sizeof(tar_compressed) / sizeof(tar_compressed[0]); i++) {
		if (reader->start || tar->started < tar_compressed[i].bytes ||
		    memcmp(tar->start, tar_compressed[i].start, tar_compressed[i].bytes))
			continue;
		(void)snprintf(why, sizeof(why), "it is compressed: \"%s -dc FILE | jnl put DIR "
			       "--as tar\"", tar_compressed[i].name);
		return reader_fail(reader, -EINVAL, reader->start, why);
	}
	return reader_fail(reader, -EINVAL, reader->start, tar_error(tar));
}

static int tar_begin_reading(struct reader *reader)
{
	const char *why;
	struct tar *tar = tar_new(&why);

	if (!tar)
		return reader_fail(reader, -ENOTSUP, reader->start, why);
	reader->state = tar;
	reader->end = tar_end_reading;
	tar->reader = reader;
	tar->archive = tar->lib.archive_read_new();
	if (!tar->archive || tar->lib.archive_read_support_format_tar(tar->archive) ||
	    tar->lib.archive_read_open(tar->archive, tar, NULL, tar_input, NULL))
		return tar_failed(reader);
	return 0;
}

/* Names of an archive may hold anything. */
static int tar_refuse(struct reader *reader, const char *name, const char *what)
{
	char why[160];
	size_t used = 0;

	for (; name && name[used] && used < 100; used++)
		why[used] = name[used] >= ' ' && name[used] < 0x7f ? name[used] : '?';
	(void)snprintf(why + used, sizeof(why) - used, ": %s", what);
	return reader_fail(reader, -EINVAL, reader->start, why);
}

/* An archive ends with blocks of zeros.  One without them was cut, between two files. */
static int tar_at_end(struct reader *reader)
{
	struct tar *tar = reader->state;

	if ((uint64_t)tar->lib.archive_filter_bytes(tar->archive, 0) > reader->start)
		return 0;
	return reader_fail(reader, -EINVAL, reader->start,
			   "the archive has no end: it was cut here");
}

/* The header of the next file.  Return: 1, 0 at the end, or negative errno */
static int tar_header(struct reader *reader, struct archive_entry **entry)
{
	struct tar *tar = reader->state;
	int got;

	for (;;) {
		/* what was before has been read, with its padding */
		reader->start = (uint64_t)tar->lib.archive_filter_bytes(tar->archive, 0);
		got = tar->lib.archive_read_next_header(tar->archive, entry);
		if (got == ARCHIVE_EOF)
			return tar_at_end(reader);
		/* a warning: a name that is no UTF-8, say; only the content matters */
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return tar_failed(reader);
		if (tar->lib.archive_entry_hardlink(*entry))
			return tar_refuse(reader, tar->lib.archive_entry_pathname(*entry),
					  "a link to another file of the archive");
		if (tar->lib.archive_entry_filetype(*entry) == AE_IFREG)
			return 1;
		if (tar->lib.archive_entry_filetype(*entry) != AE_IFDIR)
			return tar_refuse(reader, tar->lib.archive_entry_pathname(*entry),
					  "neither a file nor a directory");
	}
}

int tar_next(struct reader *reader)
{
	struct archive_entry *entry;
	struct tar *tar;
	uint8_t data[16384];
	la_ssize_t got;
	int err;

	reader_begin(reader);
	err = reader->state ? 0 : tar_begin_reading(reader);
	err = err ? err : tar_header(reader, &entry);
	if (err <= 0)
		return err;
	tar = reader->state;
	while ((got = tar->lib.archive_read_data(tar->archive, data, sizeof(data))) > 0) {
		err = reader_add(reader, data, (size_t)got);
		if (err)
			return err;
	}
	return got ? tar_failed(reader) : reader_done(reader);
}

/* ---- writing ---------------------------------------------------------------- */

static la_ssize_t tar_output(struct archive *archive, void *context, const void *data,
			     size_t bytes)
{
	struct tar *tar = context;

	(void)archive;
	return sink_write(tar->sink, data, bytes) ? -1 : (la_ssize_t)bytes;
}

static void tar_end_writing(struct tar *tar)
{
	if (tar->entry)
		tar->lib.archive_entry_free(tar->entry);
	if (tar->archive)
		(void)tar->lib.archive_write_free(tar->archive);
	free(tar);
}

/* the sink has told its own errors */
static int tar_write_failed(const struct tar *tar)
{
	if (!tar->sink->failed)
		jnl_error("%s: %s", tar->sink->name, tar_error(tar));
	return -EIO;
}

static int tar_begin(struct sink *sink, void **state)
{
	const char *why;
	struct tar *tar = tar_new(&why);

	if (!tar) {
		jnl_error("%s: %s", sink->name, why);
		return -ENOTSUP;
	}
	*state = tar;
	tar->sink = sink;
	tar->archive = tar->lib.archive_write_new();
	tar->entry = tar->lib.archive_entry_new();
	if (tar->archive && tar->entry && !tar->lib.archive_write_set_format_pax(tar->archive) &&
	    !tar->lib.archive_write_open(tar->archive, tar, NULL, tar_output, NULL))
		return 0;
	(void)tar_write_failed(tar);
	tar_end_writing(tar);
	return -EIO;
}

static int tar_message(struct sink *sink, void *state, const struct form_message *message,
		       const char **why)
{
	struct tar *tar = state;
	struct archive_entry *entry = tar->entry;

	(void)sink;
	(void)why;
	tar->lib.archive_entry_clear(entry);
	tar->lib.archive_entry_set_pathname(entry, message->id);
	tar->lib.archive_entry_set_filetype(entry, AE_IFREG);
	tar->lib.archive_entry_set_perm(entry, 0600);
	tar->lib.archive_entry_set_size(entry, (la_int64_t)message->bytes);
	tar->lib.archive_entry_set_mtime(entry, (time_t)(message->time_ns / 1000000000u),
					 (long)(message->time_ns % 1000000000u));
	if (tar->lib.archive_write_header(tar->archive, entry) ||
	    (message->bytes && tar->lib.archive_write_data(tar->archive, message->data,
							   message->bytes) !=
				       (la_ssize_t)message->bytes))
		return tar_write_failed(tar);
	return 0;
}

static int tar_end(void *state, bool whole)
{
	struct tar *tar = state;
	int err = 0;

	if (!whole)
		(void)tar->lib.archive_write_fail(tar->archive);
	else if (tar->lib.archive_write_close(tar->archive))
		err = tar_write_failed(tar);
	tar_end_writing(tar);
	return err;
}

const struct form form_tar = {
	.name = "tar", .begin = tar_begin, .message = tar_message, .end = tar_end,
};
