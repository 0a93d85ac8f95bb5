/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal that gets another marker medium. */
#ifndef TXN_SET_MARKER_IMPL_H
#define TXN_SET_MARKER_IMPL_H

#include "txn/make_impl.h"
#include "txn/remark.h"

struct set_marker {
	struct make make; /* of the new medium */
	struct journal_format_options format;
	const struct journal_marker_options *options;
	struct message *message;
	struct remark remark;
	bool had_content; /* of ours, or to be written over: not removed when we fail */
	bool in_force;    /* journal.conf names it, durably or not */
	bool undecided;   /* ... and whether durably nobody knows */
	/* rescue_place.c: URIs of the journal's own file, and of the one that is made beside it
	 * and replaces it; else empty */
	char place[PATH_MAX], beside[PATH_MAX + 16];
};

/**
 * set_marker_make() - the new medium, of what lives in @s->remark.from; then journal.conf
 * Return: 0; or negative errno with the text: then journal.conf is as it was and the new
 * medium removed, unless @s->in_force says otherwise.
 */
int set_marker_make(struct set_marker *s);

/* The first half of it, which may be refused, and changes no journal; on an error it is
 * undone.  Then either of the other two. */
int set_marker_medium(struct set_marker *s);
int set_marker_switch(struct set_marker *s);
void set_marker_undo(struct set_marker *s);

/* The file of @uri, if it is one, is as journal.conf is: owner, group, mode.
 * Return: 0 or negative errno with the text */
int set_marker_like(struct set_marker *s, const char *uri);

/* whether a superblock in @store is one of this journal */
bool set_marker_is_of(const struct marker_store *store, const uint8_t uuid[16]);

/* whether @s->make.conf.marker, not yet made, is a medium of this very journal, which an
 * attempt before has left */
bool set_marker_is_left(const struct set_marker *s);

/* journal_set_marker(); @alone: not beside others */
int set_marker(const char *dir, const struct journal_marker_options *options, bool alone,
	       char *message, size_t message_bytes);

/* all that NVRAM held is overwritten; Return: 0 or negative errno */
int set_marker_erase(struct marker_store *store);

/* whether both URIs are one medium */
bool set_marker_same(const char *one, const char *other);

/*
 * rescue_place.c: where the markers of a journal that is rescued go.  Is it the file that
 * they were in, the new one is made beside it, and then takes its place: until then all is
 * as it was.  The one before is kept, under another name.
 */
/* Before anything is made.  Return: 0, or negative errno with the text: it is refused */
int rescue_place(struct set_marker *s, struct journal *j);
/* journal.conf, and the new file in its place.  Return: 0 or negative errno with the text;
 * on 0 it may say what was kept */
int rescue_switch(struct set_marker *s);
/* What was kept of @path, and what was made beside it, goes. */
void rescue_forget(const char *path);

/* set_marker() while others have the journal open: set_marker_live.c */
int set_marker_live(struct set_marker *s, const char *dir);

/* what the two calls begin and end with */
struct set_marker *set_marker_begin(const char *dir,
				    const struct journal_marker_options *options,
				    struct message *text);
int set_marker_end(struct set_marker *s, int error, char *message, size_t message_bytes);

/* a handle to prepare and open; NULL: no memory */
struct journal *set_marker_handle(struct set_marker *s);
/* what its thread was told of @j.  Return: @error */
int set_marker_say(struct set_marker *s, struct journal *j, int error);

#endif
