/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log store that lies on two others: every write goes to both at a time, and is done
 * when both are; store/log_copies.h has the rest of what it can do, format/leg.h what it
 * keeps at the head of each.
 */
#ifndef LOG_LOG_MIRROR_H
#define LOG_LOG_MIRROR_H

#include "format/leg.h"
#include "format/run.h"
#include "store/log_store.h"

/**
 * struct log_legs_of - which two, and of what
 * @path:  their files or devices
 * @uuid:  of the journal
 * @left:  1 or 2: somebody else remembers that this one was left; 0: none
 * @open, @join: how a leg is opened
 * @runs:  of all logs, by journal.conf; during the call.  NULL: there are none
 * @log:   which of them it is
 */
struct log_legs_of {
	const char *path[LEGS];
	const uint8_t *uuid;
	unsigned int left;
	log_store_opener *open;
	log_store_joiner *join;
	const struct log_runs *runs;
	uint32_t log;
};

/**
 * log_mirror_open() - as log_store_opener, which see
 * With LOG_CREATE both are made, @bytes of log on each.  Else one will do, if it is up to
 * date as far as is known: the other one is left then by the first write.  One that is
 * shorter than the log counts as not there.
 * Return: 0, or negative errno with the text; of both, what the first one said; and
 * -EUCLEAN  there is only one, and it is out of date
 * -ENOTUNIQ each has gone on without the other one
 * -EXDEV    they are not of one log
 */
int log_mirror_open(const struct log_legs_of *legs, unsigned int flags, uint64_t bytes,
		    const struct journal_progress *progress, struct log_store **store,
		    struct message *message);

/* as log_store_joiner; @share: LOG_SHARES of them */
int log_mirror_join(const struct log_legs_of *legs, unsigned int flags,
		    struct log_share *share, struct log_store **store,
		    struct message *message);

/**
 * log_mirror_choose() - of two that each went on alone, or of the one that is there
 * @keep: that leg is to count; the other one, if it is there, is out of date
 * Context: nobody has the log open.  Durable on return 0.
 * Return: 0, or negative errno with the text; -EUCLEAN: the leg is shorter than the log;
 * -EINVAL: the other one is there, and has all: nothing is changed
 */
int log_mirror_choose(const struct log_legs_of *legs, unsigned int keep,
		      struct message *message);

#endif
