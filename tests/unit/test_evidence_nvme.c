/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is concluded from an NVMe controller's answers: a sysfs of our own making,
 * and a controller that is a script.  libjournal-nvme.so and libnvme are the real
 * ones; this program's ioctl() is found before libc's, and answers for the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <linux/nvme_ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "store/evidence_walk.h"
#include "store/nvme_device.h"
#include "util/module.h"

#define IDENTIFY     0x06
#define GET_FEATURES 0x0a
#define CNS_CTRL     1
#define FEATURE_VWC  6
#define VWC_OFFSET   525 /* in the Identify Controller data structure */

/* one command that is expected, and its answer */
struct step {
	uint8_t opcode;
	int error;     /* errno; or */
	int status;    /* of the controller; or */
	uint32_t says; /* the byte VWC, or the feature */
};

static struct {
	const struct step *steps;
	size_t count;
	int open_error; /* of the device node */
	bool no_module;
	unsigned int loads; /* of the module */
} script;
static struct scratch scratch;

static int answer(const struct step *step, struct nvme_passthru_cmd *command)
{
	uint8_t *data = (uint8_t *)(uintptr_t)command->addr;

	assert_int_equal(command->opcode, step->opcode);
	if (step->error) {
		errno = step->error;
		return -1;
	}
	if (step->status)
		return step->status;
	if (step->opcode == GET_FEATURES) {
		assert_int_equal(command->cdw10, FEATURE_VWC); /* and the current value */
		command->result = step->says;
		return 0;
	}
	assert_int_equal(command->cdw10, CNS_CTRL);
	assert_int_equal(command->data_len, 4096);
	memset(data, 0xff, 4096); /* all else is of no interest */
	data[VWC_OFFSET] = (uint8_t)step->says;
	return 0;
}

__attribute__((visibility("default"))) /* of what libnvme finds */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (request != NVME_IOCTL_ADMIN_CMD)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	assert_true(script.count > 0); /* a command too many */
	script.count--;
	return answer(script.steps++, argument);
}

