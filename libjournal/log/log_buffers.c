/* SPDX-License-Identifier: BSD-3-Clause */
#include "log/log_buffers.h"

#include <stddef.h>
#include <sys/mman.h>

#include "store/log_store.h"
#include "util/assert.h"

static uint8_t *map(void)
{
	void *memory = mmap(NULL, LOG_BUFFER_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Out of the middle of one mapping the kernel cannot take it when the process has as many
 * as it may have: then it stays, and that is all. */
static void unmap(void *buffer)
{
	if (munmap(buffer, LOG_BUFFER_BYTES))
		(void)madvise(buffer, LOG_BUFFER_BYTES, MADV_DONTNEED);
}

static void *take(struct log_buffers *buffers, unsigned int i)
{
	uint8_t *address = atomic_load(&buffers->address[i]);

	if (address)
		return address;
	address = map();
	if (address)
		atomic_store(&buffers->address[i], address);
	else
		atomic_store(&buffers->taken[i], false);
	return address;
}

void *log_buffers_get(struct log_buffers *buffers)
{
	/* lowest first: the fewer are ever touched, the less is mapped */
	for (unsigned int i = 0; i < LOG_BUFFERS_KEPT; i++)
		if (!atomic_exchange(&buffers->taken[i], true))
			return take(buffers, i);
	return map();
}

int log_buffers_find(struct log_buffers *buffers, const void *at, uint32_t bytes)
{
	for (unsigned int i = 0; i < LOG_BUFFERS_KEPT; i++) {
		const uint8_t *address = atomic_load(&buffers->address[i]);
		uintptr_t offset = (uintptr_t)at - (uintptr_t)address;

		if (address && offset < LOG_BUFFER_BYTES && bytes <= LOG_BUFFER_BYTES - offset)
			return (int)i;
	}
	return -1;
}

void log_buffers_put(struct log_buffers *buffers, void *buffer)
{
	int i = log_buffers_find(buffers, buffer, LOG_BUFFER_BYTES);

	if (i < 0) {
		unmap(buffer);
		return;
	}
	JASSERT(atomic_exchange(&buffers->taken[i], false));
}

void log_buffers_free(struct log_buffers *buffers)
{
	for (unsigned int i = 0; i < LOG_BUFFERS_KEPT; i++) {
		/* one that is out now would be used after it is gone */
		JASSERT(!atomic_load(&buffers->taken[i]));
		if (atomic_load(&buffers->address[i]))
			unmap(atomic_load(&buffers->address[i]));
	}
}
