/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P11, P18: several write checkpoints to one file; each may be stopped before or
 * after any of its system calls, while the others go on, and may die there or go on
 * later.  After each call the power may fail: what a crash would leave, each sector
 * that was not synced old or new, must hold the newest checkpoint that was done, or a
 * newer one, and look like no damage.  Calls are wrapped at link time (Makefile).
 *
 * SEED, RUNS.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "format/checkpoint.h"
#include "marker/file.h"
#include "marker/file_slots.h"
#include "scratch.h"

#define BYTES        4096u
#define SECTOR       512u
#define FILE_MAX     (64u << 10)
#define PENDING_MAX  256u
#define WRITERS      4u
#define NEVER        UINT32_MAX

/* ---- the disk ----------------------------------------------------------------------- */

struct pending {
	uint64_t offset;
	uint8_t data[SECTOR];
};

static struct {
	ino_t inode; /* of the file; 0: nothing is recorded */
	uint64_t bytes;
	uint8_t durable[FILE_MAX];
	struct pending pending[PENDING_MAX]; /* in order */
	unsigned int count;
} disk;

static struct {
	struct scratch scratch;
	char path[PATH_MAX], image[PATH_MAX];
	struct marker_share share;
	struct marker_store *store[WRITERS];
	_Alignas(4096) uint8_t map[BYTES];
	uint64_t value;  /* all words of the map */
	uint64_t done;   /* the highest of a checkpoint that has returned */
	uint64_t random;
	unsigned int depth;  /* so many are stopped */
	unsigned int looked; /* crashes */
	unsigned int refused, died, wiped, late;
} world;

static uint64_t below(uint64_t limit)
{
	return fault_random(&world.random) % limit;
}

static bool is_ours(int fd)
{
	struct stat st;

	return disk.inode && !fstat(fd, &st) && st.st_ino == disk.inode;
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __real_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);

static void disk_write(const uint8_t *data, size_t bytes, uint64_t offset)
{
	size_t at;

	assert_true(bytes % SECTOR == 0 && offset % SECTOR == 0);
	for (at = 0; at < bytes; at += SECTOR) {
		assert_true(disk.count < PENDING_MAX);
		disk.pending[disk.count].offset = offset + at;
		memcpy(disk.pending[disk.count++].data, data + at, SECTOR);
	}
}

static void disk_sync(void)
{
	unsigned int i;

	for (i = 0; i < disk.count; i++)
		memcpy(disk.durable + disk.pending[i].offset, disk.pending[i].data, SECTOR);
	disk.count = 0;
}

/* What a crash leaves, as a file. */
static void disk_crash(void)
{
	uint64_t how = below(4);
	unsigned int i;
	int fd = open(world.image, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, disk.durable, disk.bytes), disk.bytes);
	/* none, all, or some of what was not synced */
	for (i = 0; i < disk.count; i++)
		if (how == 1 || (how > 1 && below(2)))
			assert_int_equal(__real_pwrite(fd, disk.pending[i].data, SECTOR,
						       (off_t)disk.pending[i].offset), SECTOR);
	(void)close(fd);
}

static void assert_newest(const char *path, uint64_t done)
{
	struct marker_store *store;
	struct message message;
	const uint64_t *words;
	unsigned int i;

	assert_int_equal(marker_file_open(path, MARKER_RDONLY, 0, &store, &message), 0);
	words = (const uint64_t *)(const void *)store->map;
	assert_false(store->fell_back);
	assert_in_range(words[0], done, world.value);
	for (i = 0; i < BYTES / 8; i++)
		assert_int_equal(words[i], words[0]);
	marker_store_close(store);
}

static void power_fails(void)
{
	if (below(3))
		return;
	world.looked++;
	disk_crash();
	assert_newest(world.image, world.done);
}

/* ---- who is stopped --------------------------------------------------------------------- */

/* one that is in a checkpoint, by how many are stopped below it */
static struct stop {
	uint32_t at; /* before the call of this number, from 1 on; odd: after it, too */
	uint32_t calls;
	bool dies;
	jmp_buf end;
} stops[WRITERS];

static void others(void);

static void perhaps_stops(uint32_t at)
{
	struct stop *stop = &stops[world.depth];

	if (stop->at != at)
		return;
	world.depth++;
	others();
	world.depth--;
	if (stop->dies)
		longjmp(stop->end, 1);
}

