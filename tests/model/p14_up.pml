/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14, the way back: NVRAM that was given up is gone back to, as a new medium, while
 * others retire X and open a line. Two go back, either may stop for ever anywhere, one
 * may call it off; and one is left who was giving NVRAM up. What a power cut would leave
 * is judged in every state, by the medium that journal.conf names.
 *
 * model                code
 * health               returning.h: abandoned, returning, trusted, called off
 * file                 the journal.conf beside the one in force (conf_prepare())
 * conf                 NVRAM is what journal.conf names; else the stand-in
 * returner()           returning_end(): by who began it, and by any other
 * canceller()          returning_cancel()
 * late()               health_switch_one(): member.switching, stand_in_enforce()
 * retirer()            retire_settle()
 * opener()             line_open_once(): a line that was somebody's before
 * mark()               view_mark_line()
 * nv_*, *_d            the new medium as it is seen, and what of it is durable
 * *_buffer             what is still in the processor's store buffer
 *
 * The list of what lives, in the stand-in, has X in it.  A journal that is on a file, and
 * never had NVRAM, begins here, too (on_file.h): then nobody is left who gives any up.
 *
 * BREAK_UP_BARRIER: the index is marked without a barrier on the others
 * BREAK_UP_LOOK: a retire does not look at health after it has claimed
 * BREAK_UP_MARK: a retire trusts its record, and does not mark the new medium
 * BREAK_UP_RECORD: a retire trusts the new medium, and writes no record
 * BREAK_UP_FENCE: journal.conf names the medium before all of it is durable
 * BREAK_UP_FILE: it is called off without taking the file away
 * BREAK_UP_DECIDED: who finds the file gone takes it that it was renamed
 * BREAK_UP_SWITCHER: gone back to beside one who may still write a journal.conf
 * BREAK_UP_CELL: a line is marked without a cell on it
 * BREAK_UP_ERASE: what the older epoch left is not forgotten by who opens the line
 * BREAK_UP_EPOCH: who opens a line does not look at health after it has its number
 */
#define IMPLIES(a, b) (!(a) || (b))
#define GIVEN_UP  0
#define RETURNING 1
#define TRUSTED   2
#define OFF       3

byte health;
bool conf, file, switching = true;
/* X, in the index, in the log, on the new medium */
bool x_claimed, x_buffer, x_log, x_acked;
bool nv_listed, nv_retired, nv_listed_d, nv_retired_d;
/* the line: its number, 0 none, 1 the older; what the new medium says */
byte number = 1, cells, nv_epoch, nv_epoch_d;
bool number_buffer;
bool nv_stale, nv_stale_d, y_acked;

#define X_LIVE (conf -> (nv_listed_d && !nv_retired_d) : !x_log)

proctype judge()
{
end:	do
	:: d_step {
		assert(IMPLIES(x_acked, !X_LIVE));
		assert(IMPLIES(!x_claimed && !x_buffer, X_LIVE));
		assert(IMPLIES(y_acked && conf, nv_epoch_d == 2 && !nv_stale_d));
		assert(IMPLIES(health == TRUSTED, conf));
		assert(IMPLIES(health == OFF, !conf))
	}
	od
}

/* Of each processor: one that goes into the kernel empties its own. */
inline drain_x()
{
	d_step {
		x_claimed = x_claimed || x_buffer;
		x_buffer = 0
	}
}

inline drain_number()
{
	d_step {
		number = (number_buffer -> 2 : number);
		number_buffer = 0
	}
}

proctype buffer()
{
end:	do
	:: atomic { x_buffer -> drain_x() }
	:: atomic { number_buffer -> drain_number() }
	od
}

inline fence()
{
	d_step {
		nv_listed_d = nv_listed;
		nv_retired_d = nv_retired;
		nv_epoch_d = nv_epoch;
		nv_stale_d = nv_stale
	}
}

/* The line of X: it is nobody's else. */
inline mark_x(claimed)
{
	d_step {
		nv_retired = nv_retired || (claimed);
		nv_listed = nv_listed || !(claimed)
	}
}

