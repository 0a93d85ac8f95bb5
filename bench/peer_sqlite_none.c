/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for peer_sqlite.c where its library is missing. */
#include "bench.h"

const struct bench_method peer_sqlite = { .name = "sqlite-wal-full", .missing = "libsqlite3-dev" };
