/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does a journal that is nine tenths full stay as fast, and how much more does it write?
 * Not a part of bench/run, since it takes minutes:
 *
 *   AGING_TIMES=100 AGING_MIB=256 build/bench/aging --dir /dev/shm/aging
 *
 * Payload of AGING_TIMES times the log's size is put, one transaction in 500 lives for
 * ever, and of the others the oldest is retired so that 90 % of what the empty log took
 * lives.  The last tenth is compared to the first, by the clock and by processor time.  A
 * machine that others use is slow at one time and fast at another; so after that comes a
 * tenth more, in slices, by turns with those of a journal that is just as full and new,
 * and what is compared is the medians of both.
 *
 *  jnl-aged-small  256 bytes to 4 KiB
 *  jnl-aged-mail   2 to 64 KiB, one in 200 of 1 MiB, one in 4,000 of 8 MiB
 *
 * With the markers in a file, -file, UNDER_WAY are under way at a time, as of that many
 * who wait; and -lone: one waits for each, so that each fills a block of the disk.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib_clock.h"
#include "lib_dir.h"
#include "lib_env.h"
#include "lib_main.h"
#include "lib_rows.h"
#include "store/evidence.h"

#define IMMORTAL  500u
#define SLICES    24u /* of the tenth after the last */
#define LARGEST   (8u << 20)
#define RETIRED   256u /* at a time */
#define UNDER_WAY 64u

enum mix { SMALL, MAIL };

struct young {
	uint64_t id;
	uint32_t bytes;
};

struct aged {
	struct journal *j;
	enum mix mix;
	struct journal_async *async; /* NULL: one at a time */
	uint32_t under_way;
	uint64_t random, put, live, full;
	struct young *queue;
	size_t first, count, room;
	const uint8_t *payload;
	enum journal_class survives;
	int error;
};

static uint64_t from_environment(const char *name, uint64_t usual)
{
	const char *given = getenv(name);

	return given && *given ? strtoull(given, NULL, 0) : usual;
}

static uint64_t draw(struct aged *a)
{
	a->random = a->random * 6364136223846793005ull + 1442695040888963407ull;
	return a->random >> 33;
}

static uint32_t draw_bytes(struct aged *a)
{
	if (a->mix == SMALL)
		return 256 + (uint32_t)(draw(a) % 3841);
	if (!(draw(a) % 4000))
		return LARGEST;
	return draw(a) % 200 ? 2048 + (uint32_t)(draw(a) % 63489) : 1u << 20;
}

