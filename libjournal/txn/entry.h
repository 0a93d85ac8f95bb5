/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may use a journal: the kernel's locks on DIR/lock, by byte, each of an
 * open file description (docs/decisions/0006).
 *
 *   byte        shared                        exclusive
 *   0 ARBITER   -                             opens as the first, or leaves
 *   1 PRESENT   opens, or is a member         recovery, the last one's close
 *   2 MEMBER    a member: the index is ready  -
 *   3 ALONE     -                             a writer that shares with nobody
 *
 * The file's content is the pid of the last who was first; a second line says why it
 * shares with nobody.
 */
#ifndef TXN_ENTRY_H
#define TXN_ENTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "util/message.h"

enum entry_role {
	ENTRY_JOINS,  /* others are members: their index is to be joined */
	ENTRY_FIRST,  /* nobody is there: recover; then entry_ready() or entry_alone() */
};

/**
 * entry_come() - open DIR/lock and find out who is there
 * @fd: receives the descriptor that holds the locks
 *
 * Waits for somebody who recovers, or leaves, up to half a minute.
 * Return: 0; -EBUSY with the pid in the text: a writer shares with nobody, or
 * it takes too long; -ESTALE: the journal was destroyed meanwhile, and there may be
 * another by now; or what the system said.
 */
int entry_come(const char *dir, unsigned int mode, int *fd, enum entry_role *role,
	       struct message *message);

/* whether DIR is still the journal whose lock this is: it may have been removed, and another be
 * in its place */
bool entry_is_there(const char *dir, int fd);
/* Return: 0 it is, -ESTALE it is not, or why that is not known */
int entry_there(const char *dir, int fd);

/* the same, with a descriptor of DIR, which stays that of this journal.
 * Return: it, or -ESTALE, or what the system said */
int entry_directory(const char *dir, int fd);

/* what is said where @error says that it is not, or why that is not known.  Return: @error */
int entry_not_there(const char *dir, int error, struct message *message);
/* what is said where it is not.  Return: -ESTALE */
int entry_stale(const char *dir, struct message *message);

/* the index that was to be joined is gone: its last member left meanwhile */
void entry_again(int *fd);

/* to come is to stay: the first has made the index, or the joiner found it.
 * Return: 0 or negative errno */
int entry_ready(int fd);

/* the first goes on alone; @why is for people.  Return: 0 or negative errno */
int entry_alone(int fd, const char *why);

/**
 * entry_leave() - after everything that others may use was given back
 * Return: true: nobody else is there, and nobody comes before entry_end().
 * False: others are, and this one is no member any more.
 */
bool entry_leave(int fd);

/* let go of everything; also of what a fork's child holds with us */
void entry_end(int fd);

/* take it all, at once or not at all: for format.  Return: 0, or -EBUSY with the
 * pid in the text, or what the system said. */
int entry_exclusive(const char *dir, unsigned int mode, int *fd, struct message *message);

#define ENTRY_PID_UNKNOWN (-1)

/* a writer's pid; 0: there is none; ENTRY_PID_UNKNOWN: it has yet to say */
int entry_holder(const char *dir);

/* why the writer is alone, if there is one that is; else "" */
void entry_why_alone(const char *dir, char *why, size_t bytes);

/* journal.conf is to be replaced, by one process after the other.  Return: whether nobody
 * else is at it.  Who is stopped in it is not waited for longer than for a moment. */
bool entry_conf(int fd);
void entry_conf_done(int fd);

#endif
