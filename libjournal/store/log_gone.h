/* SPDX-License-Identifier: BSD-3-Clause */
/* In place of a log that is not there: everything fails with the reason. */
#ifndef STORE_LOG_GONE_H
#define STORE_LOG_GONE_H

#include "store/log_store.h"

/**
 * log_store_gone() - a store that fails
 * @error: negative errno, why it is not there
 * @why:   the same in words; its evidence
 * @bytes, @block_bytes: what it would have
 * Return: 0 or -ENOMEM.
 */
int log_store_gone(int error, const char *why, uint64_t bytes, uint32_t block_bytes,
		   bool read_only, struct log_store **store);

#endif
