/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The staged path.  The normal case, no lock and no system call:
 *
 *  1. begin: lease a lane that has room for the record.
 *  2. append: copy into the ring behind the place of the header, checksum.
 *  3. commit: take a slot of the lane's line, write the header, ONE fence.
 *  4. publish: slot entry, then the bit that makes it visible; lane back.
 *
 * Failures: a crash before the fence leaves a record that does not verify, or
 * one that does (its commit was in flight): both are allowed.  No line left:
 * nothing was written, the transaction is aborted.  Abort writes nothing: a
 * record's header does not exist before its commit, and its slot is taken
 * only then.
 */
#include <errno.h>
#include <string.h>

#include "txn/background.h"
#include "txn/clock.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/txn_impl.h"
#include "util/crc32c.h"

static struct journal_txn *lane_txn(struct journal *j, struct lane *lane)
{
	struct journal_txn *txn = lane->spare;

	if (!txn) {
		background_staged(j);
		return txn_alloc(j);
	}
	lane->spare = NULL;
	return txn;
}

/* The object stays with the lane: what a begin relies on is cleared here. */
static void txn_staged_end(struct journal_txn *txn)
{
	struct lane *lane = txn->lane;

	txn->fill = 0;
	txn->carry = 0;
	txn->count = 0;
	txn->start = 0;
	txn->reserved = 0;
	txn->error = 0;
	txn->prepared = false;
	txn->ended = false;
	txn->finished = false;
	txn->slots_taken = false;
	lane->spare = txn;
	lane_return(lane);
}

int txn_staged_begin(struct journal *j, const struct journal_txn_options *options,
		     struct journal_txn **out)
{
	uint64_t payload = options->bytes ? options->bytes : j->stage_max_bytes;
	struct lane *lane = lane_lease(j, stage_record_bytes(payload));
	struct journal_txn *txn;

	if (!lane) {
		count(j->counters, COUNT_NO_LANE, 1);
		return -EAGAIN;
	}
	txn = lane_txn(j, lane);
	if (!txn) {
		lane_return(lane);
		return journal_say(j, -ENOMEM, "no memory for a transaction");
	}
	txn->lane = lane;
	txn->base = lane->ring + lane->s->head_offset;
	txn->room = stage_record_bytes(payload) - STAGE_HEADER_BYTES;
	txn->crc = lane->seed;
	txn->wanted = options->path;
	txn->tag = options->tag;
	txn->reference = options->reference;
	*out = txn;
	return 0;
}

bool txn_staged_fits(struct journal_txn *txn, uint64_t bytes)
{
	if (bytes <= txn->room)
		return true;
	/* the limit is on payload: a group's padding and table come on top */
	if (bytes > txn->j->stage_max_bytes + (txn->count ? 12ull * JOURNAL_GROUP_MAX : 0) ||
	    !lane_fits(txn->lane, stage_record_bytes(bytes)))
		return false;
	txn->room = stage_record_bytes(bytes) - STAGE_HEADER_BYTES;
	return true;
}

static uint8_t *txn_staged_at(const struct journal_txn *txn, uint64_t fill)
{
	return txn->base + STAGE_HEADER_BYTES + fill;
}

/* The medium takes whole words: the last bytes wait in carry for the rest. */
static void txn_staged_store(struct journal_txn *txn, const uint8_t *data, size_t bytes)
{
	struct marker_store *marker = txn->j->marker;
	size_t part = txn->fill & 7, take, whole;

	if (part) {
		take = min_u64(8 - part, bytes);
		memcpy((uint8_t *)&txn->carry + part, data, take);
		txn->fill += take;
		data += take;
		bytes -= take;
		if (part + take < 8)
			return;
		nv_copy(marker, txn_staged_at(txn, txn->fill - 8), &txn->carry, 8);
	}
	whole = bytes & ~(size_t)7;
	if (whole)
		nv_copy(marker, txn_staged_at(txn, txn->fill), data, whole);
	txn->carry = 0;
	if (bytes > whole)
		memcpy(&txn->carry, data + whole, bytes - whole);
	txn->fill += bytes;
}

int txn_staged_append(struct journal_txn *txn, const void *data, size_t bytes)
{
	/* in this order the stores drain while the checksum is made */
	txn_staged_store(txn, data, bytes);
	txn->crc = crc32c(txn->crc, data, bytes);
	return 0;
}

void *txn_staged_reserve(struct journal_txn *txn)
{
	uint64_t part = txn->fill & 7;

	/* the caller's bytes follow directly: what waits goes there first */
	if (part)
		memcpy(txn_staged_at(txn, txn->fill - part), &txn->carry, part);
	return txn_staged_at(txn, txn->fill);
}

void txn_staged_reserved(struct journal_txn *txn)
{
	uint64_t from = txn->fill & ~7ull;
	uint64_t end = txn->fill + txn->reserved;

	txn->crc = crc32c(txn->crc, txn_staged_at(txn, txn->fill), txn->reserved);
	nv_flush(txn->j->marker, txn_staged_at(txn, from), end - from);
	txn->carry = 0;
	if (end & 7)
		memcpy(&txn->carry, txn_staged_at(txn, end & ~7ull), end & 7);
	txn->fill = end;
	txn->reserved = 0;
}

