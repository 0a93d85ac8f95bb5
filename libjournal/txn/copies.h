/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading what can be verified, of a log that may be mirrored (store/log_copies.h): when
 * the copy that was read does not verify, the other one is looked at, and if that one
 * does, the bad one is written anew from it, and counted.
 *
 * What is written anew must stay as it is meanwhile: nobody else writes there.  So it is
 * in recovery, and of records that are held: in a sealed segment, or published.
 */
#ifndef TXN_COPIES_H
#define TXN_COPIES_H

#include "store/log_copies.h"
#include "txn/read.h"

/**
 * struct copies - what is read, and how it is verified
 * @verify: Return: 0, or -EBADMSG; may be called several times.  It may say @from and @bytes
 * @stays:  nobody else writes there
 * @from, @bytes: of the io, what was verified, and a copy is repaired with; 0: all
 * @number: segment, for people; or NO_SEGMENT
 */
struct copies {
	struct journal *j;
	uint32_t log, number;
	int (*verify)(struct copies *c, const struct log_io *io);
	void *context;
	bool stays;
	uint32_t from, bytes;
};

/* both copies are to be looked at, also where the first one is right: journal_check(),
 * journal_mirror() */
static inline bool copies_all(const struct journal *j, uint32_t log)
{
	return (j->found || j->scrub) && log_copies_several(j->logs[log]);
}

/* The same of records.  In recovery all of them takes long, and nobody else can open the
 * journal as long: who is to repair them looks at them afterwards (mirror_look.c). */
static inline bool copies_all_records(const struct journal *j, uint32_t log)
{
	return copies_all(j, log) && !(j->scrub && j->recovering);
}

/**
 * copies_read() - read @io from whichever copy verifies
 * Return: 0, -EBADMSG none does, or what reading said.
 */
int copies_read(struct copies *c, struct log_io *io);

/* A record that was read and did not verify: the other copy.  @io: from record_span(),
 * its buffer is read to.  Return: as record_verify() */
int copies_record(struct journal *j, uint32_t number, uint32_t offset, struct log_io *io,
		  struct record *record);

/* Both copies of @io are the same; @spare: as large as it.  @io has the first one then. */
bool copies_agree(struct journal *j, uint32_t log, struct log_io *io, void *spare);

/* What is repaired from here on is told at copies_gathered(), a segment of a leg at once.
 * Context: @j is not opened yet.  It is closed after copies_gathered(). */
void copies_gather(struct journal *j);
void copies_gathered(struct journal *j);

/* A copy is damaged: counted, and told to who wants to know. */
void copies_tell(struct journal *j, uint32_t log, uint32_t number, unsigned int leg,
		 uint64_t offset, bool repaired);

#endif
