/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots of buffered transactions, and what a group adds to its payload. */
#include "txn/line.h"
#include "txn/slots.h"
#include "txn/txn_impl.h"

static struct slot *txn_slots(const struct journal_txn *txn)
{
	return &txn->j->slots[(size_t)txn->line * SLOTS_PER_LINE + txn->slot];
}

/* Whoever was here before has given up its place in the log: so what a slot
 * names while its transaction is undecided is that transaction's own. */
static void txn_slots_are_clear(const struct journal_txn *txn)
{
	const struct slot *slot = txn_slots(txn);
	uint32_t i;

	for (i = 0; i <= txn->count; i++)
		JASSERT(where_kind(atomic_load_explicit(&slot[i].where, memory_order_relaxed)) !=
			WHERE_LOG);
}

int txn_take_slots(struct journal_txn *txn)
{
	struct journal *j = txn->j;
	int error;

	if (txn->slots_taken)
		return 0;
	pthread_mutex_lock(&j->own_lock);
	error = line_take(j, j->own, txn_group_count(txn), &txn->slot);
	if (!error) {
		txn->line = j->own->line;
		txn->number = j->own->line_number;
		txn->slots_taken = true;
	}
	pthread_mutex_unlock(&j->own_lock);
	if (!error)
		txn_slots_are_clear(txn);
	return error;
}

static uint32_t slot_units(uint64_t where, uint32_t units, uint32_t bytes)
{
	return where_kind(where) != WHERE_STAGE ? units :
						  (uint32_t)(log_record_bytes(bytes) / 32);
}

void txn_fill_slots(struct journal_txn *txn, uint64_t where, uint32_t units)
{
	struct slot *slot = txn_slots(txn);
	uint32_t i;

	for (i = 0; i <= txn->count; i++, slot++)
		slot_set(slot, where, txn->sizes[i], slot_units(where, units, txn->sizes[i]),
			 txn->time_ns);
}

void txn_clear_slots(struct journal_txn *txn)
{
	struct slot *slot = txn_slots(txn);
	uint32_t i;

	for (i = 0; i <= txn->count; i++)
		atomic_store_explicit(&slot[i].where, 0, memory_order_release);
}

void txn_drop_slots(struct journal_txn *txn)
{
	if (!txn->slots_taken)
		return;
	/* before they are dead: then the line may be another's */
	txn_clear_slots(txn);
	line_dead(txn->j, txn->line, txn->number, txn->slot, txn_group_count(txn));
	txn->slots_taken = false;
}

uint32_t txn_group_table(const struct journal_txn *txn, __le32 table[JOURNAL_GROUP_MAX])
{
	uint32_t i;

	if (!txn->count)
		return 0;
	for (i = 0; i <= txn->count; i++)
		table[i] = put_le32(txn->sizes[i]);
	return (txn->count + 1) * 4;
}
