/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool of I/O buffers.  A few stay mapped, so that they can be registered
 * with the rings; what is wanted beyond these is mapped for the purpose and
 * goes away again, so that a burst does not grow the process for ever.
 */
#ifndef LOG_LOG_BUFFERS_H
#define LOG_LOG_BUFFERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_BUFFERS_KEPT 8u

struct log_buffers {
	_Atomic bool taken[LOG_BUFFERS_KEPT];
	/* mapped when first wanted, then there until the end */
	_Atomic(uint8_t *) address[LOG_BUFFERS_KEPT];
};

/* Threads: any, at once.  NULL for want of memory. */
void *log_buffers_get(struct log_buffers *buffers);
void log_buffers_put(struct log_buffers *buffers, void *buffer);
/* number of the kept buffer that [at, at + bytes) lies in, or -1 */
int log_buffers_find(struct log_buffers *buffers, const void *at, uint32_t bytes);
void log_buffers_free(struct log_buffers *buffers);

#endif
