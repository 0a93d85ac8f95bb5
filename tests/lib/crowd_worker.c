/* SPDX-License-Identifier: BSD-3-Clause */
#include "crowd_worker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fault.h"

#define GROUP_MAX 12u
#define SMALL_MIN 16u /* so that content tells them apart */

struct work {
	struct crowd *crowd;
	struct crowd_worker *me;
	struct journal *j;
	uint32_t who, groups;
	uint64_t random;
	uint8_t *payload, *is;
};

static uint64_t below(struct work *w, uint64_t limit)
{
	return fault_random(&w->random) % limit;
}

__attribute__((format(printf, 2, 3), noreturn))
static void wrong(struct work *w, const char *format, ...)
{
	struct crowd_shared *shared = w->crowd->shared;
	va_list args;
	int used;

	if (atomic_fetch_add(&shared->wrongs, 1))
		_exit(1);
	used = snprintf(shared->wrong, sizeof(shared->wrong), "process %u: ", w->who);
	va_start(args, format);
	(void)vsnprintf(shared->wrong + used, sizeof(shared->wrong) - (size_t)used, format, args);
	va_end(args);
	_exit(1);
}

/* ---- calls, and how long they take ----------------------------------------------- */

static void call_begins(struct work *w)
{
	atomic_store(&w->me->began_ns, crowd_now_ns());
}

static void call_ends(struct work *w)
{
	uint64_t took = crowd_now_ns() - atomic_load(&w->me->began_ns);

	atomic_store(&w->me->began_ns, 0);
	if (took > atomic_load(&w->me->longest_ns))
		atomic_store(&w->me->longest_ns, took);
	atomic_fetch_add(&w->me->done, 1);
}

/* ---- committing ------------------------------------------------------------------- */

static void work_note(struct work *w, struct crowd_txn *txn, uint32_t group, uint64_t most)
{
	atomic_store(&txn->seed, fault_random(&w->random));
	atomic_store(&txn->bytes, (uint32_t)(SMALL_MIN + below(w, most - SMALL_MIN)));
	atomic_store(&txn->id, 0);
	txn->group = group;
	crowd_set(txn, CROWD_COMMITTING);
}

static void work_id(struct work *w, uint64_t id)
{
	uint64_t at = atomic_fetch_add(&w->crowd->shared->id_count, 1);

	if (at < CROWD_IDS)
		w->crowd->shared->ids[at] = id;
}

static bool work_refused(const struct work *w, int error)
{
	return w->crowd->does & CROWD_LOSES && error == -EIO &&
	       strstr(journal_error(w->j), "it is not committed");
}

static void work_committed(struct work *w, struct crowd_txn **txns, uint32_t count, int error,
			   uint64_t id)
{
	uint32_t i;

	if (error && error != -ENOSPC && !work_refused(w, error))
		wrong(w, "commit: %s", journal_error(w->j));
	for (i = 0; i < count; i++) {
		atomic_store(&txns[i]->id, id + i);
		crowd_set(txns[i], error ? CROWD_NONE : CROWD_LIVE);
		if (!error)
			work_id(w, id + i);
	}
	atomic_fetch_add(error ? &w->me->full : &w->me->commits, 1);
}

static int work_append(struct work *w, struct journal_txn *txn, const struct crowd_txn *kept)
{
	uint32_t bytes = atomic_load(&kept->bytes);

	bed_fill(w->payload, bytes, atomic_load(&kept->seed));
	return journal_append(txn, w->payload, bytes);
}

/* Return: 0, or -ENOSPC with nothing done; in @txn what is to be committed */
static int work_fill(struct work *w, struct crowd_txn **txns, uint32_t count,
		     enum journal_path path, struct journal_txn **txn)
{
	struct journal_txn_options options = { .path = path };
	uint32_t i;
	int error;

	if (count == 1)
		options.bytes = atomic_load(&txns[0]->bytes);
	error = journal_begin(w->j, &options, txn);
	if (error)
		return error;
	for (i = 0; i < count && !error; i++) {
		error = i ? journal_group_next(*txn) : 0;
		if (!error)
			error = work_append(w, *txn, txns[i]);
	}
	if (!error && !below(w, 8))
		error = journal_prepare(*txn);
	if (error)
		(void)journal_abort(*txn);
	return error;
}

static void work_commit(struct work *w, struct crowd_txn **txns, uint32_t count)
{
	enum journal_path path = w->crowd->does & CROWD_SYNCED && !below(w, 10) ?
					 JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO;
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;
	bool abort = w->crowd->does & CROWD_ABORTS && !below(w, 12);
	int error;

	call_begins(w);
	error = work_fill(w, txns, count, path, &txn);
	if (!error && abort)
		error = journal_abort(txn) ? -EIO : -ENOSPC;
	else if (!error)
		error = journal_commit(txn, &receipt);
	call_ends(w);
	if (!error && receipt.count != count)
		wrong(w, "%u committed, not %u", receipt.count, count);
	work_committed(w, txns, count, error, receipt.id);
}

