/* SPDX-License-Identifier: BSD-3-Clause */
/* P11: checkpoints A, B and C: a crash leaves the old one or the new one, and
 * damage is told apart from a crash. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "format/checkpoint.h"
#include "marker/file.h"

#define BYTES (64u << 10)

static char path[256];
static struct marker_store *store;
static struct message message;

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/jnl-file-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	store = NULL;
	assert_int_equal(marker_file_open(path, MARKER_CREATE, BYTES, &store, &message), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	marker_store_close(store);
	store = NULL;
	return unlink(path);
}

static int reopen(void)
{
	int error;

	marker_store_close(store);
	store = NULL;
	error = marker_file_open(path, 0, 0, &store, &message);
	if (error) {
		assert_non_null(strstr(message.text, path));
		print_message("%s\n", message.text);
	}
	return error;
}

static void checkpoint(uint8_t value, uint64_t bytes)
{
	memset(store->map, value, BYTES);
	assert_int_equal(marker_store_checkpoint(store, bytes, 1), 0);
}

static void assert_holds(uint8_t value, uint64_t bytes)
{
	for (uint64_t i = 0; i < BYTES; i++)
		assert_int_equal(store->map[i], i < bytes ? value : 0xff);
}

/* Damage @bytes at @offset of slot @slot (which counts from the heads). */
static void damage(unsigned int slot, uint64_t offset, size_t bytes)
{
	uint8_t junk[4096];
	int fd = open(path, O_WRONLY);

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0 && bytes <= sizeof(junk));
	assert_int_equal(pwrite(fd, junk, bytes,
				(off_t)(checkpoint_slot_offset(slot, BYTES) + offset)),
			 bytes);
	(void)close(fd);
}

static void damage_heads(unsigned int slot)
{
	damage(slot, 0, 64);
	damage(slot, CHECKPOINT_BLOCK_BYTES, 64);
}

static void never_checkpointed(void **state)
{
	(void)state;
	assert_int_equal(reopen(), -ENOENT);
}

static void newest_wins(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= 5; i++) {
		checkpoint((uint8_t)i, i % 2 ? BYTES : 100);
		assert_int_equal(reopen(), 0);
		assert_false(store->fell_back);
		assert_holds((uint8_t)i, i % 2 ? BYTES : 100);
	}
}

/* A crash while the fourth was written: its payload lies under the old heads. */
static void P11_torn_payload(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	checkpoint(2, BYTES);
	checkpoint(3, BYTES);
	damage(0, CHECKPOINT_HEAD_BYTES + 4096, 4096);
	assert_int_equal(reopen(), 0);
	assert_holds(3, BYTES);
	assert_false(store->fell_back);
	/* and one was stopped while it wrote the third but one */
	damage(1, CHECKPOINT_HEAD_BYTES + 4096, 4096);
	assert_int_equal(reopen(), 0);
	assert_holds(3, BYTES);
	assert_false(store->fell_back);
	checkpoint(4, BYTES);
	assert_int_equal(reopen(), 0);
	assert_holds(4, BYTES);
}

/* A crash while its heads were written: both torn, or one of them. */
static void P11_torn_heads(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	checkpoint(2, BYTES);
	checkpoint(3, BYTES);
	damage(2, 0, 30);
	assert_int_equal(reopen(), 0);
	assert_holds(3, BYTES);
	damage(2, CHECKPOINT_BLOCK_BYTES, 30);
	assert_int_equal(reopen(), 0);
	assert_holds(2, BYTES);
	assert_false(store->fell_back);
	checkpoint(4, BYTES);
	assert_int_equal(reopen(), 0);
	assert_holds(4, BYTES);
}

static void torn_first_checkpoint(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	damage_heads(0);
	assert_int_equal(reopen(), -ENOENT);
}

/* No crash leaves whole heads of the newest over a payload that fails. */
static void damaged_newest_is_told(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	checkpoint(2, BYTES);
	damage(1, CHECKPOINT_HEAD_BYTES + 77, 1);
	assert_int_equal(reopen(), 0);
	assert_holds(1, BYTES);
	assert_true(store->fell_back);
	/* the next one goes over the damage, and is the newest */
	checkpoint(3, 5000);
	assert_int_equal(reopen(), 0);
	assert_holds(3, 5000);
	assert_false(store->fell_back);
}

/* The newest whole one stands in, however many are damaged above it. */
static void damaged_two_are_told(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	checkpoint(2, BYTES);
	checkpoint(3, BYTES);
	damage(2, CHECKPOINT_HEAD_BYTES + 77, 1);
	assert_int_equal(reopen(), 0);
	assert_holds(2, BYTES);
	assert_true(store->fell_back);
	damage(1, CHECKPOINT_HEAD_BYTES + 77, 1);
	assert_int_equal(reopen(), 0);
	assert_holds(1, BYTES);
	assert_true(store->fell_back);
	checkpoint(4, BYTES);
	assert_int_equal(reopen(), 0);
	assert_holds(4, BYTES);
	assert_false(store->fell_back);
}

static void all_damaged(void **state)
{
	unsigned int slot;

	(void)state;
	for (slot = 0; slot < CHECKPOINT_SLOTS; slot++)
		checkpoint((uint8_t)(slot + 1), BYTES);
	for (slot = 0; slot < CHECKPOINT_SLOTS; slot++)
		damage(slot, CHECKPOINT_HEAD_BYTES, 1);
	assert_int_equal(reopen(), -EUCLEAN);
	for (slot = 0; slot < CHECKPOINT_SLOTS; slot++) {
		damage_heads(slot);
		assert_int_equal(reopen(), -EUCLEAN);
	}
}

