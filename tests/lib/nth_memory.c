/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth.h"

#include <errno.h>

/* the allocator: a sanitizer's where there is one, else libc's */
void *__interceptor_malloc(size_t bytes) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t bytes) __attribute__((weak));
void *__interceptor_realloc(void *old, size_t bytes) __attribute__((weak));
void *__interceptor_memalign(size_t alignment, size_t bytes) __attribute__((weak));
void __interceptor_free(void *memory) __attribute__((weak));
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

static _Atomic int64_t live;

static bool fails(void)
{
	if (!nth_strikes(NTH_ALLOCATION))
		return false;
	nth_note("allocation", ENOMEM);
	errno = ENOMEM;
	return true;
}

static void *counted(void *memory)
{
	if (memory)
		atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return memory;
}

void *nth_malloc(size_t bytes)
{
	if (fails())
		return NULL;
	return counted(__interceptor_malloc ? __interceptor_malloc(bytes) : __libc_malloc(bytes));
}

void *nth_calloc(size_t count, size_t bytes)
{
	if (fails())
		return NULL;
	return counted(__interceptor_calloc ? __interceptor_calloc(count, bytes) :
		       __libc_calloc(count, bytes));
}

void *nth_realloc(void *old, size_t bytes)
{
	void *memory;

	if (fails())
		return NULL;
	memory = __interceptor_realloc ? __interceptor_realloc(old, bytes) :
					 __libc_realloc(old, bytes);
	return old ? memory : counted(memory);
}

void *nth_memalign(size_t alignment, size_t bytes)
{
	if (fails())
		return NULL;
	return counted(__interceptor_memalign ? __interceptor_memalign(alignment, bytes) :
		       __libc_memalign(alignment, bytes));
}

int nth_posix_memalign(void **out, size_t alignment, size_t bytes)
{
	int before = errno;
	void *memory = nth_memalign(alignment, bytes);

	errno = before;
	if (!memory)
		return ENOMEM;
	*out = memory;
	return 0;
}

void nth_free(void *memory)
{
	if (memory)
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	if (__interceptor_free)
		__interceptor_free(memory);
	else
		__libc_free(memory);
}

int64_t nth_live(void)
{
	return atomic_load(&live);
}