int __real_nvme_device_open(const char *directory);
int __wrap_nvme_device_open(const char *directory);
int __wrap_nvme_device_open(const char *directory)
{
	assert_non_null(strstr(directory, "/nvme"));
	return script.open_error ? -script.open_error : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int __real_module_load(const char *file, const char *symbol, uint32_t version,
		       const void **table, char *reason, size_t reason_bytes);
int __wrap_module_load(const char *file, const char *symbol, uint32_t version,
		       const void **table, char *reason, size_t reason_bytes);
int __wrap_module_load(const char *file, const char *symbol, uint32_t version,
		       const void **table, char *reason, size_t reason_bytes)
{
	script.loads++;
	return script.no_module ? -ENOTSUP :
				  __real_module_load(file, symbol, version, table, reason,
						     reason_bytes);
}

/* ---- a sysfs ------------------------------------------------------------ */

static void put(const char *path, const char *text)
{
	scratch_put(&scratch, path, text);
}

static void point(const char *path, const char *target)
{
	scratch_point(&scratch, path, target);
}

static int make_sysfs(void **state)
{
	(void)state;
	assert_int_equal(scratch_make(&scratch, NULL), 0);
	put("devices/nvme0/nvme0n1/queue/write_cache", "write through\n");
	put("devices/nvme0/nvme0n1/dev", "259:0\n");
	put("devices/nvme0/nvme0n1/nvme0n1p2/partition", "2\n");
	point("devices/nvme0/nvme0n1/device", "devices/nvme0");
	point("devices/nvme0/subsystem", "class/nvme");
	point("dev/block/259:0", "devices/nvme0/nvme0n1");
	point("dev/block/259:2", "devices/nvme0/nvme0n1/nvme0n1p2");
	/* one that is flushed; one of several paths; one of an older kernel */
	put("devices/nvme1/nvme1n1/queue/write_cache", "write back\n");
	put("devices/nvme1/nvme1n1/queue/fua", "1\n");
	point("devices/nvme1/nvme1n1/device", "devices/nvme1");
	point("devices/nvme1/subsystem", "class/nvme");
	point("dev/block/259:10", "devices/nvme1/nvme1n1");
	put("devices/subsys/nvme2n1/queue/write_cache", "write through\n");
	point("devices/subsys/nvme2n1/device", "devices/subsys");
	point("devices/subsys/subsystem", "class/nvme-subsystem");
	point("dev/block/259:20", "devices/subsys/nvme2n1");
	put("devices/nvme0/nvme3n1/size", "8\n");
	point("devices/nvme0/nvme3n1/device", "devices/nvme0");
	point("dev/block/259:30", "devices/nvme0/nvme3n1");
	/* none at all */
	put("devices/sda/queue/write_cache", "write through\n");
	point("devices/sda/device", "devices/scsi");
	point("devices/scsi/subsystem", "bus/scsi");
	point("dev/block/8:0", "devices/sda");
	return 0;
}

static int remove_sysfs(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

/* the namespace 259:@minor, where the controller answers as @steps say, all of them */
static struct evidence look(unsigned int minor, const struct step *steps, size_t count)
{
	struct evidence found = { .class = JOURNAL_CLASS_POWER,
				  .no_volatile_cache = true,
				  .overwrites_in_place = true };
	struct evidence_walk walk = { .found = &found, .sysfs = scratch.directory };

	script.steps = steps;
	script.count = count;
	evidence_walk_device(&walk, makedev(259, minor));
	assert_int_equal(script.count, 0);
	return found;
}

static void check(struct evidence found, enum journal_class class, bool no_cache,
		  const char *text)
{
	assert_string_equal(found.text, text);
	assert_int_equal(found.class, class);
	assert_int_equal(found.no_volatile_cache, no_cache);
}

#define LOOK(minor, ...) \
	look(minor, (const struct step[]){ __VA_ARGS__ }, \
	     sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

/* ---- tests -------------------------------------------------------------- */

static void no_cache_is_evidence_for_none(void **state)
{
	(void)state;
	check(LOOK(0, { .opcode = IDENTIFY, .says = 0 }), JOURNAL_CLASS_POWER, true,
	      "nvme0n1 (write through, no volatile cache, by NVMe Identify)");
	/* how it flushes is bits 1 and 2, and says nothing of whether it has one */
	check(LOOK(2, { .opcode = IDENTIFY, .says = 6 }), JOURNAL_CLASS_POWER, true,
	      "nvme0n1p2 of nvme0n1 (write through, no volatile cache, by NVMe Identify)");
	check(LOOK(20, { .opcode = IDENTIFY, .says = 0 }), JOURNAL_CLASS_POWER, true,
	      "nvme2n1 (write through, no volatile cache, by NVMe Identify)");
	/* and where the kernel says nothing */
	check(LOOK(30, { .opcode = IDENTIFY, .says = 0 }), JOURNAL_CLASS_POWER, true,
	      "nvme3n1 (no volatile cache, by NVMe Identify)");
}

/* "write through" may be written there by anybody: then no flush is sent */
static void a_cache_that_nothing_flushes_is_no_power_safety(void **state)
{
	(void)state;
	check(LOOK(0, { .opcode = IDENTIFY, .says = 1 }, { .opcode = GET_FEATURES, .says = 1 }),
	      JOURNAL_CLASS_OS, false,
	      "nvme0n1 (write through by queue/write_cache, but NVMe Identify: a volatile cache, "
	      "enabled; nothing flushes it)");
	check(LOOK(0, { .opcode = IDENTIFY, .says = 7 },
		   { .opcode = GET_FEATURES, .error = EACCES }),
	      JOURNAL_CLASS_OS, false,
	      "nvme0n1 (write through by queue/write_cache, but NVMe Identify: a volatile cache, "
	      "enabled or not: Permission denied; nothing flushes it)");
	check(LOOK(0, { .opcode = IDENTIFY, .says = 1 },
		   { .opcode = GET_FEATURES, .status = 2 }),
	      JOURNAL_CLASS_OS, false,
	      "nvme0n1 (write through by queue/write_cache, but NVMe Identify: a volatile cache, "
	      "enabled or not: Remote I/O error; nothing flushes it)");
	check(LOOK(30, { .opcode = IDENTIFY, .says = 1 }, { .opcode = GET_FEATURES, .says = 1 }),
	      JOURNAL_CLASS_PROCESS, false,
	      "nvme3n1 (the kernel does not say whether it has a write cache; NVMe Identify: "
	      "it has)");
}

static void a_disabled_cache_allows_no_short_cut(void **state)
{
	(void)state;
	check(LOOK(0, { .opcode = IDENTIFY, .says = 1 }, { .opcode = GET_FEATURES, .says = 0 }),
	      JOURNAL_CLASS_POWER, false,
	      "nvme0n1 (write through; NVMe Identify: a volatile cache, disabled)");
}

static void not_allowed_to_ask_sysfs_counts(void **state)
{
	(void)state;
	check(LOOK(0, { .opcode = IDENTIFY, .error = EACCES }), JOURNAL_CLASS_POWER, true,
	      "nvme0n1 (write through, no volatile cache; NVMe Identify not read: "
	      "Permission denied)");
	check(LOOK(0, { .opcode = IDENTIFY, .status = 0x4002 }), JOURNAL_CLASS_POWER, true,
	      "nvme0n1 (write through, no volatile cache; NVMe Identify not read: "
	      "Remote I/O error)");
	check(LOOK(30, { .opcode = IDENTIFY, .error = ENOTTY }), JOURNAL_CLASS_PROCESS, false,
	      "nvme3n1 (the kernel does not say whether it has a write cache; NVMe Identify: "
	      "Inappropriate ioctl for device)");
	script.open_error = EACCES;
	check(look(0, NULL, 0), JOURNAL_CLASS_POWER, true,
	      "nvme0n1 (write through, no volatile cache; NVMe Identify not read: "
	      "Permission denied)");
	script.open_error = 0;
}

static void without_the_module_sysfs_counts(void **state)
{
	(void)state;
	script.no_module = true;
	check(look(0, NULL, 0), JOURNAL_CLASS_POWER, true,
	      "nvme0n1 (write through, no volatile cache; NVMe Identify not read: "
	      "libjournal-nvme.so cannot be loaded)");
	script.no_module = false;
}

static void others_are_not_asked(void **state)
{
	struct evidence found = { .class = JOURNAL_CLASS_POWER, .no_volatile_cache = true };
	struct evidence_walk walk = { .found = &found, .sysfs = scratch.directory };

	(void)state;
	script.loads = 0;
	/* flushed, whatever the controller would say */
	check(look(10, NULL, 0), JOURNAL_CLASS_POWER, false,
	      "nvme1n1 (write back cache, flushed by FLUSH and FUA)");
	evidence_walk_device(&walk, makedev(8, 0));
	check(found, JOURNAL_CLASS_POWER, true, "sda (write through, no volatile cache)");
	assert_int_equal(script.loads, 0);
}

/* The node in /dev is the disk's own, or none. */
static void another_device_is_not_asked(void **state)
{
	char directory[PATH_MAX];

	(void)state;
	/* a name that /dev has, of a device that it is not */
	put("devices/null/dev", "259:0\n");
	scratch_path(&scratch, "devices/null", directory);
	assert_int_equal(__real_nvme_device_open(directory), -ENODEV);
	put("devices/nvme77n1/dev", "259:770\n");
	scratch_path(&scratch, "devices/nvme77n1", directory);
	assert_int_equal(__real_nvme_device_open(directory), -ENOENT);
	put("devices/nvme78n1/size", "0\n");
	scratch_path(&scratch, "devices/nvme78n1", directory);
	assert_int_equal(__real_nvme_device_open(directory), -ENOENT);
	put("devices/nvme79n1/dev", "nonsense\n");
	scratch_path(&scratch, "devices/nvme79n1", directory);
	assert_int_equal(__real_nvme_device_open(directory), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_cache_is_evidence_for_none),
		cmocka_unit_test(a_cache_that_nothing_flushes_is_no_power_safety),
		cmocka_unit_test(a_disabled_cache_allows_no_short_cut),
		cmocka_unit_test(not_allowed_to_ask_sysfs_counts),
		cmocka_unit_test(without_the_module_sysfs_counts),
		cmocka_unit_test(others_are_not_asked),
		cmocka_unit_test(another_device_is_not_asked),
	};
	const void *module;
	char reason[256];

	if (module_load(NVME_MODULE_FILE, NVME_MODULE_SYMBOL, NVME_MODULE_VERSION, &module, reason,
			sizeof(reason))) {
		printf("skip: %s\n", reason);
		return 77;
	}
	return cmocka_run_group_tests(tests, make_sysfs, remove_sysfs);
}
