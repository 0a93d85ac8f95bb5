/* SPDX-License-Identifier: BSD-3-Clause */
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum journal_class class;
} words_classes[] = {
	{ "process", JOURNAL_CLASS_PROCESS },
	{ "os", JOURNAL_CLASS_OS },
	{ "power", JOURNAL_CLASS_POWER },
};

#define WORDS_CLASSES (sizeof(words_classes) / sizeof(words_classes[0]))

static int words_shift(const char *suffix, unsigned int *shift)
{
	static const char letters[] = "KMGT";
	const char *found;

	*shift = 0;
	if (!*suffix)
		return 0;
	if (suffix[1])
		return -EINVAL;
	/* a size it is, and so is what an overflow is: of nothing that there is */
	if (strchr("PE", toupper((unsigned char)*suffix)))
		return -ERANGE;
	found = strchr(letters, toupper((unsigned char)*suffix));
	if (!found)
		return -EINVAL;
	*shift = 10 * (unsigned int)(found - letters + 1);
	return 0;
}

int words_size(const char *text, uint64_t *bytes)
{
	unsigned long long number;
	unsigned int shift;
	int error;
	char *end;

	/* strtoull would take blanks and signs */
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	error = words_shift(end, &shift);
	if (error == -EINVAL)
		return error;
	if (error || errno == ERANGE || number > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = (uint64_t)number << shift;
	return 0;
}

int words_class(const char *text, enum journal_class *class)
{
	for (size_t i = 0; i < WORDS_CLASSES; i++) {
		if (strcmp(text, words_classes[i].name))
			continue;
		*class = words_classes[i].class;
		return 0;
	}
	return -EINVAL;
}

const char *words_class_name(enum journal_class class)
{
	for (size_t i = 0; i < WORDS_CLASSES; i++) {
		if (words_classes[i].class == class)
			return words_classes[i].name;
	}
	return "unset";
}

const char *words_state_name(enum journal_state state)
{
	return state == JOURNAL_LOST ? "lost" : "live";
}

const char *words_path_name(enum journal_path path)
{
	switch (path) {
	case JOURNAL_PATH_STAGED:
		return "staged";
	case JOURNAL_PATH_DIRECT:
		return "direct";
	case JOURNAL_PATH_SYNCED:
		return "synced";
	case JOURNAL_PATH_AUTO:
		break;
	}
	return "-";
}

/* A journal outlives the directory that this command was called in. */
int words_marker(const char *text, char *uri, size_t bytes)
{
	const char *path = strchr(text, ':');
	char here[PATH_MAX];
	int wrote;

	if (!path || !*++path)
		return -EINVAL;
	if (*path == '/')
		wrote = snprintf(uri, bytes, "%s", text);
	else if (getcwd(here, sizeof(here)))
		wrote = snprintf(uri, bytes, "%.*s%s/%s", (int)(path - text), text, here, path);
	else
		return -ENAMETOOLONG;
	return wrote >= 0 && (size_t)wrote < bytes ? 0 : -ENAMETOOLONG;
}

int words_mode(const char *text, mode_t *mode)
{
	unsigned long bits;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	bits = strtoul(text, &end, 8);
	if (*end || bits > 07777)
		return -EINVAL;
	*mode = (mode_t)bits;
	return 0;
}

int words_group(const char *text, gid_t *group)
{
	const struct group *found = getgrnam(text);
	unsigned long number;
	char *end;

	if (found) {
		*group = found->gr_gid;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -ENOENT;
	number = strtoul(text, &end, 10);
	/* (gid_t)-1 means "leave it" to chown */
	if (*end || number >= (gid_t)-1)
		return -ENOENT;
	*group = (gid_t)number;
	return 0;
}

void words_time(uint64_t time_ns, char text[WORDS_TIME_CHARS])
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	unsigned int ns = (unsigned int)(time_ns % 1000000000);
	struct tm utc;
	size_t used;

	if (!time_ns || !gmtime_r(&seconds, &utc)) {
		(void)strcpy(text, "-");
		return;
	}
	used = strftime(text, WORDS_TIME_CHARS, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(text + used, WORDS_TIME_CHARS - used, ".%09uZ", ns);
}
