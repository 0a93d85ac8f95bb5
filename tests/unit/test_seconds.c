/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Second digests on another log: they are written beside what goes on in the fresh segment,
 * nothing in that is acknowledged before they are durable, and who is killed meanwhile
 * leaves none of them missing.  logs_write() and seconds_wait() are replaced at link time.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "txn/logs.h"
#include "txn/segment.h"
#include "txn/takeover.h"

#define LOG_BYTES  (18ull << 20)
#define PATIENCE_S 60
#define BYTES      30000u

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

enum held { NONE, SEALED, OPENED };

/* The first second digest of this kind is held from when it is to be written, until it is
 * let go.  In memory that a child shares: it is killed while it waits, so all look by turns,
 * and nobody has a lock. */
static struct gate {
	_Atomic enum held kind;
	atomic_bool held, let_go, gave_up;
	bool refused; /* it is no gate: the writer meets a limit of its own */
	_Atomic uint32_t segment, log;   /* whose digest it is, and where that segment is */
	_Atomic uint32_t recorded[JOURNAL_LOGS_MAX]; /* the segment that was written to last */
	_Atomic uint32_t committed;      /* as told by the test */
	uint32_t at_let_go;
} *gate;

/* Whether records have been written, while it is held, to the segment that comes after. */
static bool is_beside(void)
{
	return gate->held && (gate->recorded[gate->log] == gate->segment) == (gate->kind == OPENED);
}

static bool is_let_go(void)
{
	return gate->let_go;
}

static void gate_look(bool (*done)(void))
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	uint32_t i;

	for (i = 0; !gate->gave_up && !done(); i++) {
		(void)nanosleep(&moment, NULL);
		if (i == PATIENCE_S * 1000)
			gate->gave_up = true;
	}
}

/* the segment whose second digest has its place here, or NO_SEGMENT */
static uint32_t second_of(struct journal *j, uint32_t log, uint64_t offset)
{
	uint32_t i, its;

	for (i = 0; i < segments_end(j); i++)
		if (segment_digest_offset(j, i, &its) == offset && its == log &&
		    segment_log(j, i) != log)
			return i;
	return NO_SEGMENT;
}

/* the segment whose records are written, or NO_SEGMENT */
static uint32_t recorded(struct journal *j, uint32_t log, const struct log_io *io)
{
	const struct segment *segment;
	uint32_t i;

	for (i = 0; io->bytes >= BYTES && i < segments_end(j); i++) {
		segment = &j->segments.all[i];
		if (segment->log == log && io->offset > segment->base &&
		    io->offset < segment->base + j->segment_bytes - j->digest_bytes)
			return i;
	}
	return NO_SEGMENT;
}

/* Return: whether it is to be held: the first */
static bool gate_holds(struct journal *j, uint32_t log, const struct log_io *io)
{
	const struct summary_head *head = io->buffer;
	uint32_t number = second_of(j, log, io->offset), none = NO_SEGMENT;

	if (number == NO_SEGMENT || gate->kind != (get_le16(head->sealed) ? SEALED : OPENED) ||
	    !atomic_compare_exchange_strong(&gate->segment, &none, number))
		return false;
	gate->log = segment_log(j, number);
	gate->held = true;
	return true;
}

/* The next segment that is opened is to go, as soon as it is open. */
static struct {
	atomic_bool next, waited;
	struct segment *segment;
} going;

static void going_look(struct journal *j, uint32_t log, const struct log_io *io)
{
	struct segment *segment;
	uint32_t i;

	for (i = 0; i < segments_end(j); i++) {
		segment = &j->segments.all[i];
		if (segment->log != log || io->offset != segment->base ||
		    !atomic_exchange(&going.next, false))
			continue;
		going.segment = segment;
		atomic_store(&segment->leaving, SEGMENT_LEAVES);
	}
}

int __real_seconds_wait(struct seconds *seconds);
int __wrap_seconds_wait(struct seconds *seconds);

