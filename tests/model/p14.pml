/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14: NVRAM that is not trusted any more.
 *
 * A commit of K and a retire of X are under way when NVRAM goes bad, or before, or
 * after. A switcher notices, may stop for ever anywhere, and the two who commit and
 * retire do its work themselves where they need it. Then NVRAM is good again, is
 * reformatted under a new incarnation, and others use K's ring and X's line there.
 * What a power cut would leave is judged in every state: as long as nothing was
 * abandoned and NVRAM is sound, by NVRAM; once the record is durable, by the log.
 * In between what is staged is at risk (docs/durability.md); but then nothing may
 * have been acknowledged that rests on the log alone.
 *
 * model                design
 * health               the generation: even is trusted; raised by each change
 * committer            staged commit (txn_staged.c), with P14's check
 * retirer              journal_retire(), by bit, with P14's check
 * k_buffer             the processor's store buffer: what is published in the index may
 *                      be seen by others later than a load that follows it
 * switch_over()        PROTOCOL P14: generation, membarrier, scan of the index, evacuation,
 *                      one durable record, then synced commits
 * listed_*             what any such record names: several are united, a retire record
 *                      of the log wins over each
 * restorer             fresh incarnation; ring and line are used again
 *
 * K goes to the log under the id that it has: so it is one transaction, whether a
 * record lists its staged copy or not.
 *
 * Abstracted: evacuation of a readable stage and the record are one durable step; if
 * it is not readable, the record names what is lost, in the same way. A fence's
 * failing is not looked at: it is sticky (P16).
 *
 * BREAK_CHECK: a commit does not look at the generation
 * BREAK_CHECK_EARLY: a commit looks at the generation before its fence
 * BREAK_PUBLISH_LATE: a commit looks after its fence, but publishes after that
 * BREAK_RETIRE_CHECK: a retire does not look at the generation
 * BREAK_CLAIM_LATE: a retire is claimed in the index after it has looked
 * BREAK_FLAG: who looks asks whether all is well now, not whether anything has changed
 * BREAK_MEMBARRIER: the switcher scans without a barrier on the others
 * BREAK_SCAN_FIRST: the switcher scans, then sets the generation
 * BREAK_RECORD_LATE: commits go to the log before the record is durable
 * BREAK_RETIRE_RECORD: a retire trusts the list that does not name it
 * BREAK_MERGE: NVRAM that comes back is believed beside the log
 * BREAK_RESTORE_EARLY: NVRAM is used again while somebody has yet to write a record
 * BREAK_REFORMAT_LANE: a ring is used again while somebody still has its lane
 * BREAK_REFORMAT_CELL: a line is used again while somebody has a cell on it
 */
#define IMPLIES(a, b) (!(a) || (b))

byte health, switching;
bool bad, abandoned, synced;	/* bad: the medium; synced: commits go to the log */
/* NVRAM */
bool k_stage, x_retire_bit, ring_used, ring_hurt, slot_used, slot_hurt;
/* the index */
bool k_buffer, k_published, x_claimed, lane_leased, cell;
/* the log */
bool k_log, x_log_retire, k_listed, x_listed;
/* told to the user */
bool k_acked, x_retired, by_log;

#define K_LIVE (k_listed || k_log)
#ifdef BREAK_MERGE
/* an old image: the bit is as it was long ago */
#define X_LIVE (!x_log_retire)
#else
#define X_LIVE (x_listed && !x_log_retire)
#endif

proctype judge()
{
end:	do
	:: d_step {
		assert(IMPLIES(!bad && k_acked, k_stage));
		assert(IMPLIES(!bad && x_retired, x_retire_bit));
		assert(IMPLIES(by_log, abandoned));
		assert(IMPLIES(abandoned && k_acked, K_LIVE));
		assert(IMPLIES(abandoned && x_retired, !X_LIVE));
		assert(IMPLIES(abandoned && !x_claimed, X_LIVE));
		assert(!ring_hurt && !slot_hurt)
	}
	od
}

/* a store leaves the buffer when it likes; all who go into the kernel empty theirs */
inline drain()
{
	d_step {
		k_published = k_published || k_buffer;
		k_buffer = 0
	}
}

proctype buffer()
{
end:	do
	:: atomic { k_buffer -> drain() }
	od
}

/* ---- switching ---- */

inline scan()
{
	k = k_published;
	x = !x_claimed
}

