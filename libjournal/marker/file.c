/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/checkpoint.h"
#include "marker/file_head.h"
#include "marker/file_slots.h"
#include "marker/medium.h"
#include "store/evidence.h"
#include "util/assert.h"
#include "util/crc32c.h"
#include "util/in_use.h"
#include "util/math.h"

#define CHUNK_BYTES (256u << 10)
#define CRC_SEED    0xffffffffu

struct marker_file {
	struct marker_store store;
	struct medium medium;
	struct marker_share own;
	struct marker_share *share;
	bool map_is_own;
	uint8_t *chunk;      /* CHUNK_BYTES, between the map and the file */
};

/* one slot as it was found */
struct slot {
	enum checkpoint_state head;
	uint64_t generation;
	uint64_t bytes;
	uint32_t payload_crc;
	bool whole; /* head and payload */
};

/* ---- the persist routine: nothing is durable before a checkpoint --------- */

static void file_flush(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	(void)address;
	(void)bytes;
}

static void file_copy(struct marker_store *store, void *destination, const void *source,
		      size_t bytes)
{
	(void)store;
	uint64_t *to = destination;
	size_t i;

	/* by words: a checkpoint may be reading them */
	for (i = 0; i < bytes / 8; i++) {
		uint64_t word;

		memcpy(&word, (const uint8_t *)source + i * 8, 8);
		__atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
	}
}

/* For a checkpoint that copies the map: stores before it are seen before those after. */
static void file_fence(struct marker_store *store)
{
	(void)store;
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* ---- writing ------------------------------------------------------------- */

/* By words: other threads may be clearing bits, and a word is copied as it was
 * before or after. */
static size_t copy_chunk(struct marker_file *f, uint64_t at, size_t bytes)
{
	const uint64_t *map = (const uint64_t *)(const void *)(f->store.map + at);
	uint64_t *chunk = (uint64_t *)(void *)f->chunk;

	if (f->store.snapshot)
		return f->store.snapshot(&f->store, at, f->chunk, bytes);
	/* the last word is all there: map and chunk are whole pages */
	for (size_t i = 0; i < (bytes + 7) / 8; i++)
		chunk[i] = __atomic_load_n(&map[i], __ATOMIC_RELAXED);
	return bytes;
}

/* Other threads may go on changing the map: each chunk is copied first, so
 * that the checksum is of what is written. */
static int write_payload(struct marker_file *f, uint64_t bytes, uint64_t offset,
			 uint32_t *crc)
{
	size_t part;

	*crc = CRC_SEED;
	for (uint64_t at = 0; at < bytes; at += part) {
		int error;

		part = copy_chunk(f, at, (size_t)min_u64(CHUNK_BYTES, bytes - at));
		*crc = crc32c(*crc, f->chunk, part);
		error = medium_write(f->medium.fd, f->chunk, part, offset + at);
		if (error)
			return error;
	}
	/* orders the payload before the heads that vouch for it, for the reader */
	return fdatasync(f->medium.fd) ? -errno : 0;
}

/* Both heads: of @head, or nothing that is one. */
static int write_heads(struct marker_file *f, const struct checkpoint_head *head,
		       uint64_t offset)
{
	int error;

	memset(f->chunk, head ? 0 : 0xff, CHECKPOINT_HEAD_BYTES);
	if (head) {
		memcpy(f->chunk, head, sizeof(*head));
		memcpy(f->chunk + CHECKPOINT_BLOCK_BYTES, head, sizeof(*head));
	}
	error = medium_write(f->medium.fd, f->chunk, CHECKPOINT_HEAD_BYTES, offset);
	if (error)
		return error;
	/* orders the checkpoint before whatever its caller frees because of it; heads
	 * that are wiped, before the payload under them is overwritten */
	return fdatasync(f->medium.fd) ? -errno : 0;
}

static int write_slot(struct marker_file *f, unsigned int slot, bool stale, uint64_t bytes)
{
	uint64_t generation, offset = checkpoint_slot_offset(slot, f->store.bytes);
	struct checkpoint_head head;
	uint32_t crc;
	int error = stale ? write_heads(f, NULL, offset) : 0;

	if (error)
		return error;
	generation = file_slot_begin(f->share, slot);
	error = write_payload(f, bytes, offset + CHECKPOINT_HEAD_BYTES, &crc);
	if (error)
		return error;
	checkpoint_head_encode(&head, f->store.bytes, generation, bytes, crc);
	error = write_heads(f, &head, offset);
	if (!error)
		file_slot_durable(f->share, slot, generation);
	return error;
}

static int file_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	struct marker_file *f = (struct marker_file *)store;
	unsigned int slot;
	bool stale;
	int error = file_slot_take(f->share, who, &slot, &stale);

	if (error)
		return error;
	error = write_slot(f, slot, stale, bytes);
	file_slot_leave(f->share, slot, who);
	return error;
}

