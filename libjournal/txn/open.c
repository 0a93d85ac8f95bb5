/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening, until it is decided. */
#include <errno.h>

#include "txn/beside.h"
#include "txn/open_impl.h"

#define OPEN_TRIES 100

/* The log has its room, also where nothing can be made any more beside it: one process at a
 * time, which shares the index with nobody, can empty it. */
static bool journal_lacks_room(struct journal *j, int error, struct message *why)
{
	if (!error || !j || j->role != ENTRY_FIRST || *why->text || !atomic_load(&j->index_full))
		return false;
	(void)message_set(why, 0, "no room for an index that is shared: %.400s",
			  journal_error(j));
	return true;
}

int journal_open_prepared(const char *dir, const struct journal_open_options *options,
			  void (*prepare)(struct journal *j, void *context), void *context,
			  struct journal **journal)
{
	struct message why = { "" };
	int error, try;

	for (try = 0;; try++) {
		error = journal_open_once(dir, options, prepare, context, *why.text ? &why : NULL,
					  journal);
		if (!journal_lacks_room(*journal, error, &why) &&
		    (error != -ESTALE || try == OPEN_TRIES))
			return error;
		(void)journal_close(*journal);
	}
}

int journal_open(const char *dir, const struct journal_open_options *options,
		 struct journal **journal)
{
	static const struct journal_open_options defaults;
	struct journal *later;
	int error = journal_open_prepared(dir, options ? options : &defaults, NULL, NULL, journal);

	if (error || !beside_doubtful(*journal))
		return error;
	if (journal_open_once(dir, options ? options : &defaults, NULL, NULL, NULL, &later)) {
		(void)journal_close(later);
		return 0;
	}
	beside_settle(*journal, later);
	(void)journal_close(*journal);
	*journal = later;
	return 0;
}
