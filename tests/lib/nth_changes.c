/* SPDX-License-Identifier: BSD-3-Clause */
/* Lives in which more than transactions changes: media, size, format, trust. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/log.h"
#include "nth.h"
#include "nth_lives.h"

/* ---- to begin with ------------------------------------------------------------------- */

static void some(struct nth_life *life)
{
	nth_put(life, JOURNAL_PATH_AUTO, 100);
	nth_put(life, JOURNAL_PATH_SYNCED, 5001);
	nth_put(life, JOURNAL_PATH_AUTO, 60000);
	nth_put_group(life, 3, 300);
	nth_put(life, JOURNAL_PATH_AUTO, 1200000);
	nth_retire(life, false);
	nth_retire(life, true);
	nth_put(life, JOURNAL_PATH_AUTO, 900);
}

void nth_prepare_some(struct nth_life *life)
{
	nth_format(life);
	if (!nth_open(life, 0))
		return;
	some(life);
	nth_maintain(life, 4);
	nth_close(life);
}

void nth_prepare_killed(struct nth_life *life)
{
	nth_format(life);
	life->killed = true;
	nth_work(life);
	nth_put(life, JOURNAL_PATH_AUTO, 901);
	nth_put_group(life, 3, 300);
}

/* a log that is full of what is retired, but for one in eight */
void nth_prepare_full(struct nth_life *life)
{
	struct nth_put *put;
	uint32_t i;

	nth_format(life);
	if (!nth_open(life, 0))
		return;
	for (i = 0; i < 80; i++) {
		nth_put(life, JOURNAL_PATH_AUTO, 60000 + i);
		put = &life->story->put[i];
		if (i % 8 && put->put == NTH_YES && !journal_retire(life->j, put->id))
			put->retire = NTH_YES;
	}
	nth_close(life);
}

/* one leg is gone */
void nth_prepare_leg(struct nth_life *life)
{
	char command[PATH_MAX];

	nth_prepare_some(life);
	(void)snprintf(command, sizeof(command), "rm -f %s/*", life->place->mirror[0]);
	assert_int_equal(system(command), 0);
}

/* one copy of the log's superblock is damaged */
void nth_prepare_old(struct nth_life *life)
{
	static const uint8_t zeros[LOG_SUPER_BYTES];
	char path[PATH_MAX];
	int fd;

	nth_prepare_some(life);
	(void)snprintf(path, sizeof(path), "%s/log", life->place->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), LOG_SUPER_BYTES), sizeof(zeros));
	close(fd);
}

/* ---- lives -------------------------------------------------------------------------------- */

void nth_recover(struct nth_life *life)
{
	char text[512] = "";

	if (nth_open(life, JOURNAL_RDONLY)) {
		nth_read_all(life);
		nth_look(life);
		(void)NTH_CALL_J(life, journal_close(life->j));
		life->j = NULL;
	}
	if (!nth_open(life, 0))
		return;
	nth_read_all(life);
	nth_read_many(life);
	nth_retire(life, false);
	nth_put(life, JOURNAL_PATH_AUTO, 400);
	nth_maintain(life, 2);
	nth_close(life);
	if (!life->j)
		(void)NTH_CALL_TEXT(life, text, journal_check(life->place->dir, NULL, NULL, NULL,
							      text, sizeof(text)));
}

void nth_clean(struct nth_life *life)
{
	life->fills = true;
	if (!nth_open(life, 0))
		return;
	nth_maintain(life, 12);
	nth_put(life, JOURNAL_PATH_AUTO, 50000);
	nth_retire(life, true);
	nth_maintain(life, 12);
	nth_put(life, JOURNAL_PATH_AUTO, 1100000);
	nth_read_all(life);
	nth_close(life);
}

/* Return: whether it was done */
static bool resized(struct nth_life *life, const struct journal_resize_options *options)
{
	struct journal_resized done;

	return !NTH_CALL_J(life, journal_resize(life->j, options, &done));
}

void nth_resize(struct nth_life *life)
{
	char extra[PATH_MAX];
	const char *logs[] = { extra };
	struct journal_resize_options grow = { .bytes = 14u << 20 };
	struct journal_resize_options add = { .add = logs, .add_count = 1 };
	struct journal_resize_options remove = { .remove = logs, .remove_count = 1 };
	struct journal_resize_options shrink = { .bytes = 9u << 20 };
	bool two;

	(void)snprintf(extra, sizeof(extra), "%s/extra", life->place->root);
	(void)mkdir(extra, 0700);
	if (!nth_open(life, 0))
		return;
	(void)resized(life, &grow);
	nth_put(life, JOURNAL_PATH_AUTO, 30000);
	two = resized(life, &add);
	nth_put(life, JOURNAL_PATH_AUTO, 30000);
	nth_put(life, JOURNAL_PATH_SYNCED, 3000);
	/* what was not done cannot be undone, either */
	if (!two || resized(life, &remove))
		(void)resized(life, &shrink);
	nth_put(life, JOURNAL_PATH_AUTO, 300);
	nth_close(life);
}

