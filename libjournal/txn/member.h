/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The members: who shares the index.  Each holds a lock of its process on a
 * file of its own, DIR/peers/N, which the kernel drops when the process ends
 * and which a fork does not inherit (P7).  A descriptor of that file must not be
 * closed by the same process while it is a member: that would drop it too.
 */
#ifndef TXN_MEMBER_H
#define TXN_MEMBER_H

#include "txn/journal_impl.h"

#define PEERS_DIR "peers"

enum member_state {
	MEMBER_FREE,
	MEMBER_STARTING, /* has the number, but not yet the lock */
	MEMBER_ALIVE,    /* or died without anybody noticing yet */
	MEMBER_TAKEN,    /* dead: member.taker takes over what it had */
};

/* The directory, and the file of the first one, of a journal that is being made: who comes
 * may find the disk full.  @lock_fd: its permissions are theirs; nobody has it open. */
int member_make(const char *dir, int lock_fd);

/**
 * member_join() - become a member: j->member and j->own
 * Return: 0, -EUSERS there are too many, or what the system said.
 */
int member_join(struct journal *j);

/* the mapping is private: there are no others */
void member_alone(struct journal *j);

/* everything was given back: the number is free for another */
void member_leave(struct journal *j);

/* nothing was given back, and no medium is open any more: others find it dead */
void member_die(struct journal *j);

/* of one that is none, or has left */
void member_drop(struct journal *j);

/*
 * member.state: how often the number was given 32 | who takes over 24 | state 8.  A
 * word never comes again: who found a member dead, and slept while another took it
 * over and the number became somebody's, must not take that one for dead.
 */
static inline uint64_t member_word(uint64_t before, enum member_state state, uint32_t taker)
{
	return before >> 32 << 32 | (uint64_t)taker << 8 | state;
}

static inline uint32_t member_taker(uint64_t word)
{
	return (uint32_t)word >> 8;
}

static inline enum member_state member_state_of(const struct journal *j, uint32_t number)
{
	return (enum member_state)(atomic_load(&j->members[number].state) & 0xff);
}

/* how many there are, the dead of whom nobody knows yet among them */
uint32_t member_count(const struct journal *j);

/* the pid of one of them, 0 if there is none */
int member_some_pid(const struct journal *j);

/**
 * member_is_stopped() - whether its process has been stopped by a signal or a debugger
 * Return: also true if that cannot be found out (no /proc; it is in another pid namespace).
 * System calls.
 */
bool member_is_stopped(const struct journal *j, uint32_t number);

/* whether the process of member @number is gone.  System calls. */
bool member_is_dead(const struct journal *j, uint32_t number);

#endif
