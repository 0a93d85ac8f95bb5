/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completions of io_uring that fail.  What is submitted is changed before the kernel
 * sees it: into an operation that does nothing and gives back what it is told (or EINVAL,
 * before Linux 6.11), or into a shorter one.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>

#include "nth.h"

#define RINGS_MAX 32
#define INJECT_RESULT 1u /* IORING_NOP_INJECT_RESULT; headers may be older */

struct ring {
	_Atomic int fd; /* and one: 0 is none */
	struct io_uring_params params;
	uint8_t *queue; /* heads, tails, and indices */
	struct io_uring_sqe *entries;
};

static struct ring rings[RINGS_MAX];

static struct ring *ring_of(long fd)
{
	for (int i = 0; i < RINGS_MAX; i++)
		if (atomic_load(&rings[i].fd) == fd + 1)
			return &rings[i];
	return NULL;
}

static void made(long fd, const void *params)
{
	int none = 0;

	for (int i = 0; i < RINGS_MAX; i++) {
		none = 0;
		if (!atomic_compare_exchange_strong(&rings[i].fd, &none, (int)fd + 1))
			continue;
		memcpy(&rings[i].params, params, sizeof(rings[i].params));
		rings[i].queue = NULL;
		rings[i].entries = NULL;
		return;
	}
}

void nth_ring_called(long number, const long a[6], long result)
{
	struct ring *ring;

	if (result < 0)
		return;
	if (number == SYS_io_uring_setup) {
		made(result, (const void *)a[1]);
	} else if (number == SYS_close) {
		ring = ring_of(a[0]);
		if (ring)
			atomic_store(&ring->fd, 0);
	} else if (number == SYS_mmap && a[4] >= 0) {
		ring = ring_of((int)a[4]);
		if (ring && a[5] == (long)IORING_OFF_SQ_RING)
			ring->queue = (uint8_t *)result;
		else if (ring && a[5] == (long)IORING_OFF_SQES)
			ring->entries = (struct io_uring_sqe *)result;
	}
}

static bool transfers(const struct io_uring_sqe *entry)
{
	return entry->opcode == IORING_OP_READ || entry->opcode == IORING_OP_WRITE ||
	       entry->opcode == IORING_OP_READ_FIXED || entry->opcode == IORING_OP_WRITE_FIXED;
}

static void spoil(struct io_uring_sqe *entry, uint64_t turn)
{
	static const int errors[] = { EIO, 0, ENOSPC, EINTR, EAGAIN };
	bool writes = entry->opcode == IORING_OP_WRITE || entry->opcode == IORING_OP_WRITE_FIXED;
	int error = errors[turn % 5];
	uint64_t data = entry->user_data;

	if (!error && transfers(entry) && entry->len >= 1024) {
		entry->len = entry->len / 2 & ~511u;
		nth_note("a short transfer", EINTR);
		return;
	}
	if (!error || (error == ENOSPC && !writes))
		error = EIO;
	nth_note("a transfer", error);
	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_NOP;
	entry->len = (uint32_t)-error;
	entry->rw_flags = INJECT_RESULT;
	entry->user_data = data;
}

void nth_ring_submits(const long a[6])
{
	struct ring *ring = ring_of(a[0]);
	const uint32_t *array, *mask;
	uint32_t head, i;
	uint64_t turn;

	if (nth->kind != NTH_COMPLETION || !ring || !ring->queue || !ring->entries)
		return;
	array = (const uint32_t *)(void *)(ring->queue + ring->params.sq_off.array);
	mask = (const uint32_t *)(void *)(ring->queue + ring->params.sq_off.ring_mask);
	head = __atomic_load_n((const uint32_t *)(void *)(ring->queue +
							 ring->params.sq_off.head),
			       __ATOMIC_ACQUIRE);
	for (i = 0; i < (uint32_t)a[1]; i++) {
		turn = nth_strikes(NTH_COMPLETION);
		if (turn)
			spoil(&ring->entries[array[(head + i) & *mask]], turn + nth->forever);
	}
}
