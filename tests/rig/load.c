/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: load work DIR | load verify DIR
 *
 * What the rig runs in the guest: four writers commit to the journal in DIR, one thread
 * retires, one maintains, until the power goes.  Each transaction has a key, and its payload
 * follows from it.  Lines, for the rig's oracle: +KEY when it is committed, ~KEY before it is
 * retired, -KEY when it is; and of verify =KEY for each that is there, !TEXT when one is
 * not as it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"

#define WRITERS   4
#define KEY_BYTES 32
#define BYTES_MAX 50000
#define KEPT      48 /* so many stay live */
#define BATCH     16 /* so many are retired at a time */
#define RING      8192

struct item {
	uint64_t id;
	char key[KEY_BYTES];
};

static struct journal *journal;
static const char *boot = "0";
static pthread_mutex_t said = PTHREAD_MUTEX_INITIALIZER;

/* live ones, oldest first */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct item ring[RING];
static uint64_t ring_first, ring_end;

/* a line leaves at once, and in one piece */
static void say(const char *format, ...)
{
	char line[200];
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	pthread_mutex_lock(&said);
	for (int at = 0; at < length;) {
		ssize_t n = write(STDOUT_FILENO, line + at, (size_t)(length - at));

		if (n < 0 && errno != EINTR)
			exit(1);
		at += n > 0 ? (int)n : 0;
	}
	pthread_mutex_unlock(&said);
}

static int failed(const char *what)
{
	say("!%s: %s\n", what, journal_error(journal));
	fprintf(stderr, "load: %s: %s\n", what, journal_error(journal));
	exit(1);
}

/* ---- payloads --------------------------------------------------------------- */

static uint64_t hash(const char *key)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *key; key++)
		h = (h ^ (uint8_t)*key) * 0x100000001b3;
	return h;
}

/* most are staged, some have to go to the log at once */
static size_t payload_bytes(const char *key)
{
	uint64_t h = hash(key) >> 8;

	return KEY_BYTES + (h % 16 ? h % 4000 : h % (BYTES_MAX - KEY_BYTES));
}

static size_t payload(const char *key, uint8_t *data)
{
	size_t bytes = payload_bytes(key);
	uint64_t h = hash(key);

	memset(data, 0, KEY_BYTES);
	memcpy(data, key, strlen(key));
	for (size_t i = KEY_BYTES; i < bytes; i++) {
		h = h * 6364136223846793005 + 1442695040888963407;
		data[i] = (uint8_t)(h >> 56);
	}
	return bytes;
}

/* ---- the work --------------------------------------------------------------- */

static void keep(uint64_t id, const char *key)
{
	struct item *item;

	pthread_mutex_lock(&lock);
	if (ring_end - ring_first < RING) {
		item = &ring[ring_end++ % RING];
		item->id = id;
		memcpy(item->key, key, KEY_BYTES);
	}
	pthread_mutex_unlock(&lock);
}

static void *writer(void *argument)
{
	uint8_t *data = malloc(BYTES_MAX);

	for (uint32_t n = 0;; n++) {
		char key[KEY_BYTES] = "";
		struct journal_receipt receipt;
		int error;

		(void)snprintf(key, sizeof(key), "%.8s.%d.%" PRIu32, boot,
			       (int)(intptr_t)argument, n);
		error = journal_put(journal, data, payload(key, data), &receipt);
		/* the retirer is slower: wait for it */
		while (error == -ENOSPC) {
			usleep(1000);
			error = journal_put(journal, data, payload(key, data), &receipt);
		}
		if (error)
			failed("put");
		say("+%s\n", key);
		keep(receipt.id, key);
	}
	return NULL;
}

static uint32_t take(struct item *items)
{
	uint32_t count = 0;

	pthread_mutex_lock(&lock);
	while (count < BATCH && ring_end - ring_first > KEPT)
		items[count++] = ring[ring_first++ % RING];
	pthread_mutex_unlock(&lock);
	return count;
}

static void *retirer(void *argument)
{
	struct item items[BATCH];

	(void)argument;
	for (;;) {
		uint32_t count = take(items);

		if (!count)
			usleep(1000);
		for (uint32_t i = 0; i < count; i++)
			say("~%s\n", items[i].key);
		/* it is outside before anything is done: else the power may go between */
		if (count && tcdrain(STDOUT_FILENO) && errno != ENOTTY)
			exit(1);
		for (uint32_t i = 0; i < count; i++) {
			if (journal_retire(journal, items[i].id))
				failed("retire");
			say("-%s\n", items[i].key);
		}
	}
	return NULL;
}

static void *maintainer(void *argument)
{
	(void)argument;
	for (;;) {
		if (journal_maintain(journal, NULL, NULL))
			failed("maintain");
		usleep(20000);
	}
	return NULL;
}

/* ---- what is there ---------------------------------------------------------- */

/* its key; false: it is not as it was */
static int look(const struct journal_entry *entry, char key[KEY_BYTES])
{
	uint8_t *data = malloc(BYTES_MAX), *wanted = malloc(BYTES_MAX);
	size_t got = 0;
	int error = entry->state == JOURNAL_LIVE
			    ? journal_read(journal, entry->id, data, BYTES_MAX, &got)
			    : -EBADMSG;
	int good = 0;

	if (error || got < KEY_BYTES || data[KEY_BYTES - 1]) {
		say("!%" PRIx64 " cannot be read: %s\n", entry->id, strerror(-error));
	} else {
		memcpy(key, data, KEY_BYTES);
		good = payload_bytes(key) == got && payload(key, wanted) == got &&
		       !memcmp(data, wanted, got);
		if (!good)
			say("!%s is damaged\n", key);
	}
	free(data);
	free(wanted);
	return good;
}

static int each(void (*found)(uint64_t id, const char *key))
{
	struct journal_entry entry = { 0 };
	char key[KEY_BYTES];
	int status = 0;

	while (!journal_next(journal, entry.id, &entry)) {
		if (look(&entry, key))
			found(entry.id, key);
		else
			status = 1;
	}
	return status;
}

static void found_by_verify(uint64_t id, const char *key)
{
	(void)id;
	say("=%s\n", key);
}

static int verify(void)
{
	int status = each(found_by_verify);

	if (journal_close(journal))
		status = 1;
	/* all of it is outside before it is believed */
	(void)tcdrain(STDOUT_FILENO);
	return status;
}

static int work(void)
{
	void *(*const others[])(void *) = { retirer, maintainer };
	pthread_t thread;

	if (each(keep))
		return 1;
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&thread, NULL, writer, (void *)(intptr_t)i);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread, NULL, others[i], NULL);
	/* it ends with the power */
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc != 3 || (strcmp(argv[1], "work") && strcmp(argv[1], "verify")))
		return 2;
	if (getenv("RIG_BOOT"))
		boot = getenv("RIG_BOOT");
	if (journal_open(argv[2], NULL, &journal))
		failed(argv[2]);
	return strcmp(argv[1], "work") ? verify() : work();
}