/* The end of the payload: a group's table, and the word that waits. */
static void txn_staged_finish(struct journal_txn *txn)
{
	__le32 table[JOURNAL_GROUP_MAX];
	uint32_t bytes;

	if (txn->finished)
		return;
	txn->finished = true;
	txn->sizes[txn->count] = (uint32_t)(txn->fill - txn->start);
	bytes = txn_group_table(txn, table);
	if (bytes) {
		static const uint8_t zero[8];

		txn_staged_append(txn, zero, -txn->fill & 7);
		txn_staged_append(txn, table, bytes);
	}
	if (txn->fill & 7)
		nv_copy(txn->j->marker, txn_staged_at(txn, txn->fill & ~7ull), &txn->carry, 8);
}

static int txn_staged_slots(struct journal_txn *txn)
{
	struct lane *lane = txn->lane;
	int error;

	if (txn->slots_taken)
		return 0;
	error = line_take(txn->j, &lane->s->from, txn_group_count(txn), &txn->slot);
	if (error)
		return error;
	txn->line = lane->s->from.line;
	txn->number = lane->s->from.line_number;
	txn->slots_taken = true;
	txn->time_ns = clock_ns();
	txn_fill_slots(txn, where_stage(lane->index, lane->s->head), 0);
	return 0;
}

int txn_staged_prepare(struct journal_txn *txn)
{
	int error;

	txn_staged_finish(txn);
	error = txn_staged_slots(txn);
	if (error)
		return error;
	/* The payload is durable before commit is called: it then waits for the
	 * header alone. */
	error = health_fence(txn->j);
	return error ? journal_fail(txn->j, error) : 0;
}

static int txn_staged_certify(struct journal_txn *txn)
{
	struct lane *lane = txn->lane;
	struct stage_meta meta = {
		.type = STAGE_DATA,
		.count = txn_group_count(txn),
		.position = lane->s->head,
		.id = id_make(txn->number, txn->slot),
		.line = txn->line,
		.bytes = (uint32_t)txn->fill,
		.payload_crc = txn->crc,
		.time_ns = txn->time_ns,
		.tag = txn->tag,
		.reference = txn->reference,
	};
	struct stage_record record;

	stage_encode(&meta, &lane->s->last, lane->seed, &record);
	nv_copy(txn->j->marker, txn->base, &record, sizeof(record));
	/* The durable point: payload and header before the acknowledgement.
	 * Either may reach the medium first; the checksums tell. */
	return health_fence(txn->j);
}

/* NVRAM was given up meanwhile.  What it does not give back was told to nobody, and is
 * retired: somebody may have seen it. */
static int txn_staged_unstage(struct journal *j, struct journal_receipt *receipt)
{
	int error = health_unstage(j, receipt->id, receipt->count);
	uint32_t i;

	receipt->path = JOURNAL_PATH_SYNCED;
	receipt->survives = j->survives_log;
	if (error != -EBADMSG)
		return journal_undecided(j, error);
	for (i = 0; i < receipt->count; i++)
		(void)journal_retire(j, receipt->id + i);
	return journal_say(j, -EIO, "NVRAM was lost with the transaction in it: it is not "
			   "committed");
}

int txn_staged_commit(struct journal_txn *txn, struct journal_receipt *receipt)
{
	struct journal *j = txn->j;
	struct lane *lane = txn->lane;
	uint32_t transactions = txn_group_count(txn);
	int error;

	txn_staged_finish(txn);
	error = txn_staged_slots(txn);
	if (error) {
		txn_staged_abort(txn);
		return error;
	}
	error = txn_staged_certify(txn);
	if (error) {
		/* undecided: the slots stay taken, recovery decides */
		error = journal_fail(j, error);
		txn_staged_end(txn);
		return error;
	}
	lane_last(lane, id_make(txn->number, txn->slot), txn->line, transactions);
	lane_advance(lane, id_make(txn->number, txn->slot), transactions,
		     stage_record_bytes(txn->fill));
	line_publish_alone(&j->lines[txn->line], txn->slot, transactions);
	*receipt = (struct journal_receipt){
		.id = id_make(txn->number, txn->slot),
		.count = transactions,
		.path = JOURNAL_PATH_STAGED,
		.survives = j->survives_staged,
	};
	lane_count(lane, transactions, txn->fill);
	/* after it is in the index (P14): who switches has it in his list, or we see him */
	if (health_look(j) != lane->seen)
		error = txn_staged_unstage(j, receipt);
	txn_staged_end(txn);
	return error;
}

void txn_staged_abort(struct journal_txn *txn)
{
	/* prepared: nobody may use these slots again in this epoch (P1) */
	txn_drop_slots(txn);
	txn_staged_end(txn);
}

int txn_staged_spill(struct journal_txn *txn, uint64_t more)
{
	struct lane *lane = txn->lane;
	const uint8_t *from = txn->base + STAGE_HEADER_BYTES;
	uint64_t fill = txn->fill, part = fill & 7;
	uint64_t carry = txn->carry;
	int error;

	txn->lane = NULL;
	txn->base = NULL;
	txn->room = 0;
	txn->fill = 0;
	error = txn_buffered_room(txn, fill + more);
	if (!error)
		error = txn_buffered_append(txn, from, fill - part);
	if (!error && part)
		error = txn_buffered_append(txn, &carry, part);
	lane_return(lane);
	return error;
}
