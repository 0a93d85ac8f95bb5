/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_upgrade(): features that are turned on, with a table that has one; copies of
 * superblocks that are damaged; each state that a crash in the middle can leave; and what
 * it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends.h"
#include "format/log.h"
#include "format/marker.h"
#include "format/super.h"
#include "lib/bed.h"
#include "lib/fault_log.h"
#include "txn/upgrade.h"

#define NEW_BIT (1ull << 40)

/* compat: what does not know it opens the journal all the same */
static const struct feature newer[] = {
	{ "markers", FEATURE_MARKER, FEATURE_COMPAT, NEW_BIT, true, "a test" },
	{ "logs", FEATURE_LOG, FEATURE_COMPAT, NEW_BIT, true, "a test" },
	{ "not", FEATURE_LOG, FEATURE_COMPAT, 1ull << 41, false, "never turned on" },
	{ 0 },
};

static char told[4096];

/* ---- the power goes ----------------------------------------------------------------------- */

int __real_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);
int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);

/* at this write of the log that is opened next; 0: never */
static uint64_t cut_at, cut_seed;

int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	int error = __real_backend_open_log(path, flags, bytes, progress, store, message);

	if (error || !cut_at)
		return error;
	*store = fault_log_wrap(*store);
	assert_non_null(*store);
	fault_log_hold(*store);
	fault_log_cut_at(*store, cut_at, FAULT_LOG_MIXED, cut_seed);
	return 0;
}

static void tell(void *context, const char *medium, const char *what)
{
	(void)context;
	strncat(told, medium, sizeof(told) - strlen(told) - 1);
	strncat(told, ": ", sizeof(told) - strlen(told) - 1);
	strncat(told, what, sizeof(told) - strlen(told) - 1);
	strncat(told, "\n", sizeof(told) - strlen(told) - 1);
}

static int upgrade(struct bed *bed, const struct feature *table, bool dry_run,
		   unsigned int *changes)
{
	const struct journal_upgrade_options options = { .dry_run = dry_run, .change = tell };
	struct message message = { "" };
	struct upgrade *u = calloc(1, sizeof(*u));
	int error;

	assert_non_null(u);
	told[0] = '\0';
	u->features = table;
	u->options = &options;
	u->message = &message;
	error = upgrade_journal(u, bed->dir);
	if (error)
		tell(NULL, "error", message.text);
	*changes = u->changes;
	free(u);
	return error;
}

static void changes_are(struct bed *bed, const struct feature *table, bool dry_run,
			unsigned int wanted)
{
	unsigned int changes;
	int error = upgrade(bed, table, dry_run, &changes);

	if (error || changes != wanted)
		fail_msg("%d, %u changes, not %u: %s", error, changes, wanted, told);
}

static void is_refused(struct bed *bed, int wanted, const char *why)
{
	unsigned int changes;

	for (int dry_run = 0; dry_run < 2; dry_run++) {
		assert_int_equal(upgrade(bed, features, dry_run, &changes), wanted);
		if (!strstr(told, why))
			fail_msg("'%s' does not say '%s'", told, why);
	}
}

/* ---- superblocks, behind the journal's back --------------------------------------------- */

static void of_log(struct bed *bed, bool write, struct log_super super[LOG_SUPERS])
{
	char path[PATH_MAX + 8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log", bed->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write ? pwrite(fd, super, LOG_SUPERS * sizeof(*super), 0) :
				 pread(fd, super, LOG_SUPERS * sizeof(*super), 0),
			 LOG_SUPERS * sizeof(*super));
	close(fd);
}

static const char *marker_uri(struct bed *bed, char uri[PATH_MAX + 8])
{
	static const char *const schemes[] = { "file", "pmem", "pmem", "sim" };

	(void)snprintf(uri, PATH_MAX + 8, "%s:%s", schemes[bed->medium], bed->marker);
	return uri;
}

