/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: cost FILE SYNCED-DIR STAGED-DIR
 *
 * What a durable commit of a message costs here, by append and fsync to FILE, by
 * the synced path of one journal and the staged path of another.  A few hundred
 * of each, in turns, for the demonstration; `make bench` is what measures.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"

#define MESSAGE_BYTES 2048
#define ROUNDS        300
#define STAGED_EACH   20 /* so many staged ones for one of the others: they are short */

struct cost {
	const char *name;
	double us[ROUNDS * STAGED_EACH];
	size_t count;
	const char *survives;
};

static double cost_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int cost_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void cost_print(struct cost *cost)
{
	qsort(cost->us, cost->count, sizeof(cost->us[0]), cost_compare);
	printf("  %-28s %10.2f %10.2f   %s\n", cost->name, cost->us[cost->count / 2],
	       cost->us[cost->count * 99 / 100], cost->survives);
}

static const char *cost_class(enum journal_class class)
{
	static const char *const names[] = { "nothing", "process", "os", "power" };

	return names[class];
}

static int cost_fsync(struct cost *cost, int fd, const char *message)
{
	double start = cost_now_us();

	if (write(fd, message, MESSAGE_BYTES) != MESSAGE_BYTES || fsync(fd))
		return -errno;
	cost->us[cost->count++] = cost_now_us() - start;
	return 0;
}

/* The message is retired at once, outside of the time. */
static int cost_journal(struct cost *cost, struct journal *journal, enum journal_path path,
			const char *message)
{
	struct journal_txn_options options = { .path = path, .bytes = MESSAGE_BYTES };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	double start = cost_now_us();
	int err = journal_begin(journal, &options, &txn);

	if (err)
		return err;
	err = journal_append(txn, message, MESSAGE_BYTES);
	if (err) {
		(void)journal_abort(txn);
		return err;
	}
	err = journal_commit(txn, &receipt);
	if (err)
		return err;
	cost->us[cost->count++] = cost_now_us() - start;
	cost->survives = cost_class(receipt.survives);
	return journal_retire(journal, receipt.id);
}

static int cost_fail(const char *what, const char *why)
{
	fprintf(stderr, "cost: %s: %s\n", what, why);
	return 1;
}

static struct cost by_fsync = { .name = "append and fsync" };
static struct cost by_synced = { .name = "synced path" };
static struct cost by_staged = { .name = "staged path, on plain DRAM" };

static int cost_rounds(int fd, struct journal *synced, struct journal *staged)
{
	char message[MESSAGE_BYTES];

	memset(message, 'm', sizeof(message));
	for (int i = 0; i < ROUNDS; i++) {
		int err = cost_fsync(&by_fsync, fd, message);

		if (err)
			return cost_fail("fsync", strerror(-err));
		if (cost_journal(&by_synced, synced, JOURNAL_PATH_SYNCED, message))
			return cost_fail("synced", journal_error(synced));
		for (int k = 0; k < STAGED_EACH; k++) {
			if (cost_journal(&by_staged, staged, JOURNAL_PATH_STAGED, message))
				return cost_fail("staged", journal_error(staged));
		}
	}
	return 0;
}

static void cost_table(struct journal *synced)
{
	struct journal_info info;

	/* the file lies where the log does */
	(void)journal_info(synced, &info);
	by_fsync.survives = cost_class(info.logs[0].survives);
	printf("  a message of %d bytes, µs %14s %10s   survives loss of\n", MESSAGE_BYTES, "p50",
	       "p99");
	cost_print(&by_fsync);
	cost_print(&by_synced);
	cost_print(&by_staged);
}

int main(int argc, char **argv)
{
	struct journal *synced, *staged;
	int fd, status;

	if (argc != 4)
		return 2;
	fd = open(argv[1], O_CREAT | O_EXCL | O_WRONLY | O_APPEND, 0600);
	if (fd < 0)
		return cost_fail(argv[1], strerror(errno));
	if (journal_open(argv[2], NULL, &synced))
		return cost_fail(argv[2], journal_error(synced));
	if (journal_open(argv[3], NULL, &staged))
		return cost_fail(argv[3], journal_error(staged));
	status = cost_rounds(fd, synced, staged);
	if (!status)
		cost_table(synced);
	(void)journal_close(staged);
	(void)journal_close(synced);
	(void)close(fd);
	return status;
}
