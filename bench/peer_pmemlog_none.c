/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for peer_pmemlog.c where its library is missing. */
#include "bench.h"

const struct bench_method peer_pmemlog = { .name = "libpmemlog", .missing = "libpmemlog-dev" };