static void of_marker(struct bed *bed, bool write, struct marker_super super[MARKER_SUPERS])
{
	struct marker_store *store;
	struct message message;
	char uri[PATH_MAX + 8];

	assert_int_equal(backend_open_marker(marker_uri(bed, uri), write ? 0 : MARKER_RDONLY, 0,
					     &store, &message), 0);
	if (write) {
		nv_copy(store, store->map, super, MARKER_SUPERS * sizeof(*super));
		assert_int_equal(nv_fence(store), 0);
		if (!store->byte_persistent)
			assert_int_equal(marker_store_checkpoint(store, store->bytes, 1), 0);
	} else {
		memcpy(super, store->map, MARKER_SUPERS * sizeof(*super));
	}
	marker_store_close(store);
}

static void seal_log(struct log_super *super)
{
	super->crc = put_le32(super_crc(super, offsetof(struct log_super, crc)));
}

static void seal_marker(struct marker_super *super)
{
	super->crc = put_le32(super_crc(super, offsetof(struct marker_super, crc)));
}

/* ---- scenes ------------------------------------------------------------------------------- */

struct scene {
	struct bed bed;
	struct model model;
	struct marker_super marker[MARKER_SUPERS];
	struct log_super log[LOG_SUPERS];
};

/* closed, with something in it */
static void scene_make(struct scene *s, enum bed_medium medium)
{
	bed_make(&s->bed, medium, 0, 0);
	model_make(&s->model);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(bed_put(&s->bed, &s->model, 100 * i, i, JOURNAL_PATH_AUTO, NULL),
				 0);
	bed_close(&s->bed);
	of_marker(&s->bed, false, s->marker);
	of_log(&s->bed, false, s->log);
}

/* all that was in it is */
static void scene_is_whole(struct scene *s)
{
	bed_check(&s->bed, 0);
	bed_open(&s->bed, NULL);
	model_verify(&s->model, s->bed.j);
	bed_close(&s->bed);
}

static void scene_remove(struct scene *s)
{
	model_free(&s->model);
	bed_remove(&s->bed);
}

static void supers_are(struct scene *s, uint64_t compat)
{
	struct marker_super marker[MARKER_SUPERS];
	struct log_super log[LOG_SUPERS];

	of_marker(&s->bed, false, marker);
	of_log(&s->bed, false, log);
	for (unsigned int i = 0; i < 2; i++) {
		s->marker[i].compat = put_le64(compat);
		seal_marker(&s->marker[i]);
		s->log[i].compat = put_le64(compat);
		seal_log(&s->log[i]);
	}
	assert_memory_equal(marker, s->marker, sizeof(marker));
	assert_memory_equal(log, s->log, sizeof(log));
}

/* ---- tests -------------------------------------------------------------------------------- */

static void there_is_nothing_newer(enum bed_medium medium)
{
	struct scene s;
	unsigned int changes = 1;
	char message[512];

	scene_make(&s, medium);
	changes_are(&s.bed, features, true, 0);
	changes_are(&s.bed, features, false, 0);
	assert_int_equal(journal_upgrade(s.bed.dir, NULL, &changes, message, sizeof(message)), 0);
	assert_int_equal(changes, 0);
	assert_string_equal(message, "");
	supers_are(&s, 0);
	scene_is_whole(&s);
	scene_remove(&s);
}

static void a_newer_feature_is_turned_on(enum bed_medium medium)
{
	struct scene s;

	scene_make(&s, medium);
	changes_are(&s.bed, newer, true, 2);
	assert_non_null(strstr(told, "feature \"markers\" is turned on: a test"));
	assert_non_null(strstr(told, "feature \"logs\" is turned on: a test"));
	supers_are(&s, 0);
	changes_are(&s.bed, newer, false, 2);
	supers_are(&s, NEW_BIT);
	changes_are(&s.bed, newer, false, 0);
	scene_is_whole(&s);
	/* nor does what is older, here, turn it off */
	changes_are(&s.bed, features, false, 0);
	supers_are(&s, NEW_BIT);
	scene_remove(&s);
}

