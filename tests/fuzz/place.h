/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small journals under the fuzzer, on a file system in memory: each is made once, by a
 * process that ended without closing it.  Their media are patched, looked at by whoever
 * likes, written to, and put back as they were.  For targets with
 *
 *   link: tests/fuzz/place.c -Wl,--wrap=pwrite,--wrap=pwritev2,--wrap=mmap,--wrap=munmap
 *
 * What is written to a medium is seen on its way, and has to have a value, all of it: that is
 * for MemorySanitizer to say, which knows nothing of pwritev2().
 */
#ifndef FUZZ_PLACE_H
#define FUZZ_PLACE_H

#include <stdbool.h>

#include "fuzz.h"
#include "journal.h"

#define PLACE_PAYLOAD_MAX (480u << 10) /* what is in them is not larger */
#define PLACE_SEEN_MAX    4096u

/* one transaction, as a reader sees it */
struct place_seen {
	uint64_t id, bytes;
	uint32_t sum;
	bool damaged; /* lost, or not to be read */
};

struct place_list {
	uint32_t count;
	struct place_seen seen[PLACE_SEEN_MAX];
};

struct place;

/* on a file; in NVRAM; without room for digests there; with what is large.  @which: any number */
struct place *place_of(unsigned int which);
const char *place_dir(const struct place *place);

/* Patches until @in ends, or enough.  Return: whether a checksum was made to hold */
bool place_patch(struct place *place, struct fuzz_input *in);
/* journal.conf, until it is restored */
void place_conf(struct place *place, const void *text, size_t bytes);
/* the media and DIR as they were at first */
void place_restore(struct place *place);

/* so many bytes as all payloads have them, which differ by where they start */
const uint8_t *place_payload(uint8_t fill);

/*
 * List and read all.  No list is endless, no error is one that is not documented, and if no
 * checksum was made to hold, what can be read under an id is what was put under it.
 * @list: receives it, sorted by id; may be NULL
 */
void place_look(const struct place *place, struct journal *j, bool sealed,
		struct place_list *list);

#endif