static uint64_t work_size(struct work *w)
{
	if (w->crowd->does & CROWD_HUGE && !below(w, 150))
		return CROWD_LARGE;
	if (w->crowd->does & CROWD_BIG && !below(w, 12))
		return 300000;
	return 6000;
}

/* some of its own that are free, and commit them */
static void work_put(struct work *w, uint32_t first)
{
	struct crowd_txn *txns[GROUP_MAX];
	bool group = w->crowd->does & CROWD_GROUPS && !below(w, 6);
	uint32_t count = 0, i, want = group ? 2 + (uint32_t)below(w, GROUP_MAX - 2) : 1;
	uint64_t most = group ? 1000 : work_size(w);

	w->groups++;
	for (i = 0; i < CROWD_KEPT && count < want; i++) {
		struct crowd_txn *txn = &w->me->kept[(first + i) % CROWD_KEPT];

		if (crowd_state(txn) != CROWD_NONE)
			continue;
		work_note(w, txn, w->groups, most);
		txns[count++] = txn;
	}
	work_commit(w, txns, count);
}

/* ---- retiring, reading -------------------------------------------------------------- */

static void work_retire(struct work *w, struct crowd_txn *txn, uint64_t word)
{
	int error;

	if (!crowd_change(txn, word, CROWD_RETIRING))
		return; /* somebody else does */
	call_begins(w);
	error = journal_retire(w->j, atomic_load(&txn->id));
	call_ends(w);
	if (error && error != -ENOSPC)
		wrong(w, "retire of one that is acknowledged and not retired: %s",
		      journal_error(w->j));
	crowd_set(txn, error ? CROWD_LIVE : CROWD_NONE);
	atomic_fetch_add(error ? &w->me->full : &w->me->retires, 1);
}

static void work_read(struct work *w, const struct crowd_txn *txn, uint64_t word)
{
	uint64_t id = atomic_load(&txn->id), seed = atomic_load(&txn->seed);
	uint32_t bytes = atomic_load(&txn->bytes);
	size_t got = 0;
	int error;

	if (atomic_load(&txn->word) != word)
		return; /* what was read may be of two */
	call_begins(w);
	error = journal_read(w->j, id, w->is, CROWD_LARGE, &got);
	call_ends(w);
	if (error == -ENOENT && atomic_load(&txn->word) != word)
		return; /* retired meanwhile */
	if (error)
		wrong(w, "read of %" PRIx64 ", which is acknowledged and not retired: %s", id,
		      journal_error(w->j));
	bed_fill(w->payload, bytes, seed);
	if (got != bytes || memcmp(w->payload, w->is, bytes))
		wrong(w, "read of %" PRIx64 ": other bytes, %zu of %u", id, got, bytes);
	atomic_fetch_add(&w->me->reads, 1);
}

/* anybody's */
static void work_on_others(struct work *w)
{
	uint32_t who = (uint32_t)below(w, w->crowd->count);
	struct crowd_txn *txn = &w->crowd->shared->worker[who].kept[below(w, CROWD_KEPT)];
	uint64_t word = atomic_load(&txn->word);

	if ((word & 7) != CROWD_LIVE)
		return;
	if (w->crowd->does & CROWD_READS && below(w, 2))
		work_read(w, txn, word);
	else
		work_retire(w, txn, word);
}

static void work_once(struct work *w)
{
	uint32_t first = (uint32_t)below(w, CROWD_KEPT);

	if (crowd_state(&w->me->kept[first]) == CROWD_NONE)
		work_put(w, first);
	else
		work_on_others(w);
}

void crowd_work(struct crowd *crowd, uint32_t who, uint64_t seed)
{
	struct work w = { .crowd = crowd, .me = &crowd->shared->worker[who], .who = who,
			  .random = seed, .payload = malloc(CROWD_LARGE),
			  .is = malloc(CROWD_LARGE) };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGINT, SIG_DFL);
	if (!w.payload || !w.is)
		wrong(&w, "no memory");
	/* groups of the ones before, that were killed, stay apart */
	w.groups = (uint32_t)(seed >> 8);
	if (journal_open(crowd->bed->dir, NULL, &w.j))
		wrong(&w, "open: %s", journal_error(w.j));
	atomic_store(&w.me->open, true);
	while (!atomic_load(&w.me->stop))
		work_once(&w);
	if (journal_close(w.j))
		wrong(&w, "close fails");
	_exit(0);
}