/* A crash comes after the second copy, which is written first, or tears it. */
static void crashed(enum bed_medium medium, bool torn)
{
	struct log_super log[LOG_SUPERS];
	struct scene s;

	scene_make(&s, medium);
	memcpy(log, s.log, sizeof(log));
	log[1].compat = put_le64(NEW_BIT);
	if (!torn)
		seal_log(&log[1]);
	of_log(&s.bed, true, log);
	/* the torn one is written anew, with what was to be turned on */
	changes_are(&s.bed, newer, true, torn ? 3 : 2);
	bed_open(&s.bed, NULL);
	model_verify(&s.model, s.bed.j);
	bed_close(&s.bed);
	/* as who writes did */
	changes_are(&s.bed, newer, true, 2);
	changes_are(&s.bed, newer, false, 2);
	supers_are(&s, NEW_BIT);
	changes_are(&s.bed, newer, false, 0);
	scene_is_whole(&s);
	scene_remove(&s);
}

static void a_crash_leaves_a_good_copy(enum bed_medium medium)
{
	crashed(medium, false);
	crashed(medium, true);
}

/* Whatever a power cut leaves of any of its writes, also while a copy is damaged. */
static void cut_there(enum bed_medium medium, unsigned int bad, uint64_t nth, uint64_t seed)
{
	struct log_super log[LOG_SUPERS];
	unsigned int changes;
	struct scene s;

	scene_make(&s, medium);
	memcpy(log, s.log, sizeof(log));
	if (bad < LOG_SUPERS)
		log[bad].nonce = 1;
	of_log(&s.bed, true, log);
	cut_at = nth;
	cut_seed = seed;
	assert_int_equal(upgrade(&s.bed, newer, false, &changes), -EIO);
	cut_at = 0;
	bed_open(&s.bed, NULL);
	model_verify(&s.model, s.bed.j);
	bed_close(&s.bed);
	assert_int_equal(upgrade(&s.bed, newer, false, &changes), 0);
	supers_are(&s, NEW_BIT);
	scene_is_whole(&s);
	scene_remove(&s);
}

static void the_power_goes_at_any_write(enum bed_medium medium)
{
	for (unsigned int bad = 0; bad <= LOG_SUPERS; bad++)
		for (uint64_t nth = 1; nth <= 2; nth++)
			for (uint64_t seed = 1; seed <= 2; seed++)
				cut_there(medium, bad, nth, seed);
}

/* Markers are done, and the log is not. */
static void a_crash_between_two_media(enum bed_medium medium)
{
	struct scene s;
	unsigned int i;

	scene_make(&s, medium);
	for (i = 0; i < MARKER_SUPERS; i++) {
		s.marker[i].compat = put_le64(NEW_BIT);
		seal_marker(&s.marker[i]);
	}
	of_marker(&s.bed, true, s.marker);
	scene_is_whole(&s);
	changes_are(&s.bed, newer, false, 1);
	supers_are(&s, NEW_BIT);
	scene_remove(&s);
}

static void damaged(enum bed_medium medium, unsigned int copy)
{
	struct marker_super marker[MARKER_SUPERS];
	struct log_super log[LOG_SUPERS];
	struct scene s;

	scene_make(&s, medium);
	memcpy(marker, s.marker, sizeof(marker));
	memcpy(log, s.log, sizeof(log));
	/* of the version: it looks newer, and is not whole */
	marker[copy].version = put_le32(77);
	log[copy].nonce = 1;
	of_marker(&s.bed, true, marker);
	of_log(&s.bed, true, log);
	bed_check(&s.bed, -EUCLEAN);
	changes_are(&s.bed, features, true, 2);
	assert_non_null(strstr(told, copy ? "copy 2 of the superblock is written anew" :
					    "copy 1 of the superblock is written anew"));
	bed_check(&s.bed, -EUCLEAN);
	changes_are(&s.bed, features, false, 2);
	supers_are(&s, 0);
	scene_is_whole(&s);
	scene_remove(&s);
}

static void a_damaged_copy_is_written_anew(enum bed_medium medium)
{
	damaged(medium, 0);
	damaged(medium, 1);
}

