/* SPDX-License-Identifier: BSD-3-Clause */
/* What stores are made of, when there is no memory for it; and those without a medium. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "store/dirty.h"
#include "store/log_copies.h"
#include "store/log_gone.h"
#include "store/log_queue.h"
#include "store/marker_vacant.h"

#define MIB (1u << 20)

/* the call of this name fails, every time; NULL: none does */
static const char *failing;

static bool fails(const char *call)
{
	return failing && !strcmp(failing, call);
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__real_reallocarray(void *old, size_t count, size_t bytes);
void *__wrap_reallocarray(void *old, size_t count, size_t bytes);
int __real_posix_memalign(void **memory, size_t unit, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t unit, size_t bytes);
void *__real_mmap(void *at, size_t bytes, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int fd, off_t offset);
int __real_mprotect(void *at, size_t bytes, int access);
int __wrap_mprotect(void *at, size_t bytes, int access);
int __real_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __real_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *how);
int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *how);
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails("calloc") ? NULL : __real_calloc(count, bytes);
}

void *__wrap_reallocarray(void *old, size_t count, size_t bytes)
{
	return fails("reallocarray") ? NULL : __real_reallocarray(old, count, bytes);
}

int __wrap_posix_memalign(void **memory, size_t unit, size_t bytes)
{
	return fails("posix_memalign") ? ENOMEM : __real_posix_memalign(memory, unit, bytes);
}

void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int fd, off_t offset)
{
	return fails("mmap") ? MAP_FAILED : __real_mmap(at, bytes, access, flags, fd, offset);
}

int __wrap_mprotect(void *at, size_t bytes, int access)
{
	return fails("mprotect") ? -1 : __real_mprotect(at, bytes, access);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *))
{
	return fails("key") ? EAGAIN : __real_pthread_key_create(key, end);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *how)
{
	return fails("mutex") ? ENOMEM : __real_pthread_mutex_init(lock, how);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return fails("specific") ? ENOMEM : __real_pthread_setspecific(key, value);
}

static int nothing(void **state)
{
	(void)state;
	failing = NULL;
	return 0;
}

/* What was flushed is noted, or the store is told that it is not. */
static void ranges_that_cannot_be_noted(void **state)
{
	const struct dirty_range *ranges;
	struct dirty dirty;
	uint64_t i;

	(void)state;
	failing = "key";
	assert_int_equal(dirty_init(&dirty), -EAGAIN);
	failing = "mutex";
	assert_int_equal(dirty_init(&dirty), -ENOMEM);
	failing = NULL;
	assert_int_equal(dirty_init(&dirty), 0);
	failing = "calloc";
	assert_int_equal(dirty_add(&dirty, 0, 8), -ENOMEM);
	failing = "specific";
	assert_int_equal(dirty_add(&dirty, 0, 8), -ENOMEM);
	failing = "reallocarray";
	assert_int_equal(dirty_add(&dirty, 0, 8), -ENOMEM);
	assert_int_equal(dirty_ranges(&dirty, &ranges), 0);
	failing = NULL;
	for (i = 0; i < 64; i++)
		assert_int_equal(dirty_add(&dirty, i, 8), 0);
	failing = "reallocarray";
	assert_int_equal(dirty_add(&dirty, 64, 8), -ENOMEM);
	failing = NULL;
	assert_int_equal(dirty_ranges(&dirty, &ranges), 64);
	for (i = 0; i < 64; i++)
		assert_int_equal(ranges[i].offset, i);
	dirty_destroy(&dirty);
}

static void a_vacant_store(void **state)
{
	static const char *const calls[] = { "calloc", "mmap", "mprotect" };
	struct marker_store *store;
	struct message message = { .text = "" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		failing = calls[i];
		assert_int_equal(marker_vacant_make(MIB, 4096, false, &store), -ENOMEM);
	}
	failing = NULL;
	assert_int_equal(marker_vacant_make(MIB, 4096, false, &store), 0);
	assert_true(marker_is_vacant(store));
	marker_store_forget(store, 1); /* nobody is known to it */
	assert_int_equal(marker_store_replace(store, "x", 0, 0, &message), -ENOTSUP);
	marker_store_close(store);
}

static struct log_store *gone(bool read_only)
{
	struct log_store *store;

	assert_int_equal(log_store_gone(-ENODEV, "pulled out", MIB, 512, read_only, &store), 0);
	return store;
}

static void a_store_that_is_gone(void **state)
{
	static const struct log_copies_ops two;
	static uint8_t block[512] __attribute__((aligned(512)));
	struct log_io io = { 0, block, 512, 0 };
	struct log_store *store;
	void *buffer;

	(void)state;
	failing = "posix_memalign";
	assert_int_equal(log_store_gone(-ENODEV, "pulled out", MIB, 512, false, &store), -ENOMEM);
	failing = NULL;
	store = gone(false);
	assert_int_equal(log_store_flush(store), -ENODEV);
	buffer = log_store_buffer(store);
	assert_non_null(buffer);
	log_store_buffer_done(store, buffer);
	failing = "posix_memalign";
	assert_null(log_store_buffer(store));
	failing = NULL;
	/* it is one copy */
	assert_int_equal(log_copies_renew(store, NULL, NULL), 0);
	log_copies_died(store, false);
	log_store_close(store);
	store = gone(true);
	assert_int_equal(log_store_flush(store), -EROFS);
	store->copies = &two;
	assert_int_equal(log_copies_repair(store, 1, &io), -EROFS);
	log_store_close(store);
}

/* It has no queue of its own: reads fail one after the other. */
static void its_queue(void **state)
{
	static uint8_t block[512] __attribute__((aligned(512)));
	struct log_io io[3] = {
		{ 0, block, 512, 0 }, { 512, block, 512, 0 }, { 1024, block, 512, 0 },
	};
	struct log_store *store = gone(false);
	struct log_queue *queue;
	unsigned int i, round;

	(void)state;
	failing = "calloc";
	assert_int_equal(log_queue_open(store, 3, NULL, &queue), -ENOMEM);
	failing = NULL;
	assert_int_equal(log_queue_open(store, 3, NULL, &queue), 0);
	assert_int_equal(log_queue_fd(queue), -1);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 3; i++)
			log_queue_submit(queue, &io[i]);
		for (i = 0; i < 3; i++) {
			assert_ptr_equal(log_queue_complete(queue, i & 1), &io[i]);
			assert_int_equal(io[i].result, -ENODEV);
		}
	}
	log_queue_close(queue);
	log_queue_close(NULL);
	log_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(ranges_that_cannot_be_noted, nothing),
		cmocka_unit_test_teardown(a_vacant_store, nothing),
		cmocka_unit_test_teardown(a_store_that_is_gone, nothing),
		cmocka_unit_test_teardown(its_queue, nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
