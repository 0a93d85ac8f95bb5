/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs one slice of one row on its threads. */
#ifndef BENCH_LIB_RUN_H
#define BENCH_LIB_RUN_H

#include <stdbool.h>

#include "bench.h"

#define RUN_THREADS_MAX 16

struct run; /* threads that wait for slices; they live as long as the program's run */

int run_open(struct run **run);
void run_close(struct run *run);
/* Room for the samples of @slices slices.  Return: 0 or -ENOMEM. */
int run_case_init(struct bench_case *bench, unsigned int slices);
void run_case_free(struct bench_case *bench);
/* the least that fixed work took in any slice until now (lib_pace.h); 0: in none yet */
uint64_t run_pace(const struct run *run);
/* One slice; @keep: it counts, else it only warms up.  Return: 0 or what the
 * method said. */
int run_slice(struct run *run, struct bench_case *bench, bool keep);

#endif
