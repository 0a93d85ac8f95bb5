/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of one speed.  Plain memory stands in for NVRAM, and the pages of a virtual machine
 * are not all alike: some are of another node, and a bit took 368 ns to be written back there
 * where it took 195 in the others.  A floor goes over many pages and a journal comes back to a
 * few, so that one such page decides a ratio.
 */
#ifndef BENCH_LIB_EVEN_H
#define BENCH_LIB_EVEN_H

#include <stdint.h>

/**
 * struct even - slow pages that were put aside, so that nobody gets them
 * @aside: @pages of them, of which the first @taken are held; NULL: none
 * @limit: a page that takes longer than this many ns is slow, in all files of a run; 0: the
 *         first file will tell
 */
struct even {
	uint8_t *aside;
	uint64_t pages, taken;
	uint64_t limit;
};

/**
 * even_file() - make a file of zeros in memory whose pages are alike
 * @path: not there yet
 * @even: zeroed at first, for all files of a run; even_release() it at its end
 *
 * Asks each page how long a bit takes there.  One that is slower by half than the fastest tenth
 * is given back and taken aside, so that another page comes in its place.  Says how many it
 * found, and how many are left.
 * Return: 0, or a negative errno; then there is no file.
 */
int even_file(const char *path, uint64_t bytes, struct even *even);

void even_release(struct even *even);

#endif
