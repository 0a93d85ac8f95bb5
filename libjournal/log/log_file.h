/* SPDX-License-Identifier: BSD-3-Clause */
/* The log store on a file or a block device: io_uring, or pwrite where that is
 * forbidden. */
#ifndef LOG_LOG_FILE_H
#define LOG_LOG_FILE_H

#include "store/log_store.h"

/* With LOG_CREATE on a block device @bytes may be less than the device (0: all
 * of it); opened later, the store is as large as the device. */
log_store_opener log_file_open;
log_store_joiner log_file_join;

/* log_resize.c: backend_extend_log(), backend_trim_log() */
int log_file_extend(const char *path, uint64_t from, uint64_t to,
		    const struct journal_progress *progress, struct message *message);
int log_file_trim(const char *path, uint64_t bytes, struct message *message);

#endif