static struct marker_generations file_generations(const struct marker_store *store)
{
	const struct marker_share *share = ((const struct marker_file *)store)->share;
	struct marker_generations g = { .in_force = file_slots_in_force(share) };

	/* after: it is never below */
	g.drawn = atomic_load(&share->drawn);
	return g;
}

static void file_forget(struct marker_store *store, uint32_t who)
{
	struct marker_file *f = (struct marker_file *)store;

	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++)
		file_slot_leave(f->share, i, who);
}

static void file_share(struct marker_store *store, struct marker_share *share, void *map)
{
	struct marker_file *f = (struct marker_file *)store;

	if (map) {
		memcpy(map, store->map, store->bytes);
		(void)munmap(store->map, store->bytes);
		store->map = map;
		f->map_is_own = false;
	}
	share->drawn = f->own.drawn;
	share->in_force = f->own.in_force;
	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++)
		share->slots[i].generation = f->own.slots[i].generation;
	f->share = share;
}

static void file_close(struct marker_store *store)
{
	struct marker_file *f = (struct marker_file *)store;

	if (store->map && f->map_is_own)
		(void)munmap(store->map, store->bytes);
	in_use_end(f->medium.fd);
	medium_close(&f->medium);
	free(f->chunk);
	free(f);
}

static const struct marker_store_ops file_ops = {
	.backend = "file",
	.checkpoint = file_checkpoint,
	.generations = file_generations,
	.forget = file_forget,
	.share = file_share,
	.close = file_close,
};

/* ---- reading -------------------------------------------------------------- */

/* Of two whole heads the newer counts: a crash between them may leave one old. */
static void decode_heads(const uint8_t *blocks, uint64_t capacity, struct slot *slot)
{
	memset(slot, 0, sizeof(*slot));
	for (unsigned int i = 0; i < 2; i++) {
		struct checkpoint_head head;
		struct slot s = { .head = CHECKPOINT_NEVER };

		memcpy(&head, blocks + i * CHECKPOINT_BLOCK_BYTES, sizeof(head));
		s.head = checkpoint_head_decode(&head, capacity, &s.generation, &s.bytes,
						&s.payload_crc);
		if (s.head > slot->head ||
		    (s.head == slot->head && s.generation > slot->generation))
			*slot = s;
	}
}

/* The payload goes into the map; what it says counts only if it verifies.
 * Return: 0, or -EBADMSG when it does not, or a read error. */
static int read_payload(struct marker_file *f, unsigned int index, const struct slot *slot)
{
	uint64_t offset = checkpoint_slot_offset(index, f->store.bytes) + CHECKPOINT_HEAD_BYTES;
	uint32_t crc = CRC_SEED;

	for (uint64_t at = 0; at < slot->bytes; at += CHUNK_BYTES) {
		size_t part = (size_t)min_u64(CHUNK_BYTES, slot->bytes - at);
		int error = medium_read(f->medium.fd, f->store.map + at, part, offset + at);

		if (error)
			return error;
		crc = crc32c(crc, f->store.map + at, part);
	}
	return crc == slot->payload_crc ? 0 : -EBADMSG;
}

/* Each of both heads for itself, if both together cannot be read: a sector that cannot be
 * read is a bad head, not the end.  Return: 0, or why there is one; then @blocks has the
 * other, or ones. */
static int read_heads(struct marker_file *f, uint8_t blocks[CHECKPOINT_HEAD_BYTES],
		      uint64_t offset)
{
	int error, failed = 0;

	if (!medium_read(f->medium.fd, blocks, CHECKPOINT_HEAD_BYTES, offset))
		return 0;
	for (unsigned int at = 0; at < CHECKPOINT_HEAD_BYTES; at += CHECKPOINT_BLOCK_BYTES) {
		error = medium_read(f->medium.fd, blocks + at, CHECKPOINT_BLOCK_BYTES,
				    offset + at);
		if (error)
			memset(blocks + at, 0xff, CHECKPOINT_BLOCK_BYTES);
		failed = error ? error : failed;
	}
	return failed;
}

