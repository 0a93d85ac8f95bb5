/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that meets a limit of its own, of open files or of how long they may be, is told
 * so, and the others go on: what it acknowledged is there, and what it had is taken over as
 * that of one who was killed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/turns.h"

#define BYTES 3000u

struct limited {
	__rlimit_resource_t which;
	rlim_t at;
	const char *why;
	enum journal_path path;
	bool gives_up; /* by giving NVRAM up, else by a commit */
};

static int put(struct journal *j, uint64_t seed, enum journal_path path,
	       struct journal_receipt *receipt)
{
	const struct journal_txn_options options = { .path = path };
	uint8_t *payload = bed_payload(BYTES, seed);
	struct journal_txn *txn;
	int error = journal_begin(j, &options, &txn);

	if (!error) {
		error = journal_append(txn, payload, BYTES);
		if (error)
			(void)journal_abort(txn);
		else
			error = journal_commit(txn, receipt);
	}
	free(payload);
	return error;
}

static bool refuses(struct journal *j, const struct limited *l)
{
	struct journal_receipt receipt;

	return put(j, 3, JOURNAL_PATH_AUTO, &receipt) == -EIO && strstr(journal_error(j), l->why) &&
	       journal_retire(j, 1) == -EIO && journal_maintain(j, NULL, NULL) == -EIO;
}

/* Return: 0, or where it went wrong */
static int meets_its_limit(const char *dir, const struct limited *l, int from, int to)
{
	struct journal_receipt receipt;
	struct rlimit limit;
	struct journal *j;
	char c;
	int error = journal_open(dir, NULL, &j);

	if (error || put(j, 1, l->path, &receipt) ||
	    write(to, &receipt.id, sizeof(receipt.id)) != sizeof(receipt.id))
		return 1;
	(void)signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(l->which, &limit))
		return 2;
	limit.rlim_cur = l->at;
	if (setrlimit(l->which, &limit))
		return 3;
	error = l->gives_up ? journal_distrust(j, "a test") : put(j, 2, l->path, &receipt);
	if (error != -EIO || !strstr(journal_error(j), l->why) || !refuses(j, l))
		return 4;
	if (write(to, "f", 1) != 1 || read(from, &c, 1) != 1)
		return 5;
	return journal_close(j) == -EIO ? 0 : 6;
}

