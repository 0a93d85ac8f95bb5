/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane that is taken over from a killed process: what of it does not verify is kept until
 * it is retired, and its last record has its name (P7).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "format/marker.h"
#include "format/stage.h"
#include "lib/bed.h"

#define PUTS  3u
#define BYTES 500u

struct taken {
	struct bed bed;
	uint64_t *ids; /* of what the dead one staged; shared with it */
	uint8_t *map;
	uint64_t bytes;
};

static int put(struct journal *j, bool commit, uint64_t *id)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_STAGED };
	static const uint8_t data[BYTES];
	struct journal_receipt receipt;
	struct journal_txn *txn;

	if (journal_begin(j, &options, &txn) || journal_append(txn, data, BYTES))
		return 1;
	if (commit && journal_commit(txn, &receipt))
		return 1;
	*id = commit ? receipt.id : 0;
	return 0;
}

/* It dies in the fourth, and so with a lane. */
static int puts_and_dies(struct taken *t)
{
	struct journal *j;
	uint32_t i;

	if (journal_open(t->bed.dir, NULL, &j))
		return 1;
	for (i = 0; i <= PUTS; i++)
		if (put(j, i < PUTS, &t->ids[i]))
			return 1;
	return 0;
}

static void make(struct taken *t)
{
	struct stat st;
	pid_t pid;
	int fd;

	bed_make(&t->bed, BED_PMEM, 16 << 20, 2 << 20);
	t->ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(t->ids != MAP_FAILED);
	fd = open(t->bed.marker, O_RDWR);
	assert_true(fd >= 0 && !fstat(fd, &st));
	t->bytes = (uint64_t)st.st_size;
	t->map = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(t->map != MAP_FAILED);
	close(fd);
	pid = child_fork();
	if (!pid)
		child_exit(puts_and_dies(t));
	child_ends(pid, 0);
}

static void drop(struct taken *t)
{
	munmap(t->map, t->bytes);
	munmap(t->ids, 4096);
	bed_remove(&t->bed);
}

static void spoil(struct taken *t, uint32_t which)
{
	struct marker_geometry geometry;
	struct stage_record *record;
	const char *why;
	uint64_t at;

	assert_int_equal(marker_super_decode((struct marker_super *)t->map, t->bytes, false,
					     &geometry, &why), 0);
	for (at = geometry.stage_offset; at < geometry.bytes; at += STAGE_ALIGN) {
		record = (struct stage_record *)(t->map + at);
		if (get_le16(record->magic) == STAGE_MAGIC &&
		    get_le64(record->id) == t->ids[which]) {
			memset(record, 0, sizeof(*record));
			return;
		}
	}
	fail_msg("put %u is not in the stage", which);
}

/* who has been there all the time does; with @destage what is there goes to the log, as soon
 * as the clock has moved on from when it was committed */
static void take_over(struct taken *t, bool destage)
{
	struct journal_maintain_options options = { .stage_age_ns = destage ? 1 : UINT64_MAX / 4 };
	struct journal_maintained done;
	uint32_t takeovers = 0;
	uint64_t unstaged = 0;

	do {
		assert_int_equal(journal_maintain(t->bed.j, &options, &done), 0);
		takeovers += done.takeovers;
		unstaged += done.unstaged;
	} while (destage && !unstaged && !usleep(1000));
	assert_int_equal(takeovers, 1);
}

static void only_lost_is(struct taken *t, uint32_t which)
{
	struct journal_entry entry;
	struct journal_info info;
	uint32_t i;

	bed_reopen(&t->bed);
	info = bed_info(&t->bed);
	assert_int_equal(info.lost, 1);
	assert_int_equal(info.lost_unnamed, 0);
	for (i = 0; i < PUTS; i++) {
		assert_int_equal(journal_lookup(t->bed.j, t->ids[i], &entry), 0);
		assert_int_equal(entry.state, i == which ? JOURNAL_LOST : JOURNAL_LIVE);
	}
	assert_int_equal(journal_retire(t->bed.j, t->ids[which]), 0);
	bed_check(&t->bed, 0);
}

static void p7_a_damaged_header_is_kept(void **state)
{
	struct taken t = { 0 };

	(void)state;
	make(&t);
	spoil(&t, 1);
	take_over(&t, true);
	only_lost_is(&t, 1);
	drop(&t);
}

static void p7_the_last_one_has_its_name(void **state)
{
	struct taken t = { 0 };

	(void)state;
	make(&t);
	take_over(&t, false);
	bed_close(&t.bed);
	spoil(&t, 2);
	bed_open(&t.bed, NULL);
	only_lost_is(&t, 2);
	drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p7_a_damaged_header_is_kept),
		cmocka_unit_test(p7_the_last_one_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
