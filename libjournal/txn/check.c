/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_check(): recovery that tells what it finds, and changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/found.h"
#include "txn/open_impl.h"

struct check {
	void (*found)(void *context, const struct journal_finding *finding);
	void *context;
	int damage;
};

static void check_found(void *context, const struct journal_finding *finding)
{
	struct check *check = context;

	check->damage |= finding->damage;
	if (check->found)
		check->found(check->context, finding);
}

static void check_remarks(struct journal *j)
{
	if (j->writer_pid)
		found_remark(j, 0, "in use by pid %d: what it commits or retires meanwhile was "
			     "left out", j->writer_pid);
	if (j->recovered.torn)
		found_remark(j, 0, "%llu records of commits that were in flight when the "
			     "writer ended", (unsigned long long)j->recovered.torn);
}

int journal_check(const char *dir, const struct journal_open_options *options,
		  void (*found)(void *context, const struct journal_finding *finding),
		  void *context, char *message, size_t message_bytes)
{
	struct journal_open_options o = { 0 };
	struct check check = { .found = found, .context = context };
	struct journal *j;
	int error;

	if (options)
		o = *options;
	o.flags |= JOURNAL_RDONLY;
	if (posix_memalign((void **)&j, 128, sizeof(*j)))
		return -ENOMEM;
	memset(j, 0, sizeof(*j));
	j->found = check_found;
	j->found_context = &check;
	error = journal_open_impl(j, dir, &o);
	if (!error)
		check_remarks(j);
	else if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", journal_error(j));
	journal_close(j);
	return error ? error : check.damage ? -EUCLEAN : 0;
}
