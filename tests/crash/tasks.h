/* SPDX-License-Identifier: BSD-3-Clause */
/* What is to be explored: sequences of operations, in an order that is always the same. */
#ifndef TESTS_CRASH_TASKS_H
#define TESTS_CRASH_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "ops.h"

#define TASK_OPS 3u

/* The last operation is cut; those before it are, in sequences that are shorter.  @beside: it
 * is cut beside another one, which a second thread does. */
struct task {
	uint16_t config;
	uint8_t count;
	bool together;
	uint8_t op[TASK_OPS];
};

struct tasks {
	struct task *all;
	uint32_t count, room;
};

void tasks_free(struct tasks *tasks);
/* every sequence of @length, on @config */
void tasks_all(struct tasks *tasks, uint32_t config, uint32_t length);
/* @count of length 3, by @seed, on the configurations in @which: a bit for each */
void tasks_random(struct tasks *tasks, uint32_t which, uint32_t count, uint64_t seed);
/* the operation of that name, and each after it */
void tasks_after(struct tasks *tasks, uint32_t config, const char *name);
/* every two that may be done by two at a time, @least so */
void tasks_together(struct tasks *tasks, uint32_t config, enum op_beside least);
/* the operation of that name by one, and each that may be done beside another by the other */
void tasks_beside(struct tasks *tasks, uint32_t config, const char *name,
		  enum op_beside least);
/* "nvram:put,retire" or "nvram:put+retire"; Return: false: there is no such thing */
bool tasks_named(struct tasks *tasks, const char *text);
void task_name(const struct task *task, char text[96]);

#endif
