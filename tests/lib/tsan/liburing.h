/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io_uring as ThreadSanitizer is to see it.  liburing maps and unmaps a ring by system calls
 * of its own, which are not intercepted: when one thread gives up a ring, and another one's
 * new ring comes to lie at the same address, their writes look like a race.  The kernel hands
 * out no address before the unmapping that frees it; that order is told here, page by page,
 * and nothing else is.
 */
#ifndef TESTS_LIB_TSAN_LIBURING_H
#define TESTS_LIB_TSAN_LIBURING_H

#include_next <liburing.h>
#include <sanitizer/tsan_interface.h>
#include <stddef.h>
#include <stdint.h>

#define RINGS_PAGE 4096u

static inline void rings_tell(void *memory, size_t bytes, void (*tell)(void *))
{
	size_t at;

	for (at = 0; at < bytes; at += RINGS_PAGE)
		tell((uint8_t *)memory + at);
}

static inline void rings_tell_all(struct io_uring *ring, void (*tell)(void *))
{
	rings_tell(ring->sq.ring_ptr, ring->sq.ring_sz, tell);
	if (ring->cq.ring_ptr != ring->sq.ring_ptr)
		rings_tell(ring->cq.ring_ptr, ring->cq.ring_sz, tell);
	rings_tell(ring->sq.sqes, *ring->sq.kring_entries * sizeof(*ring->sq.sqes), tell);
}

static inline int rings_init(unsigned int entries, struct io_uring *ring, unsigned int flags)
{
	int error = io_uring_queue_init(entries, ring, flags);

	if (!error)
		rings_tell_all(ring, __tsan_acquire);
	return error;
}

static inline void rings_exit(struct io_uring *ring)
{
	rings_tell_all(ring, __tsan_release);
	io_uring_queue_exit(ring);
}

#define io_uring_queue_init rings_init
#define io_uring_queue_exit rings_exit

#endif
