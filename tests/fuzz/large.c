/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large memory, kept from one input to the next.  AddressSanitizer maps and unmaps it, and
 * fills what it knows of each byte, for each allocation: that took more time than recovery.
 * Here it ends where a page begins that cannot be touched; what is not given back the target
 * finds (large_in_use()).  With MemorySanitizer all is as ever.
 */
#include "large.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"

#define LARGE_BYTES (64u << 10)
#define LARGE_COUNT 64u
#define PAGE_BYTES  4096u
#define ALIGN       16u /* what is that near to the end may be touched unseen */

struct large {
	uint8_t *map, *at;
	size_t bytes, align, mapped;
	bool used;
};

static struct large large[LARGE_COUNT];
static unsigned int large_count;
static bool begun;

void __msan_check_mem_is_initialized(const volatile void *at, size_t bytes)
	__attribute__((weak));

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void __real_free(void *at);
int __real_posix_memalign(void **at, size_t align, size_t bytes);
int __wrap_posix_memalign(void **at, size_t align, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);
void __wrap_free(void *at);

void large_begin(void)
{
	begun = !__msan_check_mem_is_initialized;
}

unsigned int large_in_use(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < large_count; i++)
		count += large[i].used;
	return count;
}

static struct large *large_of(const void *at)
{
	unsigned int i;

	for (i = 0; i < large_count; i++)
		if (large[i].used && large[i].at == at)
			return &large[i];
	return NULL;
}

static struct large *large_new(size_t bytes, size_t align)
{
	struct large *l = &large[large_count];

	l->bytes = bytes;
	l->align = align;
	l->mapped = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	l->map = mmap(NULL, l->mapped + PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->map == MAP_FAILED || mprotect(l->map + l->mapped, PAGE_BYTES, PROT_NONE))
		return NULL;
	l->at = l->map + l->mapped - (bytes + align - 1) / align * align;
	large_count++;
	return l;
}

/* Return: NULL: it is not large, or there are too many */
static void *large_take(size_t bytes, size_t align)
{
	struct large *l = NULL;
	unsigned int i;

	if (!begun || bytes < LARGE_BYTES || align > PAGE_BYTES)
		return NULL;
	for (i = 0; i < large_count && !l; i++)
		if (!large[i].used && large[i].bytes == bytes && large[i].align == align)
			l = &large[i];
	if (!l && large_count < LARGE_COUNT)
		l = large_new(bytes, align);
	if (!l)
		return NULL;
	l->used = true;
	return l->at;
}

void *__wrap_malloc(size_t bytes)
{
	void *at = large_take(bytes, ALIGN);

	return at ? at : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	void *at = bytes && count > SIZE_MAX / bytes ? NULL : large_take(count * bytes, ALIGN);
	struct large *l = large_of(at);

	if (!l)
		return __real_calloc(count, bytes);
	/* what was not touched costs nothing */
	FUZZ_CHECK(!madvise(l->map, l->mapped, MADV_DONTNEED));
	return at;
}

int __wrap_posix_memalign(void **at, size_t align, size_t bytes)
{
	*at = large_take(bytes, align);
	return *at ? 0 : __real_posix_memalign(at, align, bytes);
}

void __wrap_free(void *at)
{
	struct large *l = large_of(at);

	if (!l) {
		__real_free(at);
		return;
	}
	l->used = false;
}

void *__wrap_realloc(void *at, size_t bytes)
{
	struct large *l = large_of(at);
	void *grown;

	if (!l)
		return __real_realloc(at, bytes);
	grown = __wrap_malloc(bytes);
	if (!grown)
		return NULL;
	memcpy(grown, at, bytes < l->bytes ? bytes : l->bytes);
	__wrap_free(at);
	return grown;
}
