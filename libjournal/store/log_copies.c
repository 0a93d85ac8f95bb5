/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/log_copies.h"

#include <errno.h>

#include "util/assert.h"

int log_copies_read(struct log_store *store, unsigned int leg, struct log_io *io,
		    unsigned int count)
{
	unsigned int i;

	JASSERT(store->copies && leg < 2 && count);
	for (i = 0; i < count; i++)
		log_store_check_io(store, &io[i]);
	return store->copies->read(store, leg, io, count);
}

int log_copies_repair(struct log_store *store, unsigned int leg, struct log_io *io)
{
	JASSERT(store->copies && leg < 2);
	log_store_check_io(store, io);
	if (store->read_only)
		return -EROFS;
	return store->copies->repair(store, leg, io);
}

void log_copies_damaged(struct log_store *store, unsigned int leg, uint64_t offset,
			bool repaired)
{
	JASSERT(store->copies && leg < 2);
	store->copies->damaged(store, leg, offset, repaired);
}

void log_copies_look(const struct log_store *store, unsigned int leg, struct log_copy *copy)
{
	JASSERT(store->copies && leg < 2);
	store->copies->look(store, leg, copy);
}

int log_copies_renew(struct log_store *store, const struct log_renew *how,
		     struct message *message)
{
	static const struct log_renew as_it_comes;

	JASSERT(!store->read_only);
	return store->copies ? store->copies->renew(store, how ? how : &as_it_comes, message) : 0;
}

void log_copies_died(struct log_store *store, bool copier)
{
	if (store->copies)
		store->copies->died(store, copier);
}
