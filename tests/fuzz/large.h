/* SPDX-License-Identifier: BSD-3-Clause */
/* Large memory that is kept.  For targets with
 *
 *   link: tests/fuzz/large.c -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
 *   link: -Wl,--wrap=posix_memalign
 */
#ifndef FUZZ_LARGE_H
#define FUZZ_LARGE_H

/* What is allocated from here on. */
void large_begin(void);
/* how many are not given back */
unsigned int large_in_use(void);

#endif
