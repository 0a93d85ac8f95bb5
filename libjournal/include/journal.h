/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: a transaction journal whose commit is one bit in NVRAM.
 *
 * WHAT LOSES DATA WHEN MISUSED, first:
 *
 *  - A transaction is durable when journal_commit() has returned 0, and not a
 *    moment earlier.  Acknowledge (say 250) after that, never before.
 *  - What it survives then stands in the receipt.  On DRAM that is a process
 *    crash only; journal_open() refuses a medium below the class the journal
 *    was formatted to require (default: power loss).
 *  - After any error from commit or retire other than the ones listed as
 *    "nothing happened", a medium has failed and stays failed, for all handles
 *    (-EIO from everything that writes); or a limit of the process was met, for
 *    its handle alone (journal_error() says so, and others take over when it is
 *    closed).  Close, reopen: recovery decides.  Never retry over a failed write.
 *    Of several logs one may fail: only what was on its way has -EIO then.
 *  - A handle does not survive fork().  In the child every function refuses it
 *    (-ECHILD; journal_abort() does nothing); the child opens for itself.
 *  - Two transactions may be open in one thread at a time, but a pointer from
 *    journal_reserve() is valid only until the next call on that transaction.
 *
 * Functions return 0 or a negative errno, unless they say otherwise; results
 * go through out-parameters.  journal_error() has the text for the last error
 * of the calling thread's handle.  The library never prints and never exits.
 * An assertion that fails is an error of the calling program; assertions stay on in
 * release builds.  SIGBUS: see journal_health.h.
 *
 * Context: every function may be called from any number of threads at a time
 * on one handle; a struct journal_txn belongs to one thread at a time.  None
 * is async-signal-safe.  Where it is not said otherwise @journal is an open
 * journal, @txn an open transaction or group, @id that of a transaction.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* the library is compiled with hidden visibility; what is declared here leaves it */
#pragma GCC visibility push(default)

#define JOURNAL_VERSION_MAJOR 0
#define JOURNAL_VERSION_MINOR 1

/* Upper limits, checked, with a clear error. */
#define JOURNAL_TXN_BYTES_MAX (64u << 20) /* payload of one transaction */
#define JOURNAL_GROUP_MAX     64u         /* transactions in one group */
#define JOURNAL_RESERVE_MAX   ((1u << 20) - 65536) /* journal_reserve(), one piece */
#define JOURNAL_LOGS_MAX      16u         /* log directories */
#define JOURNAL_ID_CHARS      24u         /* printed id with its NUL */

struct journal;     /* an open journal */
struct journal_txn; /* an open transaction, or an open group of them */

/**
 * enum journal_class - what durable means on a medium, weakest first
 * @JOURNAL_CLASS_UNSET:   not stated; as an option: the default applies
 * @JOURNAL_CLASS_PROCESS: survives the death of the process
 * @JOURNAL_CLASS_OS:      survives a crash of the kernel
 * @JOURNAL_CLASS_POWER:   survives loss of power
 */
enum journal_class {
	JOURNAL_CLASS_UNSET = 0,
	JOURNAL_CLASS_PROCESS = 1,
	JOURNAL_CLASS_OS = 2,
	JOURNAL_CLASS_POWER = 3,
};

/**
 * enum journal_path - how a transaction was made durable
 * @JOURNAL_PATH_AUTO:   as an option: the journal chooses
 * @JOURNAL_PATH_STAGED: a self-certifying record in NVRAM
 * @JOURNAL_PATH_DIRECT: payload in the log, then its commit bit in NVRAM
 * @JOURNAL_PATH_SYNCED: a self-certifying record in the log, flushed
 */
enum journal_path {
	JOURNAL_PATH_AUTO = 0,
	JOURNAL_PATH_STAGED = 1,
	JOURNAL_PATH_DIRECT = 2,
	JOURNAL_PATH_SYNCED = 3,
};

