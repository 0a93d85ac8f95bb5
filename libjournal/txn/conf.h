/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DIR/journal.conf: which media make up a journal.  Lines "key = value";
 * empty lines and lines that begin with # are ignored.
 *
 *   format = 0              version of this file and of the media
 *   uuid = ...              must be that of every medium
 *   marker = file:markers   marker URI; a relative path is below DIR
 *   log = log               once for each log, in order; relative: below DIR;
 *                           "-": one that was removed had this place
 *   mirror = mirror         optional, after a log: it lies on both
 *   segments = 0 8 ...      optional, since it was resized: a run (format/run.h)
 *   require = power         class below which the journal is not opened
 *   assume-marker = power   optional: asserted by the user
 *   assume-log = power      optional: asserted by the user
 *   return-to = pmem:...    optional: NVRAM that was abandoned, to be tried again
 */
#ifndef TXN_CONF_H
#define TXN_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/run.h"
#include "journal.h"
#include "util/message.h"

#define CONF_NAME      "journal.conf"
#define CONF_BYTES_MAX 65536u
/* conf_prepare()'s suffix of who resizes: whoever gives NVRAM up takes it away */
#define CONF_RESIZED   ".resized"

struct conf {
	uint8_t uuid[16];
	char marker[PATH_MAX]; /* URI with an absolute or DIR-relative path resolved */
	char logs[JOURNAL_LOGS_MAX][PATH_MAX];
	char mirrors[JOURNAL_LOGS_MAX][PATH_MAX]; /* its second leg; empty: there is none */
	uint32_t left[JOURNAL_LOGS_MAX]; /* leg 1 or 2 that is out of date: left.h; 0: none */
	uint32_t log_count;     /* places; one whose path is empty is nobody's */
	struct log_runs runs;   /* none: those of the superblocks */
	char return_to[PATH_MAX]; /* URI of NVRAM that was abandoned; empty: none was */
	enum journal_class require;
	enum journal_class assume_marker;
	enum journal_class assume_log;
	bool has_format, has_uuid; /* while parsing */
};

static inline bool conf_has_log(const struct conf *conf, uint32_t log)
{
	return log < conf->log_count && conf->logs[log][0];
}

/* bit i: there is a log i */
uint32_t conf_logs(const struct conf *conf);

/* @text: as read, NUL-terminated; changed by parsing.
 * Return: 0, -EPROTO other version, -EUCLEAN with the line in the text. */
int conf_parse(char *text, const char *dir, struct conf *conf, struct message *message);

/* Return: 0, -ENOENT no journal there, or as conf_parse() */
int conf_read(const char *dir, struct conf *conf, struct message *message);

/*
 * What changes DIR changes no other journal that has come to its place: @lock is the descriptor
 * of DIR/lock (entry.h), of which DIR must be, or else -ESTALE is returned and nothing is done.
 * Negative: whatever is there.
 */

/* write it atomically: a temporary file, synced, renamed, directory synced */
int conf_write(const char *dir, int lock, const struct conf *conf, unsigned int mode,
	       struct message *message);

/* the same, with owner, group and mode of the one that is there.  Several may do so at once. */
int conf_rewrite(const char *dir, int lock, const struct conf *conf, struct message *message);

/*
 * The same in two steps, of which the second is one rename(2), and takes away what the
 * first has made: so of any number of who enforce it, at any time, one does, and none
 * once somebody has given it up.
 */
int conf_prepare(const char *dir, int lock, const struct conf *conf, const char *suffix,
		 struct message *message);
/* Return: 0; -ENOENT it is not there any more; or negative errno: undecided */
int conf_enforce(const char *dir, int lock, const char *suffix, struct message *message);
/* Return: 0: nobody has, or ever will; or negative errno (-ENOENT: somebody has) */
int conf_give_up(const char *dir, int lock, const char *suffix);

/* path below @dir unless absolute; Return: 0 or -ENAMETOOLONG */
int conf_path(const char *dir, const char *path, char out[PATH_MAX], struct message *message);

void uuid_print(const uint8_t uuid[16], char text[37]);

#endif
