/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resizing: docs/decisions/0015-resize.md.  One at a time among all processes, by a word
 * in the mapping.  journal.conf says which segments there are, and its rename is the one
 * point at which that changes.  So what is new is made and durable before it, and is
 * used after it; what is to go is empty before it, and is removed after it.
 *
 * The mapping follows journal.conf: resize_settle().  Who is killed leaves the mapping
 * one step behind it at most, and that is safe: segments that are not known are not
 * used, and those that have left stay empty.
 */
#ifndef TXN_RESIZE_H
#define TXN_RESIZE_H

#include "txn/conf.h"
#include "txn/journal_impl.h"
#include "txn/runs.h"

/* shared->resize_phase */
enum resize_phase {
	RESIZE_NONE,
	RESIZE_EMPTIES, /* killed now, what is to go stays */
	RESIZE_COUNTS,  /* journal.conf is replaced just now: nobody knows but the disk */
	RESIZE_MIRRORS, /* a leg of a mirrored log is brought up to date: mirror.c */
};

struct resize {
	struct journal *j;
	const struct journal_resize_options *options;
	struct journal_resized done;
	struct log_geometry g; /* what all logs have in common */
	struct conf conf;      /* as it is, or as it is to be */
	uint32_t logs;         /* places of logs, once all is done: bits */
	uint32_t each;         /* segments of each log, once all is done */
	struct log_store *added; /* a new log, until the mapping has it */
};

/* ---- resize.c ---- */

/* One at a time: this, or bringing a leg up to date.  Return: 0 or -EBUSY with the text */
int resize_take(struct journal *j);
void resize_drop(struct journal *j);

/* ---- resize_shrink.c ---- */

/* @member, who is dead, resizes no more */
void resize_takeover(struct journal *j, uint32_t member);

/* ---- resize_point.c ---- */

/**
 * resize_point() - journal.conf says what r->conf does, of logs and runs
 * Return: 0; -EINPROGRESS: nobody knows whether it does, and nothing may be undone; or
 * another error, and it does not.  With the text.
 */
int resize_point(struct resize *r);
/* The mapping follows journal.conf.  Return: 0 or an error with the text. */
int resize_settle(struct resize *r);
/* the place of a segment that is not to be found any more is taken again */
void resize_stays(struct journal *j, struct segment *segment);

/* ---- resize_grow.c: longer logs ---- */

/* each log gets segments until it has @each */
int resize_grow(struct resize *r, uint32_t each);
/* Files that are longer than what is used of them become that long. */
int resize_trim(struct resize *r);

/* ---- resize_legs.c: of a log that is mirrored, both legs ---- */

/**
 * resize_parts() - what a log lies on
 * @parts: receives the path of each, and what lies before the log there
 * Of one that is mirrored, those legs that are in use: one that is not is made as long as the
 * other one when it is brought up to date.
 * Return: how many
 */
struct resize_part {
	char path[PATH_MAX];
	uint64_t before;
};
unsigned int resize_parts(const struct resize *r, uint32_t log, struct resize_part parts[2]);
/* A leg of @log, mirrored, that is out of date is as long as the other one; what is no leg of
 * it stays as it is. */
int resize_leg(struct journal *j, uint32_t log, unsigned int leg, struct message *message);

/* ---- resize_place.c: where another log is to be ---- */

/* of it, or of one leg of it */
struct resize_place {
	const char *given; /* a directory, or a device; NULL: there is none */
	char *path;        /* in r->conf */
	bool device, was_there;
};

/* @place->path and the like, of what is given; Return: 0 or negative errno with the text */
int resize_name(struct resize *r, uint32_t log, struct resize_place *place, const char *suffix);
/* whether @path is what an attempt to add a log left that was killed */
bool resize_is_left(const struct resize *r, const char *path);
/* All that may be known of the new logs before anything is changed.
 * Return: 0 or negative errno with the text: they are refused */
int resize_look(struct resize *r);

/* ---- resize_log.c: another log ---- */

/* @mirror: of its second leg; NULL: it has none */
int resize_add_log(struct resize *r, const char *path, const char *mirror);
/* the place of the log that @path names; Return: 0 or -ENOENT with the text */
int resize_find_log(struct resize *r, const char *path, uint32_t *log);
/* whether who was killed has left a log there that is not journal.conf's any more: it goes */
bool resize_was_log(struct resize *r, const char *path);
/* what is left of a log that is not journal.conf's any more; of @log of @before, all */
void resize_remove_file(struct resize *r, const char *path);
void resize_remove_log(struct resize *r, const struct conf *before, uint32_t log);

/* ---- resize_shrink.c: less ---- */

/* logs not in @logs go, and of the others what is above @each */
int resize_shrink(struct resize *r, uint32_t logs, uint32_t each);
/* how many segments each of @logs logs needs for what lives */
uint32_t resize_least(const struct journal *j, uint32_t logs);

/* ---- resize_media.c ---- */

/* what each log is to be long for @each segments, as at format */
uint64_t resize_bytes_for(const struct resize *r, uint32_t each);
uint32_t resize_each_of(const struct resize *r, uint64_t bytes);
/* the feature of logs that have runs in journal.conf, in all superblocks */
int resize_mark(struct resize *r);
/* what an earlier segment with a number of these left in place of a second digest */
int resize_forget(struct resize *r, const struct log_run *run, uint32_t from);
/* second copies of digests, to where they belong by r->conf, as far as they are not */
int resize_digests(struct resize *r);

#endif