int __wrap_fdatasync(int fd)
{
	uint32_t at;

	if (!is_ours(fd))
		return __real_fdatasync(fd);
	at = stops[world.depth].calls += 2;
	perhaps_stops(at);
	disk_sync();
	power_fails();
	perhaps_stops(at + 1);
	return 0;
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	ssize_t put;
	uint32_t at;

	if (!is_ours(fd))
		return __real_pwrite(fd, buffer, bytes, offset);
	at = stops[world.depth].calls += 2;
	perhaps_stops(at);
	put = __real_pwrite(fd, buffer, bytes, offset);
	disk_write(buffer, bytes, (uint64_t)offset);
	power_fails();
	perhaps_stops(at + 1);
	return put;
}

/* ---- checkpoints -------------------------------------------------------------------------- */

static void change_map(void)
{
	uint64_t *words = (uint64_t *)(void *)world.map;
	unsigned int i;

	world.value++;
	for (i = 0; i < BYTES / 8; i++)
		words[i] = world.value;
}

/* By the one that has the number of the stopped ones below it. */
static void one_checkpoint(uint32_t stops_at, bool dies)
{
	unsigned int writer = world.depth;
	struct stop *stop = &stops[writer];
	uint64_t value, before = file_slots_in_force(&world.share);
	int error;

	stop->at = stops_at;
	stop->calls = 0;
	stop->dies = dies;
	change_map();
	value = world.value;
	if (setjmp(stop->end)) {
		world.died++;
		marker_store_forget(world.store[writer], writer + 1);
		return;
	}
	error = marker_store_checkpoint(world.store[writer], BYTES, writer + 1);
	if (error) {
		/* nowhere to write to: only with two that are stopped in theirs */
		assert_int_equal(error, -EAGAIN);
		assert_true(writer >= 2);
		world.refused++;
		return;
	}
	if (value > world.done)
		world.done = value;
	world.wiped += stop->calls > 8;
	world.late += stops_at != NEVER && file_slots_in_force(&world.share) > before + 1;
}

static void others(void)
{
	uint64_t count = below(5);

	while (count--)
		one_checkpoint(world.depth < WRITERS - 1 && !below(2) ?
				       2 + (uint32_t)below(10) : NEVER, below(2));
}

static void begin(void)
{
	struct message message;
	struct stat st;
	unsigned int i;
	int fd;

	memset(&world.share, 0, sizeof(world.share));
	world.value = world.done = 0;
	(void)unlink(world.path);
	assert_int_equal(marker_file_open(world.path, MARKER_CREATE, BYTES, &world.store[0],
					  &message), 0);
	marker_store_share(world.store[0], &world.share, world.map);
	for (i = 1; i < WRITERS; i++)
		assert_int_equal(marker_file_join(world.path, 0, &world.share, world.map,
						  &world.store[i], &message), 0);
	change_map();
	assert_int_equal(marker_store_checkpoint(world.store[0], BYTES, 1), 0);
	world.done = world.value;
	assert_int_equal(stat(world.path, &st), 0);
	disk.bytes = (uint64_t)st.st_size;
	assert_in_range(disk.bytes, 1, FILE_MAX);
	fd = open(world.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, disk.durable, disk.bytes), disk.bytes);
	(void)close(fd);
	disk.count = 0;
	disk.inode = st.st_ino;
}

static void end(void)
{
	unsigned int i;

	/* everybody has gone on: nobody is written to any more */
	for (i = 0; i < CHECKPOINT_SLOTS; i++)
		assert_int_equal(world.share.slots[i].writer, 0);
	for (i = 0; i < 4; i++)
		one_checkpoint(NEVER, false);
	assert_int_equal(world.done, world.value);
	assert_newest(world.path, world.value);
	disk.inode = 0;
	for (i = 0; i < WRITERS; i++)
		marker_store_close(world.store[i]);
}

