/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P7: taking over a dead member's lines, retires and cells.
 *
 * A line of two slots. Slot 0 was used last by the dead member: nothing is in it, or
 * a record that certifies itself and was not published, or one that was. Slot 1 is
 * live; the dead member, or a live one, is in the middle of retiring it, or nobody. A
 * live one may retire slot 0 then.
 * Two take over, one after the other, the first may be killed anywhere. Meanwhile
 * the line may be recycled and used by another, which must not be hurt.
 *
 * model                design (docs/decisions/0006-processes.md, "Taking over the dead")
 * take_lane()          1: what verifies in the ring is published, in the order of P7
 *                      (p7.pml), here: if it is not published already
 * take_line()          2: neither committed nor claimed: retired durably, then claimed
 * take_retires()       3: claimed and committed, and the bit still set
 * take_places()        what those that are retired still name in the log is given up
 * take_cells()         4
 * take_hold()          what the dead one had taken from its slot is let go
 * retirer              journal_retire(), by bit
 * place1               where slot 1 is in the log: who retires takes it after the claim,
 *                      before the bit
 * recycler             line_quiet(): a line is given back without its number if there is
 *                      a cell then; line_open(): proved to be one step by p1.pml
 *
 * Abstracted: as in p1.pml and p2.pml.
 *
 * BREAK_LINE_CLAIM: a slot that was never acknowledged is claimed, not retired
 * BREAK_LINE_FENCE: it is claimed before it is durably retired
 * BREAK_RETIRE_CELL: the taker clears bits of retires without a cell on the line
 * BREAK_RETIRE_EPOCH: the taker clears them without looking at the epoch again
 * BREAK_RETIRE_FLUSH: the taker flushes only the bits that it has cleared itself
 * BREAK_AWAY: the taker flushes nothing of a line whose number is away
 * BREAK_QUIET_CELL: a line's number is taken away over the cell of who died in a claim
 * BREAK_LANE_CELL: the taker publishes without a cell on the line
 * BREAK_CELL_EARLY: who retires gives the cell back before the bit is cleared
 * BREAK_RETIRES: unfinished retires of the dead are left
 * BREAK_FINISH: nobody looks whether the dead one's claim was the line's last
 * BREAK_CELLS: the dead member's cells are left
 */
#include "nvram.h"

#define FREE 3		/* both claimed */
#define AWAY 2
#define MINE (4 << me)	/* a taker's cell */

word rb;
byte epoch, number, committed, claimed, retired;
byte cells;		/* 1: the dead one's, 2: the retirer's, 4, 8: the takers' */
bool record0 = 1, staged, dropped0, acked0;
byte state;		/* of the dead: 0, 1 + taker, 3 done */
bool taker_killed, dead_retires;
bool place1 = 1, hold;	/* hold: the dead one has taken it */
bool dying;		/* it lives yet */
byte ended;
byte use;		/* the line: 0 in use in epoch 0, 1 free */

#define LIVE0 (record0 && epoch == 0 && (rb.d & 1))
#define LIVE1 (epoch == 0 && (rb.d & 2))

proctype judge()
{
end:	do
	:: d_step {
		assert(IMPLIES(epoch == 1, rb.d == 3));
		assert(IMPLIES(acked0, LIVE0));
		assert(IMPLIES(dropped0, !LIVE0));
		assert(IMPLIES(retired & 1, !LIVE0));
		assert(IMPLIES(retired & 2, !LIVE1));
		assert(IMPLIES(!(claimed & 2) && epoch == 0, LIVE1))
	}
	od
}

inline and_bit(bits)
{
	atomic {
		rb.v = rb.v & ~(bits);
		if
		:: true
		:: rb.d = rb.v
		fi
	}
}

/* whoever finds the line complete; one compare-and-swap, the epoch is in the word */
inline finish()
{
	d_step {
		if
		:: epoch == 0 && claimed == FREE && use == 0 -> use = 1
		:: else
		fi
	}
}

/* ---- 1 ---- */

inline take_record(slot_bit)
{
#ifndef BREAK_LANE_CELL
	cells = cells | MINE;
#endif
	if
	:: number == 0 ->
		if
		:: !((committed | claimed) & (slot_bit)) ->
			/* that is all it is told: the rest is in the record */
			atomic { assert(epoch == 0); committed = committed | (slot_bit) }
		:: else
		fi
	:: else
	fi;
	cells = cells & ~MINE
}

inline take_lane()
{
	if
	:: staged ->
		take_record(1);
		/* an older one of the ring, published long ago */
		take_record(2)
	:: else
	fi
}

/* ---- 2 ---- */

inline take_line()
{
	if
	:: !staged && number == 0 && !((committed | claimed) & 1) ->
#ifdef BREAK_LINE_FENCE
		claimed = claimed | 1;
#endif
#ifndef BREAK_LINE_CLAIM
		and_bit(1);
		nv_fence(rb);
#endif
		atomic { claimed = claimed | 1; dropped0 = 1 };
		finish()
	:: else
	fi
}

/* ---- 3 ---- */

