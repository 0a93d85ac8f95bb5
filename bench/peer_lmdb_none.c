/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for peer_lmdb.c where its library is missing. */
#include "bench.h"

const struct bench_method peer_lmdb = { .name = "lmdb-sync", .missing = "liblmdb-dev" };
