/* SPDX-License-Identifier: BSD-3-Clause */
/* Markers that are older than the log: nothing is to be written by what they say. */
#include <errno.h>

#include "txn/checkpoint.h"
#include "txn/recover.h"

/*
 * Retire records that a checkpoint has made needless may be gone with their segments, and
 * what is in the log may be live for somebody else.
 */
static int older_than_copy(struct recovery *r)
{
	struct journal *j = r->j;

	/* a reader has the checkpoint of a moment ago, and writes nothing; that the newest one
	 * is damaged was told */
	if (j->read_only || j->marker->fell_back)
		return 0;
	return journal_say(j, -EUCLEAN, "%s: is older than the log: its incarnation is %llu, the "
			   "log has %llu: another copy of the directory has written it, or an old "
			   "copy of the file has come back (with no other one: jnl rescue --force)",
			   j->conf.marker, (unsigned long long)r->incarnation,
			   (unsigned long long)recover_log_incarnation(r));
}

/*
 * The incarnation is raised on the medium before anything of it is written elsewhere.  So a
 * log that has a higher one than the markers shows that an old image of them has come back,
 * or that the log was written by who has others.
 */
int recover_older(struct recovery *r)
{
	struct journal *j = r->j;
	uint64_t now;

	/* a reader beside a writer: it may have been raised since it was looked at */
	if (!r->incarnation || j->writer_pid || recover_log_incarnation(r) <= r->incarnation)
		return 0;
	if (!j->bits_durable)
		return older_than_copy(r);
	/* also by one who came after the reader had looked for one */
	if (j->read_only && !word_unseal(state_media(j)->incarnation, &now) &&
	    recover_log_incarnation(r) <= now)
		return 0;
	return journal_say(j, -EUCLEAN, "%s: is older than the log: its incarnation is %llu, the "
			   "log has %llu (if it stays so: jnl rescue)", j->conf.marker,
			   (unsigned long long)r->incarnation,
			   (unsigned long long)recover_log_incarnation(r));
}
