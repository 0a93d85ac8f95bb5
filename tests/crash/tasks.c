/* SPDX-License-Identifier: BSD-3-Clause */
#include "tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "ops.h"
#include "util/assert.h"

void tasks_free(struct tasks *tasks)
{
	free(tasks->all);
}

static void add(struct tasks *tasks, const struct task *task)
{
	if (tasks->count == tasks->room) {
		tasks->room = tasks->room ? tasks->room * 2 : 256;
		tasks->all = realloc(tasks->all, tasks->room * sizeof(*tasks->all));
		JASSERT(tasks->all);
	}
	tasks->all[tasks->count++] = *task;
}

void tasks_all(struct tasks *tasks, uint32_t config, uint32_t length)
{
	struct task task = { .config = (uint16_t)config, .count = (uint8_t)length };
	uint32_t i;

	JASSERT(length && length <= TASK_OPS);
	do {
		add(tasks, &task);
		for (i = length; i-- && ++task.op[i] == op_count;)
			task.op[i] = 0;
	} while (i < length);
}

/* ---- names -------------------------------------------------------------------- */

static bool config_named(const char *text, size_t length, struct task *task)
{
	uint32_t i;

	for (i = 0; i < config_count; i++)
		if (strlen(configs[i].name) == length && !strncmp(configs[i].name, text, length)) {
			task->config = (uint16_t)i;
			return true;
		}
	return false;
}

static bool op_named(const char *text, size_t length, struct task *task)
{
	uint32_t i;

	for (i = 0; i < op_count && task->count < TASK_OPS; i++)
		if (strlen(ops[i].name) == length && !strncmp(ops[i].name, text, length)) {
			task->op[task->count++] = (uint8_t)i;
			return true;
		}
	return false;
}

/* ---- many ------------------------------------------------------------------ */

void tasks_random(struct tasks *tasks, uint32_t which, uint32_t count, uint64_t seed)
{
	struct task task = { .count = TASK_OPS };
	uint32_t i;

	while (count) {
		task.config = (uint16_t)(fault_random(&seed) % config_count);
		for (i = 0; i < TASK_OPS; i++)
			task.op[i] = (uint8_t)(fault_random(&seed) % op_count);
		if (!(which >> task.config & 1))
			continue;
		add(tasks, &task);
		count--;
	}
}

void tasks_after(struct tasks *tasks, uint32_t config, const char *name)
{
	struct task task = { .config = (uint16_t)config };
	uint32_t i;

	JASSERT(op_named(name, strlen(name), &task));
	task.count = 2;
	for (i = 0; i < op_count; i++) {
		task.op[1] = (uint8_t)i;
		add(tasks, &task);
	}
}

void tasks_together(struct tasks *tasks, uint32_t config, enum op_beside least)
{
	struct task task = { .config = (uint16_t)config, .count = 2, .together = true };
	uint32_t a, b;

	for (a = 0; a < op_count; a++)
		for (b = 0; b < op_count; b++) {
			if (ops[a].beside < least || ops[b].beside < least)
				continue;
			task.op[0] = (uint8_t)a;
			task.op[1] = (uint8_t)b;
			add(tasks, &task);
		}
}

void tasks_beside(struct tasks *tasks, uint32_t config, const char *name,
		  enum op_beside least)
{
	struct task task = { .config = (uint16_t)config, .together = true };
	uint32_t i;

	JASSERT(op_named(name, strlen(name), &task));
	task.count = 2;
	for (i = 0; i < op_count; i++) {
		if (ops[i].beside < least)
			continue;
		task.op[1] = task.op[0];
		task.op[0] = (uint8_t)i;
		add(tasks, &task);
		task.op[0] = task.op[1];
		task.op[1] = (uint8_t)i;
		add(tasks, &task);
	}
}

bool tasks_named(struct tasks *tasks, const char *text)
{
	const char *colon = strchr(text, ':'), *at;
	struct task task = { 0 };
	size_t length;

	if (!colon || !config_named(text, (size_t)(colon - text), &task))
		return false;
	for (at = colon; *at; at += length + 1) {
		length = strcspn(at + 1, ",+");
		if (!op_named(at + 1, length, &task))
			return false;
		task.together |= at[length + 1] == '+';
		if (!at[length + 1])
			break;
	}
	add(tasks, &task);
	return true;
}

void task_name(const struct task *task, char text[96])
{
	int at = snprintf(text, 96, "%s:", configs[task->config].name);
	uint32_t i;

	for (i = 0; i < task->count; i++)
		at += snprintf(text + at, 96 - (size_t)at, "%s%s",
			       !i ? "" : task->together ? "+" : ",", ops[task->op[i]].name);
}
