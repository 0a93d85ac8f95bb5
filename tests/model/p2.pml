/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P2: retire against move.
 *
 * A transaction X lies in the slot of line 0. A mover brings it to the slot of its
 * own line 1; two retire it; a recycler takes each line as soon as it is free and
 * commits another transaction there, which must not be hurt. The mover may be
 * killed anywhere; then somebody takes over. The power may fail anywhere; then
 * recovery runs, may be cut itself, and X is retired and the lines are recycled
 * once more.
 *
 * model                design
 * idx_cur, idx_other   X's entry of the index, one word changed by compare-and-swap
 *                      (P18): where X is; and the slot announced for it, or the one
 *                      that it comes from while that is not yet durably cleared
 * number, committed, claimed
 *                      the lines in the index (docs/decisions/0006-processes.md)
 * cells[line]          hazard cells, a bit for each process
 * epoch, rb            the line on the medium: epoch, retire bit
 * mover                cleaning and evacuation; P2
 * retirer              journal_retire(), by bit
 * recycler             line_open(): proved to be one step by p1.pml
 * take_over()          "Taking over the dead (P7)"
 * recover()            recovery; the loser is retired before anything is served
 *
 * The rule of a retire, as it is here: claim the slot where X is; read the entry
 * again; claim the other slot as well; clear both, each with a cell on its line that
 * is kept until the bit is cleared, and the epoch looked at after the cell; a line
 * whose number is away is not cleared, but its word is flushed all the same. If the
 * other slot was claimed already, the retire is ours iff X is still where we
 * claimed it.
 *
 * The mover keeps its own line's cell all the time. The one on the line that it moves
 * from it has while it announces, and again from when it has looked once more that X
 * is there until the old bit is cleared: in between it may copy from many lines.
 *
 * Abstracted: lines of one slot, the worst case, since with its claim the line is
 * free at once; the copy is durable in one step and certifies itself (a copy that
 * needed a commit bit would need the mover's cell for that, too). How an id is found
 * whose first line is recycled is the index's matter.
 *
 * BREAK_ANNOUNCE: the mover does not announce the slot
 * BREAK_RECHECK: the mover does not look at slot 1's claim again
 * BREAK_RELOOK: the mover, having copied, does not look again whether X is there
 * BREAK_RECHECK_ORDER: the mover looks at the claim before it announces
 * BREAK_COPY: slot 1 is cleared before the copy is durable
 * BREAK_COMMITTED: the copy is published before its slot counts as committed
 * BREAK_MOVER_CELL: the mover holds no cell on its own line
 * BREAK_MOVED_FENCE: the mover lets go of slot 1 before its bit is fenced
 * BREAK_REREAD: who retires does not read the entry again
 * BREAK_OTHER: who finds X in slot 2 does not see to slot 1
 * BREAK_AWAY: who retires takes a line whose number is away for recycled
 * BREAK_EPOCH: who retires clears slot 2 without looking at its line's epoch
 * BREAK_CELL: who retires has no cell on slot 2's line
 * BREAK_CELL_EARLY: who retires gives the cell back before the bit is cleared
 * BREAK_RETIRE_FENCE: a retire is acknowledged without its fence
 * BREAK_PENDING: recycled while slot 1's bit is not yet cleared
 * BREAK_TAKER_CELLS: the dead mover's cells are emptied before its move is ended
 * BREAK_TAKER_EPOCH: a dead mover's move is ended without a look at line 0's epoch
 * BREAK_TAKER_ABORT: the slot of a dead mover is given up, but not durably
 * BREAK_TAKER_LEAVES: a published move of the dead is not ended
 * BREAK_LOSER: recovery leaves the loser as it is
 * BREAK_LOSER_FENCE: recovery serves before the loser is durably retired
 */
#include "nvram.h"

#define NONE 2
#define MOVER 4
#define TAKER 8

byte idx_cur, idx_other = NONE;
byte number[2], epoch[2];
bool committed[2], claimed[2];
byte cells[2];
word rb0, rb1;
bool copied;		/* the copy is in the log */
bool innocent[2];	/* another's transaction was acknowledged in that line */
bool retiring, retired, killed, crashed, taken_over;
byte acks;
bool unanswered[2] = 1;	/* a retire that has not returned */

#define X1 (epoch[0] == 0 && rb0.d)
#define X2 (copied && epoch[1] == 0 && rb1.d)
#define FOUND (number[idx_cur] != 1 && committed[idx_cur] && !claimed[idx_cur])

proctype judge()
{
end:	do
	:: d_step {
		assert(IMPLIES(!retiring, X1 || X2));
		assert(IMPLIES(retired, !X1 && !X2));
		assert(IMPLIES(innocent[0], epoch[0] == 1 && rb0.d));
		assert(IMPLIES(innocent[1], epoch[1] == 1 && rb1.d));
		assert(acks <= 1);
		/* of those who retire X, one is not told -ENOENT */
		assert(IMPLIES(!unanswered[0] && !unanswered[1], retired));
		/* what a reader would find */
		assert(IMPLIES(!retiring && !crashed, FOUND));
		assert(IMPLIES(retired && !crashed, !FOUND));
		/* who is dead pins no line */
		assert(IMPLIES(taken_over && idx_cur == 1 && number[0] == 0, claimed[0]));
		assert(IMPLIES(taken_over && idx_cur == 0 && number[1] == 0,
			       claimed[1] || !committed[1]))
	}
	od
}

inline clear(line)
{
	if
	:: line == 0 -> nv_store(rb0, 0)
	:: else -> nv_store(rb1, 0)
	fi
}

inline cell_take(line, who)
{
	cells[line] = cells[line] | who
}

inline cell_give(line, who)
{
	cells[line] = cells[line] & ~who
}

/* ---- the mover ---- */

/* by the mover, or for it */
inline cells_empty()
{
	d_step {
		cells[0] = cells[0] & ~MOVER;
		cells[1] = cells[1] & ~MOVER
	}
}

/* slot 1 is let go: by the mover, or for it */
inline move_end(who)
{
	claimed[0] = 1;		/* already so: somebody retires it, and clears both */
	clear(0);
	cell_give(0, who);	/* what is flushed from here on, whatever it is, does no harm */
#ifdef BREAK_MOVED_FENCE
	atomic { idx_other = NONE };
	nv_fence(rb0)
#else
	nv_fence(rb0);
	atomic { idx_other = NONE }
#endif
}

/* slot 2 will never be live; the entry does not name it any more */
inline move_undo()
{
#ifndef BREAK_TAKER_ABORT
	clear(1);
	nv_fence(rb1);
#endif
	claimed[1] = 1;
	d_step {
		if
		:: idx_cur == 0 && idx_other == 1 -> idx_other = NONE
		:: else
		fi
	}
}

inline announce()
{
#ifdef BREAK_ANNOUNCE
	skip
#else
	idx_other = 1
#endif
}

inline publish()
{
	d_step { idx_cur = 1; idx_other = 0 }
}

inline move_publish()
{
#ifdef BREAK_COMMITTED
	publish();
	committed[1] = 1;
#else
	committed[1] = 1;
	publish();
#endif
	move_end(MOVER);
#ifdef BREAK_COPY
	copied = 1
#endif
}

inline move()
{
#ifdef BREAK_RECHECK_ORDER
	seen = claimed[0];
	announce();
#else
	announce();
#ifndef BREAK_RECHECK
	seen = claimed[0];
#endif
#endif
	if
	:: seen -> move_undo()
	:: else ->
#ifndef BREAK_COPY
		copied = 1;
#endif
		cell_give(0, MOVER);
		cell_take(0, MOVER);
		seen = number[0] != 0 || claimed[0];
#ifdef BREAK_RELOOK
		seen = 0;
#endif
		if
		:: seen -> move_undo()
		:: else -> move_publish()
		fi
	fi
}

proctype mover()
{
	bool seen;

	{
		d_step {
			cells[0] = cells[0] | MOVER
#ifndef BREAK_MOVER_CELL
			; cells[1] = cells[1] | MOVER
#endif
		};
		if
		:: number[0] == 0 && !claimed[0] -> move()
		:: else
		fi;
		cells_empty()
	} unless { killed }
}

/* ---- who takes over from it ---- */

/* the dead one's cell may have been given back: the line be another's by now */
inline take_over_end()
{
	cell_take(0, TAKER);
	if
#ifdef BREAK_TAKER_EPOCH
	:: true -> move_end(TAKER)
#endif
	:: number[0] == 0 -> move_end(TAKER)
	:: else ->
		cell_give(0, TAKER);
		nv_fence(rb0);
		atomic { idx_other = NONE }
	fi
}

inline take_over()
{
#ifdef BREAK_TAKER_CELLS
	cells_empty();
#endif
	if
	/* its move is published: bring it to its end */
#ifndef BREAK_TAKER_LEAVES
	:: idx_cur == 1 && idx_other == 0 -> take_over_end()
#endif
	/* committed, not yet published: it may be */
	:: idx_cur == 0 && idx_other == 1 && committed[1] -> publish(); take_over_end()
	:: number[1] == 0 && !committed[1] && !claimed[1] -> move_undo()
	:: else
	fi;
	cells_empty();
	taken_over = 1
}

proctype taker()
{
end:	killed -> take_over()
}

/* ---- who retires ---- */

/* the other slot, and whether X is ours */
inline retire_other()
{
#ifndef BREAK_CELL
	cell_take(o, me);
#endif
	if
#ifndef BREAK_EPOCH
	:: number[o] != 0 ->
		mine = (idx_cur == c);
#ifdef BREAK_AWAY
		o = NONE
#endif
#endif
	:: else ->
		d_step {
			mine = !claimed[o];
			claimed[o] = 1
		};
		if
		:: !mine -> mine = (idx_cur == c)
		:: else
		fi;
#ifdef BREAK_CELL_EARLY
		cell_give(o, me);
#endif
		clear(o)
	fi
}

inline retire_claimed()
{
#ifndef BREAK_REREAD
	d_step {
		o = (idx_cur != c -> idx_cur : idx_other)
#ifdef BREAK_OTHER
		;
		if
		:: c == 1 -> o = NONE
		:: else
		fi
#endif
	};
#endif
	mine = 1;
	if
	:: o != NONE -> retire_other()
	:: else
	fi;
	clear(c);
#ifndef BREAK_RETIRE_FENCE
	/* the words that were cleared, and the other slot's in any case: a flush
	 * does no harm to whatever stands there */
	d_step {
		if
		:: c == 0 || o == 0 -> nv_fence(rb0)
		:: else
		fi;
		if
		:: c == 1 || o == 1 -> nv_fence(rb1)
		:: else
		fi
	};
#endif
	if
	:: mine -> atomic { retired = 1; acks++ }
	:: else		/* -ENOENT: it is another's */
	fi
}

inline retire_claim()
{
	cell_take(c, me);
	mine = (number[c] == 0);
	d_step {
		mine = mine && committed[c] && !claimed[c];
		if
		:: mine -> claimed[c] = 1; retiring = 1
		:: else
		fi
	}
}

inline retire()
{
	do
	:: atomic { c = idx_cur; o = NONE };
		retire_claim();
		if
		:: mine -> retire_claimed(); break
		:: !mine && c == idx_cur -> break	/* -ENOENT */
		:: else -> cell_give(c, me)		/* it was moved meanwhile */
		fi
	od;
	atomic { cell_give(0, me); cell_give(1, me) }
}

proctype retirer(byte me)
{
	byte c, o = NONE;
	bool mine;

	retire();
	unanswered[me - 1] = 0
}

/* ---- who recycles ---- */

#ifdef BREAK_PENDING
#define PENDING(line, word_rb) false
#else
#define PENDING(line, word_rb) (committed[line] && word_rb.v)
#endif

inline recycle(line, word_rb)
{
	atomic { claimed[line] && number[line] != 1 && !PENDING(line, word_rb) ->
		number[line] = NONE };
	if
	:: cells[line]		/* given back, without its number: another line, for now */
	:: else ->
		d_step {
			epoch[line] = 1;
			word_rb.v = 1;
			word_rb.d = 1;
			committed[line] = 1;
			claimed[line] = 0;
			innocent[line] = 1;
			number[line] = 1
		}
	fi
}

proctype recycler()
{
end:	do
	:: recycle(0, rb0)
	:: recycle(1, rb1)
	od
}

/* ---- after a power cut ---- */

/* What the cut may leave of X: every state that the judge admits. */
inline cut()
{
	if
	:: rb1.d = 0; copied = 0
	:: rb0.d = 0; copied = 1
	:: copied = 1
	fi;
	d_step { rb0.v = rb0.d; rb1.v = rb1.d }
}

inline recover()
{
#ifndef BREAK_LOSER
	if
	:: X1 && X2 ->
		nv_store(rb0, 0);
#ifndef BREAK_LOSER_FENCE
		nv_fence(rb0)
#endif
	:: else
	fi;
#endif
	/* served from here on: X is where it has moved most; it is retired there,
	 * and that line is recycled */
	retiring = 1;
	if
	:: X2 ->
		nv_store(rb1, 0);
		nv_fence(rb1);
		retired = 1;
		d_step { epoch[1] = 1; rb1.v = 1; rb1.d = 1 }
	:: else ->
		nv_store(rb0, 0);
		nv_fence(rb0);
		retired = 1;
		d_step { epoch[0] = 1; rb0.v = 1; rb0.d = 1 }
	fi
}

init {
	d_step {
		committed[0] = 1;
		rb0.v = 1; rb0.d = 1;
		rb1.v = 1; rb1.d = 1
	};
	run judge();
	if
	:: atomic { crashed = 1; cut() }; recover()
	:: atomic {
			run recycler();
			run mover();
			run retirer(1);
			run retirer(2)
		}
	/* the same with a dead mover: FULL has both retirers here, too (a minute) */
	:: atomic {
			run recycler();
			run taker();
			run mover();
#ifdef FULL
			run retirer(2);
#else
			unanswered[1] = 0;
#endif
			run retirer(1)
		};
		killed = 1
	fi
}
