/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading records back, verified. */
#ifndef TXN_READ_H
#define TXN_READ_H

#include "txn/journal_impl.h"

/* a record read from the log: payload points into what was read */
struct record {
	void *buffer; /* record_read(): to be freed */
	struct log_meta meta;
	const uint8_t *payload;
};

/**
 * record_read() - the record at @offset of segment @number, of @bytes at most
 * Return: 0, -EBADMSG it does not verify, -EIO, -ENOMEM.  @record->buffer is
 * to be freed in any case.
 */
int record_read(struct journal *j, uint32_t number, uint32_t offset, uint64_t bytes,
		struct record *record);

/* The same in two halves: @io->offset and @io->bytes of what is to be read, and what
 * was.  Return: 0, -EBADMSG. */
int record_span(struct journal *j, uint32_t number, uint32_t offset, uint64_t bytes,
		struct log_io *io);
int record_verify(struct journal *j, uint32_t number, uint32_t offset, const struct log_io *io,
		  struct record *record);

/* a consistent copy of a slot's entry */
struct found {
	uint64_t id;
	uint64_t where;
	uint32_t bytes, units;
	uint64_t time_ns;
	struct journal_tags tags; /* once its record was read */
};

/* Return: 0, or -ENOENT no such transaction, or retired. */
int found_look(struct journal *j, uint64_t id, struct found *found);
void found_entry(const struct found *found, struct journal_entry *entry);

/* Payload of the transaction @found within its record.  Return: 0, -EBADMSG. */
int record_find(const struct found *found, const struct record *record, const uint8_t **data);
/* The same of a staged one: @data lies in @copy, which is to be freed in any case.
 * Return: 0, -EBADMSG, -ENOMEM. */
int read_staged(struct journal *j, struct found *found, uint8_t **copy,
		const uint8_t **data);
/* and with what its record says of it */
int read_staged_meta(struct journal *j, const struct found *found, struct stage_meta *meta,
		     uint8_t **copy, const uint8_t **data);
/* One in several pieces, to @buffer of @found->bytes.  Return: as record_read(). */
int read_multi(struct journal *j, struct found *found, uint8_t *buffer);
/* The text for a transaction that cannot be read.  Return: @error, or what it means
 * beside a writer. */
int read_say(struct journal *j, uint64_t id, int error);

/* payload of one extent when it is full: all but the last of a transaction */
static inline uint64_t record_bytes_max(void)
{
	return LOG_BUFFER_BYTES;
}

#endif
