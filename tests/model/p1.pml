/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P1: recycling a line.
 *
 * One line of two slots, used under the epoch numbers 1 to EPOCHS by two workers;
 * two others retire. Slot 0 gets a self-certifying record (staged or synced), slot
 * 1 a direct one, which may be aborted after its extent is in the log. Any process
 * may be stopped anywhere (the others go on), worker 0 may be killed anywhere, and
 * what a power cut would leave is judged in every state.
 *
 * model                     design
 * ep, cb, rb                the line on the medium: epoch, commit, retire (docs/format.md)
 * recycle()                 line_recycle(); docs/format.md "Write order"
 * number, committed, claimed, state
 *                           the line in the index (docs/decisions/0006-processes.md)
 * take                      the bitmap of free lines: one atomic and, here with the owner
 * cell[]                    hazard cells; number = 0, then all cells: "Hazards (P2)"
 * PENDING                   line_being_retired(): bits that are claimed and not yet cleared;
 *                           here the cell alone would do, p2.pml and p7_lines.pml need each
 * retirer                   journal_retire(), by bit
 * take_over()               "Taking over the dead (P7)", 2, for this one line
 * power                     recovery's rule, "When a transaction is live"
 *
 * Abstracted: a record in the log or the stage is one durable step, since P5, P6
 * and P10 are about its parts; two slots stand for 512, the first that is claimed
 * and the one that completes the line; a group is one slot. Epoch numbers never
 * repeat (P4), so recovery, which only raises them and fills lines up, needs no
 * step of its own: what it serves is judged in every state instead.
 *
 * BREAK_FENCE_CLOSE: no fence between closing and erasing
 * BREAK_FENCE_ERASE: no fence between erasing and opening
 * BREAK_FENCE_OPEN: no fence between opening and the first use
 * BREAK_ORDER: maps erased before the epoch is closed
 * BREAK_RETIRE_FENCE: a retire is acknowledged without its fence
 * BREAK_CELL: who retires announces nothing
 * BREAK_RECHECK: who retires looks at the number before it announces itself
 * BREAK_NUMBER: who recycles looks at the cells before it takes the number away
 * BREAK_CELL_EARLY: the cell is given back before the bit is cleared, and nobody looks at bits
 * BREAK_EARLY: recycled before every slot is claimed
 * BREAK_TAKE: taking a free line is not one atomic step
 * BREAK_REUSE: an aborted slot is used again in the same epoch
 * BREAK_ADOPT: a line that a dead worker was recycling is used where that one stopped
 */
#include "nvram.h"

#ifdef FULL
#define EPOCHS 3
#else
#define EPOCHS 2
#endif

#define FREE 0
#define TAKEN 1		/* + worker */
#define OPEN 3		/* + worker */
#define NOBODY 255

word ep, cb, rb;
byte number, committed, claimed = 3, state = FREE;
byte next_number = 1;
bool cell[2], killed;

/* the log: what verifies there, and what was promised; by id */
#define ID(n, s) (1 << ((n) * 2 + (s)))
byte records, aborted, started, acked, retiring, retired;

#define PENDING (committed & rb.v)
#define COMPLETE (claimed == 3)

#define IN_EPOCH(n, s) (ep.d == 2 * (n) + 1 && (rb.d & (1 << (s))))
#define LIVE0(n) ((records & ID(n, 0)) && IN_EPOCH(n, 0))
#define LIVE1(n) ((records & ID(n, 1)) && IN_EPOCH(n, 1) && !(cb.d & 2))
#define ABORTED_LIVE(n) ((aborted & ID(n, 1)) && IN_EPOCH(n, 1) && !(cb.d & 2))
/* committed, and nothing to be found (P9) */
#define LOST(n) (IN_EPOCH(n, 1) && !(cb.d & 2) && !((records | aborted) & ID(n, 1)))

inline judge(n)
{
	assert(!ABORTED_LIVE(n));
	assert(!LOST(n));
	assert(IMPLIES(LIVE0(n), started & ID(n, 0)));
	assert(IMPLIES(LIVE1(n), started & ID(n, 1)));
	assert(IMPLIES(retired & ID(n, 0), !LIVE0(n)));
	assert(IMPLIES(retired & ID(n, 1), !LIVE1(n)));
	assert(IMPLIES((acked & ID(n, 0)) && !(retiring & ID(n, 0)), LIVE0(n)));
	assert(IMPLIES((acked & ID(n, 1)) && !(retiring & ID(n, 1)), LIVE1(n)));
}

active proctype power()
{
end:	do
	:: d_step { judge(1); judge(2) }
	od
}

inline recycle()
{
#ifdef BREAK_ORDER
	nv_store(cb, 3);
	nv_store(rb, 3);
	nv_fence2(cb, rb);
	nv_store(ep, 2 * n);
	nv_fence(ep);
#else
	nv_store(ep, 2 * n);
#ifndef BREAK_FENCE_CLOSE
	nv_fence(ep);
#endif
	nv_store(cb, 3);
	nv_store(rb, 3);
#ifdef BREAK_FENCE_CLOSE
	nv_fence(ep);
#endif
#ifndef BREAK_FENCE_ERASE
	nv_fence2(cb, rb);
#endif
#endif
	nv_store(ep, 2 * n + 1);
#ifdef BREAK_FENCE_ERASE
	nv_fence2(cb, rb);
#endif
#ifndef BREAK_FENCE_OPEN
	nv_fence(ep)
#endif
}

