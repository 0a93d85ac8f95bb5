/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/return_left.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* as return_describe() makes it; @name may be anybody's */
static bool left_is(const char *name, const char *of)
{
	static const char digits[] = "0123456789", suffix[] = ".return-";
	size_t length = strlen(of), turn, member;

	if (strncmp(name, of, length) || strncmp(name + length, suffix, sizeof(suffix) - 1))
		return false;
	name += length + sizeof(suffix) - 1;
	turn = strspn(name, digits);
	if (!turn || name[turn] != '-')
		return false;
	name += turn + 1;
	member = strspn(name, digits);
	return member && !name[member];
}

void return_left_remove(const char *path)
{
	char above[PATH_MAX], name[PATH_MAX];
	const struct dirent *entry;
	DIR *directory;

	if (snprintf(above, sizeof(above), "%s", path) >= (int)sizeof(above))
		return;
	memcpy(name, above, sizeof(name));
	directory = opendir(dirname(above));
	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (left_is(entry->d_name, basename(name)))
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}