/* Return: 0, or why heads could not be read, that may have been the newest ones. */
static int read_slots(struct marker_file *f, struct slot slots[CHECKPOINT_SLOTS])
{
	int error, failed = 0;

	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++) {
		uint8_t blocks[CHECKPOINT_HEAD_BYTES];

		error = read_heads(f, blocks, checkpoint_slot_offset(i, f->store.bytes));
		decode_heads(blocks, f->store.bytes, &slots[i]);
		if (slots[i].head == CHECKPOINT_WHOLE)
			file_slots_seen(f->share, i, slots[i].generation);
		else if (error)
			failed = error;
	}
	return failed;
}

/* Return: the one of the highest generation whose head is whole, of those not yet
 * @tried, or CHECKPOINT_SLOTS. */
static unsigned int newest_slot(const struct slot slots[CHECKPOINT_SLOTS], unsigned int tried)
{
	unsigned int newest = CHECKPOINT_SLOTS;

	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++)
		if (slots[i].head == CHECKPOINT_WHOLE && !(tried & 1u << i) &&
		    (newest == CHECKPOINT_SLOTS ||
		     slots[i].generation > slots[newest].generation))
			newest = i;
	return newest;
}

/* A torn first checkpoint is none. */
static bool none_yet(const struct slot slots[CHECKPOINT_SLOTS])
{
	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++)
		if (slots[i].head == CHECKPOINT_WHOLE ||
		    (i && slots[i].head != CHECKPOINT_NEVER))
			return false;
	return true;
}

/* What damaged the head of the file, or cut its end off, may have taken the heads of the
 * newest, too. */
static bool all_whole(const struct slot slots[CHECKPOINT_SLOTS])
{
	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++)
		if (slots[i].head != CHECKPOINT_WHOLE)
			return false;
	return true;
}

static int load_newest(struct marker_file *f, struct message *message)
{
	struct slot slots[CHECKPOINT_SLOTS];
	unsigned int tried = 0, slot;
	int error = 0, unread = read_slots(f, slots);

	f->store.unread = unread;
	for (; (slot = newest_slot(slots, tried)) < CHECKPOINT_SLOTS; tried |= 1u << slot) {
		/* of a bad sector the one before may stand in; for want of memory it may not */
		if (unread && unread != -EIO)
			break;
		error = read_payload(f, slot, &slots[slot]);
		if (error == -EBADMSG || error == -EIO)
			continue;
		if (error)
			return message_errno(message, error, "%s", f->medium.path);
		memset(f->store.map + slots[slot].bytes, 0xff,
		       f->store.bytes - slots[slot].bytes);
		file_slots_loaded(f->share, slot, slots[slot].generation);
		/* see format/checkpoint.h: nobody overwrites the newest */
		f->store.fell_back = tried || ((f->store.head_damaged || f->store.truncated ||
						unread) && !all_whole(slots));
		return 0;
	}
	if (f->store.truncated) /* the text is there */
		return -EUCLEAN;
	if (unread || error == -EIO)
		return message_errno(message, unread ? unread : error, "%s: a checkpoint cannot "
				     "be read", f->medium.path);
	if (none_yet(slots))
		return message_set(message, -ENOENT, "%s: holds no checkpoint yet",
				   f->medium.path);
	return message_set(message, -EUCLEAN, "%s: all checkpoints are damaged",
			   f->medium.path);
}

/* ---- opening --------------------------------------------------------------- */

static int map_memory(struct marker_file *f, uint64_t bytes, struct message *message)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return message_errno(message, -errno, "%s: %" PRIu64 " bytes of memory",
				     f->medium.path, bytes);
	f->store.map = map;
	f->store.bytes = bytes;
	f->map_is_own = true;
	return 0;
}

/* A new file: its head last, so that a half-made one is not taken for a file. */
static int file_create(struct marker_file *f, uint64_t capacity, struct message *message)
{
	uint64_t bytes;
	int error;

	if (!capacity)
		return message_set(message, -EINVAL, "%s: a size is needed", f->medium.path);
	if (checkpoint_file_bytes(capacity, &bytes))
		return message_set(message, -EINVAL, "%s: size %" PRIu64 " is not sensible",
				   f->medium.path, capacity);
	error = medium_resize(&f->medium, bytes, message);
	if (!error)
		error = map_memory(f, capacity, message);
	if (error)
		return error;
	memset(f->store.map, 0xff, capacity);
	memset(f->chunk, 0, CHECKPOINT_HEAD_BYTES);
	for (unsigned int i = 0; !error && i < CHECKPOINT_SLOTS; i++)
		error = medium_write(f->medium.fd, f->chunk, CHECKPOINT_HEAD_BYTES,
				     checkpoint_slot_offset(i, capacity));
	/* orders the empty slots before the head that makes them count */
	if (!error && fdatasync(f->medium.fd))
		error = -errno;
	if (!error)
		error = file_head_write(&f->medium, capacity);
	if (error)
		return message_errno(message, error, "%s: cannot be written", f->medium.path);
	return medium_sync(&f->medium, message);
}

