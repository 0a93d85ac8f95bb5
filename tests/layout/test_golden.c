/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Journals that were written by every version of the format so far, killed in
 * the middle, must be read as they were written: opened read-only, recovered
 * for writing, retired to the last.  GOLDEN_DIR has others.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "golden.h"
#include "journal.h"
#include "util/crc32c.h"

#define ENTRIES_MAX 1000u
#define IMAGES_MAX  16u
#define KINDS       5u

struct expected {
	uint64_t id;
	size_t bytes;
	uint32_t crc;
	bool live;
};

struct image {
	char name[64];
	char tmp[128];
	char dir[256];
	struct expected list[ENTRIES_MAX];
	uint32_t count, live;
	uint8_t *buffer;
};

static const char *golden_dir(void)
{
	const char *dir = getenv("GOLDEN_DIR");

	return dir ? dir : "tests/layout/golden";
}

static void run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void read_list(struct image *image)
{
	char path[512], line[256], id[64], word[16];
	struct expected *e;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.txt", golden_dir(), image->name);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		assert_true(image->count < ENTRIES_MAX);
		e = &image->list[image->count++];
		assert_true(sscanf(line, "%15s %63s %zu %x", word, id, &e->bytes, &e->crc) >= 2);
		assert_int_equal(journal_id_parse(id, &e->id), 0);
		e->live = !strcmp(word, "live");
		image->live += e->live;
	}
	fclose(file);
	assert_true(image->live > 0 && image->live < image->count);
}

static int unpack(void **state)
{
	struct image *image = *state;
	const char *tmp = getenv("TMPDIR");

	image->count = image->live = 0;
	image->buffer = malloc(GOLDEN_PAYLOAD_MAX);
	snprintf(image->tmp, sizeof(image->tmp), "%s/golden.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(image->tmp));
	run("tar -xzf '%s/%s.tar.gz' -C '%s'", golden_dir(), image->name, image->tmp);
	snprintf(image->dir, sizeof(image->dir), "%s/%s", image->tmp, image->name);
	read_list(image);
	return 0;
}

static int drop(void **state)
{
	struct image *image = *state;

	run("rm -rf '%s'", image->tmp);
	free(image->buffer);
	return 0;
}

static struct journal *must_open(const struct image *image, unsigned int flags)
{
	struct journal_open_options options = { .flags = flags };
	struct journal *j = NULL;
	int error = journal_open(image->dir, &options, &j);

	if (error == -ENOTSUP) {
		print_message("skip: %s\n", journal_error(j));
		journal_close(j);
		skip();
	}
	if (error)
		fail_msg("%s: %s", image->name, journal_error(j));
	return j;
}

static void verify_one(const struct image *image, struct journal *j, const struct expected *e)
{
	struct journal_entry entry;
	size_t got = 0;

	if (!e->live) {
		assert_int_equal(journal_lookup(j, e->id, &entry), -ENOENT);
		return;
	}
	assert_int_equal(journal_lookup(j, e->id, &entry), 0);
	assert_int_equal(entry.state, JOURNAL_LIVE);
	assert_int_equal(entry.bytes, e->bytes);
	assert_int_equal(journal_read(j, e->id, image->buffer, GOLDEN_PAYLOAD_MAX, &got), 0);
	assert_int_equal(got, e->bytes);
	assert_int_equal(crc32c(~0u, image->buffer, got), e->crc);
}

/* exactly what was acknowledged and not retired, byte for byte */
static void verify(const struct image *image, struct journal *j)
{
	struct journal_entry entry = { .id = 0 };
	struct journal_info info;
	uint32_t i, listed = 0;

	for (i = 0; i < image->count; i++)
		verify_one(image, j, &image->list[i]);
	while (!journal_next(j, entry.id, &entry))
		listed++;
	assert_int_equal(listed, image->live);
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.live, image->live);
	assert_int_equal(info.lost, 0);
	assert_int_equal(info.lost_unnamed, 0);
}

static void read_only(void **state)
{
	struct image *image = *state;
	struct journal *j = must_open(image, JOURNAL_RDONLY);

	verify(image, j);
	assert_int_equal(journal_close(j), 0);
}

static bool is_mirrored(const struct image *image)
{
	return strstr(image->name, "-mirrored");
}

/* one leg of it was left: that is damage, and its only one */
struct damage {
	bool leg;
	int found;
};

static void damage(void *context, const struct journal_finding *finding)
{
	struct damage *damage = context;

	if (!finding->damage)
		return;
	if (damage->leg && strstr(finding->text, "this leg is not in use")) {
		damage->leg = false;
		return;
	}
	print_message("damage: %s\n", finding->text);
	damage->found++;
}

