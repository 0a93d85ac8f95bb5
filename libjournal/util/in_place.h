/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of which each byte is written again where it is, also on a file system that
 * otherwise writes everything elsewhere. */
#ifndef UTIL_IN_PLACE_H
#define UTIL_IN_PLACE_H

/**
 * in_place_ask() - ask the file system to overwrite a file where it is
 * @fd: of a file that is still empty
 *
 * btrfs writes every block anew, which takes room: on a full disk an overwrite fails, of a
 * log whose room was set aside, and a store to a mapping kills.  It stops that for a file
 * that is asked for while it is empty.  With it go the checksums of btrfs (a journal has
 * its own), and so it is not asked where data is kept more than once: without them, two
 * copies that a crash has left different would be served by turns.
 *
 * What cannot be had is not an error: all others overwrite in place as they are.
 */
void in_place_ask(int fd);

#endif
