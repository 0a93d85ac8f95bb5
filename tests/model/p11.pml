/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P11, P18: checkpoints of file: by several processes, three slots.
 *
 * Three processes want what is pending freed; each makes a checkpoint, or waits for
 * another's. Each may be stopped for ever anywhere, which needs no word here: it is a
 * process that takes no further step; one may be killed. The power may fail at any time:
 * what is on the disk is looked at after each of its changes.
 *
 * model                design
 * writer, slotgen      marker_slot.writer, .generation (store/marker_store.h)
 * drawn, force_*       marker_share.drawn, .in_force
 * take(), write()      file_slot_take(), write_slot() (marker/file.c)
 * noted                segments_note_pending(): all retires so far may be what freed
 *                      a segment
 * freed                segments_free_pending(): the records of so many retires may be
 *                      overwritten
 * map                  retires in the map, by number: each is a bit there first
 * val                  what a generation's payload holds of them
 * head, payload        on the disk: generation of a slot's heads, and of its payload; 0:
 *                      torn, or wiped
 * cached_*             written by one who was killed, and not synced: durable at any time
 * dies, takeover()     SIGKILL; checkpoint_forget()
 * look()               load_newest() after a power failure
 *
 * A write makes the disk's content torn, its sync makes it whole; that it is still the
 * old one is the state before the write, for the writer does nothing in between. The map
 * is copied at one moment: what is copied later holds more. The job, which keeps all but
 * one from doing the same, is left out: nothing depends on it.
 *
 * BREAK_MARK: a slot is taken that another writes to
 * BREAK_AGAIN: whether the slot is in force is looked at before it is marked only
 * BREAK_WIPE: heads of a dead one are left over the payload that is overwritten
 * BREAK_UNKNOWN: a writer leaves word of its generation when all is durable only
 * BREAK_FORCE: a late one comes into force
 * BREAK_LEAVE: a slot has no writer any more before it is in force
 * BREAK_DRAW: the generation is drawn after the map is copied
 * BREAK_NOTE: what is pending is noted after the map is copied
 * BREAK_WAIT: who waits takes one that was begun before
 * BREAK_SYNC: heads and payload are synced together
 */
#define SLOTS 3

byte writer[SLOTS], slotgen[SLOTS];
byte drawn = 1, force_gen = 1, force_slot;
byte map, freed;
byte val[12];
/* the disk */
byte head[SLOTS], payload[SLOTS], cached_head[SLOTS], cached_payload[SLOTS];
byte dying, dead;
byte newest;

inline look()
{
	newest = 0;
	if
	:: head[1] > head[newest] -> newest = 1
	:: else
	fi;
	if
	:: head[2] > head[newest] -> newest = 2
	:: else
	fi;
	assert(payload[newest] == head[newest]);	/* no crash looks like damage */
	assert(val[head[newest]] >= freed);	/* or what was retired is back */
	newest = 0
}

inline take()
{
	atomic {
		if
		:: s = 0
		:: s = 1
		:: s = 2
		fi
	};
#ifdef BREAK_AGAIN
	took = (s == force_slot);
#endif
	atomic {
		if
#ifdef BREAK_AGAIN
		:: took -> took = false
		:: !took && writer[s] == 0
#else
#ifdef BREAK_MARK
		:: true
#else
		:: writer[s] == 0
#endif
#endif
			-> writer[s] = me; took = true
		:: writer[s] -> took = false
		fi
	};
#ifndef BREAK_AGAIN
	if
	:: took && s == force_slot -> writer[s] = 0; took = false
	:: else
	fi
#endif
}

inline wipe()
{
#ifdef BREAK_WIPE
	skip
#else
	if
	:: slotgen[s] >= force_gen -> d_step { head[s] = 0; cached_head[s] = 0; look() }
	:: else
	fi
#endif
}

inline draw()
{
	atomic { drawn++; g = drawn };
#ifndef BREAK_UNKNOWN
	slotgen[s] = g
#endif
}

