/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Resizing by one process: what is there stays there, byte for byte, with its ids; what
 * it leaves on media; and what is refused.  With others: tests/integration/test_resize.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/resize_killed.h"
#include "txn/conf.h"
#include "txn/pieces.h"
#include "txn/resize.h"
#include "txn/segment.h"
#include "util/math.h"

#define MIB   (1ull << 20)
#define KINDS (1u << BED_FILE | 1u << BED_PMEM | 1u << BED_SIM)

static struct journal_resized resized;

static int sized(struct bed *bed, uint64_t bytes)
{
	return journal_resize(bed->j, &(struct journal_resize_options){ .bytes = bytes }, &resized);
}

static int added(struct bed *bed, const char *path)
{
	return journal_resize(bed->j, &(struct journal_resize_options){
		.add = &path, .add_count = 1 }, &resized);
}

static int removed(struct bed *bed, const char *path)
{
	return journal_resize(bed->j, &(struct journal_resize_options){
		.remove = &path, .remove_count = 1, .wait_ns = 200000000 }, &resized);
}

static void must(struct bed *bed, int error)
{
	if (error)
		fail_msg("%d: %s", error, journal_error(bed->j));
}

/* some that stay, among some that do not */
static void put_some(struct bed *bed, struct model *model, uint32_t count)
{
	static uint64_t seed;
	struct journal_receipt receipt;
	uint32_t i;

	for (i = 0; i < count; i++) {
		assert_int_equal(bed_put(bed, model, 3000 + i % 7 * 3000, ++seed,
					 i % 3 ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO,
					 &receipt), 0);
		if (i % 4) {
			assert_int_equal(journal_retire(bed->j, receipt.id), 0);
			model_retire(model, receipt.id);
		}
	}
}

/* a tenth of a segment each */
static void put_large(struct bed *bed, struct model *model, uint32_t count)
{
	static uint64_t seed = 1ull << 32;
	struct journal_receipt receipt;

	while (count--)
		assert_int_equal(bed_put(bed, model, 100000, ++seed, JOURNAL_PATH_AUTO, &receipt),
				 0);
}

static void directory(struct bed *bed, const char *name, char path[PATH_MAX])
{
	assert_int_equal(mkdir(scratch_path(&bed->disk, name, path), 0700), 0);
}

static void all_there(struct bed *bed, struct model *model)
{
	model_verify(model, bed->j);
	model_verify_reopened(model, bed);
}

/* ---- what is there stays there ---------------------------------------------------------- */

static void larger_and_smaller(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint32_t before, i;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	model_make(&model);
	put_some(&bed, &model, 200);
	before = bed_info(&bed).segments;
	must(&bed, sized(&bed, 60 * MIB));
	assert_int_equal(resized.segments_before, before);
	assert_true(resized.segments > 2 * before);
	assert_int_equal(bed_info(&bed).segments, resized.segments);
	assert_int_equal(bed_info(&bed).logs[0].bytes, resized.bytes);
	put_some(&bed, &model, 200);
	put_large(&bed, &model, 50);
	all_there(&bed, &model);
	for (i = 0; i < 3; i++) {
		/* in place, where others have been; then behind it */
		must(&bed, sized(&bed, 36 * MIB));
		put_some(&bed, &model, 100);
		all_there(&bed, &model);
		must(&bed, sized(&bed, (50 + 5 * i) * MIB));
		put_some(&bed, &model, 100);
		put_large(&bed, &model, 50);
		all_there(&bed, &model);
	}
	model_free(&model);
	bed_remove(&bed);
}