inline take_places()
{
	cells = cells | MINE;
	if
	:: number == 0 && given ->
		retired = retired | given;	/* what it had in the log is given up */
		if
		:: given & 2 -> place1 = 0
		:: else
		fi
	:: else
	fi;
	cells = cells & ~MINE
}

inline take_retires()
{
#ifndef BREAK_RETIRES
#ifndef BREAK_RETIRE_CELL
	cells = cells | MINE;
#endif
	if
#ifdef BREAK_RETIRE_EPOCH
	:: true ->
#else
	:: number == 0 ->
#endif
		bits = claimed;
		bits = bits & committed;
		given = bits;
		bits = bits & rb.v;
		and_bit(bits);
#ifdef BREAK_RETIRE_FLUSH
		if
		:: bits -> nv_fence(rb)
		:: else
		fi;
#else
		nv_fence(rb);
#endif
		bits = 0
	:: else ->
		/* it may be given back, its last bit cleared and not yet durable */
#ifndef BREAK_AWAY
		nv_fence(rb)
#endif
	fi;
	cells = cells & ~MINE;
	take_places();
	given = 0;
#ifndef BREAK_FINISH
	finish()
#endif
#else
	skip
#endif
}

inline take_cells()
{
#ifndef BREAK_CELLS
	cells = cells & ~1
#else
	skip
#endif
}

inline take_hold()
{
	atomic {
		if
		:: hold -> retired = retired | 2; hold = 0
		:: else
		fi
	}
}

proctype taker(byte me)
{
	byte bits, given;

end:	{
		atomic { (state == 0 && !dying) || (me == 1 && taker_killed && state == 1) ->
			state = 1 + me };
		/* the cells of whom it takes over from */
		cells = cells & ~4;
		take_lane();
		take_line();
		take_retires();
		take_cells();
		take_hold();
		state = 3
	} unless { me == 0 && taker_killed }
}

/* ---- the living ---- */

inline retire_claim()
{
	cells = cells | 2;
	d_step {
		mine = number == 0 && (committed & it) && !(claimed & it);
		if
		:: mine -> claimed = claimed | it; completes = (claimed == FREE);
			acked0 = acked0 && it == 2
		:: else
		fi
	};
#ifdef BREAK_CELL_EARLY
	cells = cells & ~2
#endif
}

inline retire()
{
	retire_claim();
	if
	:: mine ->
		d_step {
			if
			:: it == 2 -> place1 = 0
			:: else
			fi
		};
		and_bit(it);
		cells = cells & ~2;
		nv_fence(rb);
		retired = retired | it;
		if
		:: completes -> finish()
		:: else
		fi
	:: else -> cells = cells & ~2
	fi
}

/* Slot 1; or, if the dead one was in the middle of that, slot 0, if that was acknowledged.
 * And once more, which finds it retired. */
proctype retirer()
{
	byte it = 2;
	bool mine, completes;

	if
	:: dead_retires -> it = 1
	:: else
	fi;
	if
	:: it == 2 || acked0 -> retire()
	:: else
	fi;
	cells = cells | 2;
	cells = cells & ~2;
	ended = 1
}

/* The other's two transactions are durable, and its line is used up. */
proctype recycler()
{
end:	do
	:: atomic { use == 1 && !(committed & rb.v) -> skip };
#ifndef BREAK_QUIET_CELL
		if
		:: cells -> goto end
		:: else
		fi;
#endif
		number = AWAY;
		if
		:: cells		/* given back, without a number */
		:: else ->
			assert(!place1);
			d_step { epoch = 1; rb.v = 3; rb.d = 3; committed = 0; claimed = 0 };
			number = 1;
			committed = 3;
			break
		fi
	od
}

/* Where the dead one stopped. */
inline dead()
{
	if
	:: record0 = 0
	:: staged = 1
	:: staged = 1; committed = 3; claimed = 1; rb.v = 2; rb.d = 2	/* retired, too */
	:: true
	:: committed = 3; acked0 = 1
	fi;
	if
	:: cells = 1; dead_retires = 1			/* announced, not yet claimed */
	:: cells = 1; claimed = claimed | 2; dead_retires = 1	/* not yet taken in the log */
	:: cells = 1; claimed = claimed | 2; place1 = 0; hold = 1; dead_retires = 1; dying = 1
	:: true
	fi
}

/* It may yet clear its bit, and give its cell back, before it dies; it fences nothing. */
proctype last_steps()
{
	if
	:: dying ->
		if
		:: and_bit(2);
			if
			:: cells = cells & ~1
			:: true
			fi
		:: true
		fi;
		dying = 0
	:: else
	fi
}

init {
	atomic {
		committed = 2;
		rb.v = 3;
		rb.d = 3;
		dead();
		run judge();
		run recycler();
		run taker(0);
		run taker(1);
		run retirer();
		run last_steps()
	};
	if
	:: taker_killed = 1
	:: true
	fi;
	ended && state == 3;
	/* nothing of the dead pins the line */
	assert(!(cells & 5));
	assert(number || !(claimed & committed & rb.v));
	assert(IMPLIES(number == 0 && claimed == FREE, use == 1))
}