inline write()
{
	wipe();
#ifdef BREAK_DRAW
	held = map;
	draw();
	val[g] = held;
#else
	draw();
	val[g] = map;
#endif
#ifdef BREAK_NOTE
	noted = map;
#endif
	d_step { payload[s] = 0; cached_payload[s] = 0; unsynced = 1; look() };
#ifdef BREAK_SYNC
	d_step { head[s] = 0; cached_head[s] = 0; unsynced = 2; look() };
	if
	:: d_step { head[s] = g; look() }
	:: true
	fi;
	d_step { payload[s] = g; head[s] = g; unsynced = 0; look() };
#else
	d_step { payload[s] = g; unsynced = 0; look() };
	d_step { head[s] = 0; cached_head[s] = 0; unsynced = 2; look() };
	d_step { head[s] = g; unsynced = 0; look() };
#endif
#ifdef BREAK_UNKNOWN
	slotgen[s] = g;
#endif
#ifdef BREAK_LEAVE
	writer[s] = 0;
#endif
	/* by compare-and-swap */
	d_step {
#ifdef BREAK_FORCE
		force_gen = g; force_slot = s
#else
		if
		:: force_gen < g -> force_gen = g; force_slot = s
		:: else
		fi
#endif
	};
#ifndef BREAK_LEAVE
	writer[s] = (writer[s] == me -> 0 : writer[s])
#endif
}

#ifdef BREAK_WAIT
#define COVERED (force_gen >= seen)
#else
#define COVERED (force_gen > seen)
#endif

inline free()
{
	/* compare-and-swap of each, so nobody's freeing undoes another's */
	d_step { freed = (noted > freed -> noted : freed); look() }
}

inline checkpoint()
{
	noted = map;
	if
	:: seen = drawn;
		if
		:: COVERED -> free()
		:: true		/* not now */
		fi
	:: take();
		if
		:: took -> write(); free()
		:: else
		fi
	fi;
	d_step { took = 0; s = 0; g = 0; held = 0; noted = 0; seen = 0 }
}

inline is_killed()
{
	d_step {
		if
		:: unsynced == 1 -> cached_payload[s] = g
		:: unsynced == 2 -> cached_head[s] = g
		:: else
		fi;
		dead = me;
		took = 0; s = 0; g = 0; held = 0; noted = 0; seen = 0; unsynced = 0
	}
}

proctype process(byte me)
{
	byte s, g, held, noted, seen, unsynced;
	bool took;

end:	{ checkpoint() } unless { (dying == me && !dead) -> is_killed() }
}

/* what was written by the dead gets to the disk, or not */
proctype writes_back()
{
end:	do
	:: d_step { cached_head[0] -> head[0] = cached_head[0]; cached_head[0] = 0; look() }
	:: d_step { cached_head[1] -> head[1] = cached_head[1]; cached_head[1] = 0; look() }
	:: d_step { cached_head[2] -> head[2] = cached_head[2]; cached_head[2] = 0; look() }
	:: d_step { cached_payload[0] ->
		payload[0] = cached_payload[0]; cached_payload[0] = 0; look() }
	:: d_step { cached_payload[1] ->
		payload[1] = cached_payload[1]; cached_payload[1] = 0; look() }
	:: d_step { cached_payload[2] ->
		payload[2] = cached_payload[2]; cached_payload[2] = 0; look() }
	od
}

proctype takeover()
{
end:	/* a member writes to one at most */
	d_step {
		dead;
		writer[0] = (writer[0] == dead -> 0 : writer[0]);
		writer[1] = (writer[1] == dead -> 0 : writer[1]);
		writer[2] = (writer[2] == dead -> 0 : writer[2])
	}
}

init {
	atomic {
		head[0] = 1; payload[0] = 1; slotgen[0] = 1;
		run process(1);
		run process(2);
		run process(3);
		run writes_back();
		run takeover()
	};
	if
	:: dying = 1
	:: true
	fi;
	map = 1
}
