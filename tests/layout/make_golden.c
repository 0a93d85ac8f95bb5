/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a golden image: make_golden SCHEME DIRECTORY NAME [MIRROR].
 * With MIRROR, a directory below it, its log is mirrored there, and that leg fails in the
 * second session.
 * tests/layout/golden/make.sh runs it for each scheme and packs the result.
 *
 * One of each kind of transaction is written, some are retired, some given up;
 * the first session closes, the second ends without closing.  What differs from
 * run to run is only what must: uuid, nonce, times.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "golden.h"
#include "log/mirror.h"
#include "txn/clean_lines.h"
#include "txn/head.h"
#include "txn/line.h"
#include "util/crc32c.h"

struct maker {
	struct journal *journal;
	FILE *list;
	uint8_t *buffer;
	uint32_t seed;
};

static void fail(struct maker *m, const char *what)
{
	fprintf(stderr, "make_golden: %s: %s\n", what, journal_error(m->journal));
	exit(1);
}

static void say(struct maker *m, uint64_t id, size_t bytes, bool retired)
{
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	if (retired)
		fprintf(m->list, "gone %s\n", text);
	else
		fprintf(m->list, "live %s %zu %08x %u\n", text, bytes,
			crc32c(~0u, m->buffer, bytes), m->seed);
}

static void put(struct maker *m, enum journal_path path, size_t bytes, bool retire)
{
	struct journal_txn_options options = { .path = path, .bytes = bytes, .tag = ++m->seed };
	struct journal_receipt receipt;
	struct journal_txn *txn;

	golden_payload(m->buffer, bytes, m->seed);
	if (journal_begin(m->journal, &options, &txn) ||
	    journal_append(txn, m->buffer, bytes) || journal_commit(txn, &receipt))
		fail(m, "put");
	if (retire && journal_retire(m->journal, receipt.id))
		fail(m, "retire");
	say(m, receipt.id, bytes, retire);
}

static void put_group(struct maker *m, enum journal_path path)
{
	struct journal_txn_options options = { .path = path, .tag = ++m->seed };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint32_t i, first = m->seed;

	if (journal_begin(m->journal, &options, &txn))
		fail(m, "group");
	for (i = 0; i < 5; i++) {
		golden_payload(m->buffer, 100 + i, first + i);
		if (journal_append(txn, m->buffer, 100 + i) ||
		    (i < 4 && journal_group_next(txn)))
			fail(m, "group");
	}
	if (journal_commit(txn, &receipt) || journal_retire(m->journal, receipt.id + 2))
		fail(m, "group");
	for (i = 0; i < 5; i++) {
		golden_payload(m->buffer, 100 + i, first + i);
		say(m, receipt.id + i, 100 + i, i == 2);
	}
	m->seed += 5;
}

static void give_up(struct maker *m, enum journal_path path, size_t bytes)
{
	struct journal_txn_options options = { .path = path, .bytes = bytes };
	struct journal_txn *txn;

	golden_payload(m->buffer, bytes, 0);
	if (journal_begin(m->journal, &options, &txn) ||
	    journal_append(txn, m->buffer, bytes) || journal_abort(txn))
		fail(m, "abort");
}

static void put_path(struct maker *m, enum journal_path path, size_t largest)
{
	static const size_t sizes[] = { 0, 1, 64, 500, 4096, 15000, 100000, GOLDEN_PAYLOAD_MAX };
	uint32_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] <= largest; i++) {
		put(m, path, sizes[i], false);
		put(m, path, sizes[i], true);
		give_up(m, path, sizes[i]);
	}
	put_group(m, path);
}

static void session(struct maker *m, bool nvram, size_t largest)
{
	uint32_t i;

	put_path(m, JOURNAL_PATH_SYNCED, largest);
	if (!nvram)
		return;
	put_path(m, JOURNAL_PATH_STAGED, 16384);
	put_path(m, JOURNAL_PATH_DIRECT, largest);
	/* more than a ring holds: some are destaged, some are finished before */
	for (i = 0; i < 100; i++)
		put(m, JOURNAL_PATH_STAGED, 12000, i % 2);
	give_up(m, JOURNAL_PATH_STAGED, 5000);
}

/* Some are in other lines than they were put to, and a summary says so. */
static void move(struct maker *m)
{
	struct journal *j = m->journal;
	struct head *head;
	uint32_t gained;

	line_leave(j, j->own);
	if (clean_lines_step(j, SLOTS_PER_LINE, &gained) || !gained ||
	    head_lease(j, HEAD_MOVED, &head) || head_roll(j, head, HEAD_MOVED, false))
		fail(m, "move");
	head_return(head);
}

static void leave(struct maker *m)
{
	struct journal_leg legs[JOURNAL_LEGS];

	log_store_fail(mirror_of(m->journal->logs[0])->leg[1], -EIO);
	put(m, JOURNAL_PATH_SYNCED, 300, false);
	if (journal_legs(m->journal, 0, legs) || legs[0].state != JOURNAL_LEG_GOOD ||
	    legs[1].state != JOURNAL_LEG_OUT)
		fail(m, "leave");
}

static void format(const char *scheme, const char *dir, const char *mirror)
{
	struct journal_format_options options = {
		.marker_bytes = 1 << 20,
		.log_bytes = 24 << 20,
		.require = JOURNAL_CLASS_PROCESS,
	};
	char uri[256], second[256], message[512];
	const char *mirrors[] = { second };

	snprintf(uri, sizeof(uri), "%s:%s/markers", scheme, dir);
	options.marker = uri;
	if (mirror) {
		snprintf(second, sizeof(second), "%s/%s", dir, mirror);
		if (mkdir(dir, 0700) || mkdir(second, 0700))
			exit(1);
		options.mirrors = mirrors;
		options.mirror_count = 1;
	}
	if (!journal_format(dir, &options, message, sizeof(message)))
		return;
	fprintf(stderr, "make_golden: %s\n", message);
	exit(1);
}

int main(int argc, char **argv)
{
	struct maker m = { .buffer = malloc(GOLDEN_PAYLOAD_MAX) };
	char dir[200], path[256];

	if (argc < 4 || argc > 5 || !m.buffer)
		return 2;
	/* absolute: then what lies below it is named relative to it */
	snprintf(dir, sizeof(dir), "%s/%s", argv[2], argv[3]);
	format(argv[1], dir, argv[4]);
	snprintf(path, sizeof(path), "%s.txt", dir);
	m.list = fopen(path, "w");
	if (!m.list || journal_open(dir, NULL, &m.journal))
		fail(&m, "open");
	session(&m, strcmp(argv[1], "file"), 100000);
	if (journal_close(m.journal))
		fail(&m, "close");
	if (journal_open(dir, NULL, &m.journal))
		fail(&m, "open again");
	if (argv[4])
		leave(&m);
	session(&m, strcmp(argv[1], "file"), GOLDEN_PAYLOAD_MAX);
	move(&m);
	put(&m, JOURNAL_PATH_SYNCED, 300, false);
	if (fclose(m.list))
		return 1;
	_exit(0); /* as a crash would: nothing is closed */
}
