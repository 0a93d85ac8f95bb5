/* SPDX-License-Identifier: BSD-3-Clause */
/* The head of the checkpoint file is damaged: heads of checkpoints stand in for it, where
 * they must stand, and who writes mends it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/checkpoint.h"
#include "marker/file.h"
#include "util/crc32c.h"

#define BYTES (64u << 10)
#define HEADS (2 * CHECKPOINT_SLOTS)

static char path[256];
static struct marker_store *store;
static struct message message;
static off_t unreadable; /* blocks below it cannot be read */
static off_t unreadable_from; /* ... and not below this one */
static int unreadable_errno = EIO;
static unsigned int syncs_until_head, writes; /* since open_again() */

/* In place of libc's: a disk with bad sectors, and what is written when. */
ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
	if (offset >= unreadable || offset + (off_t)bytes <= unreadable_from)
		return syscall(SYS_pread64, fd, data, bytes, offset);
	errno = unreadable_errno;
	return -1;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	writes++;
	return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

int fdatasync(int fd)
{
	if (writes == 1)
		syncs_until_head++;
	return (int)syscall(SYS_fdatasync, fd);
}

static void checkpoint(uint8_t value)
{
	memset(store->map, value, BYTES);
	assert_int_equal(marker_store_checkpoint(store, BYTES, 1), 0);
}

/* checkpoints 1, 2 and 3 in A, B and C */
static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/jnl-head-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	unreadable = 0;
	store = NULL;
	assert_int_equal(marker_file_open(path, MARKER_CREATE, BYTES, &store, &message), 0);
	for (uint8_t i = 1; i <= CHECKPOINT_SLOTS; i++)
		checkpoint(i);
	marker_store_close(store);
	store = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (store)
		marker_store_close(store);
	store = NULL;
	return unlink(path);
}

static int open_again(unsigned int flags)
{
	int error;

	if (store)
		marker_store_close(store);
	store = NULL;
	writes = syncs_until_head = 0;
	error = marker_file_open(path, flags, 0, &store, &message);
	if (error)
		assert_non_null(strstr(message.text, path));
	return error;
}

static void put_at(const void *data, size_t bytes, uint64_t at)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, bytes, (off_t)at), bytes);
	(void)close(fd);
}

static void get_at(void *data, size_t bytes, uint64_t at)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, data, bytes, (off_t)at), bytes);
	(void)close(fd);
}

static void zeros(uint64_t at, size_t bytes)
{
	static const uint8_t zero[12288];

	assert_true(bytes <= sizeof(zero));
	put_at(zero, bytes, at);
}

/* the @i-th head of a checkpoint: 0 and 1 are those of A */
static uint64_t head_at(unsigned int i)
{
	return checkpoint_slot_offset(i / 2, BYTES) + i % 2 * CHECKPOINT_BLOCK_BYTES;
}

static void assert_holds(uint8_t value)
{
	for (uint64_t i = 0; i < BYTES; i++)
		assert_int_equal(store->map[i], value);
	assert_int_equal(store->bytes, BYTES);
}

static void assert_sound(void)
{
	struct checkpoint_file head;
	uint64_t capacity;

	get_at(&head, sizeof(head), 0);
	assert_int_equal(checkpoint_file_decode(&head, false, &capacity), 0);
	assert_int_equal(capacity, BYTES);
	assert_int_equal(open_again(MARKER_RDONLY), 0);
	assert_false(store->head_damaged);
}

/* ---- rules ------------------------------------------------------------------ */

static void undamaged(void **state)
{
	(void)state;
	assert_int_equal(open_again(0), 0);
	assert_false(store->head_damaged);
	assert_holds(3);
	/* the head is not written without need */
	assert_int_equal(writes, 0);
}

static void mended_by_a_writer_alone(void **state)
{
	(void)state;
	zeros(0, 8);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(open_again(MARKER_RDONLY), 0);
		assert_true(store->head_damaged);
		assert_false(store->fell_back);
		assert_holds(3);
		assert_int_equal(writes, 0);
	}
	assert_int_equal(open_again(0), 0);
	assert_true(store->head_damaged);
	assert_false(store->fell_back);
	assert_holds(3);
	/* once, durable, and then all else */
	assert_int_equal(writes, 1);
	assert_true(syncs_until_head >= 1);
	assert_sound();
	assert_holds(3);
}