static void others_go_on(enum bed_medium medium, const struct limited *l)
{
	const enum journal_path path = l->gives_up ? JOURNAL_PATH_AUTO : l->path;
	int to_child[2], to_parent[2];
	struct model model;
	struct bed bed;
	uint64_t id, i;
	pid_t pid;
	char c;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	model_make(&model);
	assert_int_equal(pipe(to_child) | pipe(to_parent), 0);
	pid = child_fork();
	if (!pid)
		child_exit(meets_its_limit(bed.dir, l, to_child[0], to_parent[1]));
	/* what ends early is not waited for */
	close(to_child[0]);
	close(to_parent[1]);
	assert_int_equal(read(to_parent[0], &id, sizeof(id)), sizeof(id));
	model_add(&model, id, BYTES, 1);
	assert_int_equal(read(to_parent[0], &c, 1), 1);
	for (i = 0; i < 50; i++)
		assert_int_equal(bed_put(&bed, &model, BYTES, 10 + i, path, NULL), 0);
	if (l->gives_up)
		assert_int_equal(turns_trust_of(&bed), JOURNAL_ABANDONED);
	model_verify(&model, bed.j);
	assert_int_equal(write(to_child[1], "g", 1), 1);
	child_ends(pid, 0);
	close(to_child[1]);
	close(to_parent[0]);
	while (!bed_info(&bed).takeovers)
		assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	turns_retire_it(&bed, &model, id);
	assert_int_equal(bed_put(&bed, &model, BYTES, 4, path, NULL), 0);
	assert_int_equal(bed_info(&bed).lost, 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void a_file_may_not_be_so_long(enum bed_medium medium)
{
	others_go_on(medium, &(struct limited){ RLIMIT_FSIZE, 4096, "ulimit -f",
						JOURNAL_PATH_SYNCED, false });
	if (bed_has_nvram(&(struct bed){ .medium = medium }))
		others_go_on(medium, &(struct limited){ RLIMIT_FSIZE, 4096, "ulimit -f",
							JOURNAL_PATH_DIRECT, false });
}

static void p14_no_file_may_be_opened(enum bed_medium medium)
{
	others_go_on(medium, &(struct limited){ RLIMIT_NOFILE, 3, "ulimit -n",
						JOURNAL_PATH_STAGED, true });
}

static void p14_nor_be_so_long(enum bed_medium medium)
{
	others_go_on(medium, &(struct limited){ RLIMIT_FSIZE, 4096, "ulimit -f",
						JOURNAL_PATH_STAGED, true });
}

/* ---- who opens first ------------------------------------------------------------------- */

struct opener {
	const char *refused; /* what says why, beside the limit's name */
	/* Return: it is as it should be */
	bool (*opened)(struct journal *j, const struct journal_info *info,
		       const struct journal_info *wanted);
	struct journal_info wanted; /* as it was with all files */
};

/* With one file more each time, until others can join.
 * Return: 0, or where it went wrong */
static int opens_with_few_files(const char *dir, const struct opener *o)
{
	struct journal_info info = { 0 };
	struct rlimit limit;
	struct journal *j;
	bool refused = false;
	int error;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	for (limit.rlim_cur = 3; limit.rlim_cur < 64; limit.rlim_cur++) {
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return 2;
		error = journal_open(dir, NULL, &j);
		refused |= error == -EMFILE && strstr(journal_error(j), o->refused) &&
			   strstr(journal_error(j), "ulimit -n");
		if (!error && (journal_info(j, &info) || !o->opened(j, &info, &o->wanted)))
			return 3;
		if (journal_close(j))
			return 4;
		if (info.index_shared)
			return refused ? 0 : 5;
	}
	return 6;
}

static void few_files_are_left(enum bed_medium medium, struct opener *o)
{
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	o->wanted = bed_info(&bed);
	bed_close(&bed);
	pid = child_fork();
	if (!pid)
		child_exit(opens_with_few_files(bed.dir, o));
	child_ends(pid, 0);
	bed_open(&bed, NULL);
	bed_remove(&bed);
}

/* what others can join has a stand-in, as they would have then */
static bool has_its_stand_in(struct journal *j, const struct journal_info *info,
			     const struct journal_info *wanted)
{
	struct journal_health health;

	(void)wanted;
	return !journal_health(j, &health) && (!info->index_shared || health.stand_in);
}

static void p14_no_file_is_left_for_the_stand_in(enum bed_medium medium)
{
	few_files_are_left(medium, &(struct opener){ .refused = "/stand-in: ",
						     .opened = has_its_stand_in });
}

static bool is_as(const struct journal_medium *medium, const struct journal_medium *wanted)
{
	return medium->survives == wanted->survives &&
	       !strcmp(medium->evidence, wanted->evidence);
}

/* no medium is said to survive less */
static bool is_known(struct journal *j, const struct journal_info *info,
		     const struct journal_info *wanted)
{
	(void)j;
	return is_as(&info->marker, &wanted->marker) && is_as(&info->logs[0], &wanted->logs[0]);
}

static void no_file_is_left_for_the_evidence(enum bed_medium medium)
{
	few_files_are_left(medium, &(struct opener){ .refused = "what it survives",
						     .opened = is_known });
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_file_may_not_be_so_long", a_file_may_not_be_so_long,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "p14_no_file_may_be_opened", p14_no_file_may_be_opened, 1u << BED_PMEM },
		{ "p14_nor_be_so_long", p14_nor_be_so_long, 1u << BED_PMEM },
		{ "p14_no_file_is_left_for_the_stand_in", p14_no_file_is_left_for_the_stand_in,
		  1u << BED_PMEM },
		{ "no_file_is_left_for_the_evidence", no_file_is_left_for_the_evidence,
		  1u << BED_FILE | 1u << BED_MSYNC },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
