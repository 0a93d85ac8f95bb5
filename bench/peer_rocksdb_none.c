/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for peer_rocksdb.c where its library is missing. */
#include "bench.h"

const struct bench_method peer_rocksdb = { .name = "rocksdb-sync", .missing = "librocksdb-dev" };
