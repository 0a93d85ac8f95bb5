/* SPDX-License-Identifier: BSD-3-Clause */
/* The public calls on an open transaction. */
#include <errno.h>

#include "txn/clean.h"
#include "txn/health.h"
#include "txn/reserve.h"
#include "txn/times.h"
#include "txn/txn_impl.h"

static const struct journal_txn_options default_options;

static int txn_bytes_allowed(struct journal *j, uint64_t bytes)
{
	if (bytes <= j->txn_bytes_max)
		return 0;
	return journal_say(j, -EMSGSIZE, "a transaction of %llu bytes is over the limit of %llu%s",
			   (unsigned long long)bytes, (unsigned long long)j->txn_bytes_max,
			   j->txn_bytes_max < JOURNAL_TXN_BYTES_MAX ? " that this log holds" : "");
}

/* Nothing is accepted that could not be finished. */
static int txn_accept(struct journal *j, const struct journal_txn_options *options)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	if (journal_failed(j))
		return journal_fail(j, -EIO);
	if (health_is_file(j) && (options->path == JOURNAL_PATH_STAGED ||
				  options->path == JOURNAL_PATH_DIRECT))
		return journal_say(j, -ENOTSUP, "staged and direct need NVRAM, and the markers "
				   "are a file");
	return txn_bytes_allowed(j, options->bytes);
}

/* A staged transaction has log room set aside for its destage (P8). */
static bool txn_may_stage(struct journal *j, const struct journal_txn_options *options)
{
	return j->stage_on && health_bits_durable(j) && options->path <= JOURNAL_PATH_STAGED &&
	       options->bytes <= j->stage_max_bytes &&
	       (!reserve_broken(j) || (clean_for_room(j) && !reserve_broken(j)));
}

int journal_begin(struct journal *j, const struct journal_txn_options *options,
		  struct journal_txn **out)
{
	struct journal_txn *txn;
	int error;

	if (!options)
		options = &default_options;
	error = txn_accept(j, options);
	if (error)
		return error;
	if (txn_may_stage(j, options)) {
		error = txn_staged_begin(j, options, out);
		if (error != -EAGAIN)
			return error;
	}
	if (options->path == JOURNAL_PATH_STAGED && health_bits_durable(j))
		return journal_say(j, options->bytes > j->stage_max_bytes ? -EMSGSIZE : -ENOSPC,
				   "the stage has no room");
	txn = txn_alloc(j);
	if (!txn)
		return journal_say(j, -ENOMEM, "no memory for a transaction");
	txn->wanted = options->path;
	txn->tag = options->tag;
	txn->reference = options->reference;
	*out = txn;
	return 0;
}

static int txn_too_large(struct journal_txn *txn, uint64_t more)
{
	/* no sum that could run over */
	return txn_bytes_allowed(txn->j, more > JOURNAL_TXN_BYTES_MAX ?
						 more : txn->spilled + txn->fill + more);
}

/* Room for @more bytes where the transaction is, or move it to where there is. */
static int txn_make_room(struct journal_txn *txn, uint64_t more)
{
	int error;

	JASSERT(!txn->ended);
	if (journal_is_childs(txn->j))
		return journal_childs(txn->j);
	if (txn->error)
		return txn->error;
	if (txn->reserved && txn->lane)
		txn_staged_reserved(txn);
	else if (txn->reserved)
		txn->fill += txn->reserved;
	txn->reserved = 0;
	if (txn->lane && more <= txn->j->stage_max_bytes &&
	    txn_staged_fits(txn, txn->fill + more + txn_table_room(txn)))
		return 0;
	error = txn_too_large(txn, more);
	if (!error && txn->lane && txn->wanted == JOURNAL_PATH_STAGED)
		error = journal_say(txn->j, -EMSGSIZE, "more than the %llu bytes of stage that "
				    "were asked for", (unsigned long long)txn->room);
	else if (!error)
		error = txn->lane ? txn_staged_spill(txn, more) : txn_buffered_room(txn, more);
	txn->error = error;
	return error;
}

int journal_append(struct journal_txn *txn, const void *data, size_t bytes)
{
	int error = txn_make_room(txn, bytes);

	if (error)
		return error;
	if (txn->lane)
		return txn_staged_append(txn, data, bytes);
	txn->error = txn_buffered_append(txn, data, bytes);
	return txn->error;
}

int journal_appendv(struct journal_txn *txn, const struct iovec *iov, int iov_count)
{
	int i, error = 0;

	for (i = 0; i < iov_count && !error; i++)
		error = journal_append(txn, iov[i].iov_base, iov[i].iov_len);
	return error;
}

