/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/pmem_evidence.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "store/evidence.h"

#define MAPPINGS_MAX 64u

/* a limit that was met in any of it; what is missing then says nothing */
struct looked {
	int error;
};

/* First line of a sysfs file without its newline.  Return: 0, or -ENOENT. */
__attribute__((format(printf, 4, 5)))
static int read_line(struct looked *looked, char *line, size_t bytes, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	FILE *f;
	int length;

	va_start(args, format);
	length = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENOENT;
	f = fopen(path, "re");
	if (!f) {
		if (evidence_is_limited(-errno))
			looked->error = -errno;
		return -ENOENT;
	}
	if (!fgets(line, (int)bytes, f))
		line[0] = 0;
	(void)fclose(f);
	line[strcspn(line, "\n")] = 0;
	return 0;
}

/* The region is the nearest directory above the device that has a persistence
 * domain; @path is cut down to it. */
static int find_region(struct looked *looked, char *path, char *domain, size_t bytes)
{
	for (;;) {
		char *slash;

		if (!read_line(looked, domain, bytes, "%s/persistence_domain", path))
			return 0;
		slash = strrchr(path, '/');
		if (!slash || slash == path)
			return -ENOENT;
		*slash = 0;
	}
}

/* Return: the first word in a module's flags that means it would lose data,
 * NULL if there is none. */
static const char *bad_flag(const char *flags)
{
	static const char *const bad[] = { "not_armed", "save_fail", "restore_fail",
					   "flush_fail", "map_fail", "encrypted" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strstr(flags, bad[i]))
			return bad[i];
	return NULL;
}

/* Return: 0 when module number @i of the region is healthy, -ENOENT when there
 * is no such module, -EPERM with @why else. */
static int check_module(struct looked *looked, const char *sysfs, const char *region,
			unsigned int i, char *why, size_t bytes)
{
	char mapping[128], flags[256];
	const char *bad;

	if (read_line(looked, mapping, sizeof(mapping), "%s/mapping%u", region, i))
		return -ENOENT;
	mapping[strcspn(mapping, ",")] = 0;
	if (strchr(mapping, '/') ||
	    (read_line(looked, flags, sizeof(flags), "%s/bus/nd/devices/%s/nfit/flags", sysfs,
		       mapping) &&
	     read_line(looked, flags, sizeof(flags), "%s/bus/nd/devices/%s/papr/flags", sysfs,
		       mapping))) {
		(void)snprintf(why, bytes, "health of %.32s unknown", mapping);
		return -EPERM;
	}
	bad = bad_flag(flags);
	if (!bad)
		return 0;
	(void)snprintf(why, bytes, "%.32s is %s", mapping, bad);
	return -EPERM;
}

static bool modules_healthy(struct looked *looked, const char *sysfs, const char *region,
			    char *why, size_t bytes)
{
	unsigned int i;
	int error = 0;

	for (i = 0; !error && i < MAPPINGS_MAX; i++)
		error = check_module(looked, sysfs, region, i, why, bytes);
	if (error == -EPERM)
		return false;
	(void)snprintf(why, bytes, "%u modules healthy", error ? i - 1 : i);
	return true;
}

int pmem_evidence_read(const char *sysfs, bool character, dev_t device,
		       struct pmem_evidence *evidence)
{
	struct looked looked = { 0 };
	char link[PATH_MAX], region[PATH_MAX];
	char domain[64], why[96];
	const char *name;
	bool healthy;

	memset(evidence, 0, sizeof(*evidence));
	evidence->class = JOURNAL_CLASS_PROCESS;
	(void)snprintf(link, sizeof(link), "%s/dev/%s/%u:%u", sysfs,
		       character ? "char" : "block", major(device), minor(device));
	if (!realpath(link, region) || find_region(&looked, region, domain, sizeof(domain))) {
		(void)snprintf(evidence->text, sizeof(evidence->text),
			       "no nvdimm region is known behind it");
		return looked.error;
	}
	name = strrchr(region, '/') + 1;
	healthy = modules_healthy(&looked, sysfs, region, why, sizeof(why));
	(void)snprintf(evidence->text, sizeof(evidence->text), "%.32s: persistence domain %s, %s",
		       name, domain[0] ? domain : "not stated", why);
	evidence->cache_domain = !strcmp(domain, "cpu_cache");
	if (healthy && (evidence->cache_domain || !strcmp(domain, "memory_controller")))
		evidence->class = JOURNAL_CLASS_POWER;
	return looked.error;
}