static void what_is_newer_is_refused(enum bed_medium medium)
{
	struct log_super log[LOG_SUPERS];
	struct marker_super marker[MARKER_SUPERS];
	struct scene s;

	scene_make(&s, medium);
	/* one copy is enough: somebody newer was half way */
	memcpy(log, s.log, sizeof(log));
	log[1].version = put_le32(FORMAT_VERSION + 1);
	seal_log(&log[1]);
	of_log(&s.bed, true, log);
	is_refused(&s.bed, -EPROTO, "format version");
	memcpy(log, s.log, sizeof(log));
	log[0].incompat = put_le64(1ull << 63);
	seal_log(&log[0]);
	of_log(&s.bed, true, log);
	is_refused(&s.bed, -EPROTO, "incompatible feature");
	of_log(&s.bed, true, s.log);
	memcpy(marker, s.marker, sizeof(marker));
	marker[0].ro_compat = put_le64(1ull << 62);
	seal_marker(&marker[0]);
	of_marker(&s.bed, true, marker);
	is_refused(&s.bed, -EPROTO, "only read");
	of_marker(&s.bed, true, s.marker);
	scene_is_whole(&s);
	scene_remove(&s);
}

static void what_cannot_be_is_refused(enum bed_medium medium)
{
	struct log_super log[LOG_SUPERS];
	struct scene s;
	unsigned int i;

	scene_make(&s, medium);
	memcpy(log, s.log, sizeof(log));
	for (i = 0; i < LOG_SUPERS; i++)
		log[i].nonce = 1;
	of_log(&s.bed, true, log);
	is_refused(&s.bed, -EUCLEAN, "both superblocks");
	memcpy(log, s.log, sizeof(log));
	for (i = 0; i < LOG_SUPERS; i++) {
		log[i].uuid[0] ^= 1;
		seal_log(&log[i]);
	}
	of_log(&s.bed, true, log);
	is_refused(&s.bed, -EXDEV, "another journal");
	of_log(&s.bed, true, s.log);
	bed_open(&s.bed, NULL);
	is_refused(&s.bed, -EBUSY, "in use by pid");
	bed_close(&s.bed);
	scene_is_whole(&s);
	scene_remove(&s);
}

static void every_bit_has_a_name(void **state)
{
	uint64_t known[2][FEATURE_MASKS] = { { 0 } };
	const struct feature *f;

	(void)state;
	for (f = features; f->name; f++) {
		assert_int_equal(__builtin_popcountll(f->bit), 1);
		assert_int_equal(known[f->medium][f->mask] & f->bit, 0);
		known[f->medium][f->mask] |= f->bit;
	}
	assert_int_equal(known[FEATURE_MARKER][FEATURE_INCOMPAT], MARKER_INCOMPAT_KNOWN);
	assert_int_equal(known[FEATURE_LOG][FEATURE_INCOMPAT], LOG_INCOMPAT_KNOWN);
	assert_int_equal(known[FEATURE_MARKER][FEATURE_RO_COMPAT] |
			 known[FEATURE_LOG][FEATURE_RO_COMPAT], FORMAT_RO_COMPAT_KNOWN);
	assert_int_equal(known[FEATURE_MARKER][FEATURE_COMPAT] |
			 known[FEATURE_LOG][FEATURE_COMPAT], FORMAT_COMPAT_KNOWN);
}

#define FILE_AND_PMEM (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct CMUnitTest table[] = { cmocka_unit_test(every_bit_has_a_name) };
	static const struct bed_test tests[] = {
		{ "there is nothing newer", there_is_nothing_newer, BED_ALL },
		{ "a newer feature is turned on", a_newer_feature_is_turned_on, BED_ALL },
		{ "a crash leaves a good copy", a_crash_leaves_a_good_copy, FILE_AND_PMEM },
		{ "the power goes at any write", the_power_goes_at_any_write, 1u << BED_FILE },
		{ "a crash between two media", a_crash_between_two_media, FILE_AND_PMEM },
		{ "a damaged copy is written anew", a_damaged_copy_is_written_anew, FILE_AND_PMEM },
		{ "what is newer is refused", what_is_newer_is_refused, FILE_AND_PMEM },
		{ "what cannot be is refused", what_cannot_be_is_refused, FILE_AND_PMEM },
	};
	int failed = cmocka_run_group_tests(table, NULL, NULL);

	return bed_run(tests, sizeof(tests) / sizeof(tests[0])) || failed;
}
