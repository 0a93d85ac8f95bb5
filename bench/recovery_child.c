/* SPDX-License-Identifier: BSD-3-Clause */
#include "recovery_child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_child.h"
#include "lib_clock.h"
#include "util/math.h"

/* ---- writers --------------------------------------------------------------- */

static int put_until_full(struct subject *subject, struct journal *journal, uint64_t **ids,
			  uint64_t *count)
{
	struct journal_receipt receipt;
	size_t room = 1 + subject->env->options.log_bytes / FULL_PAYLOAD;
	int result = 0;

	*count = 0;
	*ids = malloc(room * sizeof(**ids));
	if (!*ids)
		return -ENOMEM;
	while (*count < room) {
		result = journal_put(journal, subject->env->payload, FULL_PAYLOAD, &receipt);
		if (result)
			break;
		(*ids)[(*count)++] = receipt.id;
	}
	return result == -ENOSPC ? 0 : result;
}

static int report_error(struct journal *journal, int result, char text[256])
{
	if (result)
		(void)snprintf(text, 256, "%.255s", journal_error(journal));
	return result;
}

/* The journal is left open: the caller kills this process. */
int recovery_write_full(void *argument, void *out)
{
	struct subject *subject = argument;
	struct writer_report *report = out;
	const struct bench_options *o = &subject->env->options;
	struct journal_info info;
	struct journal *journal;
	struct message why;
	uint64_t *ids = NULL;
	int result = env_make_journal(subject->dir, subject->marker, o->log_bytes,
				      o->marker_bytes, &journal, &why);

	if (result) {
		(void)snprintf(report->text, sizeof(report->text), "%.255s", why.text);
		return result;
	}
	result = put_until_full(subject, journal, &ids, &report->put);
	if (!result)
		result = journal_retire_many(journal, ids, report->put, NULL);
	free(ids);
	(void)journal_info(journal, &info);
	report->log_bytes = info.logs[0].bytes;
	report->log_bytes_written = info.log_bytes_written;
	return report_error(journal, result, report->text);
}

static int put_group(struct subject *subject, struct journal *journal, uint32_t count)
{
	struct journal_txn_options options = { .bytes = (uint64_t)count * LIVE_PAYLOAD };
	struct journal_txn *txn;
	uint32_t i;
	int result = journal_begin(journal, &options, &txn);

	if (result)
		return result;
	for (i = 0; i < count && !result; i++) {
		result = i ? journal_group_next(txn) : 0;
		if (!result)
			result = journal_append(txn, subject->env->payload + i * 64,
						LIVE_PAYLOAD);
	}
	if (!result)
		return journal_commit(txn, NULL);
	(void)journal_abort(txn);
	return result;
}

int recovery_write_live(void *argument, void *out)
{
	struct subject *subject = argument;
	struct writer_report *report = out;
	struct journal_info before, after;
	struct journal *journal;
	int result = journal_open(subject->dir, NULL, &journal);

	if (result)
		return report_error(journal, result, report->text);
	(void)journal_info(journal, &before);
	while (!result && report->put < subject->live) {
		uint32_t count = (uint32_t)min_u64(JOURNAL_GROUP_MAX,
						   subject->live - report->put);

		result = put_group(subject, journal, count);
		report->put += result ? 0 : count;
	}
	(void)journal_info(journal, &after);
	report->log_bytes = after.logs[0].bytes;
	report->log_bytes_written = after.log_bytes_written - before.log_bytes_written;
	(void)snprintf(report->log_name, sizeof(report->log_name), "%s", after.logs[0].name);
	return report_error(journal, result, report->text);
}

/* ---- opens ----------------------------------------------------------------- */

static enum journal_class weakest(const struct journal_info *info)
{
	enum journal_class class = info->marker.survives;

	return info->logs[0].survives < class ? info->logs[0].survives : class;
}

int recovery_open(void *argument, void *out)
{
	struct subject *subject = argument;
	struct open_report *report = out;
	const char *nvram = subject->marker ? strchr(subject->marker, ':') + 1 : NULL;
	size_t before = memory_resident(nvram);
	struct journal_info info;
	struct journal *journal;
	uint64_t begin = clock_ns();
	int result = journal_open(subject->dir, NULL, &journal);

	report->ns = clock_ns() - begin;
	if (result)
		return report_error(journal, result, report->text);
	report->memory_bytes = memory_resident(nvram) - before;
	(void)journal_info(journal, &info);
	report->live = info.live;
	report->lost = info.lost + info.lost_unnamed;
	report->log_bytes_read = info.recovery_log_bytes_read;
	report->survives = weakest(&info);
	return subject->clean ? journal_close(journal) : 0;
}