int journal_reserve(struct journal_txn *txn, size_t bytes, void **where)
{
	int error;

	if (bytes > JOURNAL_RESERVE_MAX && !txn->error)
		txn->error = journal_say(txn->j, -EMSGSIZE, "%zu bytes are more than fit in one "
					 "piece (%u)", bytes, JOURNAL_RESERVE_MAX);
	error = txn_make_room(txn, bytes);
	if (error)
		return error;
	if (!txn->lane && txn->fill + bytes > txn->room) {
		txn->error = txn_buffered_make_piece(txn, bytes);
		if (txn->error)
			return txn->error;
	}
	txn->reserved = bytes;
	*where = txn->lane ? txn_staged_reserve(txn) :
			     txn->base + LOG_RECORD_BYTES + txn->fill;
	return 0;
}

int journal_group_next(struct journal_txn *txn)
{
	static const uint8_t zero[8];
	uint64_t end;
	int error;

	if (txn->count + 1 == JOURNAL_GROUP_MAX)
		return journal_say(txn->j, -E2BIG, "a group holds %u transactions",
				   JOURNAL_GROUP_MAX);
	/* room for the padding and for one more entry of the table */
	error = txn_make_room(txn, 8 + (txn->count + 2) * 4);
	if (!error && (txn->spilled || txn->extent_count))
		error = journal_say(txn->j, -EMSGSIZE, "a group is limited to 1 MiB together");
	if (error)
		return error;
	end = txn->fill;
	txn->sizes[txn->count] = (uint32_t)(end - txn->start);
	if (txn->lane)
		txn_staged_append(txn, zero, -end & 7);
	else
		txn->error = txn_buffered_append(txn, zero, -end & 7);
	txn->count++;
	txn->start = txn->fill;
	return txn->error;
}

int txn_end(struct journal_txn *txn)
{
	int error = txn->ended ? txn->error : txn_make_room(txn, 0);

	/* opened before a medium failed: nothing is written over a failure (P16) */
	if (!error && journal_failed(txn->j))
		error = journal_fail(txn->j, -EIO);

	txn->ended = true;
	return error;
}

int journal_prepare(struct journal_txn *txn)
{
	int error = journal_is_childs(txn->j) ? journal_childs(txn->j) : txn_end(txn);

	if (!error)
		error = txn->lane ? txn_staged_prepare(txn) :
				    txn_buffered_prepare(txn);
	txn->error = error;
	return error;
}

enum journal_timed txn_timed(const struct journal_receipt *receipt)
{
	if (receipt->count > 1)
		return JOURNAL_TIMED_GROUP;
	return receipt->path == JOURNAL_PATH_STAGED ? JOURNAL_TIMED_STAGED :
	       receipt->path == JOURNAL_PATH_DIRECT ? JOURNAL_TIMED_DIRECT :
						      JOURNAL_TIMED_SYNCED;
}

/* no I/O: the clock would take a good part of the time */
static int txn_commit_quick(struct journal_txn *txn, struct journal_receipt *receipt)
{
	struct journal *j = txn->j;
	uint64_t began = times_some(j);
	int error = txn->lane ? txn_staged_commit(txn, receipt) :
				txn_buffered_commit(txn, receipt);

	if (!error)
		times_some_end(j, txn_timed(receipt), began);
	return error;
}

static int txn_commit_slow(struct journal_txn *txn, struct journal_receipt *receipt)
{
	struct journal *j = txn->j;
	uint64_t began = clock_monotonic_ns();
	int error = txn_buffered_commit(txn, receipt);

	if (!error)
		times_end(j, txn_timed(receipt), began);
	return error;
}

int journal_commit(struct journal_txn *txn, struct journal_receipt *receipt)
{
	struct journal_receipt unused;
	int error;

	/* the parent's: it may yet commit it */
	if (journal_is_childs(txn->j))
		return journal_childs(txn->j);
	error = txn_end(txn);

	if (error) {
		journal_abort(txn);
		return error;
	}
	if (!receipt)
		receipt = &unused;
	if (txn->count)
		count(txn->j->counters, COUNT_GROUPS, 1);
	return txn->lane || txn->prepared ? txn_commit_quick(txn, receipt) :
					    txn_commit_slow(txn, receipt);
}

int journal_abort(struct journal_txn *txn)
{
	if (journal_is_childs(txn->j))
		return 0;
	count(txn->j->counters, COUNT_ABORTS, 1);
	if (txn->lane)
		txn_staged_abort(txn);
	else
		txn_buffered_abort(txn);
	return 0;
}

int journal_put(struct journal *j, const void *data, size_t bytes,
		struct journal_receipt *receipt)
{
	struct journal_txn_options options = { .bytes = bytes };
	struct journal_txn *txn;
	int error = journal_begin(j, &options, &txn);

	if (error)
		return error;
	error = journal_append(txn, data, bytes);
	if (error) {
		journal_abort(txn);
		return error;
	}
	return journal_commit(txn, receipt);
}