inline switch_scan()
{
#ifndef BREAK_MEMBARRIER
	drain();
#endif
#ifndef BREAK_SCAN_FIRST
	scan();
#endif
#ifdef BREAK_RECORD_LATE
	synced = 1;
#endif
	d_step {
		abandoned = 1;
		k_listed = k_listed || k;
		x_listed = x_listed || x;
		k = 0;
		x = 0
	};
	synced = 1;
	switching--
}

inline switch_over()
{
#ifdef BREAK_SCAN_FIRST
	scan();
#endif
	/* generation and number of switchers are one word */
	atomic {
		if
		:: health != 2 -> health = 1; switching++
		:: else -> k = 0; x = 0; goto switched	/* it is over */
		fi
	};
	switch_scan();
switched: skip
}

proctype switcher()
{
	bool k, x;

end:	bad -> switch_over()
}

/* ---- commit ---- */

#ifdef BREAK_FLAG
#define CHANGED (health == 1)
#else
#define CHANGED (health != 0)
#endif

inline stage()
{
	k_stage = 1;
	ring_hurt = ring_used	/* somebody else's record was there */
}

inline commit_synced()
{
	drain();
	if
	:: synced
	:: else -> switch_over()
	fi;
	k_log = 1;
	atomic { k_acked = 1; by_log = 1 }
}

proctype committer()
{
	bool k, x, changed;

	if
	:: atomic { health == 0 -> lane_leased = 1 };
#ifdef BREAK_CHECK_EARLY
		changed = CHANGED;
#endif
		atomic { stage() };
#ifndef BREAK_PUBLISH_LATE
		k_buffer = 1;
#endif
#ifndef BREAK_CHECK
#ifndef BREAK_CHECK_EARLY
		changed = CHANGED;
#endif
#endif
		if
		:: changed -> commit_synced()
		:: else ->
#ifdef BREAK_PUBLISH_LATE
			k_buffer = 1;
#endif
			k_acked = 1
		fi;
		lane_leased = 0
	:: atomic { health != 0 -> skip }	/* nothing of it is staged */
	fi
}

/* ---- retire ---- */

inline clear_bit()
{
	x_retire_bit = 1;
	slot_hurt = slot_used	/* it was somebody else's slot */
}

inline retire_synced()
{
	if
	:: synced
	:: else -> switch_over()
	fi;
#ifndef BREAK_RETIRE_RECORD
	x_log_retire = 1;
#endif
	atomic { x_retired = 1; by_log = 1 }
}

proctype retirer()
{
	bool k, x, changed, mine;

	if
	:: atomic { health == 0 -> cell = 1 };
#ifndef BREAK_CLAIM_LATE
		atomic { mine = !x_claimed; x_claimed = 1 };
		if
		:: mine
		:: else -> goto unknown		/* -ENOENT */
		fi;
#endif
		atomic { clear_bit() };
		cell = 0;
#ifndef BREAK_RETIRE_CHECK
		changed = CHANGED;
#endif
#ifdef BREAK_CLAIM_LATE
		x_claimed = 1;
#endif
		if
		:: changed -> retire_synced()
		:: else -> x_retired = 1
		fi;
unknown:	cell = 0
	:: atomic { health != 0 -> skip }
	fi
}

/* ---- good again ---- */

#ifdef BREAK_REFORMAT_LANE
#define LANE_FREE true
#else
#define LANE_FREE (!lane_leased)
#endif
#ifdef BREAK_REFORMAT_CELL
#define LINE_FREE true
#else
#define LINE_FREE (!cell)
#endif

#ifdef BREAK_RESTORE_EARLY
#define NO_SWITCHER true
#else
#define NO_SWITCHER (switching == 0)
#endif

proctype restorer()
{
end:	atomic { synced && health == 1 && NO_SWITCHER -> health = 2 };
	do
	:: atomic { LANE_FREE && !ring_used -> ring_used = 1 }
	:: atomic { LINE_FREE && !slot_used -> slot_used = 1 }
	/* X has a slot there, too, in which it is retired by a bit: that copy, with
	 * more moves, stands for the listed one */
	:: atomic { !x_claimed -> x_claimed = 1; x_listed = 0; x_retired = 1 }
	od
}

init {
	atomic {
		run judge();
		run buffer();
		run restorer();
		run switcher();
		run committer();
		run retirer()
	};
	bad = 1
}
