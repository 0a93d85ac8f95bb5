/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/log_gone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int gone_transfer(struct log_store *store, struct log_io *io, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		io[i].result = store->failed;
	return store->failed;
}

static int gone_write(struct log_store *store, struct log_io *io, unsigned int count,
		      bool durable)
{
	(void)durable;
	return gone_transfer(store, io, count);
}

static int gone_flush(struct log_store *store)
{
	return store->failed;
}

static void gone_share(struct log_store *store, struct log_share *share)
{
	share->gone = (uint32_t)-store->failed;
}

/* those of the other logs are used with any of them */
static void *gone_buffer(struct log_store *store)
{
	void *buffer;

	(void)store;
	return posix_memalign(&buffer, 4096, LOG_BUFFER_BYTES) ? NULL : buffer;
}

static void gone_buffer_done(struct log_store *store, void *buffer)
{
	(void)store;
	free(buffer);
}

static void gone_close(struct log_store *store)
{
	free(store);
}

static const struct log_store_ops gone_ops = {
	.backend = "none",
	.write = gone_write,
	.read = gone_transfer,
	.flush = gone_flush,
	.share = gone_share,
	.buffer = gone_buffer,
	.buffer_done = gone_buffer_done,
	.close = gone_close,
};

int log_store_gone(int error, const char *why, uint64_t bytes, uint32_t block_bytes,
		   bool read_only, struct log_store **out)
{
	struct log_store *store = log_store_alloc(sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->ops = &gone_ops;
	store->bytes = bytes;
	store->block_bytes = block_bytes;
	store->read_only = read_only;
	store->gone = true;
	store->class = JOURNAL_CLASS_PROCESS;
	(void)snprintf(store->evidence, sizeof(store->evidence), "%.255s", why);
	(void)snprintf(store->routine, sizeof(store->routine), "none: it is not there");
	log_store_fail(store, error);
	log_store_check(store);
	*out = store;
	return 0;
}
