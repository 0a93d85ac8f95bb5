/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The streams of what is committed: one, or with several logs one for each, so that a
 * process has a write under way on each of its disks.  A record goes to a stream that
 * has nothing under way, by turns; else to the one whose write under way is the next to
 * end.  Each stream is one by itself, on media and here (stream.h): nothing is ordered
 * between them, as nothing is between processes.
 *
 * Each has an open segment.  So there are fewer of them, or one, where segments are few;
 * and only the first one takes what is set aside (reserve.h): of a log that is nearly
 * full the last segments are not to be half used by each.
 */
#ifndef TXN_STREAMS_H
#define TXN_STREAMS_H

#include "txn/stream.h"

int streams_make(struct journal *j);
void streams_free(struct journal *j);

/* so many are in use; it changes with the logs (resize.h) */
uint32_t streams_count(const struct journal *j);

/* the log that the next segment of the one of @index is to be on, whose last one was to be on
 * @log, or NO_LOG; NO_LOG: any */
uint32_t streams_log_next(const struct journal *j, uint32_t index, uint32_t log);

/* The one to put a record into.  Who gets it appends to it (stream_append()) next. */
struct stream *streams_pick(struct journal *j);

/* It has what it writes from; Return: 0 or -ENOMEM with the text */
int stream_make_ready(struct stream *s);

/* one after the other; @reserved: the one that may take what is set aside */
struct stream *streams_turn(struct journal *j, bool reserved);

/* As stream_append_now(), to any of the first @most that takes it without waiting; but
 * rather than behind a write under way, to none while another stream has nothing to do. */
int streams_append_now(struct journal *j, const struct stream_record *record, uint32_t most,
		       struct stream_place *place);

/* as stream_append() with what is set aside, which only one of them uses */
int streams_append_reserved(struct journal *j, const struct stream_record *record,
			    struct stream_place *place);

/* as stream_drain(), all of them */
int streams_drain(struct journal *j);

#endif
