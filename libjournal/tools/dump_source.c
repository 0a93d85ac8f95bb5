/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump.h"
#include "format/summary.h"
#include "progress.h"

int dump_open_fd(const char *path, int *fd)
{
	struct stat about;
	int err = 0;

	/* whoever opens a FIFO waits for a writer: not with O_NONBLOCK */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return -errno;
	if (fstat(*fd, &about))
		err = -errno;
	else if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode) && !S_ISCHR(about.st_mode))
		err = S_ISDIR(about.st_mode) ? -EISDIR : -EMEDIUMTYPE;
	if (err)
		(void)close(*fd);
	return err;
}

int dump_open(const char *path, struct dump_source *source)
{
	off_t end;
	int err = dump_open_fd(path, &source->fd);

	if (err)
		return err;
	source->base = 0;
	end = lseek(source->fd, 0, SEEK_END); /* works on block devices too */
	source->bytes = source->there = end > 0 ? (uint64_t)end : 0;
	return 0;
}

void dump_close(struct dump_source *source)
{
	(void)close(source->fd);
}

static int dump_pread(const struct dump_source *source, uint64_t offset, char *data,
		      size_t bytes)
{
	while (bytes) {
		ssize_t got = pread(source->fd, data, bytes, (off_t)(source->base + offset));

		if (got < 0 && errno != EINTR)
			return -errno;
		if (!got)
			return -ENODATA;
		if (got < 0)
			continue;
		offset += (size_t)got;
		data += got;
		bytes -= (size_t)got;
	}
	return 0;
}

int dump_read(const struct dump_source *source, uint64_t offset, void *data, size_t bytes)
{
	uint64_t there = offset < source->there ? source->there - offset : 0;
	size_t part = there < bytes ? (size_t)there : bytes;

	if (offset > source->bytes || bytes > source->bytes - offset)
		return -ENODATA;
	memset((char *)data + part, 0xff, bytes - part);
	source->progress->done += part;
	progress_report(source->progress->shown, source->progress->done, source->progress->total);
	return dump_pread(source, offset, data, part);
}

void dump_uuid(const uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

void dump_features(uint64_t compat, uint64_t ro_compat, uint64_t incompat)
{
	printf("    features: compat %#" PRIx64 ", ro-compat %#" PRIx64 ", incompat %#" PRIx64
	       "\n", compat, ro_compat, incompat);
}

void dump_digest(const char *what, const struct summary_head *head, uint32_t digest_bytes,
		 uint64_t segment_bytes, uint32_t segment, uint64_t nonce)
{
	int err = summary_validate(head, digest_bytes, segment_bytes, segment, nonce);

	if (err == -ENODATA)
		return;
	printf("    %s of segment %" PRIu32 ": ", what, segment);
	if (err) {
		printf("does not verify\n");
		return;
	}
	printf("seq %#" PRIx64 ", %s, %" PRIu32 " lines, %" PRIu32 " entries, %" PRIu32
	       " retire records, last record %" PRIu64 ", records end at %" PRIu32
	       " and have %" PRIu32 " bytes\n",
	       get_le64(head->seq), get_le16(head->sealed) ? "sealed" : "open",
	       get_le32(head->lines), get_le32(head->entries), get_le32(head->retires),
	       get_le64(head->last_record_seq), get_le32(head->end), get_le32(head->record_bytes));
}
