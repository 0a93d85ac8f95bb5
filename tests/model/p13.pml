/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P13: combining flushes.
 *
 * Three processes write a record each and want it durable. One flush covers all the
 * writes that completed before it began. Process 0 may be stopped for ever, or die,
 * anywhere. One flush may fail: then what it would have covered is gone.
 *
 * model                design
 * begun, done          tickets in shared memory: flushes begun; the highest that ended
 *                      well (docs/decisions/0006-processes.md, "Waiting for nobody")
 * flusher              who leads
 * failed               sticky failure of the medium, for all handles (P16)
 * flush_begin(), flush_end()
 *                      fdatasync() of a log: what had completed at the first is durable
 *                      at the second
 * waited too long      a time that has passed may pass at any moment: no clock here
 *
 * Assumed of the kernel: an error is reported to every open file description once (as
 * errseq_t does for write-back); BREAK_ERROR_ONCE shows what is lost without that, if
 * the one that was told dies before it says so.
 *
 * With LIVE, which is how the formula is checked, there is one waiter beside process 0:
 * nobody else is needed to wait for, and that nobody is stuck is checked with two.
 *
 * Abstracted: one log; the numbers do not wrap. A dead leader's place stays taken:
 * everybody then flushes for himself, the slowest that can happen.
 *
 * BREAK_TICKET: the ticket is drawn before the write has completed
 * BREAK_BEGUN: a flush draws its number after it has begun
 * BREAK_LATEST: a flush that ends counts for all that have begun
 * BREAK_FAILED_DONE: a flush that failed counts as done
 * BREAK_STICKY: a flush that failed is tried again
 * BREAK_ERROR_ONCE: the kernel reports an error to one caller only
 * BREAK_TIMEOUT: a waiter never flushes for itself
 * BREAK_TIMEOUT_DONE: who has waited too long takes the flush for done
 */
#define NOBODY 3

byte begun, done, flusher = NOBODY;
bool failed;
/* the disk: one bit for each process's record */
byte written, durable, lost;
bool error_left = 1;
byte errors, seen[3];
byte ended;
bool halted;

inline flush_begin()
{
#ifdef BREAK_BEGUN
	snapshot = written;
	atomic { begun++; number = begun }
#else
	atomic { begun++; number = begun };
	snapshot = written
#endif
}

#ifdef BREAK_ERROR_ONCE
#define SEEN seen[0]
#else
#define SEEN seen[me]
#endif

/* sets result: whether the kernel says that all is well */
inline flush_end()
{
	atomic {
		if
		:: true
		:: error_left -> error_left = 0;
			lost = lost | (snapshot & ~durable);
			errors++
		fi;
		durable = durable | (snapshot & ~lost);
		result = (SEEN == errors);
		SEEN = errors;
		snapshot = 0
	}
}

#ifdef BREAK_FAILED_DONE
#define ENDED_WELL true
#else
#define ENDED_WELL result
#endif

inline flush()
{
	flush_begin();
	flush_end();
	if
	:: ENDED_WELL ->
		/* the highest, by compare-and-swap */
		d_step {
#ifdef BREAK_LATEST
			done = begun
#else
			done = (number > done -> number : done)
#endif
		}
	:: else ->
#ifndef BREAK_STICKY
		failed = 1	/* before anything else */
#else
		skip
#endif
	fi;
	d_step { result = 0; number = 0 }
}

inline wait()
{
	if
	:: done >= need || failed || flusher == NOBODY
#ifdef BREAK_TIMEOUT
	:: true			/* looks again, and again */
#else
	/* waited too long */
#ifdef BREAK_TIMEOUT_DONE
	:: done = begun
#else
	:: flush()
#endif
#endif
	fi
}

inline write()
{
#ifdef BREAK_TICKET
	need = begun + 1;
	written = written | (1 << me)
#else
	written = written | (1 << me);
	need = begun + 1
#endif
}

inline make_durable()
{
	write();
	do
	:: failed -> break
	:: !failed && done >= need ->
		assert(durable & (1 << me));	/* acknowledged */
		break
	:: !failed && done < need ->
		if
		:: atomic { flusher == NOBODY -> flusher = me };
			flush();
			flusher = NOBODY
		:: flusher != NOBODY -> wait()
		fi
	od;
	atomic { ended = ended | (1 << me); need = 0 }
}

proctype writer(byte me)
{
	byte need, number, snapshot;
	bool result;

end:	{ make_durable() } unless { me == 0 && halted }
}

init {
	atomic {
		run writer(0);
#ifndef LIVE
		run writer(2);
#endif
		run writer(1)
	};
	if
	:: halted = 1
	:: true
	fi
}

ltl nobody_waits_for_ever { <>(ended & 2) }
