/* SPDX-License-Identifier: BSD-3-Clause */
/* The class of persistent memory, read from trees like the kernel's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "marker/pmem_evidence.h"

#define REGION "devices/ndbus0/region3"
#define BLOCK  REGION "/namespace3.0/block/pmem3"
#define DAX    REGION "/dax3.0/dax3.0"

static char root[256];

static void make_directories(const char *path)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "%s/%s/", root, path);
	for (char *p = whole + strlen(root) + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			assert_true(!mkdir(whole, 0700) || errno == EEXIST);
			*p = '/';
		}
}

static void put(const char *path, const char *text)
{
	char whole[512];
	FILE *f;

	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	f = fopen(whole, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void put_link(const char *path, const char *target)
{
	char whole[512], to[512];

	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	(void)snprintf(to, sizeof(to), "%s/%s", root, target);
	assert_int_equal(symlink(to, whole), 0);
}

/* A region with two healthy modules, a block device and a dax device. */
static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(root, sizeof(root), "%s/jnl-sysfs-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(root));
	make_directories(BLOCK);
	make_directories(DAX);
	make_directories("dev/block");
	make_directories("dev/char");
	make_directories("bus/nd/devices/nmem0/nfit");
	make_directories("bus/nd/devices/nmem1/nfit");
	put_link("dev/block/259:7", BLOCK);
	put_link("dev/char/251:2", DAX);
	put(REGION "/persistence_domain", "memory_controller\n");
	put(REGION "/mapping0", "nmem0,0,1073741824,0\n");
	put(REGION "/mapping1", "nmem1,0,1073741824,1\n");
	put("bus/nd/devices/nmem0/nfit/flags", "\n");
	put("bus/nd/devices/nmem1/nfit/flags", "smart_event\n");
	return 0;
}

static int teardown(void **state)
{
	char command[512];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static struct pmem_evidence look(bool character)
{
	struct pmem_evidence e;

	assert_int_equal(pmem_evidence_read(root, character, character ? makedev(251, 2) :
					    makedev(259, 7), &e), 0);
	print_message("%s\n", e.text);
	return e;
}

static void healthy(void **state)
{
	(void)state;
	for (int character = 0; character < 2; character++) {
		struct pmem_evidence e = look(character);

		assert_int_equal(e.class, JOURNAL_CLASS_POWER);
		assert_false(e.cache_domain);
		assert_non_null(strstr(e.text, "region3"));
		assert_non_null(strstr(e.text, "memory_controller"));
		assert_non_null(strstr(e.text, "2 modules"));
	}
}

static void caches_saved(void **state)
{
	struct pmem_evidence e;

	(void)state;
	put(REGION "/persistence_domain", "cpu_cache\n");
	e = look(true);
	assert_int_equal(e.class, JOURNAL_CLASS_POWER);
	assert_true(e.cache_domain);
}

static void domain_not_stated(void **state)
{
	(void)state;
	put(REGION "/persistence_domain", "\n");
	assert_int_equal(look(false).class, JOURNAL_CLASS_PROCESS);
	put(REGION "/persistence_domain", "unknown\n");
	assert_int_equal(look(false).class, JOURNAL_CLASS_PROCESS);
}

static void not_armed(void **state)
{
	static const char *const flags[] = { "not_armed", "save_fail", "restore_fail",
					     "flush_fail not_armed", "map_fail" };

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct pmem_evidence e;

		put("bus/nd/devices/nmem1/nfit/flags", flags[i]);
		e = look(false);
		assert_int_equal(e.class, JOURNAL_CLASS_PROCESS);
		assert_non_null(strstr(e.text, "nmem1"));
	}
}

static void health_unknown(void **state)
{
	struct pmem_evidence e;

	(void)state;
	put(REGION "/mapping2", "nmem9,0,1073741824,2\n");
	e = look(false);
	assert_int_equal(e.class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(e.text, "health of nmem9 unknown"));
}

static void no_region(void **state)
{
	char path[512];
	struct pmem_evidence e;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/" REGION "/persistence_domain", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(look(false).class, JOURNAL_CLASS_PROCESS);
	assert_int_equal(pmem_evidence_read(root, false, makedev(8, 1), &e), 0);
	assert_int_equal(e.class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(e.text, "no nvdimm region"));
}

/* what this process alone cannot read is not missing */
static void no_file_to_be_had(void **state)
{
	struct rlimit before, none;
	struct pmem_evidence e;
	int error;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	error = pmem_evidence_read(root, false, makedev(259, 7), &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(error, -EMFILE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(healthy), T(caches_saved), T(domain_not_stated), T(not_armed),
		T(health_unknown), T(no_region), T(no_file_to_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
