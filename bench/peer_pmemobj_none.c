/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for peer_pmemobj.c where its library is missing. */
#include "bench.h"

const struct bench_method peer_pmemobj = { .name = "libpmemobj-tx", .missing = "libpmemobj-dev" };
