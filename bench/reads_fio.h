/* SPDX-License-Identifier: BSD-3-Clause */
/* Random reads, or writes in order, by fio, for comparison. */
#ifndef BENCH_READS_FIO_H
#define BENCH_READS_FIO_H

#include <stdbool.h>
#include <stdint.h>

#include "util/message.h"

/**
 * struct fio_job - what fio is to do
 * @path:   a file of @bytes that was written
 * @engine: of fio: "io_uring", "libaio"
 * @ms:     so long
 * @write:  from begin to end, again and again; else reads at random
 */
struct fio_job {
	const char *path;
	const char *engine;
	uint64_t bytes;
	uint32_t block_bytes, depth, ms;
	bool write;
};

/* what fio says of it; latencies from an io's start to its end */
struct fio_report {
	double per_s, n;
	double p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns;
};

/* Return: 0; -ENOENT there is no fio; or negative errno; with the reason in @why. */
int fio_run(const struct fio_job *job, struct fio_report *report, struct message *why);

#endif