static int keep(struct aged *a, uint64_t id, uint32_t bytes)
{
	size_t room = a->room ? a->room * 2 : 1024;
	struct young *grown;

	if (a->count == a->room) {
		grown = malloc(room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		for (size_t i = 0; i < a->count; i++)
			grown[i] = a->queue[(a->first + i) % a->room];
		free(a->queue);
		a->queue = grown;
		a->room = room;
		a->first = 0;
	}
	a->queue[(a->first + a->count++) % a->room] = (struct young){ id, bytes };
	return 0;
}

static int put_done(struct aged *a, const struct journal_receipt *receipt, uint32_t bytes)
{
	a->survives = receipt->survives;
	a->put += bytes;
	a->live += bytes;
	return a->full && !(draw(a) % IMMORTAL) ? 0 : keep(a, receipt->id, bytes);
}

/* until so many are under way */
static int await(struct aged *a, uint32_t most)
{
	struct journal_completion done;
	int error = 0;

	while (a->under_way > most && !error) {
		error = journal_async_next(a->async, -1, &done);
		if (!error) {
			a->under_way--;
			error = done.error ? done.error :
					     put_done(a, &done.receipt, (uint32_t)done.cookie);
		}
	}
	return error;
}

static int submit(struct aged *a, struct journal_txn *txn, uint32_t bytes)
{
	int error = journal_submit(a->async, txn, bytes);

	if (error)
		return error;
	a->under_way++;
	return await(a, UNDER_WAY - 1);
}

/* @path: AUTO, or SYNCED: into the log at once */
static int put_one(struct aged *a, enum journal_path path)
{
	uint32_t bytes = draw_bytes(a);
	struct journal_txn_options options = { .path = path, .bytes = bytes };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	int error = journal_begin(a->j, &options, &txn);

	if (error)
		return error;
	error = journal_append(txn, a->payload, bytes);
	if (error) {
		journal_abort(txn);
		return error;
	}
	if (a->async && a->full)
		return submit(a, txn, bytes);
	error = journal_commit(txn, &receipt);
	return error ? error : put_done(a, &receipt, bytes);
}

static int retire_down_to(struct aged *a, uint64_t bytes)
{
	uint64_t ids[RETIRED];
	size_t count;
	int error = 0;

	while (a->live > bytes && a->count && !error) {
		for (count = 0; count < RETIRED && a->live > bytes && a->count; count++) {
			ids[count] = a->queue[a->first].id;
			a->live -= a->queue[a->first].bytes;
			a->first = (a->first + 1) % a->room;
			a->count--;
		}
		error = journal_retire_many(a->j, ids, count, NULL);
	}
	return error;
}

/* Return: seconds, or less than 0 */
static double put_bytes(struct aged *a, uint64_t bytes)
{
	uint64_t end = a->put + bytes, begin = clock_ns();

	while (a->put < end && !a->error) {
		if (a->live > a->full / 100 * 90)
			a->error = retire_down_to(a, a->full / 100 * 89);
		if (!a->error)
			a->error = put_one(a, JOURNAL_PATH_AUTO);
	}
	if (!a->error)
		a->error = await(a, 0);
	return a->error ? -1 : (double)(clock_ns() - begin) / 1e9;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int aged_make(struct aged *a, struct bench_env *env, const char *name, const char *marker,
		     bool lone, struct message *why)
{
	char dir[2100];
	int error;

	path_join(dir, sizeof(dir), env->dir, name);
	error = env_make_journal(dir, marker, env->options.log_bytes, env->options.marker_bytes,
				 &a->j, why);
	if (!error && !marker && !lone)
		error = journal_async_open(a->j, UNDER_WAY, &a->async);
	while (!error)
		error = put_one(a, JOURNAL_PATH_SYNCED);
	if (error != -ENOSPC)
		return error;
	a->full = a->live;
	return retire_down_to(a, a->full / 10 * 9);
}

static void aged_free(struct aged *a)
{
	if (a->async)
		(void)journal_async_close(a->async);
	(void)journal_close(a->j);
	free(a->queue);
}

struct result {
	double first, last, ratio, first_cpu, last_cpu, amplification;
	uint64_t bytes, moved, cleaned;
	enum journal_class survives;
};

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double middle(double *all, size_t count)
{
	qsort(all, count, sizeof(*all), by_value);
	return (all[count / 2] + all[(count - 1) / 2]) / 2;
}

/* a tenth of each, by turns.  What the one has left to destage goes on while the other one
 * is measured: so this says nothing about the tenths before. */
static int by_turns(struct aged *old, struct aged *new, uint64_t bytes, struct result *r)
{
	double seconds[2][SLICES];
	uint32_t i;

	for (i = 0; i < SLICES && !old->error && !new->error; i++) {
		seconds[0][i] = put_bytes(old, bytes / SLICES);
		seconds[1][i] = put_bytes(new, bytes / SLICES);
	}
	if (old->error || new->error)
		return old->error ? old->error : new->error;
	r->ratio = middle(seconds[1], SLICES) / middle(seconds[0], SLICES);
	return 0;
}

static void tenth(struct aged *a, uint64_t bytes, double *per_second, double *per_cpu_second)
{
	double began = cpu_seconds();

	*per_second = (double)bytes / put_bytes(a, bytes);
	*per_cpu_second = (double)bytes / (cpu_seconds() - began);
}

/* @second: the marker medium of the new one; NULL: embedded */
static int age(struct aged *a, struct aged *new, struct bench_env *env, const char *second,
	       bool lone, struct result *r, struct message *why)
{
	uint64_t bytes = env->options.log_bytes / 10 * from_environment("AGING_TIMES", 10);
	struct journal_info before, after;

	r->bytes = bytes * 10;
	(void)journal_info(a->j, &before);
	tenth(a, bytes, &r->first, &r->first_cpu);
	(void)put_bytes(a, bytes * 8);
	tenth(a, bytes, &r->last, &r->last_cpu);
	if (!a->error)
		a->error = aged_make(new, env, "new", second, lone, why);
	/* once round: what is written for the first time costs pages, here and there */
	if (!a->error)
		(void)put_bytes(new, env->options.log_bytes);
	if (!a->error)
		a->error = by_turns(a, new, bytes, r);
	(void)journal_info(a->j, &after);
	r->moved = after.moved - before.moved;
	r->cleaned = after.cleaned - before.cleaned;
	after.log_payload_bytes -= before.log_payload_bytes;
	after.moved_bytes -= before.moved_bytes;
	r->amplification = (double)(after.log_payload_bytes + after.moved_bytes) /
			   (double)after.log_payload_bytes;
	r->survives = a->survives;
	return a->error;
}

static void tell(struct json_object *rows, const char *method, const struct result *r)
{
	struct row row = {
		.method = method, .threads = 1, .batch = 1,
		.summary = { .per_s = r->last },
		.survives = journal_class_name(r->survives),
	};
	struct json_object *object = rows_add(rows, &row);

	row_add_number(object, "bytes_put", (double)r->bytes);
	row_add_number(object, "first_bytes_per_s", r->first);
	row_add_number(object, "last_bytes_per_s", r->last);
	row_add_number(object, "last_of_first", r->last / r->first);
	row_add_number(object, "last_of_new", r->ratio);
	row_add_number(object, "cpu_last_of_first", r->last_cpu / r->first_cpu);
	row_add_number(object, "write_amplification", r->amplification);
	printf("%-22s %6.1f GB: last tenth (%.0f MB/s) to first %.3f, for processor time %.3f; to "
	       "a new one %.3f; write amplification %.3f (%" PRIu64 " moved, %" PRIu64
	       " segments)\n", method, (double)r->bytes / 1e9, r->last / 1e6,
	       r->last / r->first, r->last_cpu / r->first_cpu, r->ratio, r->amplification,
	       r->moved, r->cleaned);
}

static const struct kind {
	const char *name;
	enum mix mix;
	bool nvram, lone;
} kinds[] = {
	{ "jnl-aged-small-lone", SMALL, false, true },
	{ "jnl-aged-small-file", SMALL, false, false },
	{ "jnl-aged-small", SMALL, true, false },
	{ "jnl-aged-mail-file", MAIL, false, false },
	{ "jnl-aged-mail", MAIL, true, false },
};

static bool wanted(const struct bench_env *env, const char *name)
{
	const char *only = env->options.only;
	size_t length = strlen(name);

	for (; only; only = strchr(only, ',') ? strchr(only, ',') + 1 : NULL)
		if (!strncmp(only, name, length) && (!only[length] || only[length] == ','))
			return true;
	return !env->options.only;
}

static void one(struct bench_env *env, struct json_object *rows, const struct kind *kind,
		const uint8_t *payload)
{
	bool nvram = kind->nvram;
	enum mix mix = kind->mix;
	struct aged a = { .mix = mix, .random = 1, .payload = payload };
	struct aged new = { .mix = mix, .random = 2, .payload = payload };
	const char *name = kind->name, *marker = nvram ? env->marker : NULL;
	struct message why = { "" };
	struct result r = { 0 };
	char dir[2100], second[2100];
	int error;

	(void)snprintf(second, sizeof(second), "%s.new", env->marker);
	if (!wanted(env, name))
		return;
	error = aged_make(&a, env, "aged", marker, kind->lone, &why);
	if (!error)
		error = age(&a, &new, env, nvram ? second : NULL, kind->lone, &r, &why);
	if (error)
		fprintf(stderr, "bench: %s: left out: %s (%s)\n", name,
			why.text[0] ? why.text : a.j ? journal_error(a.j) : "", strerror(-error));
	else
		tell(rows, name, &r);
	aged_free(&a);
	aged_free(&new);
	path_join(dir, sizeof(dir), env->dir, "aged");
	dir_remove(dir);
	path_join(dir, sizeof(dir), env->dir, "new");
	dir_remove(dir);
	if (nvram)
		(void)unlink(strchr(second, ':') + 1);
}

static void measure(struct bench_env *env, struct json_object *rows)
{
	uint8_t *payload = malloc(LARGEST);
	size_t at;

	if (!payload)
		return;
	env->options.log_bytes = from_environment("AGING_MIB", 256) << 20;
	for (at = 0; at < LARGEST; at += BENCH_PAYLOAD_MAX)
		memcpy(payload + at, env->payload, BENCH_PAYLOAD_MAX);
	for (at = 0; at < sizeof(kinds) / sizeof(kinds[0]); at++)
		one(env, rows, &kinds[at], payload);
	free(payload);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure);
}
