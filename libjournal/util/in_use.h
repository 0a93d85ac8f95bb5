/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has a medium open says so, by a lock on the file itself (flock(2)), which the kernel
 * drops with the process: so that nobody makes another journal of it meanwhile, whatever
 * directory that is in.  A file system that has no such locks goes without.
 */
#ifndef UTIL_IN_USE_H
#define UTIL_IN_USE_H

/* beside all others who do.  Return: 0; -EBUSY somebody is making something of it */
int in_use_mark(int fd);

/* nobody else has it open; from then on as in_use_mark().  Return: 0 or -EBUSY */
int in_use_claim(int fd);

/* Before it is closed: a child of fork() may have the same open file. */
void in_use_end(int fd);

#endif