static void check(const struct image *image, bool left)
{
	struct damage found = { .leg = left };
	char message[512] = "";
	int error = journal_check(image->dir, NULL, damage, &found, message, sizeof(message));

	if (error != (left ? -EUCLEAN : 0))
		print_message("%s\n", message);
	assert_int_equal(error, left ? -EUCLEAN : 0);
	assert_int_equal(found.found, 0);
	assert_false(found.leg);
}

static void checked_as_clean(void **state)
{
	const struct image *image = *state;

	check(image, is_mirrored(image));
}

/* and what this version makes of it is read again */
static void recovered_for_writing(void **state)
{
	struct image *image = *state;
	struct journal *j = must_open(image, 0);
	struct journal_receipt receipt;

	verify(image, j);
	assert_int_equal(journal_put(j, "new", 3, &receipt), 0);
	assert_int_equal(journal_retire(j, receipt.id), 0);
	assert_int_equal(journal_close(j), 0);
	j = must_open(image, JOURNAL_RDONLY);
	verify(image, j);
	assert_int_equal(journal_close(j), 0);
}

static void retired_to_the_last(void **state)
{
	struct image *image = *state;
	struct journal *j = must_open(image, 0);
	struct journal_entry entry;
	uint32_t i;

	for (i = 0; i < image->count; i++)
		assert_int_equal(journal_retire(j, image->list[i].id),
				 image->list[i].live ? 0 : -ENOENT);
	assert_int_equal(journal_close(j), 0);
	j = must_open(image, JOURNAL_RDONLY);
	assert_int_equal(journal_next(j, 0, &entry), -ENOENT);
	assert_int_equal(journal_close(j), 0);
}

static void must_legs(struct journal *j, enum journal_leg_state first,
		      enum journal_leg_state second)
{
	struct journal_leg legs[JOURNAL_LEGS];

	assert_int_equal(journal_legs(j, 0, legs), 0);
	assert_int_equal(legs[0].state, first);
	assert_int_equal(legs[1].state, second);
}

/* The second leg is out of date, and not read; brought up to date, it has all. */
static void mirrored(void **state)
{
	struct image *image = *state;
	struct journal *j;

	run("mv '%s/log' '%s/away'", image->dir, image->tmp);
	assert_int_equal(journal_open(image->dir, NULL, &j), -EUCLEAN);
	journal_close(j);
	run("mv '%s/away' '%s/log'", image->tmp, image->dir);
	j = must_open(image, 0);
	must_legs(j, JOURNAL_LEG_GOOD, JOURNAL_LEG_OUT);
	verify(image, j);
	assert_int_equal(journal_close(j), 0);
	assert_int_equal(journal_mirror(image->dir, NULL, NULL, 0), 0);
	check(image, false);
	run("rm '%s/log'", image->dir);
	j = must_open(image, 0);
	must_legs(j, JOURNAL_LEG_MISSING, JOURNAL_LEG_GOOD);
	verify(image, j);
	assert_int_equal(journal_close(j), 0);
}

static struct image images[IMAGES_MAX];
static uint32_t image_count;
static char names[IMAGES_MAX * KINDS][96];

static void find_images(void)
{
	DIR *dir = opendir(golden_dir());
	struct dirent *entry;
	size_t length;

	while (dir && (entry = readdir(dir))) {
		length = strlen(entry->d_name);
		if (length < 8 || length - 7 >= sizeof(images[0].name) ||
		    strcmp(entry->d_name + length - 7, ".tar.gz") || image_count == IMAGES_MAX)
			continue;
		memcpy(images[image_count++].name, entry->d_name, length - 7);
	}
	if (dir)
		closedir(dir);
}

int main(void)
{
	static const struct {
		const char *name;
		CMUnitTestFunction run;
	} kinds[KINDS] = {
		{ "read_only", read_only },
		{ "checked_as_clean", checked_as_clean },
		{ "recovered_for_writing", recovered_for_writing },
		{ "retired_to_the_last", retired_to_the_last },
		{ "mirrored", mirrored },
	};
	struct CMUnitTest tests[IMAGES_MAX * KINDS];
	uint32_t i, k, count = 0;

	find_images();
	if (!image_count) {
		fprintf(stderr, "no image in %s\n", golden_dir());
		return 1;
	}
	for (i = 0; i < image_count; i++) {
		for (k = 0; k < KINDS; k++) {
			if (kinds[k].run == mirrored && !is_mirrored(&images[i]))
				continue;
			snprintf(names[count], sizeof(names[count]), "%.60s_%s", images[i].name,
				 kinds[k].name);
			tests[count] = (struct CMUnitTest){ names[count], kinds[k].run, unpack,
							    drop, &images[i] };
			count++;
		}
	}
	return _cmocka_run_group_tests("golden", tests, count, NULL, NULL);
}
