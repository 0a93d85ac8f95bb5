/* SPDX-License-Identifier: BSD-3-Clause */
/* libpmemlog: one append is one transaction; rewound when full, untimed. */
#include <errno.h>
#include <libpmemlog.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lib_dir.h"

#define POOL_BYTES (64u << 20)

static int pmemlog_case_open(struct bench_case *bench)
{
	char path[4096], name[64];

	(void)snprintf(name, sizeof(name), "pmemlog-%u", bench->payload_bytes);
	path_join(path, sizeof(path), bench->env->nvram_dir, name);
	bench->survives = bench->env->nvram_class;
	bench->state = pmemlog_create(path, POOL_BYTES, 0600);
	if (!bench->state)
		return message_set(&bench->why, -errno, "%s: %s", path, pmemlog_errormsg());
	return 0;
}

static int pmemlog_make_room(struct bench_worker *worker)
{
	PMEMlogpool *pool = worker->bench->state;

	if ((size_t)pmemlog_tell(pool) + worker->bench->payload_bytes > pmemlog_nbyte(pool))
		pmemlog_rewind(pool);
	return 0;
}

static int pmemlog_put(struct bench_worker *worker)
{
	if (pmemlog_append(worker->bench->state, worker->bench->env->payload,
			   worker->bench->payload_bytes))
		return message_set(&worker->bench->why, -errno, "append: %s",
				   pmemlog_errormsg());
	return 0;
}

static void pmemlog_case_close(struct bench_case *bench)
{
	if (bench->state)
		pmemlog_close(bench->state);
}

const struct bench_method peer_pmemlog = {
	.name = "libpmemlog",
	.open = pmemlog_case_open,
	.before = pmemlog_make_room,
	.op = pmemlog_put,
	.close = pmemlog_case_close,
};
