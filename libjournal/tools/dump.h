/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl dump: the on-media structures, for people.  It reads the media as they
 * are, so that it also shows what no open would accept. */
#ifndef TOOLS_DUMP_H
#define TOOLS_DUMP_H

#include <stddef.h>
#include <stdint.h>

struct log_runs;
struct progress;

/* how far it is: what has been read, whatever its order */
struct dump_progress {
	struct progress *shown;
	uint64_t done, total; /* bytes */
};

/**
 * struct dump_source - a medium, or the part of one that holds it
 * @fd:    open for reading
 * @base:  where it starts
 * @bytes: of it
 * @there: so much of it is there; the rest is erased, all ones
 * @runs:  of a log: those of journal.conf; none: the superblock says which segments
 * @progress: is told what is read
 */
struct dump_source {
	int fd;
	uint64_t base;
	uint64_t bytes;
	uint64_t there;
	const struct log_runs *runs;
	struct dump_progress *progress;
};

/* Open @path, of what can be a medium.  Return: 0 or negative errno; -EMEDIUMTYPE: it is a
 * FIFO, a socket. */
int dump_open_fd(const char *path, int *fd);
int dump_open(const char *path, struct dump_source *source);
void dump_close(struct dump_source *source);

/* Return: 0, or negative errno; -ENODATA when it ends before that. */
int dump_read(const struct dump_source *source, uint64_t offset, void *data, size_t bytes);

/* Each prints all it can make sense of, and where it can not.
 * Return: 0, or negative errno when reading failed. */
int dump_file(const struct dump_source *source);   /* checkpoints, and the one in force */
int dump_marker(const struct dump_source *source); /* a marker medium */
int dump_log(const struct dump_source *source);    /* a log */

void dump_uuid(const uint8_t uuid[16]);
void dump_features(uint64_t compat, uint64_t ro_compat, uint64_t incompat);

struct summary_head;
/* one line about the digest of segment @segment at @head, if there is one; @what it is */
void dump_digest(const char *what, const struct summary_head *head, uint32_t digest_bytes,
		 uint64_t segment_bytes, uint32_t segment, uint64_t nonce);

#endif
