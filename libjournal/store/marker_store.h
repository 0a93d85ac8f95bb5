/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contract of a marker store: a small byte-addressable medium, mapped,
 * that holds marker lines and the stage.
 *
 * Two kinds:
 *
 *  byte-persistent (pmem:, sim:, later dev:, pmr:): what nv_flush() or
 *  nv_copy() covered is durable, to the store's class, when the next
 *  nv_fence() of the same thread has returned 0.  Durable units are naturally
 *  aligned 8-byte words: after a crash each word not yet fenced is either old
 *  or new, in any combination.  Words are never torn.
 *
 *  checkpointed (file:): the map is plain memory; nothing of it is durable
 *  until marker_store_checkpoint() returned 0.  Then all of the prefix is, at
 *  once: a crash leaves either the old checkpoint or the new one.
 *  nv_flush(), nv_fence() do nothing and may be called.
 *  Several processes may write checkpoints at the same time, and one may be late:
 *  each has a generation, drawn before the map is copied, and the one of the
 *  highest is in force.  So all that was stored before a generation was drawn is
 *  in each checkpoint of that one or a higher.
 *
 * All access to the medium goes through the nv_ functions below; reading
 * through the map is free.  Threads: all nv_ functions from any thread;
 * checkpoint and close of one store from one at a time.
 *
 * Sticky failure: once a fence or checkpoint has failed, @failed holds the
 * negative errno for ever and every later fence returns it.
 */
#ifndef STORE_MARKER_STORE_H
#define STORE_MARKER_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "format/checkpoint.h"
#include "journal.h"
#include "util/assert.h"
#include "util/message.h"

struct marker_store;

/* the persist routine, chosen once at open; no branch on the hot path */
struct marker_persist {
	char name[32]; /* "clwb", "clwb/nt256+clwb", "eadr", "msync", "none" ... */
	/* start writing back [address, address + bytes) */
	void (*flush)(struct marker_store *store, const void *address, size_t bytes);
	/* copy into the map and start writing back; @destination is 8-byte
	 * aligned, @bytes a multiple of 8; @source need not be aligned */
	void (*copy)(struct marker_store *store, void *destination, const void *source,
		     size_t bytes);
	/* wait until everything this thread flushed or copied is durable, and
	 * order it before every later store; failure goes to store->failed */
	void (*fence)(struct marker_store *store);
};

/* of a checkpoint file, while it is open */
struct marker_slot {
	_Atomic uint32_t writer; /* who writes there; 0: nobody */
	_Atomic uint64_t generation; /* of what is written there, or was last */
};

/**
 * struct marker_share - what one process found, in memory that others map
 * @kind:     the backend's own
 * @routine:  name of the persist routine
 * @drawn:    checkpointed stores: the last generation that somebody got
 * @in_force: its generation and slot, in one word; 0: none yet
 * @slots:    of the checkpoint file
 *
 * Who joins relies on it: medium and evidence are not looked at again.
 */
struct marker_share {
	uint32_t kind;
	uint32_t class;
	uint64_t bytes;
	char routine[32];
	char evidence[256];
	_Atomic uint64_t drawn;
	_Atomic uint64_t in_force;
	struct marker_slot slots[CHECKPOINT_SLOTS];
};

/* generations of a checkpointed store: what somebody stored before he saw @drawn is
 * durable when @in_force is above that */
struct marker_generations {
	uint64_t drawn;
	uint64_t in_force;
};

struct marker_store_ops {
	const char *backend; /* "file", "pmem", "sim": the URI's scheme */
	/* checkpointed stores only: make map[0, bytes) durable, atomically, as @who.
	 * Return: 0; -EAGAIN others are writing wherever it could go, nothing was
	 * done; or negative errno (the call-through makes it sticky). */
	int (*checkpoint)(struct marker_store *store, uint64_t bytes, uint32_t who);
	struct marker_generations (*generations)(const struct marker_store *store);
	/* @who is dead: nobody waits for it.  May be done twice. */
	void (*forget)(struct marker_store *store, uint32_t who);
	/* NULL: not to be shared.  Fill in @share and use it from here on; a
	 * checkpointed store moves its map to @map, which others have mapped too (NULL: it
	 * keeps its own, and nobody else looks at it).
	 * Both stay until the store is closed. */
	void (*share)(struct marker_store *store, struct marker_share *share, void *map);
	/* NULL: nothing can be known.  Whether what the medium's class rests on still holds.
	 * Return: 0, or negative errno with the reason in @why.  Any thread, any time. */
	int (*health)(struct marker_store *store, struct message *why);
	/* NULL: nothing to be done.  It is given up, and read once more: in this process, what
	 * the medium does not have any more is memory of nobody, and reads zeros. */
	void (*plug)(struct marker_store *store);
	/*
	 * NULL: it cannot.  Another medium of this kind takes this one's place: what is
	 * at @path, and is file @inode of @device (0: whatever is there).  The map stays
	 * where it is, and shows the one before until show() is called, part by part; what
	 * is sticky is forgotten, for that was of the one before.
	 * Return: 0 or negative errno with the text; then all is as it was.
	 */
	int (*replace)(struct marker_store *store, const char *path, uint64_t device,
		       uint64_t inode, struct message *message);
	/* map[at, at + bytes), whole pages, shows the medium from @offset on.  Stores of
	 * others that are under way reach the one or the other. */
	int (*show)(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset);
	/* unmap and free; nothing becomes durable by it */
	void (*close)(struct marker_store *store);
};