/**
 * enum journal_state - state of a transaction that recovery or listing shows
 * @JOURNAL_LIVE: committed, not retired, readable
 * @JOURNAL_LOST: COMMITTED_BUT_LOST: committed, not retired, and damaged on
 *                its medium; reading gives -EBADMSG; may be retired
 */
enum journal_state {
	JOURNAL_LIVE = 1,
	JOURNAL_LOST = 2,
};

/* ---- making a journal ------------------------------------------------- */

/**
 * struct journal_progress - told how far a long operation is
 * @report:  called now and then in the calling thread, @done of @total bytes;
 *           NULL: nobody wants to know
 * @context: passed to @report
 */
struct journal_progress {
	void (*report)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/**
 * struct journal_format_options - zero means the default, everywhere
 * @marker:        marker URI ("file:PATH", "pmem:PATH", "sim:PATH");
 *                 default: "file:" with DIR/markers
 * @marker_bytes:  size of a marker medium that has to be made; default 64 MiB
 * @logs:          log directories (or one block device each); default: DIR
 * @log_count:     entries in @logs
 * @mirrors:       for each of @logs (without: the one in DIR) a directory or block device
 *                 with a second copy of it, on another disk; NULL: it has none
 * @mirror_count:  entries in @mirrors; logs beyond it have none
 * @log_bytes:     size of all logs together; default 1 GiB, or a tenth of the
 *                 free space, or all of a block device, if that is less
 * @require:       class below which format and every open refuse; default power
 * @assume_marker: class asserted by the user, overrides the evidence; stored
 * @assume_log:    the same for the logs
 * @group:         group that may use the journal; (gid_t)-1 keeps the caller's
 * @mode:          permission bits of the journal's files; default 0600, with
 *                 @group_set 0660; bits for others are refused (-EINVAL)
 * @group_set:     @group is meant
 * @force:         write over an existing journal or other content
 * @progress:      told about zero-filling
 */
struct journal_format_options {
	const char *marker;
	uint64_t marker_bytes;
	const char *const *logs;
	size_t log_count;
	const char *const *mirrors;
	size_t mirror_count;
	uint64_t log_bytes;
	enum journal_class require;
	enum journal_class assume_marker;
	enum journal_class assume_log;
	gid_t group;
	mode_t mode;
	int group_set;
	int force;
	struct journal_progress progress;
};

/**
 * journal_format() - make a journal in directory @dir (made if missing)
 * @dir:           the journal's directory
 * @options:       NULL for all defaults
 * @message:       receives the text of an error, NUL-terminated; may be NULL
 * @message_bytes: size of @message
 *
 * Durable: on return 0 everything is, to the class of the media.  On an error what was
 * made is removed again, and what was there is as it was, with @force unless the text says so.
 * Context: blocks (zero-fills the log).
 *
 * Return: 0, or
 * -EEXIST    a journal or other content is there and @force is not set
 * -EINVAL    an option does not make sense: the text names it; two logs at one place, or
 *            a mirror beside its log
 * -EPERM     a medium's class is below @require: the text has the evidence
 * -ENOSPC    the log or marker medium does not fit
 * -EBUSY     the journal is in use; or the marker medium, or a log device, is, by a journal
 * -ENOTSUP   no backend for the URI, or its library is not installed
 * or what the system said (-EACCES, -ENOENT, -EROFS, -EIO, -ENOMEM ...).
 */
int journal_format(const char *dir, const struct journal_format_options *options,
		   char *message, size_t message_bytes);

/* ---- destroying one --------------------------------------------------- */

/**
 * enum journal_destroyed - what becomes of a part of a destroyed journal
 * @JOURNAL_REMOVED: a file: it is gone
 * @JOURNAL_WIPED:   a device: all that the journal had of it is overwritten; it stays
 * @JOURNAL_LEFT:    what is there is not of this journal: it stays as it is
 * @JOURNAL_MISSING: there is nothing: not mounted, or gone.  What it holds stays
 */
enum journal_destroyed {
	JOURNAL_REMOVED = 1,
	JOURNAL_WIPED = 2,
	JOURNAL_LEFT = 3,
	JOURNAL_MISSING = 4,
};

/**
 * struct journal_destroy_options - zero means the default, everywhere
 * @dry_run:  only tell what would be done
 * @part:     called in the calling thread for each part of the journal, with what
 *            becomes of it, before anything is changed; NULL: nobody wants to know
 * @context:  passed to @part
 * @progress: told about overwriting
 */
struct journal_destroy_options {
	int dry_run;
	void (*part)(void *context, const char *path, enum journal_destroyed what);
	void *context;
	struct journal_progress progress;
};

/**
 * journal_destroy() - remove the journal in @dir, and what is in it, for good
 * @dir:           the journal's directory; removed too if it is empty then
 * @options:       NULL for all defaults
 * @message:       receives the text of an error, or on 0 why an empty @dir stayed; or NULL
 * @message_bytes: size of @message
 *
 * NVRAM is overwritten, all of it, whether it is a device or a file; so is a log
 * on a block device.  Log files are removed, as a mail server removes its own:
 * the disk's blocks are not overwritten.  A medium that journal.conf names, but
 * that has another uuid, is not touched.
 * Durable: on return 0 all of it is gone.  On an error, or after a crash, what is
 * left can be destroyed by another call: journal.conf goes last.
 * Context: blocks (overwrites media).
 *
 * Return: 0, or
 * -ENOENT   no journal there
 * -EUCLEAN, -EPROTO   journal.conf makes no sense, or is of another version
 * -EBUSY    the journal is in use: the text has the pid
 * -ENOTSUP  the marker's backend, or its library, is not there to overwrite it
 * or what the system said (-EACCES, -EROFS, -EIO, -ENOMEM ...).
 */
int journal_destroy(const char *dir, const struct journal_destroy_options *options,
		    char *message, size_t message_bytes);

/* ---- opening ---------------------------------------------------------- */

/* journal_open() flags */
#define JOURNAL_RDONLY      0x1u /* recover in memory, write nothing */
#define JOURNAL_NO_URING    0x2u /* use the pwrite path of the log store */
#define JOURNAL_BESIDE      0x4u /* with JOURNAL_RDONLY: in the memory that writers share,
				  * or -ESRCH: recover nothing */

/**
 * struct journal_open_options - zero means the default, everywhere
 * @flags:            JOURNAL_RDONLY, JOURNAL_NO_URING, JOURNAL_BESIDE
 * @require:          raise (never lower) the class stored at format
 * @stage_max_bytes:  payload above which a transaction is not staged;
 *                    default 16384
 * @recover_threads:  readers during recovery, 1 to 8; default 8: they wait for the disk
 * @progress:         told about recovery; @total falls when it is known what is in use
 */
struct journal_open_options {
	unsigned int flags;
	enum journal_class require;
	uint32_t stage_max_bytes;
	uint32_t recover_threads;
	struct journal_progress progress;
};

/**
 * journal_open() - open a journal; the first to do so recovers it
 * @dir:     the journal's directory
 * @options: NULL for all defaults
 * @journal: receives the handle.  Also on error, when memory allowed: it then
 *           serves only journal_error() and journal_close().
 *
 * Any number of processes (and handles) may have it open.  The first one
 * recovers; those that come while it is open join what it has made in shared
 * memory, and read no medium.  What a process that was killed had begun is taken
 * over by the others.
 *
 * Of several logs one may be missing or unreadable: the rest is opened, what was on
 * it alone is in state JOURNAL_LOST, and struct journal_info says so of that log
 * (journal_medium.failed).  With all of them missing it is an error.  One that is shorter
 * than it was is read as far as it goes, and not written; with no other one -EUCLEAN, but
 * for who only reads.  Of the legs of a
 * mirrored log one will do (journal_legs()), and nothing is lost.
 *
 * Durable: what recovery serves has been made durable before this returns.
 * Context: blocks; time is bounded by the markers plus the live data, for the
 * first; for those who join, by a few system calls.
 *
 * Return: 0, or
 * -EINVAL    unknown flags, or some that do not go together, or no such class
 * -ESRCH     JOURNAL_BESIDE: nobody has it open to write, or it cannot be shared: the
 *            text says which
 * -ENOENT    no journal there
 * -EUCLEAN   superblock, configuration or markers damaged beyond use
 * -EPROTO    other format version, or an incompatible feature
 * -EXDEV     log and markers are of different journals (uuid)
 * -ENOTUNIQ  each leg of a mirrored log has gone on without the other one:
 *            journal_mirror()
 * -EPERM     a medium's class is below the required one: text has the evidence
 * -EBUSY     a process has it that shares with nobody (text has its pid), or
 *            others have it whose shared memory is not to be found here, or
 *            somebody who opens it does not get done within half a minute
 * -EUSERS    1024 processes have it open: no more can
 * -ENOTSUP   no backend for the marker URI, or its library is not installed
 * or what the system said.  Damaged transactions are no error here: they are
 * listed in state JOURNAL_LOST and counted in struct journal_info.
 */
int journal_open(const char *dir, const struct journal_open_options *options,
		 struct journal **journal);

/**
 * journal_close() - close; all transactions, reads and asyncs must have been ended
 * @journal: may be NULL
 *
 * Durable: nothing that was acknowledged depends on this call.
 * Context: blocks; no other call on @journal may be under way.  A transaction, a
 * struct journal_reads or journal_async that is still open is a programming error.
 *
 * Return: 0, or the sticky error of the journal; it is closed either way.
 */
int journal_close(struct journal *journal);

/**
 * journal_error() - text of the last error on this handle
 * @journal: NULL gives the text for want of memory
 *
 * Return: a string that names thing and reason; never NULL.  Valid until the
 * same thread's next call on this handle.
 */
const char *journal_error(struct journal *journal);

/* ---- ids -------------------------------------------------------------- */

/**
 * journal_id_print() - one token, [0-9a-f-]
 * @text: receives it, with its NUL
 */
void journal_id_print(uint64_t id, char text[JOURNAL_ID_CHARS]);

/**
 * journal_id_parse() - the reverse
 * @text: what journal_id_print() made
 * @id:   receives the id
 * Return: 0, or -EINVAL when @text is no id.
 */
int journal_id_parse(const char *text, uint64_t *id);

/* ---- writing ---------------------------------------------------------- */

/**
 * struct journal_txn_options - zero means the default
 * @path:      insist on one commit path (for benchmarks and tests)
 * @bytes:     expected payload, a hint that picks the path at once
 * @tag:       a 64-bit number kept with the transaction (later: its queue)
 * @reference: another transaction's id, kept (later: shared body)
 */
struct journal_txn_options {
	enum journal_path path;
	uint64_t bytes;
	uint64_t tag;
	uint64_t reference;
};

/**
 * struct journal_receipt - what a commit did
 * @id:       of the transaction; of a group, the first: the others follow
 *            (@id + 1, ... @id + @count - 1)
 * @count:    transactions in the group; 1 without one
 * @path:     staged, direct or synced
 * @survives: the class of the weakest medium that it depends on
 */
struct journal_receipt {
	uint64_t id;
	uint32_t count;
	enum journal_path path;
	enum journal_class survives;
};

/**
 * journal_begin() - open a transaction
 * @options: NULL for all defaults
 * @txn:     receives it; ends with journal_commit() or journal_abort()
 *
 * Durable: nothing.  Context: no system call when staged.  A log that is nearly full: some
 * tenths of a second, for room; such a stage: 2 ms at most, the more the fuller it is.
 *
 * Return: 0, or (nothing happened)
 * -ENOSPC   the journal is full
 * -EROFS    opened read-only
 * -EIO      a medium has failed (sticky)
 * -ENOTSUP  the path insisted on is not to be had here
 * -EMSGSIZE @options->bytes is over JOURNAL_TXN_BYTES_MAX or what the log holds
 * -ENOMEM
 */
int journal_begin(struct journal *journal, const struct journal_txn_options *options,
		  struct journal_txn **txn);

/**
 * journal_append() - add bytes to the open transaction (copied)
 * journal_appendv() - the same, gathered
 * @data, @bytes: what is added
 * @iov, @iov_count: the pieces of it
 *
 * Durable: nothing.  Context: blocks only when the payload exceeds the stage.
 *
 * Return: 0, or (the transaction can now only be aborted)
 * -EMSGSIZE over JOURNAL_TXN_BYTES_MAX, or more than this log can hold
 * -ENOSPC   the journal is full
 * -EIO, -ENOMEM
 */
int journal_append(struct journal_txn *txn, const void *data, size_t bytes);
int journal_appendv(struct journal_txn *txn, const struct iovec *iov, int iov_count);

/**
 * journal_reserve() - room for @bytes, to be filled in place (no copy)
 * @bytes: at most JOURNAL_RESERVE_MAX
 * @where: receives the address, in NVRAM when staged; aligned to 8 if nothing
 *         was appended before; undefined content.  Valid until the next call
 *         on this transaction; all @bytes become payload.
 *
 * Durable: nothing.  Context: as journal_append().
 * Return: as journal_append(); -EMSGSIZE also above JOURNAL_RESERVE_MAX.
 */
int journal_reserve(struct journal_txn *txn, size_t bytes, void **where);

/**
 * journal_group_next() - end this transaction and open the next of its group
 *
 * A group of up to JOURNAL_GROUP_MAX transactions commits atomically with one
 * store; each has its own id and is retired on its own.  A group is limited to
 * JOURNAL_RESERVE_MAX bytes together.
 * Durable: nothing.  Context: as journal_append().
 * Return: 0, -E2BIG the group is full (it may still be committed), -EMSGSIZE,
 * or as journal_append().
 */
int journal_group_next(struct journal_txn *txn);

/**
 * journal_prepare() - optional: do all of a commit that can be done before it
 *
 * The payload is made durable, so that journal_commit() is one marker store.
 * Nothing may be appended after.  On the synced path there is nothing that
 * could be done before: it does nothing there.
 * Durable: the payload, uncommitted: recovery discards it.
 * Context: blocks for a log write when direct; no system call when staged.
 *
 * Return: 0, or as journal_append().
 */
int journal_prepare(struct journal_txn *txn);

/**
 * journal_commit() - the durable point
 * @receipt: receives what it did; may be NULL
 *
 * Ends the transaction in every case: @txn is gone afterwards.
 * Durable: on return 0, to @receipt->survives.
 * Context: no system call when staged or (prepared) direct; else blocks for
 * one durable log write, shared with other threads.
 *
 * Return: 0, or
 * -ENOSPC, -EMSGSIZE, -ENOMEM, -EMFILE, -ENFILE   nothing happened: it is aborted
 * -EIO                          a medium failed, sticky: recovery decides; or, and then
 *                               nothing is sticky, NVRAM was lost with it: it is aborted
 */
int journal_commit(struct journal_txn *txn, struct journal_receipt *receipt);

/**
 * journal_abort() - give the transaction up; @txn is gone afterwards
 * Durable: nothing need be.  Context: does not block.
 * Return: 0.
 */
int journal_abort(struct journal_txn *txn);

/**
 * journal_put() - begin, append @bytes at @data, commit
 * @data, @bytes: the payload
 * @receipt: may be NULL
 * Durable, Context: as journal_commit().
 * Return: as these.
 */
int journal_put(struct journal *journal, const void *data, size_t bytes,
		struct journal_receipt *receipt);

/**
 * journal_retire() - the transaction is finished: it never comes back
 *
 * Durable: on return 0.  Context: no system call with trusted NVRAM; else one
 * durable log write, shared with other threads.  One that was written in several
 * pieces (above 1 MiB or so) costs a read of the last piece after that, to free
 * the others; if that cannot be read, they are freed by the next open, and
 * retires_unfreed of struct journal_info counts it.
 *
 * Return: 0, or
 * -ENOENT   no such transaction, or already retired (nothing happened)
 * -EROFS, -EIO as above; -ENOMEM, -EMFILE, -ENFILE (nothing happened)
 */
int journal_retire(struct journal *journal, uint64_t id);

/**
 * journal_retire_many() - the same for @count ids with one barrier
 * @ids, @count: the transactions
 * @results: per id 0 or -ENOENT; may be NULL
 *
 * Durable, Context: as journal_retire().
 * Return: 0 when all were retired, -ENOENT when at least one was not to be
 * found (the others are retired), or -EROFS, -EIO, -ENOMEM (nothing happened).
 */
int journal_retire_many(struct journal *journal, const uint64_t *ids, size_t count,
			int *results);

/* ---- reading ---------------------------------------------------------- */

/**
 * struct journal_entry - one live or lost transaction
 * @id:        its id
 * @bytes:     payload; 0 when lost and unknown
 * @time_ns:   when it was begun or committed, CLOCK_REALTIME, coarse; 0 unknown
 * @state:     live or lost
 * @path:      where it is now: staged in NVRAM, or in the log (direct: by its
 *             bit; synced: by itself); JOURNAL_PATH_AUTO when lost
 */
struct journal_entry {
	uint64_t id;
	uint64_t bytes;
	uint64_t time_ns;
	enum journal_state state;
	enum journal_path path;
};

/**
 * journal_lookup() - find one transaction
 * @entry: receives what is known of it
 * Context: does not block.
 * Return: 0, or -ENOENT.
 */
int journal_lookup(struct journal *journal, uint64_t id, struct journal_entry *entry);

/**
 * journal_next() - list the transactions in order of id (no order of commits)
 * @after: 0 for the first, then the id of the entry before
 * @entry: receives the next one
 *
 * What is committed or retired meanwhile may or may not be seen.
 * Return: 0, or -ENOENT at the end.
 */
int journal_next(struct journal *journal, uint64_t after, struct journal_entry *entry);

/**
 * journal_read() - the whole payload of one transaction, verified
 * @buffer: at least journal_entry.bytes
 * @bytes:  size of @buffer
 * @got:    receives the payload's size
 * Context: blocks for log reads, unless the payload is in NVRAM.
 *
 * Return: 0, or
 * -ENOENT   no such transaction, or retired
 * -EBADMSG  damaged: COMMITTED_BUT_LOST
 * -ENOBUFS  @buffer is too small; @got says how much is needed
 * -EIO, -ENOMEM
 */
int journal_read(struct journal *journal, uint64_t id, void *buffer, size_t bytes,
		 size_t *got);

/**
 * struct journal_tags - what journal_txn_options gave, kept in the record
 * @tag, @reference: 0 where none was given; a group's transactions have the group's
 */
struct journal_tags {
	uint64_t tag;
	uint64_t reference;
};

/**
 * journal_tags() - tag and reference of one transaction
 * @tags: receives them
 * Context: reads and verifies its record: as journal_read(); of one in several pieces
 * only the last.  journal_reads_next() has them of what is read anyway.
 * Return: 0, -ENOENT, -EBADMSG, -EIO, -ENOMEM: as journal_read().
 */
int journal_tags(struct journal *journal, uint64_t id, struct journal_tags *tags);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

/* commits that nobody waits for: journal_submit() and what it needs */
#include "journal_async.h"
/* many reads at a time: journal_reads_open() and what it needs */
#include "journal_reads.h"
/* looking at it: struct journal_info, journal_check() and what they need */
#include "journal_info.h"
/* work in the background: journal_maintain() */
#include "journal_maintain.h"
/* how long calls took: journal_times() */
#include "journal_times.h"
/* to the newest format: journal_upgrade() */
#include "journal_upgrade.h"
/* more room, less room, other disks: journal_resize() */
#include "journal_resize.h"
/* whether NVRAM is trusted: journal_health() */
#include "journal_health.h"
/* another marker medium: journal_set_marker(), journal_rescue() */
#include "journal_marker.h"

#endif
