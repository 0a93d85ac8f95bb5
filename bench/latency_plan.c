/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of the latency suite. */
#include "bench.h"
#include "util/math.h"

/* operations of a slice: of methods that take nanoseconds, and of those that
 * wait for the disk and mostly end by the clock */
#define OPS_NVRAM 1500
#define OPS_GROUP 100
#define OPS_DISK  1000

/* method, payload, threads, batch, operations per slice, path; rows that are
 * compared stand together */
const struct bench_plan bench_plans[] = {
	{ &floor_bit, 0, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &jnl_retire, 64, 1, 1, OPS_NVRAM, JOURNAL_PATH_STAGED },
	{ &jnl_staged, 64, 1, 1, OPS_NVRAM, JOURNAL_PATH_STAGED },
	{ &jnl_staged, 64, 2, 1, OPS_NVRAM, JOURNAL_PATH_STAGED },
	{ &jnl_group64, 64, 1, 64, OPS_GROUP, JOURNAL_PATH_STAGED },
	{ &floor_copy, 64, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &floor_copy, 4096, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &jnl_staged, 4096, 1, 1, OPS_NVRAM, JOURNAL_PATH_STAGED },
	{ &peer_pmemlog, 64, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &peer_pmemlog, 4096, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &peer_pmemobj, 64, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &peer_pmemobj, 4096, 1, 1, OPS_NVRAM, JOURNAL_PATH_AUTO },
	{ &floor_direct, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &floor_dsync, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &jnl_direct, 64, 1, 1, OPS_DISK, JOURNAL_PATH_DIRECT },
	{ &jnl_synced, 64, 1, 1, OPS_DISK, JOURNAL_PATH_SYNCED },
	{ &floor_direct, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &floor_dsync, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &jnl_direct, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_DIRECT },
	{ &jnl_synced, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_SYNCED },
	{ &jnl_synced, 4096, 2, 1, OPS_DISK, JOURNAL_PATH_SYNCED },
	{ &jnl_synced, 4096, 16, 1, OPS_DISK, JOURNAL_PATH_SYNCED },
	{ &append_fsync, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &append_fsync, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &create_fsync_rename, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &create_fsync_rename, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &peer_sqlite, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &peer_sqlite, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &peer_lmdb, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &peer_lmdb, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &peer_rocksdb, 64, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
	{ &peer_rocksdb, 4096, 1, 1, OPS_DISK, JOURNAL_PATH_AUTO },
};

const size_t bench_plan_count = ARRAY_COUNT(bench_plans);
