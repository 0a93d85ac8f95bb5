/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal that several processes are measured with, and those processes. */
#ifndef BENCH_LIB_SUBJECT_H
#define BENCH_LIB_SUBJECT_H

#include <sys/types.h>

#include "bench.h"

struct json_object;

struct subject {
	const struct bench_env *env;
	char dir[2048];
	const char *marker_name;
	enum journal_path path; /* that begin() is asked for */
	enum journal_class survives;
	void *shared; /* memory of all processes, erased at first */
};

/* Processes of all that is measured with @subject. */
typedef void (*subject_body)(struct subject *subject, uint32_t who);

/* Return: the process's number; it ends with its parent. */
pid_t subject_start(struct subject *subject, subject_body body, uint32_t who);

/* what others have left there */
int subject_retire_all(const struct subject *subject);

/**
 * subjects_measure() - with a journal on NVRAM, then with an embedded one
 * @title: of the program, for what is left out
 * @shared_bytes: of the memory that all processes share
 */
void subjects_measure(struct bench_env *env, struct json_object *rows, const char *title,
		      size_t shared_bytes,
		      int (*measure)(struct subject *subject, struct json_object *rows));

#endif
