/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: looking at a journal.  Part of journal.h, which includes it: what is
 * said there of errors, threads and handles holds here too.
 */
#ifndef JOURNAL_INFO_H
#define JOURNAL_INFO_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * struct journal_medium - one medium and what is known of it
 * @name:      marker URI, or path of the log
 * @backend:   "file", "pmem", "sim"; "io_uring", "pwrite"; "mirror": journal_legs()
 * @routine:   persist routine ("clwb", "nt", "msync" ...) or the way a log
 *             write is made durable ("dsync", "none: write-through cache ...")
 * @evidence:  why it has its class, for people
 * @survives: the class in force
 * @assumed:   @survives was asserted by the user, @evidence says what was found
 * @bytes:     size
 * @failed:    sticky failure; of one of several logs: it is out of use, or, with
 *             @backend "none", was not there at open
 * @distrust:  NVRAM: why it is not trusted any more (journal_health()); empty: it is
 */
struct journal_medium {
	char name[256];
	char backend[16];
	char routine[64];
	char evidence[256];
	enum journal_class survives;
	int assumed;
	uint64_t bytes;
	int failed;
	char distrust[128];
};

/**
 * struct journal_info - geometry, media, health and counters of one handle
 */
struct journal_info {
	char uuid[37];
	uint32_t format_version;
	uint32_t incarnation;
	enum journal_class require;
	struct journal_medium marker;
	struct journal_medium logs[JOURNAL_LOGS_MAX];
	uint32_t log_count;
	int read_only;
	/* read-only handle: who has it open to write now: a pid; -1, somebody who has yet
	 * to say; 0, nobody */
	int in_use_pid;
	/* processes, or handles, that write it now; 1: at least, where they cannot be seen */
	uint32_t members;
	int index_shared;         /* in memory that these share, and this handle, too */
	char index_private[512];  /* else: why not, for people */

	/* geometry */
	uint32_t lanes;
	uint32_t lines;
	uint64_t stage_bytes;     /* 0 without NVRAM */
	uint32_t stage_max_bytes;
	uint32_t segments;
	uint64_t segment_bytes;
	uint32_t log_block_bytes;

	/* now */
	uint64_t live;
	uint64_t live_bytes;
	uint64_t lost;
	uint64_t lost_unnamed;    /* acknowledged, lost, and no id left: at least */
	uint32_t legs_out;        /* of mirrored logs, those not in use: journal_legs() */
	uint32_t segments_free;
	uint32_t lines_free;
	uint64_t stage_used_bytes; /* of stage_bytes: also what is retired, until its turn */
	uint64_t staged_live;     /* at risk if NVRAM dies: transactions */
	uint64_t staged_live_bytes;
	uint64_t staged_oldest_time_ns; /* 0: none */
	uint32_t abandoned;       /* 1: NVRAM was given up; commits are synced */
	uint64_t distrusted_time_ns; /* since when it is not trusted; 0: it is */
	uint64_t evacuated;       /* brought from NVRAM to the log then */
	uint64_t evacuated_lost;  /* could not be read any more then */
	uint32_t returns;         /* how often NVRAM was gone back to while it was open */

	/* since the first of those who have it open opened it, of all processes, also of
	 * those that are gone */
	uint64_t since_ns;        /* when that was, CLOCK_REALTIME */
	uint64_t commits_staged;
	uint64_t commits_direct;
	uint64_t commits_synced;
	uint64_t commits_no_lane; /* staged was wanted, no lane or room: went another way */
	uint64_t payload_bytes;   /* of all commits */
	uint64_t groups;
	uint64_t aborts;
	uint64_t retires;
	uint64_t retires_unfreed; /* list of extents unreadable: space back at the next open */
	uint64_t destaged;        /* transactions moved from stage to log */
	uint64_t elided;          /* retired before destage: never touched the disk */
	uint64_t log_writes;
	uint64_t log_bytes_written;
	uint64_t log_flushes;     /* flushes sent alone (fdatasync) */
	uint64_t log_merged;      /* flushes that another's flush has served */
	uint64_t log_dsyncs;      /* writes sent with DSYNC */
	uint64_t log_unsynced;    /* durable writes that needed no sync (write-through) */
	uint64_t log_reads;       /* by those who write: not by those who only read */
	uint64_t log_bytes_read;
	uint64_t log_async;       /* io_uring completions not inline */
	uint64_t copies_damaged;  /* of mirrored logs: did not verify, the other copy did */
	uint64_t copies_repaired; /* of these, written anew */
	uint64_t checkpoints;
	uint64_t line_recycles;
	uint64_t segment_recycles;
	/* write amplification: (log_payload_bytes + moved_bytes) / log_payload_bytes */
	uint64_t log_payload_bytes; /* committed in the log, or destaged to it */
	uint64_t cleaned;         /* segments freed by moving what lived in them */
	uint64_t cleaned_not;     /* looked at, and left: something in them cannot be moved */
	uint64_t moved;           /* transactions, each time one is moved */
	uint64_t moved_bytes;     /* their payload */
	uint64_t lines_cleaned;   /* marker lines freed by moving what lived in them */
	uint64_t lines_cleaned_not; /* looked at, and left: something cannot be moved */
	uint64_t rehomed;         /* of those moved: to another line, under the same id */
	uint64_t takeovers;       /* of what a killed process had */

	/* of the recovery at open */
	uint64_t recovered;
	uint64_t recovery_ns;
	uint64_t recovery_log_bytes_read;
	uint64_t torn;            /* records whose commit was in flight */
};

/**
 * journal_info() - fill in @info
 * @info: receives it; counters are read while others count
 * Context: does not block; takes time in proportion to what is live.
 * Return: 0.
 */
int journal_info(struct journal *journal, struct journal_info *info);

/**
 * struct journal_finding - one thing that journal_check() found
 * @damage: 1: damage; 0: a remark (what a crash may leave, what was left out)
 * @id:     transaction concerned, or 0
 * @text:   names the thing and the reason
 */
struct journal_finding {
	int damage;
	uint64_t id;
	const char *text;
};

/**
 * journal_check() - verify everything, change nothing
 * @dir:      the journal's directory
 * @options:  as for journal_open(); JOURNAL_RDONLY is implied
 * @found:    called for each finding, in the calling thread
 * @context:  passed to @found
 * @message, @message_bytes: text of an error, as for journal_format()
 *
 * Durable: what is looked at stays as it is.  Context: blocks for reading what
 * is live, up to five times beside a writer.
 *
 * Return: 0 clean, -EUCLEAN when at least one finding is damage, or as
 * journal_open().
 */
int journal_check(const char *dir, const struct journal_open_options *options,
		  void (*found)(void *context, const struct journal_finding *finding),
		  void *context, char *message, size_t message_bytes);

/**
 * journal_owns() - whether a file is one of the journal's own, not to be written over
 * @dir:  the journal's directory
 * @path: it need not be there; a link to one of them is one, too
 * @message:       receives the text of an error, NUL-terminated; may be NULL
 * @message_bytes: size of @message
 * Context: may be called at any time, also of a journal that others have open.
 * Return: 0: it is none, or -EEXIST it is, and the text says which; -ENOENT no journal
 * there, -EUCLEAN journal.conf is damaged, -ENOMEM.
 */
int journal_owns(const char *dir, const char *path, char *message, size_t message_bytes);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

/* of logs that lie on two disks: journal_legs(), journal_mirror() */
#include "journal_mirror.h"

#endif
