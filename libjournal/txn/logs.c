/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/logs.h"

#include <string.h>

#include "txn/head.h"
#include "txn/segment.h"
#include "txn/times.h"

bool logs_left(const struct journal *j)
{
	uint32_t log;

	for (log = 0; log < j->log_count; log++)
		if (!logs_out(j, log))
			return true;
	return false;
}

void logs_begin(struct journal *j)
{
	uint32_t log;

	for (log = 0; log < j->log_count; log++)
		atomic_store(&j->shared->log_failed[log], j->logs[log]->failed);
}

static void logs_withdraw(struct journal *j, uint32_t log)
{
	uint32_t number;

	for (number = log; number < j->segments.count; number += j->log_count)
		segment_withdraw(j, &j->segments.all[number]);
}

int logs_fail(struct journal *j, uint32_t log, int error)
{
	int none = 0;
	bool first;

	JASSERT(error < 0);
	if (journal_failed(j))
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

int logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count, bool durable)
{
	int error;

	if (logs_out(j, log))
		return logs_left(j) ? LOG_OUT : journal_fail(j, -EIO);
	error = times_write(j, log, io, count, durable);
	return error ? logs_fail(j, log, error) : 0;
}

int logs_flush(struct journal *j, uint32_t log)
{
	int error;

	if (logs_out(j, log))
		return logs_left(j) ? LOG_OUT : journal_fail(j, -EIO);
	error = times_flush(j, log);
	return error ? logs_fail(j, log, error) : 0;
}

int logs_out_say(struct journal *j, int error)
{
	if (error != LOG_OUT)
		return error;
	return journal_say(j, -EIO, "a log has failed: nothing happened, and the other logs take "
			   "what comes now");
}
