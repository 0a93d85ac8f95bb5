/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal to test with, on each kind of medium, and a model of what must be
 * in it.  Only what a user of journal.h can do; verified by opening again. */
#ifndef TESTS_LIB_BED_H
#define TESTS_LIB_BED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "lib/scratch.h"

enum bed_medium {
	BED_FILE,  /* file: checkpoints, synced path only */
	BED_PMEM,  /* pmem: on tmpfs */
	BED_MSYNC, /* pmem: on a disk's file system */
	BED_SIM,   /* sim: loses what was not flushed and fenced */
	BED_MEDIA,
};

#define BED_LOGS_MAX 4u

struct bed {
	enum bed_medium medium;
	struct scratch disk, memory;
	char dir[PATH_MAX];
	char marker[PATH_MAX]; /* path of the marker medium */
	unsigned int log_count; /* 0: one, in dir */
	char logs[BED_LOGS_MAX][PATH_MAX]; /* directories */
	bool mirrored;
	char mirrors[BED_LOGS_MAX][PATH_MAX]; /* directories of their second legs */
	struct journal *j;
};

struct model_entry {
	uint64_t id, seed;
	uint64_t bytes;
	bool retired;
};

/* what was acknowledged; the functions may be called from any thread */
struct model {
	pthread_mutex_t lock;
	struct model_entry *all;
	size_t count, room;
};

#define BED_LOG_BYTES (16ull << 20)

/* Format (log_bytes, marker_bytes 0: small defaults) and open.  With BED_LOGS in the
 * environment: on so many logs, each of that size. */
void bed_make(struct bed *bed, enum bed_medium medium, uint64_t log_bytes,
	      uint64_t marker_bytes);
/* the same with several logs, each in a directory of its own */
void bed_make_logs(struct bed *bed, enum bed_medium medium, unsigned int logs,
		   uint64_t log_bytes, uint64_t marker_bytes);
/* one log, mirrored.  With BED_MIRROR in the environment all are. */
void bed_make_mirrored(struct bed *bed, enum bed_medium medium);
void bed_remove(struct bed *bed);
void bed_open(struct bed *bed, const struct journal_open_options *options);
void bed_close(struct bed *bed);
void bed_reopen(struct bed *bed);
bool bed_has_nvram(const struct bed *bed);
struct journal_info bed_info(struct bed *bed);

/* journal_check(); prints what it finds when @expected is not what it returns */
void bed_check(struct bed *bed, int expected);

/* bytes that nobody else's seed makes */
void bed_fill(uint8_t *bytes, size_t count, uint64_t seed);
uint8_t *bed_payload(size_t count, uint64_t seed); /* malloc()ed */

void model_make(struct model *model);
void model_free(struct model *model);
void model_add(struct model *model, uint64_t id, uint64_t bytes, uint64_t seed);
/* Return: its entry, or NULL. */
struct model_entry *model_find(struct model *model, uint64_t id);
void model_retire(struct model *model, uint64_t id);
size_t model_live(struct model *model);

/* the payload at @id is what @seed makes; Return: 0, or what journal_read() said */
int bed_verify(struct journal *j, uint64_t id, uint64_t bytes, uint64_t seed);
/* exactly the model's live transactions are there, in order, byte for byte */
void model_verify(struct model *model, struct journal *j);
/* close, check, open again, verify */
void model_verify_reopened(struct model *model, struct bed *bed);

/* put @bytes of a payload made from @seed by @path; adds it to the model.
 * Return: as journal_commit() */
int bed_put(struct bed *bed, struct model *model, uint64_t bytes, uint64_t seed,
	    enum journal_path path, struct journal_receipt *receipt);

/* Run @test once on each medium of @media (a mask of 1 << BED_*). */
struct bed_test {
	const char *name;
	void (*function)(enum bed_medium medium);
	unsigned int media;
};
#define BED_ALL   0xfu
#define BED_NVRAM (BED_ALL & ~(1u << BED_FILE))
int bed_run(const struct bed_test *tests, size_t count);

#endif
