/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth.h"

#include <errno.h>
#include <link.h>
#include <string.h>

/* the allocator: a sanitizer's where there is one, else libc's */
void *__interceptor_malloc(size_t bytes) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t bytes) __attribute__((weak));
void *__interceptor_realloc(void *old, size_t bytes) __attribute__((weak));
void *__interceptor_memalign(size_t alignment, size_t bytes) __attribute__((weak));
void __interceptor_free(void *memory) __attribute__((weak));
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

static _Atomic int64_t live;
/* Where the dynamic loader and libpmem are: what the one has for threads whose stacks libc
 * keeps, and the other for its own text, is no leak. */
static struct range {
	uintptr_t from, to;
} others[3];
static unsigned int other_count;

static int other(struct dl_phdr_info *object, size_t bytes, void *context)
{
	(void)bytes;
	(void)context;
	/* and a sanitizer ends the process when libc, which it asks about a thread, has none */
	if (!strstr(object->dlpi_name, "/ld-") && !strstr(object->dlpi_name, "/libpmem.so") &&
	    !(__interceptor_malloc && strstr(object->dlpi_name, "/libc.so")))
		return 0;
	for (int i = 0; i < object->dlpi_phnum && other_count < 3; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t from = object->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && part->p_flags & PF_X)
			others[other_count++] = (struct range){ from, from + part->p_memsz };
	}
	return 0;
}

void nth_memory_begin(void)
{
	(void)dl_iterate_phdr(other, NULL);
}

static bool by_others(const void *by)
{
	for (unsigned int i = 0; i < other_count; i++)
		if ((uintptr_t)by >= others[i].from && (uintptr_t)by < others[i].to)
			return true;
	return false;
}

static bool fails(const void *by)
{
	/* libpmem ends the process for want of it, and the loader keeps half of what it had */
	if (by_others(by) || !nth_strikes(NTH_ALLOCATION))
		return false;
	nth_note("allocation", ENOMEM);
	errno = ENOMEM;
	return true;
}

static void *counted(void *memory, const void *by)
{
	if (memory && !by_others(by))
		atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return memory;
}

void *nth_malloc(size_t bytes, const void *by)
{
	if (fails(by))
		return NULL;
	return counted(__interceptor_malloc ? __interceptor_malloc(bytes) :
		       __libc_malloc(bytes), by);
}

void *nth_calloc(size_t count, size_t bytes, const void *by)
{
	if (fails(by))
		return NULL;
	return counted(__interceptor_calloc ? __interceptor_calloc(count, bytes) :
		       __libc_calloc(count, bytes), by);
}

void *nth_realloc(void *old, size_t bytes, const void *by)
{
	void *memory;

	if (fails(by))
		return NULL;
	memory = __interceptor_realloc ? __interceptor_realloc(old, bytes) :
					 __libc_realloc(old, bytes);
	return old ? memory : counted(memory, by);
}

void *nth_memalign(size_t alignment, size_t bytes, const void *by)
{
	if (fails(by))
		return NULL;
	return counted(__interceptor_memalign ? __interceptor_memalign(alignment, bytes) :
		       __libc_memalign(alignment, bytes), by);
}

int nth_posix_memalign(void **out, size_t alignment, size_t bytes, const void *by)
{
	int before = errno;
	void *memory = nth_memalign(alignment, bytes, by);

	errno = before;
	if (!memory)
		return ENOMEM;
	*out = memory;
	return 0;
}

void nth_free(void *memory, const void *by)
{
	if (memory && !by_others(by))
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	if (__interceptor_free)
		__interceptor_free(memory);
	else
		__libc_free(memory);
}

/* A sanitizer has strdup() and the like of its own, which do not call our malloc(); it looks
 * for what nothing points to. */
int64_t nth_live(void)
{
	if (__interceptor_malloc)
		return __lsan_do_recoverable_leak_check ? __lsan_do_recoverable_leak_check() : 0;
	return atomic_load(&live);
}
