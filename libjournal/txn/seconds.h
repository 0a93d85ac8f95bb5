/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The second copies of digests that go to another log, written beside what goes on.
 *
 * That log's disk is busy with what others put there, and meanwhile our own is not to
 * stand still.  So whoever goes on in a fresh segment gives the copies away, to a thread, and
 * goes on; and before he acknowledges anything in the fresh one he waits for them:
 * what has been acknowledged in the old one has its names in both places by then, as if they
 * had been written first.  A crash in between finds what one between two writes does.
 *
 * The old segment is let go after that (head_settle()): not before is it another's, with
 * another digest in that place.
 */
#ifndef TXN_SECONDS_H
#define TXN_SECONDS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SECONDS_MOST 2u /* of the segment that is opened, and of the one that is left */

struct journal;

struct segment;

/* one copy; @buffer is ours, and freed when it is written.  Where that goes is looked at
 * then: logs may have come and gone. */
struct second {
	struct segment *segment;
	void *buffer;
	uint64_t bytes;
};

/**
 * struct seconds - those of one who goes from segment to segment
 * @lock:    protects all that follows; not held while anything is written
 * @of:      the first @count are to be written, of which @taken are being, or have been
 * @error:   the first failure
 * @thread:  if it @runs; it begins with the first copy, for most processes have none
 */
struct seconds {
	struct journal *j;
	pthread_mutex_t lock;
	pthread_cond_t put, done;
	struct second of[SECONDS_MOST];
	uint32_t count, taken;
	int error;
	pthread_t thread;
	bool runs, stopping;
};

/* Return: 0 or -ENOMEM */
int seconds_make(struct seconds *seconds, struct journal *j);
void seconds_stop(struct seconds *seconds);

/* @second's buffer is taken over.  Without a thread to be had it is written now. */
void seconds_put(struct seconds *seconds, const struct second *second);

/**
 * seconds_wait() - those that were put are durable, but where their log is out of use
 * Return: 0, or the sticky failure.
 */
int seconds_wait(struct seconds *seconds);

#endif