struct marker_store {
	const struct marker_store_ops *ops;
	struct marker_persist persist;
	uint8_t *map;          /* page-aligned; read-only mapping with MARKER_RDONLY */
	uint64_t bytes;
	/* checkpointed: how the map is copied while others change it; NULL: by words.
	 * Copies at most @bytes of it from @at on, whole structures; Return: how many */
	uint64_t (*snapshot)(const struct marker_store *store, uint64_t at, void *buffer,
			     uint64_t bytes);
	const void *snapshot_context; /* its owner's */
	bool byte_persistent;
	bool read_only;
	/* file: only: the newest checkpoint is damaged for certain (no crash leaves
	 * that), or may be, and the map shows the one before it */
	bool fell_back;
	/* file: only: heads of a checkpoint could not be read: it may be the newest */
	bool unread;
	/* file: only: the head of the file was damaged, those of checkpoints stood in */
	bool head_damaged;
	/* file: only: it ended too soon; who writes makes it as long again */
	bool truncated;
	enum journal_class class; /* by evidence */
	char evidence[256];
	_Atomic int failed;    /* 0, or the first negative errno, for ever */
};

/* marker_store_open() flags */
#define MARKER_RDONLY 0x1u
#define MARKER_CREATE 0x2u /* make it, @bytes large; or take it over, erased to all ones */
#define MARKER_FORCE  0x4u /* with MARKER_CREATE: whatever is there is lost */
#define MARKER_OURS   0x10u /* with MARKER_CREATE: others may have it open, it is the caller's */
#define MARKER_VACANT 0x8u /* to join: no medium yet, the map is memory until replace() */

/**
 * marker_store_opener - what backends.c knows of a backend
 * @path:  the URI without its scheme
 * @flags: MARKER_*
 * @bytes: with MARKER_CREATE: the size wanted (0: what the medium has)
 *
 * With MARKER_CREATE the map reads all ones afterwards, durably.  Without
 * MARKER_FORCE it refuses with -EEXIST a medium whose first 4 KiB are neither
 * all zeros nor all ones; a file that is not there is made (mode 0600), and
 * removed again if the open fails later.  A file or device that somebody has open to
 * write is refused with -EBUSY, also with MARKER_FORCE.
 * For file:, a missing or never checkpointed medium opened without
 * MARKER_CREATE is -ENOENT; all checkpoints damaged is -EUCLEAN; @bytes then
 * comes from the medium.
 * Return: 0 or negative errno with the text in @message.
 */
typedef int marker_store_opener(const char *path, unsigned int flags, uint64_t bytes,
				struct marker_store **store, struct message *message);

/**
 * marker_store_joiner - open a medium that another process has shared
 * @flags: MARKER_RDONLY, MARKER_VACANT
 * @share, @map: as that process passed them to ops->share; with MARKER_VACANT @map, if
 * it is not NULL, is mapped memory of share->bytes that becomes the store's
 * Return: 0 or negative errno with the text in @message.
 */
typedef int marker_store_joiner(const char *path, unsigned int flags,
				struct marker_share *share, void *map,
				struct marker_store **store, struct message *message);

/* ---- the checked call-through ----------------------------------------- */

/* @who: a number that no other writer of the medium has; not 0 */
int marker_store_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who);
struct marker_generations marker_store_generations(const struct marker_store *store);
/* no more will come of what @who was writing */
void marker_store_forget(struct marker_store *store, uint32_t who);
bool marker_store_can_share(const struct marker_store *store);
void marker_store_share(struct marker_store *store, struct marker_share *share, void *map);
/* the part of @share that says what it is: also of one that is not to be shared */
void marker_store_describe(const struct marker_store *store, struct marker_share *share);
/* whether the medium is to be trusted; Return: 0 or negative errno with the reason */
int marker_store_health(struct marker_store *store, struct message *why);
/* one that was given up can be read to its end, whatever became of it */
void marker_store_plug(struct marker_store *store);
/* another medium in its place, as the operations say.  Return: -ENOTSUP: it cannot */
int marker_store_replace(struct marker_store *store, const char *path, uint64_t device,
			 uint64_t inode, struct message *message);
int marker_store_show(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset);
void marker_store_close(struct marker_store *store);
/* called by a backend once its store is filled in: asserts the contract */
void marker_store_check(const struct marker_store *store);
/* record a failure; the first one stays */
void marker_store_fail(struct marker_store *store, int error);

static inline bool nv_inside(const struct marker_store *store, const void *address,
			     size_t bytes)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)store->map;

	/* unreached: who asks asserts that it is */
	return offset <= store->bytes && bytes <= store->bytes - offset;
}

/* Store one aligned word and start writing it back. */
static inline void nv_store8(struct marker_store *store, uint64_t *word, uint64_t value)
{
	JASSERT(nv_inside(store, word, 8) && !((uintptr_t)word & 7));
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	store->persist.flush(store, word, 8);
}

/* Clear bits of one aligned word (P3: a locked and) and start writing back. */
static inline void nv_and8(struct marker_store *store, uint64_t *word, uint64_t mask)
{
	JASSERT(nv_inside(store, word, 8) && !((uintptr_t)word & 7));
	__atomic_fetch_and(word, mask, __ATOMIC_RELAXED);
	store->persist.flush(store, word, 8);
}

static inline void nv_copy(struct marker_store *store, void *destination,
			   const void *source, size_t bytes)
{
	JASSERT(nv_inside(store, destination, bytes) &&
		!(((uintptr_t)destination | bytes) & 7));
	store->persist.copy(store, destination, source, bytes);
}

static inline void nv_flush(struct marker_store *store, const void *address, size_t bytes)
{
	JASSERT(nv_inside(store, address, bytes));
	store->persist.flush(store, address, bytes);
}

/* Return: 0, or the sticky failure: what was fenced is then undecided. */
static inline int nv_fence(struct marker_store *store)
{
	store->persist.fence(store);
	return __atomic_load_n((const int *)&store->failed, __ATOMIC_RELAXED);
}

#endif