static void p11_stopped_or_dead_anywhere(void **state)
{
	const char *text = getenv("RUNS");
	unsigned int runs = text ? (unsigned int)atoi(text) : 100;
	unsigned int run, i;

	(void)state;
	world.random = fault_seed("p11_stopped_or_dead_anywhere");
	for (run = 0; run < runs; run++) {
		begin();
		for (i = 0; i < 4; i++)
			one_checkpoint(2 + (uint32_t)below(10), below(2));
		end();
	}
	print_message("%u crashes; %u died, %u late, %u refused, %u with heads wiped\n",
		      world.looked, world.died, world.late, world.refused, world.wiped);
	/* by chance, which is certain enough with so many */
	assert_true(runs < 100 || (world.looked && world.died && world.late && world.refused &&
				   world.wiped));
}

/* ---- slots ---------------------------------------------------------------------------------- */

static void p18_a_slot_is_neither_in_force_nor_anothers(void **state)
{
	struct marker_share share = { 0 };
	unsigned int a, b, c;
	bool stale;

	(void)state;
	assert_int_equal(file_slot_take(&share, 1, &a, &stale), 0);
	assert_false(stale);
	file_slot_durable(&share, a, file_slot_begin(&share, a));
	file_slot_leave(&share, a, 1);
	assert_int_equal(file_slots_in_force(&share), 1);
	assert_int_equal(file_slot_take(&share, 1, &b, &stale), 0);
	assert_int_equal(file_slot_take(&share, 2, &c, &stale), 0);
	assert_true(a != b && b != c && a != c);
	assert_int_equal(file_slot_take(&share, 3, &a, &stale), -EAGAIN);
	/* another cannot leave it */
	file_slot_leave(&share, b, 2);
	assert_int_equal(file_slot_take(&share, 3, &a, &stale), -EAGAIN);
	file_slot_leave(&share, b, 1);
	assert_int_equal(file_slot_take(&share, 3, &a, &stale), 0);
	assert_int_equal(a, b);
}

static void p11_a_late_one_does_not_come_into_force(void **state)
{
	struct marker_share share = { 0 };
	uint64_t early, later;
	unsigned int a, b, c;
	bool stale;

	(void)state;
	assert_int_equal(file_slot_take(&share, 1, &a, &stale), 0);
	early = file_slot_begin(&share, a);
	assert_int_equal(file_slot_take(&share, 2, &b, &stale), 0);
	later = file_slot_begin(&share, b);
	assert_true(early < later);
	file_slot_durable(&share, b, later);
	file_slot_leave(&share, b, 2);
	file_slot_durable(&share, a, early);
	file_slot_leave(&share, a, 1);
	assert_int_equal(file_slots_in_force(&share), later);
	/* it is free for the next, and needs no wiping */
	assert_int_equal(file_slot_take(&share, 3, &c, &stale), 0);
	assert_true(c != b);
	assert_false(stale);
}

static void p11_what_a_dead_one_may_have_written_is_wiped(void **state)
{
	struct marker_share share = { 0 };
	unsigned int a, b, c;
	bool stale;

	(void)state;
	file_slots_seen(&share, 0, 7);
	file_slots_loaded(&share, 0, 7);
	assert_int_equal(file_slot_take(&share, 1, &a, &stale), 0);
	assert_false(stale);
	assert_int_equal(file_slot_begin(&share, a), 8);
	file_slot_leave(&share, a, 1); /* for it is dead */
	assert_int_equal(file_slot_take(&share, 2, &a, &stale), 0);
	assert_true(stale);
	/* when a newer one is in force it does not matter any more */
	assert_int_equal(file_slot_take(&share, 3, &b, &stale), 0);
	assert_false(stale);
	file_slot_durable(&share, b, file_slot_begin(&share, b));
	file_slot_leave(&share, a, 2);
	assert_int_equal(file_slot_take(&share, 2, &c, &stale), 0);
	assert_false(stale);
}

static int setup(void **state)
{
	(void)state;
	if (scratch_make(&world.scratch, NULL))
		return -1;
	(void)scratch_path(&world.scratch, "markers", world.path);
	(void)scratch_path(&world.scratch, "crashed", world.image);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(&world.scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p18_a_slot_is_neither_in_force_nor_anothers),
		cmocka_unit_test(p11_a_late_one_does_not_come_into_force),
		cmocka_unit_test(p11_what_a_dead_one_may_have_written_is_wiped),
		cmocka_unit_test_setup_teardown(p11_stopped_or_dead_anywhere, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
