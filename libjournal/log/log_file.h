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

#endif
