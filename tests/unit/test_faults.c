/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Every allocation, system call, io_uring completion and store operation of a journal's
 * life fails, once and for ever, one after the other, until a run ends untouched.  No
 * crash, nothing that hangs, nothing left over, no wrong answer, the error that was
 * given; and at the next open what was acknowledged, and nothing else.
 *
 *   STRIDE=1          every one of them; otherwise one of so many, from a place that the
 *                     seed chooses
 *   SEED=7            that run again
 *   ONLY=work KINDS=call    of these lives, and kinds
 *   FAULT=work/pmem/call/once/17   one alone
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends.h"
#include "lib/child.h"
#include "lib/nth.h"
#include "lib/nth_lives.h"
#include "lib/nth_run.h"

/* ---- what the whole process is to call ------------------------------------------------- */

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t bytes)
{
	return nth_malloc(bytes);
}

EXPORTED void *calloc(size_t count, size_t bytes)
{
	return nth_calloc(count, bytes);
}

EXPORTED void *realloc(void *old, size_t bytes)
{
	return nth_realloc(old, bytes);
}

EXPORTED void *memalign(size_t alignment, size_t bytes)
{
	return nth_memalign(alignment, bytes);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t bytes)
{
	return nth_memalign(alignment, bytes);
}

EXPORTED int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	return nth_posix_memalign(out, alignment, bytes);
}

EXPORTED void free(void *memory)
{
	nth_free(memory);
}

/* ---- the stores ------------------------------------------------------------------------- */

__typeof__(backend_open_marker) __real_backend_open_marker, __wrap_backend_open_marker;
__typeof__(backend_join_marker) __real_backend_join_marker, __wrap_backend_join_marker;
__typeof__(backend_open_log) __real_backend_open_log, __wrap_backend_open_log;
__typeof__(backend_join_log) __real_backend_join_log, __wrap_backend_join_log;

int __wrap_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message)
{
	int error = __real_backend_open_marker(uri, flags, bytes, store, message);

	if (!error)
		nth_marker_opened(*store);
	return error;
}

int __wrap_backend_join_marker(const char *uri, unsigned int flags, struct marker_share *share,
			       void *map, struct marker_store **store, struct message *message)
{
	int error = __real_backend_join_marker(uri, flags, share, map, store, message);

	if (!error)
		nth_marker_opened(*store);
	return error;
}

int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	int error = __real_backend_open_log(path, flags, bytes, progress, store, message);

	if (!error)
		nth_log_opened(*store);
	return error;
}

int __wrap_backend_join_log(const char *path, unsigned int flags, struct log_share *share,
			    struct log_store **store, struct message *message)
{
	int error = __real_backend_join_log(path, flags, share, store, message);

	if (!error)
		nth_log_opened(*store);
	return error;
}

#define ALL " file sim pmem file2 pmem2 filem pmemm "

int main(void)
{
	static const struct nth_scenario scenarios[] = {
		{ .name = "work", .prepare = nth_format, .live = nth_work, .places = ALL,
		  .kinds = 1u << NTH_CALL | 1u << NTH_INTERRUPTION },
	};

	if (under_valgrind()) {
		puts("skip: valgrind has an allocator, and system calls, of its own");
		return 77;
	}
	if (!nth_calls_can())
		return 77;
	return nth_run(scenarios, sizeof(scenarios) / sizeof(*scenarios));
}
