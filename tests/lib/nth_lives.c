/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth_lives.h"

#include <errno.h>
#include <string.h>

#include "nth.h"

#define LOG_BYTES (9u << 20)

void nth_format(struct nth_life *life)
{
	const struct nth_place *place = life->place;
	const char *logs[NTH_LOGS], *mirrors[NTH_LOGS];
	struct journal_format_options options = {
		.marker = place->marker, .marker_bytes = 1u << 20, .logs = logs,
		.log_count = place->logs, .mirrors = mirrors,
		.mirror_count = place->mirrored ? place->logs : 0,
		.log_bytes = place->logs == 2 ? 2 * LOG_BYTES : LOG_BYTES,
		.require = JOURNAL_CLASS_PROCESS, .force = life->force,
	};
	char text[512] = "";

	for (unsigned int i = 0; i < place->logs; i++) {
		logs[i] = place->log[i];
		mirrors[i] = place->mirror[i];
	}
	life->story->absent = NTH_CALL_TEXT(life, text, journal_format(place->dir, &options, text,
								      sizeof(text))) != 0;
}

/* another handle joins, or another process would */
static void beside(struct nth_life *life)
{
	struct nth_life other = *life;
	struct journal_info info;

	if (!strcmp(life->place->scheme, "sim"))
		return; /* not to be shared */
	other.j = NULL;
	other.killed = false;
	other.alone = journal_info(life->j, &info) || !info.index_shared;
	if (!nth_open(&other, 0))
		return;
	nth_put(&other, JOURNAL_PATH_AUTO, 700);
	nth_retire(&other, false);
	nth_read_all(&other);
	nth_close(&other);
}

void nth_work(struct nth_life *life)
{
	if (!nth_open(life, 0))
		return;
	nth_put(life, JOURNAL_PATH_AUTO, 100);
	nth_put(life, JOURNAL_PATH_AUTO, 5001);
	if (nth_has_nvram(life)) {
		nth_put(life, JOURNAL_PATH_STAGED, 333);
		nth_put(life, JOURNAL_PATH_DIRECT, 20001);
	}
	nth_put(life, JOURNAL_PATH_SYNCED, 900);
	nth_put(life, JOURNAL_PATH_AUTO, 2200000);
	nth_put_group(life, 4, 200);
	nth_abort(life, 1000);
	nth_abort(life, 100000);
	nth_retire(life, false);
	nth_retire(life, true);
	nth_submit(life, 3, 400);
	nth_read_all(life);
	nth_read_many(life);
	nth_look(life);
	beside(life);
	nth_maintain(life, 3);
	nth_put(life, JOURNAL_PATH_AUTO, 60);
	nth_retire(life, false);
	nth_close(life);
}