int __wrap_seconds_wait(struct seconds *seconds)
{
	atomic_store(&going.waited, true);
	return __real_seconds_wait(seconds);
}

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	uint32_t number = recorded(j, log, io);
	int error;

	going_look(j, log, io);

	if (gate_holds(j, log, io)) {
		if (gate->refused)
			return journal_fail(j, -EFBIG);
		gate_look(is_let_go);
	}
	error = __real_logs_write(j, log, io, count, durable);
	if (number != NO_SEGMENT)
		gate->recorded[log] = number;
	return error;
}

static void gate_make(void)
{
	gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(gate, MAP_FAILED);
	gate->segment = NO_SEGMENT;
}

static void gate_remove(void)
{
	assert_int_equal(munmap(gate, sizeof(*gate)), 0);
}

/* ---- what goes on meanwhile ------------------------------------------------------------ */

/* Lets it go when a batch has been written into the fresh segment, and a moment later. */
static void *let_go(void *context)
{
	const struct timespec moment = { .tv_nsec = 50000000 };

	(void)context;
	gate_look(is_beside);
	/* would it be acknowledged without, it would be by now */
	(void)nanosleep(&moment, NULL);
	gate->at_let_go = gate->committed;
	gate->let_go = true;
	return NULL;
}

/* One thread: the commit that is the first of the fresh segment does not return before. */
static void goes_on_and_waits(enum bed_medium medium, enum held kind)
{
	struct model model;
	pthread_t thread;
	struct bed bed;
	uint32_t i, before = 0;
	bool held;

	gate_make();
	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(&model);
	/* both streams have a segment: so what is opened next is next to one that is left */
	for (i = 0; i < 8; i++)
		assert_int_equal(bed_put(&bed, &model, BYTES, i, JOURNAL_PATH_SYNCED, NULL), 0);
	gate->kind = kind;
	assert_int_equal(pthread_create(&thread, NULL, let_go, NULL), 0);
	for (held = false; !held && i < 1000; i++) {
		before = i;
		assert_int_equal(bed_put(&bed, &model, BYTES, i, JOURNAL_PATH_SYNCED, NULL), 0);
		gate->committed = i;
		held = gate->held;
	}
	pthread_join(thread, NULL);
	assert_true(held);
	assert_false(gate->gave_up);
	/* what was written while it was held was not acknowledged */
	assert_true(gate->at_let_go < before);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	gate_remove();
}

static void the_old_ones_digest_beside_the_next_batch(enum bed_medium medium)
{
	goes_on_and_waits(medium, SEALED);
}

static void the_fresh_ones_digest_beside_the_next_batch(enum bed_medium medium)
{
	goes_on_and_waits(medium, OPENED);
}

/* ---- it goes before anything is in it ---------------------------------------------------- */

static bool has_waited(void)
{
	return going.waited;
}

static void *let_go_when_it_waits(void *context)
{
	(void)context;
	gate_look(has_waited);
	gate->let_go = true;
	return NULL;
}

/* Its second digest is under way still, and the next one has two. */
static void it_goes_before_its_first_record(enum bed_medium medium)
{
	pthread_t thread;
	struct bed bed;

	gate_make();
	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	gate->kind = OPENED;
	going.next = true;
	going.waited = false;
	assert_int_equal(pthread_create(&thread, NULL, let_go_when_it_waits, NULL), 0);
	assert_int_equal(bed_put(&bed, NULL, BYTES, 1, JOURNAL_PATH_SYNCED, NULL), 0);
	pthread_join(thread, NULL);
	assert_false(going.next);
	assert_true(gate->held);
	assert_false(gate->gave_up);
	/* it was left, and is nobody's */
	assert_int_not_equal(segment_state_of(atomic_load(&going.segment->use)), SEGMENT_OPEN);
	atomic_store(&going.segment->leaving, 0);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, 1);
	bed_remove(&bed);
	gate_remove();
}

/* ---- killed meanwhile ------------------------------------------------------------------- */

/* Return: whether the second digest of @number is of its use now, and has its names */
static bool has_second(struct journal *j, uint32_t number)
{
	uint32_t log;
	struct log_io io = { .offset = segment_digest_offset(j, number, &log),
			     .bytes = j->digest_bytes };
	const struct summary_head *head;
	bool good;

	assert_int_equal(posix_memalign(&io.buffer, 4096, io.bytes), 0);
	assert_int_equal(log_store_read(logs_at(j, log), &io, 1), 0);
	head = io.buffer;
	good = !summary_validate(head, j->digest_bytes, j->segment_bytes, number,
				 j->geometry.nonce) &&
	       get_le64(head->seq) == j->segments.all[number].seq && get_le16(head->sealed) &&
	       get_le32(head->entries);
	free(io.buffer);
	return good;
}

