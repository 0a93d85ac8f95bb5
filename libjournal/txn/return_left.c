/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/return_left.h"

#include <stdbool.h>
#include <string.h>

#include "txn/remove.h"

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
	remove_beside(path, left_is);
}