static void logs_come_and_go(enum bed_medium medium)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct record record;
	struct model model;
	struct bed bed;
	uint32_t each;

	bed_make(&bed, medium, 40 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	directory(&bed, "b", b);
	model_make(&model);
	put_some(&bed, &model, 100);
	put_large(&bed, &model, 40);
	each = bed_info(&bed).segments;
	must(&bed, added(&bed, a));
	assert_int_equal(resized.segments, 2 * each);
	put_some(&bed, &model, 100);
	put_large(&bed, &model, 40);
	must(&bed, added(&bed, b));
	put_some(&bed, &model, 100);
	put_large(&bed, &model, 40);
	all_there(&bed, &model);
	assert_int_equal(bed_info(&bed).log_count, 3);
	must(&bed, removed(&bed, a));
	assert_int_equal(rmdir(a), 0); /* the file is gone */
	put_some(&bed, &model, 60);
	all_there(&bed, &model);
	must(&bed, removed(&bed, bed.dir));
	all_there(&bed, &model);
	assert_int_equal(bed_info(&bed).log_count, 1);
	/* its segments are not to be found any more, whatever an old table says */
	assert_false(segment_is_there(&bed.j->segments.all[0]));
	assert_int_equal(piece_read(bed.j, 1, 0, 4096, &record), -EBADMSG);
	must(&bed, added(&bed, bed.dir));
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void all_at_once(enum bed_medium medium)
{
	char a[PATH_MAX], b[PATH_MAX];
	const char *const come[] = { a, b };
	struct model model;
	struct bed bed;
	const char *go = bed.dir;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	directory(&bed, "b", b);
	model_make(&model);
	must(&bed, journal_resize(bed.j, &(struct journal_resize_options){
		.bytes = 90 * MIB, .add = come, .add_count = 2, .remove = &go, .remove_count = 1,
	}, &resized));
	assert_int_equal(resized.logs, 2);
	assert_true(resized.bytes <= 90 * MIB && resized.bytes > 87 * MIB);
	put_some(&bed, &model, 200);
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

/* Segments that were open when others were told of more, and are sealed later. */
static void beside_a_reader(enum bed_medium medium)
{
	char a[PATH_MAX];
	struct journal *reader;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	put_some(&bed, &model, 40);
	assert_int_equal(journal_open(bed.dir, &(struct journal_open_options){
		.flags = JOURNAL_RDONLY }, &reader), 0);
	must(&bed, sized(&bed, 60 * MIB));
	must(&bed, added(&bed, a));
	put_large(&bed, &model, 150);
	must(&bed, removed(&bed, bed.dir));
	put_large(&bed, &model, 100);
	/* the reader has opened it before there was any of that */
	model_verify(&model, reader);
	assert_int_equal(journal_close(reader), 0);
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- second digests ----------------------------------------------------------------------- */

static void overwrite(const char *path, uint64_t offset)
{
	static const uint8_t garbage[4096] = { [0 ... 4095] = 0x5a };
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, garbage, sizeof(garbage), (off_t)offset), sizeof(garbage));
	close(fd);
}

/* Without the digest at its end, whose copy stands in. */
static void damage_sealed(struct bed *bed, uint32_t *damaged)
{
	struct journal *j = bed->j;
	uint64_t at[512];
	uint32_t number, log[512];
	char path[JOURNAL_LOGS_MAX][PATH_MAX];
	struct segment *segment;

	memcpy(path, j->conf.logs, sizeof(path));
	*damaged = 0;
	for (number = 0; number < segments_end(j) && *damaged < 512; number++) {
		segment = &j->segments.all[number];
		if (segment_state_of(segment->use) != SEGMENT_SEALED)
			continue;
		log[*damaged] = segment->log;
		at[(*damaged)++] = segment->base + j->segment_bytes - j->digest_bytes;
	}
	bed_close(bed);
	for (number = 0; number < *damaged; number++)
		overwrite(path[log[number]], at[number]);
	bed_open(bed, NULL);
}

static void digests_survive(struct bed *bed, struct model *model)
{
	uint32_t damaged;

	damage_sealed(bed, &damaged);
	assert_true(damaged > 3);
	model_verify(model, bed->j);
}

/* Those of the first one belong to the new one from then on, and what is new writes its own
 * over them. */
static void no_digest_is_alone_with_one_more(enum bed_medium medium)
{
	char a[PATH_MAX];
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 20 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	put_large(&bed, &model, 50);
	bed_reopen(&bed);
	must(&bed, added(&bed, a));
	put_large(&bed, &model, 100);
	digests_survive(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void no_digest_is_alone_with_one_less(enum bed_medium medium)
{
	char a[PATH_MAX];
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 20 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	must(&bed, added(&bed, a));
	put_large(&bed, &model, 60);
	must(&bed, removed(&bed, a));
	digests_survive(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void refused(struct bed *bed, int error, int wanted, const char *text)
{
	if (error != wanted || !strstr(journal_error(bed->j), text))
		fail_msg("%d, \"%s\": it should be %d, \"%s\"", error, journal_error(bed->j),
			 wanted, text);
}

static void what_makes_no_sense(enum bed_medium medium)
{
	char a[PATH_MAX], file[PATH_MAX];
	struct journal *reader;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	put_some(&bed, &model, 100);
	refused(&bed, sized(&bed, MIB), -EINVAL, "makes no sense: at least");
	refused(&bed, sized(&bed, 1ull << 60), -EINVAL, "makes no sense");
	refused(&bed, removed(&bed, bed.dir), -EINVAL, "one log at least");
	refused(&bed, removed(&bed, a), -ENOENT, "no log there");
	refused(&bed, added(&bed, "/no/where"), -ENOENT, "/no/where");
	refused(&bed, added(&bed, scratch_path(&bed.disk, "jnl/lock", file)), -ENOENT, "lock");
	refused(&bed, added(&bed, "/dev/null"), -EINVAL, "a directory or a block device");
	assert_int_equal(journal_open(bed.dir, &(struct journal_open_options){
		.flags = JOURNAL_RDONLY }, &reader), 0);
	assert_int_equal(journal_resize(reader, NULL, NULL), -EROFS);
	assert_int_equal(journal_close(reader), 0);
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void more_than_the_mapping_has_room_for(enum bed_medium medium)
{
	struct bed bed;

	bed_make(&bed, medium, 16 * MIB, 4 * MIB);
	refused(&bed, journal_resize(bed.j, &(struct journal_resize_options){
		.bytes = 8ull << 30, }, &resized), -E2BIG, "it has room for");
	bed_check(&bed, 0);
	bed_remove(&bed);
}

static void less_than_what_lives(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct model model;
	struct bed bed;
	uint64_t i, least;

	bed_make(&bed, medium, 64 * MIB, 4 * MIB);
	model_make(&model);
	for (i = 0; i < 150; i++)
		assert_int_equal(bed_put(&bed, &model, 200000, i + 1, JOURNAL_PATH_AUTO, &receipt),
				 0);
	refused(&bed, sized(&bed, 20 * MIB), -ENOSPC, "what lives in it needs");
	least = resized.bytes_least;
	assert_true(least > 30 * MIB && least < 60 * MIB);
	assert_int_equal(journal_resize(bed.j, &(struct journal_resize_options){
		.bytes = least - 1, .dry_run = 1 }, &resized), -ENOSPC);
	all_there(&bed, &model);
	/* what it says will do */
	must(&bed, sized(&bed, resized.bytes_least));
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

/* Pieces in the log of a transaction that is not committed: they cannot be moved. */
static void what_is_held_stays(enum bed_medium medium)
{
	struct journal_txn *txn;
	char a[PATH_MAX];
	struct model model;
	struct bed bed;
	uint8_t *payload = bed_payload(3 << 20, 7);
	uint32_t segments, left;

	bed_make(&bed, medium, 40 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	must(&bed, added(&bed, a));
	put_some(&bed, &model, 20);
	segments = bed_info(&bed).segments;
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, payload, 3 << 20), 0);
	left = bed_info(&bed).segments_free;
	refused(&bed, removed(&bed, a), -EBUSY, "transactions still hold");
	assert_true(resized.held > 0);
	assert_int_equal(bed_info(&bed).segments, segments);
	/* what was open is sealed by now, and may be free */
	assert_true(bed_info(&bed).segments_free >= left - 1);
	assert_int_equal(journal_abort(txn), 0);
	must(&bed, removed(&bed, a));
	all_there(&bed, &model);
	free(payload);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what is in the way --------------------------------------------------------------------- */

static void strangers_content(enum bed_medium medium)
{
	char a[PATH_MAX], path[PATH_MAX * 2], uuid[37];
	const char *other = a;
	struct model model;
	struct bed bed;
	FILE *file;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	put_some(&bed, &model, 40);
	uuid_print(bed.j->conf.uuid, uuid);
	(void)snprintf(path, sizeof(path), "%s/journal-%s-2.log", a, uuid);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("somebody's letters", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(added(&bed, a), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	all_there(&bed, &model);
	must(&bed, journal_resize(bed.j, &(struct journal_resize_options){
		.add = &other, .add_count = 1, .force = 1 }, &resized));
	put_some(&bed, &model, 400);
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static uint64_t log_size(const struct bed *bed)
{
	char path[PATH_MAX * 2];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/log", bed->dir);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void no_space_left(enum bed_medium medium)
{
	struct rlimit before, limit;
	char a[PATH_MAX];
	struct model model;
	struct bed bed;
	uint64_t bytes;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	directory(&bed, "a", a);
	model_make(&model);
	put_some(&bed, &model, 40);
	must(&bed, sized(&bed, 30 * MIB));
	bytes = log_size(&bed);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ 40 * MIB, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(sized(&bed, 80 * MIB), -EFBIG);
	assert_int_equal(log_size(&bed), bytes);
	limit.rlim_cur = 20 * MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(added(&bed, a), -EFBIG);
	assert_int_equal(rmdir(a), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	put_some(&bed, &model, 200);
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- others ----------------------------------------------------------------------- */

static void killed_while_it_fills(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint64_t bytes;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	model_make(&model);
	put_some(&bed, &model, 40);
	must(&bed, sized(&bed, 30 * MIB));
	bytes = log_size(&bed);
	resize_killed(&bed, 70 * MIB, RESIZE_NONE);
	assert_true(log_size(&bed) > bytes);
	put_some(&bed, &model, 40);
	all_there(&bed, &model);
	/* nobody is blocked, and what is too long goes */
	must(&bed, sized(&bed, 30 * MIB));
	assert_int_equal(log_size(&bed), bytes);
	model_free(&model);
	bed_remove(&bed);
}

static void killed_while_it_empties(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint32_t number, leaves = 0;

	bed_make(&bed, medium, 64 * MIB, 4 * MIB);
	model_make(&model);
	put_large(&bed, &model, 150);
	resize_killed(&bed, 40 * MIB, RESIZE_EMPTIES);
	for (number = 0; number < segments_end(bed.j); number++)
		leaves += bed.j->segments.all[number].leaving == SEGMENT_LEAVES;
	assert_true(leaves);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	for (number = 0; number < segments_end(bed.j); number++) {
		assert_int_equal(bed.j->segments.all[number].leaving, SEGMENT_STAYS);
		assert_int_not_equal(segment_state_of(bed.j->segments.all[number].use),
				     SEGMENT_OUT);
	}
	put_some(&bed, &model, 100);
	model_verify(&model, bed.j);
	must(&bed, sized(&bed, 40 * MIB));
	all_there(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void one_at_a_time(enum bed_medium medium)
{
	char text[64];
	struct bed bed;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	bed.j->shared->resizer = bed.j->member;
	(void)snprintf(text, sizeof(text), "resize by pid %d is under way", (int)getpid());
	refused(&bed, sized(&bed, 30 * MIB), -EBUSY, text);
	bed.j->shared->resizer = 0;
	must(&bed, sized(&bed, 30 * MIB));
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "larger and smaller", larger_and_smaller, KINDS },
		{ "logs come and go", logs_come_and_go, KINDS },
		{ "all at once", all_at_once, KINDS },
		{ "beside a reader", beside_a_reader, 1u << BED_FILE | 1u << BED_PMEM },
		{ "no digest is alone with one more", no_digest_is_alone_with_one_more,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "no digest is alone with one less", no_digest_is_alone_with_one_less,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "what makes no sense", what_makes_no_sense, 1u << BED_FILE },
		{ "more than the mapping has room for", more_than_the_mapping_has_room_for,
		  1u << BED_FILE },
		{ "less than what lives", less_than_what_lives, KINDS },
		{ "what is held stays", what_is_held_stays, 1u << BED_FILE | 1u << BED_PMEM },
		{ "stranger's content", strangers_content, 1u << BED_FILE },
		{ "no space left", no_space_left, 1u << BED_FILE },
		{ "killed while it fills", killed_while_it_fills, 1u << BED_FILE | 1u << BED_PMEM },
		{ "killed while it empties", killed_while_it_empties,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "one at a time", one_at_a_time, 1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, ARRAY_COUNT(tests));
}
