/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A buffer of the log that cannot be unmapped stays: at the limit of mappings
 * (vm.max_map_count) the kernel takes nothing out of the middle of one.  munmap() is
 * replaced at link time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "log/log_buffers.h"
#include "store/log_store.h"

int __real_munmap(void *address, size_t bytes);
int __wrap_munmap(void *address, size_t bytes);

static unsigned int refused;
static bool refuse;
static void *kept[64];

int __wrap_munmap(void *address, size_t bytes)
{
	if (!refuse)
		return __real_munmap(address, bytes);
	kept[refused++] = address;
	errno = ENOMEM;
	return -1;
}

static void one_that_cannot_be_unmapped_stays(void **state)
{
	struct log_buffers buffers;
	void *all[LOG_BUFFERS_KEPT + 2];
	unsigned int i;

	(void)state;
	memset(&buffers, 0, sizeof(buffers));
	for (i = 0; i < LOG_BUFFERS_KEPT + 2; i++) {
		all[i] = log_buffers_get(&buffers);
		assert_non_null(all[i]);
		memset(all[i], 'x', LOG_BUFFER_BYTES);
	}
	refuse = true;
	for (i = 0; i < LOG_BUFFERS_KEPT + 2; i++)
		log_buffers_put(&buffers, all[i]);
	log_buffers_free(&buffers);
	refuse = false;
	assert_int_equal(refused, LOG_BUFFERS_KEPT + 2);
	for (i = 0; i < refused; i++) {
		/* its memory at least was given back */
		assert_int_equal(*(char *)kept[i], 0);
		assert_int_equal(munmap(kept[i], LOG_BUFFER_BYTES), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_cannot_be_unmapped_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