static void other_marker(struct nth_life *life, bool rescue)
{
	char uri[PATH_MAX], text[512] = "";
	struct journal_marker_options options = {
		.marker = uri, .marker_bytes = life->j ? 0 : 1u << 20, .force = rescue,
	};

	if (nth_has_nvram(life))
		(void)snprintf(uri, sizeof(uri), "file:%s/other", life->place->root);
	else
		(void)snprintf(uri, sizeof(uri), "pmem:%s/other", life->place->memory);
	if (rescue)
		(void)NTH_CALL_TEXT(life, text, journal_rescue(life->place->dir, &options, text,
							       sizeof(text)));
	else
		(void)NTH_CALL_TEXT(life, text, journal_set_marker(life->place->dir, &options,
								   text, sizeof(text)));
}

static void go_on_with_it(struct nth_life *life)
{
	if (!nth_open(life, 0))
		return;
	nth_put(life, JOURNAL_PATH_AUTO, 500);
	nth_retire(life, false);
	nth_close(life);
}

void nth_set_marker(struct nth_life *life)
{
	other_marker(life, false);
	go_on_with_it(life);
}

void nth_rescue(struct nth_life *life)
{
	life->story->rescued = true;
	other_marker(life, true);
	go_on_with_it(life);
}

/* while it is open */
void nth_moving(struct nth_life *life)
{
	if (!nth_open(life, 0))
		return;
	nth_put(life, JOURNAL_PATH_AUTO, 777);
	other_marker(life, false);
	nth_maintain(life, 2);
	nth_put(life, JOURNAL_PATH_AUTO, 778);
	nth_retire(life, true);
	nth_close(life);
}

/* NVRAM is given up, and gone back to */
void nth_distrust(struct nth_life *life)
{
	if (!nth_open(life, 0))
		return;
	nth_put(life, JOURNAL_PATH_AUTO, 1000);
	nth_put(life, JOURNAL_PATH_AUTO, 40000);
	(void)NTH_CALL_J(life, journal_distrust(life->j, "for a trial"));
	nth_put(life, JOURNAL_PATH_AUTO, 1100);
	nth_retire(life, true);
	nth_look(life);
	nth_maintain(life, 6);
	nth_put(life, JOURNAL_PATH_AUTO, 1200);
	nth_retire(life, false);
	nth_read_all(life);
	nth_close(life);
}

void nth_upgrade(struct nth_life *life)
{
	char text[512] = "";
	unsigned int changes;

	(void)NTH_CALL_TEXT(life, text, journal_upgrade(life->place->dir, NULL, &changes, text,
							sizeof(text)));
	go_on_with_it(life);
}

void nth_mirror(struct nth_life *life)
{
	char text[512] = "";

	(void)NTH_CALL_TEXT(life, text, journal_mirror(life->place->dir, NULL, text,
						       sizeof(text)));
	go_on_with_it(life);
}

void nth_destroy(struct nth_life *life)
{
	char text[512] = "";

	life->story->absent = !NTH_CALL_TEXT(life, text, journal_destroy(life->place->dir, NULL,
									 text, sizeof(text)));
}

/* ---- after them -------------------------------------------------------------------------- */

/* What could not be made leaves nothing behind that would keep the next one from it. */
void nth_after_format(struct nth_life *life)
{
	if (!life->story->absent)
		return;
	/* not even that went: then it is to be written over */
	life->force = nth->forever;
	nth_format(life);
}

/* What one call could not end, another one does. */
void nth_after_destroy(struct nth_life *life)
{
	char text[512] = "";
	int error;

	if (life->story->absent)
		return;
	error = journal_destroy(life->place->dir, NULL, text, sizeof(text));
	/* journal.conf goes last */
	if (error && error != -ENOENT)
		nth_wrong(life->story, "it cannot be destroyed any more: %s", text);
	life->story->absent = true;
}

/* The copy is written anew by whoever does it again. */
void nth_after_upgrade(struct nth_life *life)
{
	char text[512] = "";

	if (journal_upgrade(life->place->dir, NULL, NULL, text, sizeof(text)))
		nth_wrong(life->story, "it cannot be upgraded any more: %s", text);
}