static void each_head_stands_in(void **state)
{
	(void)state;
	for (unsigned int left = 0; left < HEADS; left++) {
		teardown(NULL);
		setup(NULL);
		zeros(0, 4096);
		for (unsigned int i = 0; i < HEADS; i++)
			if (i != left)
				zeros(head_at(i), 64);
		assert_int_equal(open_again(MARKER_RDONLY), 0);
		assert_true(store->head_damaged);
		assert_holds((uint8_t)(left / 2 + 1));
	}
}

/* A may have been the newest: nobody says that it was not. */
static void head_and_slot_a(void **state)
{
	(void)state;
	zeros(0, 12288);
	assert_int_equal(open_again(0), 0);
	assert_true(store->head_damaged);
	assert_true(store->fell_back);
	assert_holds(3);
	checkpoint(4);
	assert_sound();
	assert_false(store->fell_back);
	assert_holds(4);
}

static void no_head_is_no_marker_file(void **state)
{
	(void)state;
	zeros(0, 64);
	for (unsigned int i = 0; i < HEADS; i++)
		zeros(head_at(i), 64);
	assert_int_equal(open_again(MARKER_RDONLY), -EUCLEAN);
	assert_int_equal(open_again(0), -EUCLEAN);
	assert_non_null(strstr(message.text, "no marker file"));
	assert_int_equal(writes, 0);
}

/* All of it is there but the head, which is written last. */
static void half_made(void **state)
{
	(void)state;
	assert_int_equal(marker_file_open(path, MARKER_CREATE | MARKER_FORCE, BYTES, &store,
					  &message), 0);
	zeros(0, 64);
	assert_int_equal(open_again(0), -EUCLEAN);
	/* and the place is free */
	assert_int_equal(marker_file_open(path, MARKER_CREATE, BYTES, &store, &message), 0);
}

static void blank_head_is_not_free(void **state)
{
	(void)state;
	zeros(0, 4096);
	assert_int_equal(marker_file_open(path, MARKER_CREATE, BYTES, &store, &message),
			 -EEXIST);
	assert_int_equal(open_again(0), 0);
	assert_holds(3);
}

/* ---- whom to believe ---------------------------------------------------------- */

static void only_head(unsigned int place, uint64_t capacity, uint64_t at)
{
	struct checkpoint_head head;

	get_at(&head, sizeof(head), head_at(place));
	for (unsigned int i = 0; i < HEADS; i++)
		zeros(head_at(i), 64);
	zeros(0, 64);
	head.capacity = put_le64(capacity);
	head.crc = put_le32(crc32c(~0u, &head, offsetof(struct checkpoint_head, crc)));
	put_at(&head, sizeof(head), at);
}

/* Nobody knows where B and C are: what A holds may be old. */
static void older_heads_are_no_help(void **state)
{
	(void)state;
	only_head(0, 0, head_at(0));
	assert_int_equal(open_again(0), -EUCLEAN);
}

static void forged_capacity(void **state)
{
	static const uint64_t capacities[] = { 4096, BYTES - 4096, BYTES + 4096, BYTES + 1,
					       2 * BYTES, UINT64_MAX, UINT64_MAX & ~4095ull,
					       INT64_MAX & ~4095ull };

	(void)state;
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		teardown(NULL);
		setup(NULL);
		only_head(0, capacities[i], head_at(0));
		assert_int_equal(open_again(0), -EUCLEAN);
	}
}

static void misplaced(void **state)
{
	(void)state;
	only_head(2, BYTES, head_at(2) + CHECKPOINT_HEAD_BYTES);
	assert_int_equal(open_again(0), -EUCLEAN);
	only_head(2, BYTES, head_at(2) + 512);
	assert_int_equal(open_again(0), -EUCLEAN);
	only_head(2, BYTES, 0);
	assert_int_equal(open_again(0), -EUCLEAN);
}

/* What a smaller file left is exactly where it would have to stand there. */
static void left_by_a_smaller_file(void **state)
{
	struct checkpoint_head old;
	uint64_t old_b = checkpoint_slot_offset(1, 4096);

	(void)state;
	checkpoint_head_encode(&old, 4096, 99, 4096, 0);
	put_at(&old, sizeof(old), old_b);
	zeros(0, 12288);
	assert_int_equal(open_again(0), 0);
	assert_int_equal(store->bytes, BYTES);
	assert_holds(3);
	/* and where a head of this one should be, it is none */
	put_at(&old, sizeof(old), head_at(4));
	put_at(&old, sizeof(old), head_at(5));
	assert_int_equal(open_again(0), 0);
	assert_holds(2);
	assert_false(store->fell_back);
}

