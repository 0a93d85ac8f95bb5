/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading records back, verified. */
#ifndef TXN_READ_H
#define TXN_READ_H

#include "txn/journal_impl.h"

/* a record read from the log: payload points into buffer */
struct record {
	void *buffer; /* to be freed */
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

/* a consistent copy of a slot's entry */
struct found {
	uint64_t id;
	uint64_t where;
	uint32_t bytes, units;
	uint64_t time_ns;
};

/* Return: 0, or -ENOENT no such transaction, or retired. */
int found_look(struct journal *j, uint64_t id, struct found *found);
void found_entry(const struct found *found, struct journal_entry *entry);

/* payload of one extent when it is full: all but the last of a transaction */
static inline uint64_t record_bytes_max(void)
{
	return LOG_BUFFER_BYTES;
}

#endif