static void put_until_killed(const char *dir)
{
	struct bed bed = { 0 };
	uint64_t i;

	if (journal_open(dir, NULL, &bed.j))
		child_exit(1);
	for (i = 0; i < 10000; i++)
		if (bed_put(&bed, NULL, BYTES, i, JOURNAL_PATH_SYNCED, NULL))
			child_exit(2);
	child_exit(3);
}

/* The child is at the gate with the second digest of a segment it has left. */
static void killed_at_the_gate(const char *dir)
{
	pid_t pid;

	gate->kind = SEALED;
	pid = child_fork();
	if (!pid)
		put_until_killed(dir);
	gate_look(is_beside);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	assert_false(gate->gave_up);
	gate->kind = NONE;
}

/* Who takes its head over writes it. */
static void a_takers_digest(enum bed_medium medium)
{
	struct bed bed;

	gate_make();
	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	killed_at_the_gate(bed.dir);
	assert_false(has_second(bed.j, gate->segment));
	assert_int_equal(bed_put(&bed, NULL, 100, 1, JOURNAL_PATH_SYNCED, NULL), 0);
	takeover_sweep(bed.j, 0);
	assert_true(has_second(bed.j, gate->segment));
	assert_int_equal(segment_state_of(atomic_load(&bed.j->segments.all[gate->segment].use)),
			 SEGMENT_SEALED);
	bed_reopen(&bed);
	bed_remove(&bed);
	gate_remove();
}

/* Who could not write it for a limit of his own, and goes on to live, leaves it to him. */
static void the_digest_of_one_at_his_limit(enum bed_medium medium)
{
	const struct segment *segment;
	struct bed bed, other;
	uint32_t i;
	int error = 0;

	gate_make();
	gate->refused = true;
	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	other = bed;
	bed_open(&other, NULL);
	gate->kind = SEALED;
	for (i = 0; i < 10000 && !error; i++)
		error = bed_put(&other, NULL, BYTES, i, JOURNAL_PATH_SYNCED, NULL);
	gate->kind = NONE;
	assert_int_equal(error, -EIO);
	segment = &bed.j->segments.all[gate->segment];
	assert_int_equal(segment_state_of(atomic_load(&segment->use)), SEGMENT_OPEN);
	assert_int_equal(journal_close(other.j), -EIO);
	assert_false(has_second(bed.j, gate->segment));
	assert_int_equal(bed_put(&bed, NULL, 100, 1, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(takeover_sweep(bed.j, 0), 1);
	assert_true(has_second(bed.j, gate->segment));
	assert_int_equal(segment_state_of(atomic_load(&segment->use)), SEGMENT_SEALED);
	bed_reopen(&bed);
	bed_remove(&bed);
	gate_remove();
}

/* So does recovery, if nobody is left. */
static void recoverys_digest(enum bed_medium medium)
{
	struct bed bed;

	gate_make();
	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	bed_close(&bed);
	killed_at_the_gate(bed.dir);
	bed_open(&bed, NULL);
	assert_true(has_second(bed.j, gate->segment));
	bed_remove(&bed);
	gate_remove();
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "the_old_ones_digest_beside_the_next_batch",
		  the_old_ones_digest_beside_the_next_batch, 1u << BED_FILE },
		{ "the_fresh_ones_digest_beside_the_next_batch",
		  the_fresh_ones_digest_beside_the_next_batch, 1u << BED_FILE },
		{ "it_goes_before_its_first_record", it_goes_before_its_first_record,
		  1u << BED_FILE },
		{ "a_takers_digest", a_takers_digest, 1u << BED_FILE },
		{ "the_digest_of_one_at_his_limit", the_digest_of_one_at_his_limit,
		  1u << BED_FILE },
		{ "recoverys_digest", recoverys_digest, 1u << BED_FILE },
	};

	return bed_run(tests, ARRAY_COUNT(tests));
}