inline mark_line()
{
#ifndef BREAK_UP_CELL
	cells++;
#endif
	n = number;
	if
	:: n == 1 ->
		d_step { nv_epoch = (nv_epoch > 1 -> nv_epoch : 1) };
		nv_stale = 1
	:: n == 2 -> nv_epoch = 2
	:: else
	fi;
#ifndef BREAK_UP_CELL
	cells--;
#endif
	n = 0
}

/* ---- going back ------------------------------------------------------------------ */

inline raise(to)
{
	atomic {
		if
		:: health == RETURNING -> health = to
		:: else
		fi
	}
}

inline decided()
{
#ifdef BREAK_UP_DECIDED
	raise(TRUSTED)
#else
	if
	:: conf -> raise(TRUSTED)
	:: else -> raise(OFF)
	fi
#endif
}

inline rename()
{
	atomic {
		if
		:: file -> file = 0; conf = 1; won = 1
		:: else -> won = 0
		fi
	}
}

proctype returner()
{
	byte n;
	bool won;

	/* the file is made before */
	atomic {
		if
		:: health == GIVEN_UP -> health = RETURNING; file = 1
		:: health == RETURNING
		fi
	};
#ifndef BREAK_UP_BARRIER
	drain_x();
	drain_number();
#endif
	mark_x(x_claimed);
	mark_line();
#ifndef BREAK_UP_FENCE
	fence();
#endif
#ifndef BREAK_UP_SWITCHER
	!switching;
#endif
	rename();
#ifdef BREAK_UP_FENCE
	fence();
#endif
	if
	:: won -> raise(TRUSTED)
	:: else -> decided()
	fi
}

proctype canceller()
{
	bool won;

end:	health == RETURNING;
	atomic {
		won = file;
#ifndef BREAK_UP_FILE
		file = 0
#endif
	};
	if
	:: won -> raise(OFF)
	:: else -> decided()
	fi
}

/* He may have been stopped, since long, before he writes journal.conf; or is dead, and
 * somebody says so for him. */
proctype late()
{
	if
	:: conf = 0
	:: skip
	fi;
	switching = 0
}

/* ---- who changes something --------------------------------------------------------- */

#define WANTS_MARKS(h) (h == RETURNING || h == TRUSTED)
#define WANTS_LOG(h)   (h != TRUSTED)

proctype retirer()
{
	byte h;
	bool marked, logged;

#ifdef BREAK_UP_LOOK
	h = health;
#endif
	x_buffer = 1;
#ifndef BREAK_UP_LOOK
	h = health;
#endif
#ifndef BREAK_UP_RECORD
	if
	:: WANTS_LOG(h) && !logged -> drain_x(); x_log = 1; logged = 1
	:: else
	fi;
#endif
#ifndef BREAK_UP_MARK
	if
	:: WANTS_MARKS(h) && !marked ->
		/* it is seen by who made it, whoever else does */
		mark_x(1);
		fence();
		marked = 1
	:: else
	fi;
#endif
	x_acked = 1
}

proctype opener()
{
	byte h;
	bool marked;

	/* of number and cell, one sees the other */
end:	number = 0;
	cells == 0;
	h = health;
#ifndef BREAK_UP_ERASE
	if
	:: WANTS_MARKS(h) ->
		nv_stale = 0;
		nv_epoch = 2;
		fence();
		marked = 1
	:: else
	fi;
#endif
	number_buffer = 1;
#ifndef BREAK_UP_EPOCH
	do
	:: h = health;
		if
		:: WANTS_MARKS(h) && !marked ->
			nv_epoch = 2;
			fence();
			marked = 1
		:: else -> break
		fi
	od;
#endif
	drain_number();	/* its record goes to the log */
	y_acked = 1
}

init {
	atomic {
		run judge();
		run buffer();
		run late();
		run returner();
		run returner();
		run canceller();
		run retirer();
		run opener()
	}
}
