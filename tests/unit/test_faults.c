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
 *   SEED=7            another place (1)
 *   ALL=1             also lives of which some points are known to be wrong
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

#define BY __builtin_return_address(0)
#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t bytes)
{
	return nth_malloc(bytes, BY);
}

EXPORTED void *calloc(size_t count, size_t bytes)
{
	return nth_calloc(count, bytes, BY);
}

EXPORTED void *realloc(void *old, size_t bytes)
{
	return nth_realloc(old, bytes, BY);
}

EXPORTED void *memalign(size_t alignment, size_t bytes)
{
	return nth_memalign(alignment, bytes, BY);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t bytes)
{
	return nth_memalign(alignment, bytes, BY);
}

EXPORTED int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	return nth_posix_memalign(out, alignment, bytes, BY);
}

EXPORTED void free(void *memory)
{
	nth_free(memory, BY);
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
		{ .name = "work", .prepare = nth_format, .live = nth_work, .places = ALL },
		{ .name = "format", .unfinished = true, .live = nth_format,
		  .after = nth_after_format, .places = ALL },
		{ .name = "recover", .prepare = nth_prepare_killed, .live = nth_recover,
		  .places = ALL },
		{ .name = "clean", .prepare = nth_prepare_full, .live = nth_clean,
		  .places = " file sim pmem filem pmem2 " },
		{ .name = "distrust", .prepare = nth_prepare_some, .live = nth_distrust,
		  .places = " sim pmem pmemm " },
		{ .name = "resize", .unfinished = true, .prepare = nth_prepare_some,
		  .live = nth_resize,
		  .places = " file pmem filem " },
		{ .name = "set-marker", .unfinished = true, .prepare = nth_prepare_some,
		  .live = nth_set_marker,
		  .places = " file sim pmem pmem2 " },
		{ .name = "moving", .unfinished = true, .prepare = nth_prepare_some,
		  .live = nth_moving,
		  .places = " file pmem pmem2 " },
		{ .name = "rescue", .unfinished = true, .prepare = nth_prepare_some,
		  .live = nth_rescue,
		  .places = " file pmem " },
		{ .name = "upgrade", .prepare = nth_prepare_old, .live = nth_upgrade,
		  .after = nth_after_upgrade, .places = " file pmem " },
		{ .name = "mirror", .prepare = nth_prepare_leg, .live = nth_mirror,
		  .places = " filem pmemm " },
		{ .name = "destroy", .unfinished = true, .prepare = nth_prepare_some,
		  .live = nth_destroy,
		  .after = nth_after_destroy, .places = " file pmem filem " },
	};

	if (under_valgrind()) {
		puts("skip: valgrind has an allocator, and system calls, of its own");
		return 77;
	}
	if (!nth_calls_can())
		return 77;
	return nth_run(scenarios, sizeof(scenarios) / sizeof(*scenarios));
}