static void both_damaged(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	checkpoint(2, BYTES);
	damage(0, CHECKPOINT_HEAD_BYTES, 1);
	damage(1, CHECKPOINT_HEAD_BYTES, 1);
	assert_int_equal(reopen(), -EUCLEAN);
	damage_heads(0);
	assert_int_equal(reopen(), -EUCLEAN);
	damage_heads(1);
	assert_int_equal(reopen(), -EUCLEAN);
}

static void only_one_and_damaged(void **state)
{
	(void)state;
	checkpoint(1, BYTES);
	damage(0, CHECKPOINT_HEAD_BYTES, 1);
	assert_int_equal(reopen(), -EUCLEAN);
}

static void file_head(void **state)
{
	struct checkpoint_file head;
	int fd;

	(void)state;
	checkpoint(1, BYTES);
	checkpoint_file_encode(&head, BYTES);
	head.version = put_le32(9);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	/* test_marker_file_head.c */
	assert_int_equal(reopen(), 0);
	assert_true(store->head_damaged);
	/* a capacity that the file does not have */
	checkpoint_file_encode(&head, 2 * BYTES);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(reopen(), -EUCLEAN);
	assert_non_null(strstr(message.text, "truncated"));
	(void)close(fd);
}

static void make_again(void)
{
	marker_store_close(store);
	store = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(marker_file_open(path, MARKER_CREATE, BYTES, &store, &message), 0);
}

static void truncated_anywhere(void **state)
{
	uint64_t bytes;

	(void)state;
	for (bytes = checkpoint_slot_offset(0, BYTES); bytes > 0; bytes /= 3) {
		make_again();
		checkpoint(1, BYTES);
		assert_int_equal(truncate(path, (off_t)bytes), 0);
		assert_int_equal(reopen(), -EUCLEAN);
	}
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(reopen(), -ENOENT);
}

/* The whole slots of a file that ends too soon serve; who writes makes it as long again. */
static void truncated_behind_what_counts(void **state)
{
	uint64_t third = checkpoint_slot_offset(2, BYTES);
	const struct {
		unsigned int checkpoints;
		uint64_t bytes;
		unsigned int holds;
		bool fell_back;
	} cases[] = {
		{ 3, third + CHECKPOINT_HEAD_BYTES + BYTES - 1, 2, true },
		{ 4, third + CHECKPOINT_HEAD_BYTES + BYTES - 1, 4, false },
		/* the third one may have been the newest */
		{ 4, third + CHECKPOINT_BLOCK_BYTES - 1, 4, true },
		{ 4, third, 4, true },
		{ 4, checkpoint_slot_offset(1, BYTES), 4, true },
	};
	unsigned int i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (n = 1; n <= cases[i].checkpoints; n++)
			checkpoint((uint8_t)n, BYTES);
		assert_int_equal(truncate(path, (off_t)cases[i].bytes), 0);
		assert_int_equal(reopen(), 0);
		assert_true(store->truncated);
		assert_int_equal(store->fell_back, cases[i].fell_back);
		assert_holds((uint8_t)cases[i].holds, BYTES);
		/* all three of them serve again */
		for (n = 7; n < 10; n++) {
			checkpoint((uint8_t)n, BYTES);
			assert_int_equal(reopen(), 0);
			assert_false(store->truncated || store->fell_back);
			assert_holds((uint8_t)n, BYTES);
		}
		make_again();
	}
}

/* Nothing is retried over a write that failed. */
static void failed_write_sticks(void **state)
{
	struct rlimit old, none;

	(void)state;
	checkpoint(1, BYTES);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	memset(store->map, 2, BYTES);
	assert_int_equal(marker_store_checkpoint(store, BYTES, 1), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(marker_store_checkpoint(store, BYTES, 1), -EFBIG);
	assert_int_equal(nv_fence(store), -EFBIG);
	assert_int_equal(reopen(), 0);
	assert_holds(1, BYTES);
}

/* One checkpoint after the other; what was acknowledged is told to the parent. */
static void checkpoint_for_ever(volatile uint64_t *acknowledged)
{
	for (uint64_t n = *acknowledged + 1;; n++) {
		for (uint64_t i = 0; i < BYTES / 8; i++)
			((uint64_t *)(void *)store->map)[i] = n;
		if (marker_store_checkpoint(store, BYTES, 1))
			_exit(1);
		*acknowledged = n;
	}
}

static void assert_uniform(uint64_t at_least)
{
	const uint64_t *words = (const uint64_t *)(const void *)store->map;

	assert_true(words[0] == at_least || words[0] == at_least + 1);
	for (uint64_t i = 0; i < BYTES / 8; i++)
		assert_int_equal(words[i], words[0]);
	assert_false(store->fell_back);
}

static void P11_killed_at_random(void **state)
{
	uint64_t seed = fault_seed("P11_killed_at_random");
	volatile uint64_t *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(acknowledged != MAP_FAILED);
	checkpoint(0, BYTES);
	for (unsigned int round = 0; round < 20; round++) {
		struct timespec wait = { 0, (long)(fault_random(&seed) % 8000000) };
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			checkpoint_for_ever(acknowledged);
		(void)nanosleep(&wait, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(reopen(), 0);
		assert_uniform(*acknowledged);
		/* what was in flight may hold: the next round goes on from there */
		*acknowledged = *(uint64_t *)(void *)store->map;
	}
	(void)munmap((void *)(uintptr_t)acknowledged, 4096);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(never_checkpointed), T(newest_wins), T(P11_torn_payload), T(P11_torn_heads),
		T(torn_first_checkpoint), T(damaged_newest_is_told),
		T(damaged_two_are_told), T(both_damaged), T(all_damaged),
		T(only_one_and_damaged), T(file_head), T(truncated_anywhere),
		T(truncated_behind_what_counts),
		T(failed_write_sticks), T(P11_killed_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
