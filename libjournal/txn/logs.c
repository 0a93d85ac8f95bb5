/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/log_copies.h"
#include "store/log_gone.h"
#include "txn/head.h"
#include "txn/left.h"
#include "txn/log_open.h"
#include "txn/segment.h"
#include "txn/times.h"
#include "util/own_limit.h"

static void logs_name(struct journal *j, uint32_t log, const struct conf *conf)
{
	(void)snprintf(j->conf.logs[log], sizeof(j->conf.logs[log]), "%s", conf->logs[log]);
	(void)snprintf(j->conf.mirrors[log], sizeof(j->conf.mirrors[log]), "%s",
		       conf->mirrors[log]);
}

/* Not by the path that we read when we opened: it may not have been there then. */
static int logs_open(struct journal *j, uint32_t log, struct log_store **store)
{
	struct message why = { "" };
	struct conf *conf = malloc(sizeof(*conf));
	int error = conf ? conf_read(j->dir, conf, &why) : -ENOMEM;

	if (!error && !conf_has_log(conf, log))
		error = -ENODEV;
	if (!error)
		error = log_join(conf, log, (j->read_only ? LOG_RDONLY : 0) |
				 (j->open_flags & JOURNAL_NO_URING ? LOG_NO_URING : 0),
				 j->shared->common.logs[log], store, &why);
	/* for people: nobody knows it by another name yet */
	if (!error)
		logs_name(j, log, conf);
	free(conf);
	if (!error)
		return 0;
	/* a log that was removed meanwhile, by one who was killed before the mapping said so */
	if (!why.text[0])
		(void)message_errno(&why, error, "log %u of " CONF_NAME, log + 1);
	/* out of reach for us: as if it had failed.  Memory for this little there is. */
	return log_store_gone(error, why.text,
			      max_u64(atomic_load(&j->shared->log_bytes[log]), j->segment_bytes),
			      j->block_bytes, j->read_only, store);
}

struct log_store *logs_meet(struct journal *j, uint32_t log)
{
	struct log_store *store;

	pthread_mutex_lock(&j->logs_lock);
	store = j->logs[log];
	if (!store && !logs_open(j, log, &store))
		__atomic_store_n(&j->logs[log], store, __ATOMIC_RELEASE);
	JASSERT(store);
	log_store_longer(store, atomic_load(&j->shared->log_bytes[log]));
	pthread_mutex_unlock(&j->logs_lock);
	return store;
}

uint32_t logs_count(const struct journal *j)
{
	uint32_t log, count = 0;

	for (log = 0; log < logs_end(j); log++)
		count += !logs_removed(j, log);
	return count;
}

bool logs_left(const struct journal *j)
{
	uint32_t log;

	for (log = 0; log < logs_end(j); log++)
		if (!logs_out(j, log))
			return true;
	return false;
}

/* what DIR says already */
static uint64_t logs_left_at_open(const struct journal *j, uint32_t log)
{
	uint64_t left = j->logs[log] ? log_copies_left(j->logs[log]) : 0;

	return (left & 3) == j->conf.left[log] ? left : 0;
}

void logs_begin(struct journal *j)
{
	uint32_t log;

	for (log = 0; log < logs_end(j); log++) {
		atomic_store(&j->shared->log_failed[log], j->logs[log] ? j->logs[log]->failed :
									 -ENODEV);
		atomic_store(&j->shared->log_left[log], logs_left_at_open(j, log));
	}
}

static void logs_withdraw(struct journal *j, uint32_t log)
{
	uint32_t number, end = segments_end(j);

	for (number = 0; number < end; number++)
		if (segment_log(j, number) == log)
			segment_withdraw(j, &j->segments.all[number]);
}

int logs_fail(struct journal *j, uint32_t log, int error)
{
	int none = 0;
	bool first;

	JASSERT(error < 0);
	/* of our own limit the log knows nothing */
	if (journal_failed(j) || own_limit(error))
		return journal_fail(j, error);
	first = atomic_compare_exchange_strong(&j->shared->log_failed[log], &none, error);
	/* seq_cst: of two that fail at once, one sees both */
	if (!logs_left(j))
		return journal_fail(j, error);
	if (first) {
		logs_withdraw(j, log);
		heads_leave(j, log);
	}
	return LOG_OUT;
}

/* In DIR, too: should the good leg be missing at an open, the other one does not know
 * that it is old.  Where that cannot be written, the good one's head has to do. */
static void logs_write_left(struct journal *j, uint32_t log, uint64_t left)
{
	(void)left_say(j->dir, j->conf.uuid, log, (uint32_t)left & 3);
	atomic_store(&j->shared->log_left[log], left);
}

/* A leg of a mirrored log may have been left by what was written: before anybody relies
 * on the other one alone.  Each who meets it does so, and waits for nobody. */
int logs_note_left(struct journal *j, uint32_t log)
{
	uint64_t left = log_copies_left(j->logs[log]);

	if (left && left != atomic_load_explicit(&j->shared->log_left[log], memory_order_relaxed))
		logs_write_left(j, log, left);
	return 0;
}

int logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count, bool durable)
{
	int error;

	if (logs_out(j, log))
		return logs_left(j) ? LOG_OUT : journal_fail(j, -EIO);
	error = times_write(j, log, io, count, durable);
	return error ? logs_fail(j, log, error) : logs_note_left(j, log);
}

int logs_flush(struct journal *j, uint32_t log)
{
	int error;

	if (logs_out(j, log))
		return logs_left(j) ? LOG_OUT : journal_fail(j, -EIO);
	error = times_flush(j, log);
	return error ? logs_fail(j, log, error) : logs_note_left(j, log);
}

int logs_out_say(struct journal *j, int error)
{
	if (error != LOG_OUT)
		return error;
	return journal_say(j, -EIO, "a log has failed: nothing happened, and the other logs take "
			   "what comes now");
}
