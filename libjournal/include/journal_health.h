/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: whether NVRAM is trusted.  Part of journal.h, which includes it: what is
 * said there of errors, threads and handles holds here too.
 *
 * When the marker medium says that it is not to be trusted any more (its battery is not
 * armed, a module is gone), what is staged is brought to the log at once, and commits go
 * on through the log: durable, slower, and as "synced" in their receipts.  No process has
 * to do anything for that; journal_maintain() asks the medium, and who joins, and, where the
 * stage has 8 MiB or more, once a second a thread beside those who stage.  When it is healthy again
 * for some time, it is used again, under a new incarnation; no process has to do anything
 * for that either.  (Where it cannot be while it is open, because it is a device, by the
 * first who opens the journal.)
 *
 * The library installs no signal handlers: of NVRAM that is poisoned, or a file in its place
 * that is made shorter while it is in use, who touches what is gone dies by SIGBUS.
 */
#ifndef JOURNAL_HEALTH_H
#define JOURNAL_HEALTH_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * enum journal_trust - in the marker medium
 * @JOURNAL_TRUSTED:   in use
 * @JOURNAL_SWITCHING: given up; what it held is being brought to the log
 * @JOURNAL_ABANDONED: given up; the file DIR/stand-in has its place
 * @JOURNAL_RETURNING: still given up; what lives is being marked on it anew
 */
enum journal_trust {
	JOURNAL_TRUSTED = 1,
	JOURNAL_SWITCHING = 2,
	JOURNAL_ABANDONED = 3,
	JOURNAL_RETURNING = 4,
};

/**
 * struct journal_health - how it stands with the marker medium
 * @trust:          markers in a file are always trusted
 * @since_ns:       when that came to be, CLOCK_REALTIME; 0: since open
 * @why:            what said so, for people
 * @evacuated:      transactions that were brought from the stage to the log
 * @evacuated_lost: transactions that could not be read any more: COMMITTED_BUT_LOST
 * @stand_in:       1: there is something to go on with, should it be given up
 * @stand_in_not:   why there is not
 * @legs_out:       legs of mirrored logs that are not in use: journal_legs()
 */
struct journal_health {
	enum journal_trust trust;
	uint64_t since_ns;
	char why[128];
	uint64_t evacuated;
	uint64_t evacuated_lost;
	int stand_in;
	char stand_in_not[256];
	uint32_t legs_out;
};

/**
 * journal_health() - fill in @health
 * How much is at risk in the stage, and how old it is, is in struct journal_info.
 * Context: does not block, but for the log while trust changes: who asks helps.
 * Return: 0.
 */
int journal_health(struct journal *journal, struct journal_health *health);

/**
 * journal_health_fd() - a descriptor for poll() that tells of changes
 *
 * It becomes readable when the trust has changed to abandoned, or back to trusted, or when
 * a leg of a mirrored log was left, or is good again, in whatever process that was noticed;
 * it may be readable for nothing.  journal_health() makes it quiet again.  It is the
 * journal's, and closed with it.
 * Return: the descriptor, or negative errno (-ECHILD as ever).
 */
int journal_health_fd(struct journal *journal);

/**
 * journal_distrust() - give the marker medium up, as if it had said so itself
 * @why: for people; may be NULL
 *
 * For who knows more than the medium: a battery is about to be exchanged.  If the medium
 * says that it is well, journal_maintain() goes back to it, as ever: a call while it is
 * given up lets that begin anew.
 * Durable: on return 0 all that was acknowledged is, in the log.
 * Context: blocks for the log.
 *
 * Return: 0, or
 * -ENOTSUP the markers are a file
 * -EROFS, -ECHILD as ever
 * -EIO     sticky: there is nothing to go on with (stand_in_not), or the log failed, too
 */
int journal_distrust(struct journal *journal, const char *why);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
