/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P7: taking over a dead writer's lane.
 *
 * A ring with room for two records. A writer commits into it and is killed anywhere,
 * or not at all. Two find it dead; the first of them may be killed, too. When the
 * lane is free again the next writer leases it: it commits, or gives up after its
 * payload is there. What a power cut would leave is judged in every state.
 *
 * model                design
 * header[], payload[]  a stage record; it verifies iff both are there
 * writer               txn_staged.c: payload, header, one fence, publish, acknowledge
 * state                the member's state: "Taking over the dead (P7)", decisions/0006
 * take_over()          the same, 1; the ring is walked as in recover_stage.c
 * published[]          committed in the index: anybody may read it and act on it
 *
 * Abstracted: one word for a header's and one for a payload's bytes: a record either
 * verifies or it does not. The next writer's payload is the same as the dead one's,
 * the worst case: then the dead one's header fits it.
 *
 * BREAK_FENCE: the taker publishes what it read without making it durable
 * BREAK_ORDER: the taker publishes before its fence
 * BREAK_SCRUB: a torn record is left as it is
 * BREAK_SCRUB_FENCE: the lane is given on before the scrubbing is durable
 * BREAK_ONE_TAKER: who takes over does not win the member's state first
 * BREAK_TAKER_ALIVE: the second takes over from the first though that one lives
 * BREAK_FREE: the lane is free as soon as its owner is dead
 * BREAK_WRITER_FENCE: a record is begun before the one before it is fenced
 */
#include "nvram.h"

#define ALIVE 0
#define TAKEN 1		/* + taker */
#define GONE 3

word header[2], payload[2];
bool published[2], acked[2], started[2];
bool aborted[2];
byte state = ALIVE, head;
bool killed, taker_killed, next_runs;

#define LIVE(at) (header[at].d && payload[at].d)

proctype judge()
{
end:	do
	:: d_step {
		assert(IMPLIES(acked[0], LIVE(0)));
		assert(IMPLIES(acked[1], LIVE(1)));
		/* somebody may have seen it */
		assert(IMPLIES(published[0], LIVE(0)));
		assert(IMPLIES(published[1], LIVE(1)));
		assert(IMPLIES(LIVE(0), started[0]));
		assert(IMPLIES(LIVE(1), started[1]));
		assert(IMPLIES(aborted[0], !LIVE(0)));
		assert(IMPLIES(aborted[1], !LIVE(1)));
		/* would be taken for damage (P5) */
		assert(IMPLIES(LIVE(1), LIVE(0)))
	}
	od
}

inline start(at)
{
	d_step { started[at] = 1; aborted[at] = 0 }
}

inline write(at)
{
	/* in any order (docs/format.md, "Write order") */
	if
	:: nv_store(payload[at], 1); start(at); nv_store(header[at], 1)
	:: start(at); nv_store(header[at], 1); nv_store(payload[at], 1)
	fi;
#ifdef BREAK_WRITER_FENCE
	if
	:: at == 0
	:: else -> nv_fence2(header[0], payload[0]); nv_fence2(header[1], payload[1])
	fi
#else
	nv_fence2(header[at], payload[at]);
	published[at] = 1;
	acked[at] = 1
#endif
}

proctype writer()
{
	{
		write(0);
		write(1)
	} unless { killed }
}

/* ---- taking over ---- */

inline take_record(at)
{
	if
	:: header[at].v && payload[at].v ->
#ifdef BREAK_ORDER
		published[at] = 1;
#endif
#ifndef BREAK_FENCE
		nv_fence2(header[at], payload[at]);
#endif
		published[at] = 1;
		at++
	:: else ->
		/* torn, or nothing: the header never again */
#ifndef BREAK_SCRUB
		nv_store(header[at], 0);
#ifndef BREAK_SCRUB_FENCE
		nv_fence(header[at]);
#endif
#endif
		atomic { started[at] = 0; aborted[at] = 1 };
		break
	fi
}

inline take_over()
{
	do
	:: position == 2 -> break
	:: else -> take_record(position)
	od;
	atomic { head = position; state = GONE }
}

#ifdef BREAK_TAKER_ALIVE
#define TAKER_DEAD true
#else
#define TAKER_DEAD taker_killed
#endif

proctype taker(byte me)
{
	byte position;

end:	{
#ifdef BREAK_ONE_TAKER
		killed && state != GONE -> state = TAKEN + me;
#else
		/* the kernel dropped its lock; one compare-and-swap */
		atomic {
			(killed && state == ALIVE) ||
			(me == 1 && TAKER_DEAD && state == TAKEN + 0) ->
				state = TAKEN + me
		};
#endif
		take_over()
	} unless { me == 0 && taker_killed }
}

/* ---- the lane's next owner ---- */

inline write_or_not(at)
{
	if
	:: write(at)
	:: nv_store(payload[at], 1)	/* and gives up */
	fi
}

proctype next()
{
	byte at;

#ifdef BREAK_FREE
end:	killed -> at = head;
#else
end:	state == GONE -> at = head;
#endif
	if
	:: at < 2 -> write_or_not(at)
	:: else
	fi
}

init {
	atomic {
		run judge();
		run taker(0);
		run taker(1);
		run next();
		run writer()
	};
	killed = 1;
	if
	:: taker_killed = 1
	:: true
	fi
}