static void another_length(void **state)
{
	(void)state;
	zeros(0, 64);
	assert_int_equal(truncate(path, (off_t)head_at(HEADS)), 0);
	assert_int_equal(open_again(0), 0);
	zeros(0, 64);
	assert_int_equal(truncate(path, (off_t)head_at(HEADS) - 4096), 0);
	assert_int_equal(open_again(0), -EUCLEAN);
	assert_int_equal(truncate(path, (off_t)head_at(HEADS) + 12288), 0);
	assert_int_equal(open_again(0), -EUCLEAN);
}

/* It verifies, and says that it is none of ours. */
static void another_version_stays_refused(void **state)
{
	struct checkpoint_file head;

	(void)state;
	checkpoint_file_encode(&head, BYTES);
	head.version = put_le32(9);
	head.crc = put_le32(crc32c(~0u, &head, offsetof(struct checkpoint_file, crc)));
	put_at(&head, sizeof(head), 0);
	assert_int_equal(open_again(MARKER_RDONLY), -EPROTO);
	assert_int_equal(open_again(0), -EPROTO);
	checkpoint_file_encode(&head, BYTES);
	head.incompat = put_le32(1);
	head.crc = put_le32(crc32c(~0u, &head, offsetof(struct checkpoint_file, crc)));
	put_at(&head, sizeof(head), 0);
	assert_int_equal(open_again(0), -EPROTO);
	assert_int_equal(writes, 0);
}

/* Sealed, and of no sense: damage like any other. */
static void sealed_nonsense(void **state)
{
	struct checkpoint_file head;

	(void)state;
	checkpoint_file_encode(&head, 4097);
	put_at(&head, sizeof(head), 0);
	assert_int_equal(open_again(0), 0);
	assert_true(store->head_damaged);
	assert_sound();
}

static void blocks_that_cannot_be_read(void **state)
{
	(void)state;
	unreadable = 4096;
	assert_int_equal(open_again(MARKER_RDONLY), 0);
	assert_true(store->head_damaged);
	assert_false(store->fell_back);
	assert_holds(3);
	unreadable = (off_t)head_at(2);
	assert_int_equal(open_again(MARKER_RDONLY), 0);
	assert_true(store->fell_back);
	assert_holds(3);
	/* nothing at all: as the disk says it */
	unreadable = INT64_MAX;
	assert_int_equal(open_again(MARKER_RDONLY), -EIO);
	unreadable = 4096;
	assert_int_equal(open_again(0), 0);
	unreadable = 0;
	assert_int_equal(open_again(0), 0);
	assert_false(store->head_damaged);
}

/* It may be the newest: that is said.  Want of memory is no bad sector. */
static void heads_that_cannot_be_read(void **state)
{
	(void)state;
	unreadable_from = (off_t)head_at(4);
	unreadable = unreadable_from + CHECKPOINT_HEAD_BYTES;
	assert_int_equal(open_again(MARKER_RDONLY), 0);
	assert_false(store->head_damaged);
	assert_true(store->unread);
	assert_true(store->fell_back);
	assert_holds(2);
	/* one of both will do */
	unreadable = unreadable_from + CHECKPOINT_BLOCK_BYTES;
	assert_int_equal(open_again(MARKER_RDONLY), 0);
	assert_false(store->fell_back);
	assert_holds(3);
	unreadable = unreadable_from + CHECKPOINT_HEAD_BYTES;
	unreadable_errno = ENOMEM;
	assert_int_equal(open_again(MARKER_RDONLY), -ENOMEM);
	unreadable_errno = EIO;
	unreadable_from = CHECKPOINT_BLOCK_BYTES;
	unreadable = INT64_MAX;
	assert_int_equal(open_again(MARKER_RDONLY), -EIO);
	unreadable = unreadable_from = 0;
	assert_int_equal(open_again(0), 0);
	assert_false(store->fell_back);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(undamaged), T(mended_by_a_writer_alone), T(each_head_stands_in),
		T(head_and_slot_a), T(no_head_is_no_marker_file), T(half_made),
		T(blank_head_is_not_free), T(older_heads_are_no_help), T(forged_capacity),
		T(misplaced), T(left_by_a_smaller_file), T(another_length),
		T(another_version_stays_refused), T(sealed_nonsense),
		T(blocks_that_cannot_be_read), T(heads_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
