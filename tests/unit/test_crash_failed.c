/* SPDX-License-Identifier: BSD-3-Clause */
/* A medium that has failed: who is told learns which one it is, and why (P16). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crash_place.h"
#include "txn/journal_impl.h"

static void is_told(struct place *p, enum journal_path path, const char *medium)
{
	char want[PATH_MAX + 64];
	uint64_t id;

	(void)snprintf(want, sizeof(want), "%s: failed (Input/output error)", medium);
	/* and each time from then on */
	assert_int_equal(place_put(p, path, 1, &id), -EIO);
	assert_non_null(strstr(journal_error(p->j), want));
	p->world.fence_error = p->world.write_error = 0;
	assert_int_equal(place_put(p, path, 2, &id), -EIO);
	assert_non_null(strstr(journal_error(p->j), want));
	place_remove(p);
}

static void p16_the_markers_are_named(void **state)
{
	struct place *p = place_make(NULL);
	char medium[PATH_MAX + 16];

	(void)state;
	(void)snprintf(medium, sizeof(medium), "markers %s", p->j->conf.marker);
	p->world.fence_error = -EIO;
	is_told(p, JOURNAL_PATH_STAGED, medium);
}

static void p16_the_log_is_named(void **state)
{
	struct place *p = place_make(NULL);
	char medium[PATH_MAX + 16];

	(void)state;
	(void)snprintf(medium, sizeof(medium), "log %s", p->j->conf.logs[0]);
	p->world.write_error = -EIO;
	is_told(p, JOURNAL_PATH_SYNCED, medium);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p16_the_markers_are_named),
		cmocka_unit_test(p16_the_log_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