/* Only the head of the file is blank: checkpoints are content. */
static int file_is_free(const struct marker_file *f, unsigned int flags,
			struct message *message)
{
	if (flags & MARKER_FORCE || !file_head_find(&f->medium))
		return 0;
	return message_set(message, -EEXIST, "%s: there is content already", f->medium.path);
}

static int mend(struct marker_file *f, uint64_t capacity, struct message *message)
{
	uint64_t bytes;
	int error = checkpoint_file_bytes(capacity, &bytes);

	JASSERT(!error);
	if (f->store.truncated)
		error = medium_resize(&f->medium, bytes, message);
	if (error || !f->store.head_damaged)
		return error;
	error = file_head_write(&f->medium, capacity);
	if (error)
		return message_errno(message, error, "%s: its head is damaged, and cannot be "
				     "written anew", f->medium.path);
	return 0;
}

static int file_load(struct marker_file *f, struct message *message)
{
	uint64_t capacity = 0;
	int error = file_head_read(&f->medium, f->store.read_only, &capacity,
				   &f->store.head_damaged, &f->store.truncated, message);

	if (!error)
		error = map_memory(f, capacity, message);
	if (!error)
		error = load_newest(f, message);
	if (!error && !f->store.read_only)
		error = mend(f, capacity, message);
	/* The process that wrote it may be dead, and its heads only in the cache:
	 * durable before anything is decided by them (P7).  And the file's own, if it was
	 * mended, before the next checkpoint: of that a crash may leave heads torn, each of
	 * which may be the only one that stands in for it. */
	if (!error && !f->store.read_only && fdatasync(f->medium.fd))
		error = message_errno(message, -errno, "%s: cannot be made durable",
				      f->medium.path);
	if (!error && f->store.read_only && mprotect(f->store.map, f->store.bytes, PROT_READ))
		error = message_errno(message, -errno, "%s: mprotect", f->medium.path);
	return error;
}

static int find_class(struct marker_file *f, struct message *message)
{
	struct evidence evidence;
	int error = evidence_read(f->medium.fd, &evidence);

	if (error)
		return evidence_none(f->medium.path, error, message);
	f->store.class = evidence.class;
	memcpy(f->store.evidence, evidence.text, sizeof(f->store.evidence));
	return 0;
}

static int file_new(struct marker_file **file)
{
	struct marker_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->chunk = malloc(CHUNK_BYTES);
	if (!f->chunk) {
		free(f);
		return -ENOMEM;
	}
	f->share = &f->own;
	f->store.ops = &file_ops;
	f->store.persist = (struct marker_persist){ "checkpoint", file_flush, file_copy,
						    file_fence };
	*file = f;
	return 0;
}

int marker_file_open(const char *path, unsigned int flags, uint64_t bytes,
		     struct marker_store **store, struct message *message)
{
	struct marker_file *f;
	int error = medium_size_check(path, bytes, message);

	if (error)
		return error;
	error = file_new(&f);
	if (error)
		return message_errno(message, error, "%s", path);
	f->store.read_only = flags & MARKER_RDONLY;
	error = medium_open(path, flags, &f->medium, message);
	if (error) {
		file_close(&f->store);
		return error;
	}
	if (flags & MARKER_CREATE)
		error = file_is_free(f, flags, message);
	if (!error)
		error = flags & MARKER_CREATE ? file_create(f, bytes, message) :
						file_load(f, message);
	if (!error)
		error = find_class(f, message);
	if (error) {
		medium_undo(&f->medium);
		file_close(&f->store);
		return error;
	}
	marker_store_check(&f->store);
	*store = &f->store;
	return 0;
}

int marker_file_join(const char *path, unsigned int flags, struct marker_share *share,
		     void *map, struct marker_store **store, struct message *message)
{
	struct marker_file *f;
	int error = file_new(&f);

	if (error)
		return message_errno(message, error, "%s", path);
	f->store.read_only = flags & MARKER_RDONLY;
	error = medium_open(path, flags, &f->medium, message);
	if (error) {
		file_close(&f->store);
		return error;
	}
	f->share = share;
	f->store.map = map;
	f->store.bytes = share->bytes;
	f->store.class = (enum journal_class)share->class;
	memcpy(f->store.evidence, share->evidence, sizeof(f->store.evidence));
	marker_store_check(&f->store);
	*store = &f->store;
	return 0;
}
