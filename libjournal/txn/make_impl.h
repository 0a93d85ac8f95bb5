/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal in the making. */
#ifndef TXN_MAKE_IMPL_H
#define TXN_MAKE_IMPL_H

#include "txn/journal_impl.h"

struct remark;

struct make {
	char dir[PATH_MAX]; /* resolved */
	const struct journal_format_options *options;
	struct message *message;
	mode_t mode;
	struct conf conf;
	struct conf old; /* what --force writes over, where there was one */
	uint64_t nonce;
	bool over; /* a journal is there, and is written over by force */
	bool hits; /* media of it are */
	bool old_gone; /* its journal.conf is */
	uint64_t beside; /* media that are made under another name: make_beside.c */
	bool made_dir, made_lock, made_peers, marker_made;
	int lock_fd;
	bool log_is_file[JOURNAL_LOGS_MAX], mirror_is_file[JOURNAL_LOGS_MAX];
	uint32_t logs_made;
	uint64_t log_bytes; /* of one log */
	struct log_store *logs[JOURNAL_LOGS_MAX];
	struct log_geometry log;
	struct marker_store *marker;
	struct marker_geometry geometry;
	const struct remark *remark; /* of a journal that is there; NULL: format */
};

/* make_log.c: where the logs will be, and how large; nothing is made.  Then they are made.
 * Return: 0 or negative errno with the text */
int make_logs_plan(struct make *m);
int make_logs(struct make *m);
/* make_room.c: all logs together, when nobody says how much; @whence: ", why so much,";
 * NULL: it is a tenth of what is free */
int make_log_default(struct make *m, uint64_t *total, const char **whence);
/* Before anything is made: all of the logs' places are there, and differ.
 * Return: 0 or negative errno with the text */
int make_places(struct make *m); /* make_place.c */
int make_marker(struct make *m); /* make_marker.c */
/* the size that the medium gets; 0: that which it has; @there: it need not be made */
uint64_t make_marker_bytes(struct make *m, bool *there);
/* whether @m->marker will do, with @bytes; Return: 0 or negative errno with the text */
int make_marker_judge(struct make *m, uint64_t bytes);
/* @m->options->marker, resolved, into @m->conf.marker.  Refused: another file of the
 * journal in @m->dir with @m->conf, a log of any journal, and
 * the configuration, lock and so on of another */
int make_marker_uri(struct make *m);
/* lines for so many bytes of log */
uint32_t make_lines_for(uint64_t log_bytes);
/* lanes and rings of a stage of so many bytes; Return: whether that is enough for one */
bool make_stage(struct marker_geometry *g, uint64_t bytes);
/* NVRAM that takes the place of markers in a file, with as many lines: of the default size,
 * or less where the log is small; Return: false: it would have no room for a stage */
bool make_geometry_beside(const struct marker_geometry *file, uint64_t log_bytes,
			  struct marker_geometry *g);
void make_close(struct make *m);

/* make_old.c: logs of the journal before that are not written over */
void make_remember_old(struct make *m);
void make_remove_old(struct make *m);
/* one of its media is one of those to be made, or nobody knows */
bool make_hits_old(const struct make *m);

/* make_beside.c: media that are there, of a journal that is written over, are made beside it;
 * m->conf has their names of then.  Return: false: one has to be written over where it is */
bool make_beside(struct make *m);
/* They get their names.  Return: 0 or negative errno with the text */
int make_beside_end(struct make *m);

/* make_probe.c: what making logs and markers would refuse, before any is.  Nothing that is
 * there is changed.  Return: 0 or negative errno with the text */
int make_probe(struct make *m);

#endif
