/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes, class names, states, paths and times as words. */
#ifndef TOOLS_WORDS_H
#define TOOLS_WORDS_H

#include <stdint.h>
#include <sys/types.h>

#include "journal.h"

/* "64M": decimal, then nothing or one of K M G T (powers of 1024).
 * Return: 0, -EINVAL no size, -ERANGE does not fit into 64 bits, or is in P or E. */
int words_size(const char *text, uint64_t *bytes);

/* "process", "os", "power"; Return: 0 or -EINVAL */
int words_class(const char *text, enum journal_class *class);
const char *words_class_name(enum journal_class class);

const char *words_state_name(enum journal_state state);
const char *words_path_name(enum journal_path path);

/* "scheme:PATH", the path made absolute; Return: 0, -EINVAL no marker URI, -ENAMETOOLONG */
int words_marker(const char *text, char *uri, size_t bytes);

/* octal permission bits; Return: 0 or -EINVAL */
int words_mode(const char *text, mode_t *mode);

/* a name or a number; Return: 0, or -ENOENT no such group */
int words_group(const char *text, gid_t *group);

/* UTC, ISO 8601 with nanoseconds: "2026-02-01T12:34:56.123456789Z"; "-" for 0 */
#define WORDS_TIME_CHARS 40
void words_time(uint64_t time_ns, char text[WORDS_TIME_CHARS]);

#endif