inline and_bit(w, s)
{
	atomic {
		w.v = w.v & ~(1 << (s));
		if
		:: true
		:: w.d = w.v
		fi
	}
}

/* slot 0: the record certifies itself */
inline commit_self()
{
	d_step { started = started | ID(n, 0); records = records | ID(n, 0) };
	d_step { acked = acked | ID(n, 0); committed = committed | 1 }
}

inline commit_direct()
{
	d_step { started = started | ID(n, 1); records = records | ID(n, 1) };
	and_bit(cb, 1);
	nv_fence(cb);
	d_step { acked = acked | ID(n, 1); committed = committed | 2 }
}

/* the extent is in the log already */
inline abort_direct()
{
	aborted = aborted | ID(n, 1);
#ifdef BREAK_REUSE
	commit_direct()
#else
	d_step {
		claimed = claimed | 2;
		if
		:: COMPLETE -> state = FREE
		:: else
		fi
	}
#endif
}

/* of the other worker, who is dead */
inline take_over()
{
	atomic { state == OPEN + 0 && claimed != 3 && (committed | claimed) != 3 ->
		state = OPEN + 1 };
	/* retired durably first, so that it stays dead; then claimed */
	rb.v = rb.v & (committed | claimed);
	nv_fence(rb);
	d_step {
		claimed = claimed | (3 & ~committed);
		if
		:: COMPLETE && !PENDING -> state = FREE
		:: else
		fi
	}
}

#ifdef BREAK_EARLY
#define IS_FREE (state == FREE || state == OPEN + 0 || state == OPEN + 1)
#else
#define IS_FREE (state == FREE)
#endif

inline take()
{
#ifdef BREAK_TAKE
	IS_FREE && next_number <= EPOCHS;
	state = TAKEN + me
#else
	atomic { IS_FREE && next_number <= EPOCHS -> state = TAKEN + me }
#endif
}

/* Anybody there who could claim?  Then the line goes back, and stays free. */
inline retreat()
{
#ifdef BREAK_NUMBER
	busy = cell[0] || cell[1];
	number = 0;
#else
	number = 0;
	busy = cell[0];
	busy = busy || cell[1];
#endif
#ifndef BREAK_CELL_EARLY
	busy = busy || PENDING
#endif
}

inline use_line()
{
	retreat();
	if
	:: busy -> atomic { busy = 0; state = FREE }
	:: else ->
		atomic { n = next_number; next_number++ };
		recycle();
		d_step { committed = 0; claimed = 0 };
		d_step { number = n; state = OPEN + me };
		commit_self();
		if
		:: commit_direct()
		:: abort_direct()
		fi;
		n = 0
	fi
}

proctype worker(byte me)
{
	byte n;
	bool busy;

end:	{
		do
		:: take() -> use_line()
		:: me == 1 && killed && state == TAKEN + 0 ->
#ifdef BREAK_ADOPT
			/* as if it were ready */
			atomic { n = next_number - 1; number = n; state = OPEN + me };
			d_step { committed = 0; claimed = 0 };
			commit_self();
			n = 0
#else
			state = FREE	/* begun anew, under the next number */
#endif
		:: me == 1 && killed -> take_over()
		od
	} unless { me == 0 && killed }
}

/* ids that were told to somebody, any of them, at any time */
inline choose()
{
	if
	:: acked & ID(1, 0) -> n = 1; s = 0
	:: acked & ID(1, 1) -> n = 1; s = 1
	:: acked & ID(2, 0) -> n = 2; s = 0
	:: acked & ID(2, 1) -> n = 2; s = 1
	fi
}

inline announce()
{
#ifdef BREAK_RECHECK
	found = (number == n);
	cell[me] = 1
#else
#ifndef BREAK_CELL
	cell[me] = 1;
#endif
	found = (number == n)
#endif
}

inline claim()
{
	d_step {
		mine = found && (committed & (1 << s)) && !(claimed & (1 << s));
		found = 0;
		if
		:: mine ->
			claimed = claimed | (1 << s);
			retiring = retiring | ID(n, s);
			completes = COMPLETE
		:: else
		fi
	}
}

inline retire_claimed()
{
	and_bit(rb, s);
	cell[me] = 0;
#ifndef BREAK_RETIRE_FENCE
	nv_fence(rb);
#endif
	d_step {
		retired = retired | ID(n, s);
		if
		:: completes && state >= OPEN -> state = FREE
		:: else
		fi
	}
}

proctype retirer(byte me; byte times)
{
	byte n, s;
	bool found, mine, completes;

end:	do
	:: times > 0 ->
		times--;
end_choice:	atomic { choose() };
		announce();
		claim();
#ifdef BREAK_CELL_EARLY
		cell[me] = 0;
#endif
		if
		:: mine -> retire_claimed()
		:: else -> cell[me] = 0
		fi;
		d_step { n = 0; s = 0; mine = 0; completes = 0 }
	:: else -> break
	od
}

init {
	if
	:: atomic { run worker(0); run worker(1); run retirer(0, 1); run retirer(1, 2) }
	/* a worker dies: FULL has both retirers here, too, and one epoch more */
	:: atomic {
			run worker(0);
			run worker(1);
#ifdef FULL
			run retirer(0, 1);
#endif
			run retirer(1, 2)
		};
		killed = 1
	fi
}
