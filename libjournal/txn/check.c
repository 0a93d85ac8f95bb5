/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_check(): recovery that tells what it finds, and changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/found.h"
#include "txn/open_impl.h"

/* On a journal in use a look may meet what is being overwritten.  Damage stays
 * where it is: it is what each of so many looks finds. */
#define CHECK_STALE 100
#define CHECK_LOOKS 5

struct check {
	struct journal_finding *found;
	size_t count;
	int damage;
	int writer_pid;
	int error; /* no memory to remember a finding */
};

static void check_found(void *context, const struct journal_finding *finding)
{
	struct check *check = context;
	struct journal_finding *grown =
		realloc(check->found, (check->count + 1) * sizeof(*grown));
	char *text = strdup(finding->text);

	if (grown)
		check->found = grown;
	if (!grown || !text) {
		free(text);
		check->error = -ENOMEM;
		return;
	}
	grown[check->count] = *finding;
	grown[check->count++].text = text;
	check->damage |= finding->damage;
}

static void check_free(struct check *check)
{
	while (check->count)
		free((char *)check->found[--check->count].text);
	free(check->found);
	*check = (struct check){ 0 };
}

static bool check_has(const struct check *check, const struct journal_finding *finding)
{
	size_t i;

	for (i = 0; i < check->count; i++)
		if (check->found[i].damage == finding->damage &&
		    check->found[i].id == finding->id &&
		    !strcmp(check->found[i].text, finding->text))
			return true;
	return false;
}

/* keep of @check's damage what @before has, too */
static void check_both(struct check *check, const struct check *before)
{
	size_t i, kept = 0;

	check->damage = 0;
	for (i = 0; i < check->count; i++) {
		if (check->found[i].damage && !check_has(before, &check->found[i])) {
			free((char *)check->found[i].text);
			continue;
		}
		check->damage |= check->found[i].damage;
		check->found[kept++] = check->found[i];
	}
	check->count = kept;
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

static int check_look_once(const char *dir, const struct journal_open_options *o,
		      struct check *check, char *message, size_t message_bytes)
{
	struct journal *j;
	int error;

	if (posix_memalign((void **)&j, 128, sizeof(*j)))
		return -ENOMEM;
	memset(j, 0, sizeof(*j));
	j->found = check_found;
	j->found_context = check;
	error = journal_open_impl(j, dir, o);
	check->writer_pid = j->writer_pid;
	if (!error)
		check_remarks(j);
	else if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", journal_error(j));
	journal_close(j);
	return error ? error : check->error;
}

/* Resized meanwhile: as if that look had not been. */
static int check_look(const char *dir, const struct journal_open_options *o,
		      struct check *check, char *message, size_t message_bytes)
{
	int error, tries = 0;

	while ((error = check_look_once(dir, o, check, message, message_bytes)) == -ESTALE &&
	       ++tries < CHECK_STALE) {
		check_free(check);
		*check = (struct check){ 0 };
	}
	return error;
}

int journal_check(const char *dir, const struct journal_open_options *options,
		  void (*found)(void *context, const struct journal_finding *finding),
		  void *context, char *message, size_t message_bytes)
{
	struct journal_open_options o = { 0 };
	struct check check = { 0 }, before;
	int error, looks;
	size_t i;

	if (options)
		o = *options;
	o.flags |= JOURNAL_RDONLY;
	if (message && message_bytes)
		message[0] = '\0';
	error = check_look(dir, &o, &check, message, message_bytes);
	for (looks = 1; looks < CHECK_LOOKS && !error && check.damage && check.writer_pid;
	     looks++) {
		before = check;
		check = (struct check){ 0 };
		error = check_look(dir, &o, &check, message, message_bytes);
		check_both(&check, &before);
		check_free(&before);
	}
	/* without memory what it could not look at looks like damage */
	for (i = 0; found && error != -ENOMEM && i < check.count; i++)
		found(context, &check.found[i]);
	/* said by nobody who had the memory to say it */
	if (error == -ENOMEM && message && message_bytes && !message[0])
		(void)snprintf(message, message_bytes, "%s: no memory", dir);
	if (!error && check.damage)
		error = -EUCLEAN;
	check_free(&check);
	return error;
}
