/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/checkpoint.h"
#include "marker/medium.h"
#include "store/evidence.h"
#include "util/crc32c.h"
#include "util/math.h"

#define CHUNK_BYTES (256u << 10)
#define CRC_SEED    0xffffffffu

struct marker_file {
	struct marker_store store;
	struct medium medium;
	struct marker_share own;
	struct marker_share *share; /* has generation (0: none yet) and slot in force */
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

static int write_heads(struct marker_file *f, const struct checkpoint_head *head,
		       uint64_t offset)
{
	int error;

	memset(f->chunk, 0, CHECKPOINT_HEAD_BYTES);
	memcpy(f->chunk, head, sizeof(*head));
	memcpy(f->chunk + CHECKPOINT_BLOCK_BYTES, head, sizeof(*head));
	error = medium_write(f->medium.fd, f->chunk, CHECKPOINT_HEAD_BYTES, offset);
	if (error)
		return error;
	/* orders the checkpoint before whatever its caller frees because of it */
	return fdatasync(f->medium.fd) ? -errno : 0;
}

static int file_checkpoint(struct marker_store *store, uint64_t bytes)
{
	struct marker_file *f = (struct marker_file *)store;
	uint64_t generation = f->share->generation;
	unsigned int slot = generation ? !f->share->slot : 0;
	uint64_t offset = checkpoint_slot_offset(slot, store->bytes);
	struct checkpoint_head head;
	uint32_t crc;
	int error;

	error = write_payload(f, bytes, offset + CHECKPOINT_HEAD_BYTES, &crc);
	if (error)
		return error;
	checkpoint_head_encode(&head, generation + 1, bytes, crc);
	error = write_heads(f, &head, offset);
	if (error)
		return error;
	f->share->slot = slot;
	f->share->generation = generation + 1;
	return 0;
}

static void file_share(struct marker_store *store, struct marker_share *share, void *map)
{
	struct marker_file *f = (struct marker_file *)store;

	memcpy(map, store->map, store->bytes);
	(void)munmap(store->map, store->bytes);
	store->map = map;
	f->map_is_own = false;
	share->generation = f->own.generation;
	share->slot = f->own.slot;
	f->share = share;
}

static void file_close(struct marker_store *store)
{
	struct marker_file *f = (struct marker_file *)store;

	if (store->map && f->map_is_own)
		(void)munmap(store->map, store->bytes);
	medium_close(&f->medium);
	free(f->chunk);
	free(f);
}

static const struct marker_store_ops file_ops = {
	.backend = "file",
	.checkpoint = file_checkpoint,
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

static void read_slots(struct marker_file *f, struct slot slots[CHECKPOINT_SLOTS])
{
	for (unsigned int i = 0; i < CHECKPOINT_SLOTS; i++) {
		uint8_t blocks[CHECKPOINT_HEAD_BYTES];
		int error = medium_read(f->medium.fd, blocks, sizeof(blocks),
					checkpoint_slot_offset(i, f->store.bytes));

		/* a sector that cannot be read is a bad head, not the end */
		if (error)
			memset(blocks, 0xff, sizeof(blocks));
		decode_heads(blocks, f->store.bytes, &slots[i]);
	}
}

/* Load slot @index if it holds a valid checkpoint. */
static bool load_slot(struct marker_file *f, unsigned int index, const struct slot *slot)
{
	if (slot->head != CHECKPOINT_WHOLE || read_payload(f, index, slot))
		return false;
	memset(f->store.map + slot->bytes, 0xff, f->store.bytes - slot->bytes);
	f->share->slot = index;
	f->share->generation = slot->generation;
	return true;
}

static int load_newest(struct marker_file *f, struct message *message)
{
	struct slot slots[CHECKPOINT_SLOTS];
	unsigned int newest;

	read_slots(f, slots);
	newest = slots[1].generation > slots[0].generation;
	if (load_slot(f, newest, &slots[newest]))
		return 0;
	if (load_slot(f, !newest, &slots[!newest])) {
		/* see format/checkpoint.h: a whole head is only written over a
		 * payload that is durable */
		f->store.fell_back = slots[newest].head == CHECKPOINT_WHOLE;
		/* the next checkpoint must be above the damaged one */
		if (f->store.fell_back)
			f->share->generation = slots[newest].generation;
		return 0;
	}
	/* a torn first checkpoint is none */
	if (slots[0].head != CHECKPOINT_WHOLE && slots[1].head == CHECKPOINT_NEVER)
		return message_set(message, -ENOENT, "%s: holds no checkpoint yet",
				   f->medium.path);
	return message_set(message, -EUCLEAN, "%s: both checkpoints are damaged",
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
	struct checkpoint_file head;
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
	checkpoint_file_encode(&head, capacity);
	memcpy(f->chunk, &head, sizeof(head));
	if (!error)
		error = medium_write(f->medium.fd, f->chunk, CHECKPOINT_BLOCK_BYTES, 0);
	if (error)
		return message_errno(message, error, "%s: cannot be written", f->medium.path);
	return medium_sync(&f->medium, message);
}

static int read_file_head(struct marker_file *f, uint64_t *capacity, struct message *message)
{
	struct checkpoint_file head;
	uint64_t bytes;
	int error;

	if (f->medium.bytes < CHECKPOINT_BLOCK_BYTES)
		return message_set(message, f->medium.bytes ? -EUCLEAN : -ENOENT,
				   "%s: truncated, or never formatted", f->medium.path);
	error = medium_read(f->medium.fd, &head, sizeof(head), 0);
	if (error)
		return message_errno(message, error, "%s: cannot be read", f->medium.path);
	error = checkpoint_file_decode(&head, f->store.read_only, capacity);
	if (error == -EPROTO)
		return message_set(message, error, "%s: format version %u, this library has %u",
				   f->medium.path, get_le32(head.version), CHECKPOINT_VERSION);
	if (error)
		return message_set(message, error, "%s: no marker file, or its head is damaged",
				   f->medium.path);
	(void)checkpoint_file_bytes(*capacity, &bytes);
	if (f->medium.bytes < bytes)
		return message_set(message, -EUCLEAN,
				   "%s: truncated: %" PRIu64 " bytes of %" PRIu64,
				   f->medium.path, f->medium.bytes, bytes);
	return 0;
}

static int file_load(struct marker_file *f, struct message *message)
{
	uint64_t capacity = 0;
	int error = read_file_head(f, &capacity, message);

	if (!error)
		error = map_memory(f, capacity, message);
	if (!error)
		error = load_newest(f, message);
	if (!error && f->store.read_only && mprotect(f->store.map, f->store.bytes, PROT_READ))
		error = message_errno(message, -errno, "%s: mprotect", f->medium.path);
	return error;
}

static int find_class(struct marker_file *f, struct message *message)
{
	struct evidence evidence;
	int error = evidence_read(f->medium.fd, &evidence);

	if (error)
		return message_errno(message, error, "%s", f->medium.path);
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
	error = flags & MARKER_CREATE ? file_create(f, bytes, message) : file_load(f, message);
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
