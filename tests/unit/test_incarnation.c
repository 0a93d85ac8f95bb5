/* SPDX-License-Identifier: BSD-3-Clause */
/* P4 after many openings: the numbers made of the incarnation stay in range. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "format/marker.h"
#include "journal.h"

static char base[128], dir[160], uri[200];

static int make(const char *scheme)
{
	struct journal_format_options options = {
		.log_bytes = 16 << 20, .marker_bytes = 1 << 20, .require = JOURNAL_CLASS_PROCESS,
	};
	const char *tmp = getenv("TMPDIR");
	char message[512] = "";

	snprintf(base, sizeof(base), "%s/incarnation.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/j", base);
	snprintf(uri, sizeof(uri), "%s:%s/markers", scheme, base);
	options.marker = uri;
	if (journal_format(dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	return 0;
}

static int make_file(void **state)
{
	(void)state;
	return make("file");
}

static int make_sim(void **state)
{
	(void)state;
	return make("sim");
}

static int drop(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

/* as after so many openings, the last of them not closed: a fresh line is taken */
static void set_incarnation(uint64_t incarnation)
{
	struct marker_store *store;
	struct marker_geometry g;
	struct marker_state *media;
	struct marker_lane *lanes;
	uint32_t i;
	struct message message;
	const char *why;

	assert_int_equal(backend_open_marker(uri, 0, 0, &store, &message), 0);
	assert_int_equal(marker_super_decode((struct marker_super *)store->map, store->bytes,
					     false, &g, &why), 0);
	media = (struct marker_state *)(store->map + g.state_offset);
	nv_store8(store, (uint64_t *)&media->incarnation, (uint64_t)word_seal(incarnation));
	nv_store8(store, (uint64_t *)&media->shared_clean, WORD_ERASED);
	lanes = (struct marker_lane *)(store->map + g.lanes_offset);
	for (i = 0; i < g.lanes; i++)
		nv_store8(store, (uint64_t *)&lanes[i].clean, WORD_ERASED);
	assert_int_equal(nv_fence(store), 0);
	if (!store->byte_persistent)
		assert_int_equal(marker_store_checkpoint(store, store->bytes, 1), 0);
	marker_store_close(store);
}

/* put one, retire one, look at both */
static void works_at(uint64_t incarnation)
{
	struct journal_receipt kept, retired;
	struct journal_entry entry;
	struct journal *j;

	set_incarnation(incarnation);
	assert_int_equal(journal_open(dir, NULL, &j), 0);
	assert_int_equal(journal_put(j, "kept", 4, &kept), 0);
	assert_int_equal(journal_put(j, "retired", 7, &retired), 0);
	assert_int_equal(kept.id >> 32, incarnation + 1);
	assert_int_equal(journal_retire(j, retired.id), 0);
	assert_int_equal(journal_close(j), 0);
	assert_int_equal(journal_open(dir, NULL, &j), 0);
	assert_int_equal(journal_lookup(j, kept.id, &entry), 0);
	assert_int_equal(journal_lookup(j, retired.id, &entry), -ENOENT);
	assert_int_equal(journal_retire(j, kept.id), 0);
	assert_int_equal(journal_close(j), 0);
}

static void p4_from_24_bits(void **state)
{
	(void)state;
	works_at(1ull << 24);
	works_at(1ull << 31);
}

static void p4_up_to_the_last(void **state)
{
	(void)state;
	works_at(UINT32_MAX - 4);
}

static void p4_used_up(void **state)
{
	struct journal *j;

	(void)state;
	set_incarnation(UINT32_MAX - 1);
	assert_int_equal(journal_open(dir, NULL, &j), -EUCLEAN);
	assert_non_null(strstr(journal_error(j), "used up"));
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(p4_from_24_bits, make_file, drop),
		cmocka_unit_test_setup_teardown(p4_up_to_the_last, make_file, drop),
		cmocka_unit_test_setup_teardown(p4_used_up, make_file, drop),
		cmocka_unit_test_setup_teardown(p4_from_24_bits, make_sim, drop),
		cmocka_unit_test_setup_teardown(p4_up_to_the_last, make_sim, drop),
		cmocka_unit_test_setup_teardown(p4_used_up, make_sim, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
