/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal is opened for reading alone, which no writer notices.  What is seen is
 * the journal as it was then: beside a writer a transaction may have been retired or
 * moved since.  Such ones are looked at again with the journal opened anew: they are
 * found, or they are retired and left out.  What still cannot be read then is lost.
 */
#include "export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "jnl.h"

#define EXPORT_LOOKS_LEAST 2 /* a writer may have come after the first */
#define EXPORT_LOOKS_MOST  5

void export_free(struct export *export)
{
	fetch_close(export->fetch);
	free(export->doubtful);
}

static int export_give_up(struct export *export, const char *why)
{
	jnl_error("%s: %s", export->dir, why);
	export->status = JNL_REFUSED;
	return -EIO;
}

/* ---- one ---------------------------------------------------------------------- */

static int export_doubt(struct export *export, uint64_t id)
{
	if (export->doubtful_count == export->doubtful_room) {
		size_t room = export->doubtful_room ? 2 * export->doubtful_room : 64;
		uint64_t *ids = realloc(export->doubtful, room * sizeof(*ids));

		if (!ids)
			return export_give_up(export, strerror(ENOMEM));
		export->doubtful = ids;
		export->doubtful_room = room;
	}
	export->doubtful[export->doubtful_count++] = id;
	return 0;
}

/* Return: 0, also if it was refused and named, or negative: no use to go on */
static int export_write(struct export *export, const struct fetched *fetched)
{
	char id[JOURNAL_ID_CHARS];
	struct form_message message = {
		.id = id, .data = fetched->data, .bytes = fetched->bytes,
		.time_ns = fetched->entry.time_ns, .inexact = export->inexact,
	};
	const char *why = NULL;
	int err;

	journal_id_print(fetched->entry.id, id);
	err = export->form->message(&export->sink, export->state, &message, &why);
	if (err)
		export->status = JNL_REFUSED;
	if (err == -ENOMEM)
		return export_give_up(export, strerror(ENOMEM));
	if (err != -EINVAL)
		return err;
	jnl_error("%s: %s", id, why);
	return 0;
}

static int export_one(struct export *export, const struct fetched *fetched)
{
	int err;

	switch (fetched->error) {
	case 0:
		err = export_write(export, fetched);
		break;
	case -ENOMEM:
		return export_give_up(export, strerror(ENOMEM));
	default:
		return export_doubt(export, fetched->entry.id);
	}
	export->done += fetched->entry.bytes;
	progress_report(&export->progress, export->done, export->total);
	return err;
}

/* ---- all ---------------------------------------------------------------------- */

/* What was asked for comes out until there is room for one of @bytes more; UINT64_MAX:
 * all of it. */
static int export_drain(struct export *export, uint64_t bytes)
{
	struct fetched fetched;
	int err = 0;

	while (!err && (bytes == UINT64_MAX || !fetch_has_room(export->fetch, bytes)) &&
	       fetch_next(export->fetch, &fetched))
		err = export_one(export, &fetched);
	return err;
}

static int export_ask(struct export *export, const struct journal_entry *entry)
{
	int err;

	if (entry->state == JOURNAL_LOST)
		return export_doubt(export, entry->id);
	err = export_drain(export, entry->bytes);
	if (!err)
		fetch_ask(export->fetch, entry);
	return err;
}

static int export_first_look(struct export *export)
{
	struct journal_entry entry;
	uint64_t after = 0;
	int err;

	while (!(err = journal_next(export->journal, after, &entry))) {
		err = export_ask(export, &entry);
		if (err)
			return err;
		after = entry.id;
	}
	return err == -ENOENT ? export_drain(export, UINT64_MAX) :
				export_give_up(export, journal_error(export->journal));
}

static int export_fetch(struct export *export)
{
	fetch_close(export->fetch);
	export->fetch = fetch_open(export->journal);
	return export->fetch ? 0 : export_give_up(export, strerror(ENOMEM));
}

static int export_reopen(struct export *export)
{
	struct journal *again = jnl_open(export->dir, JOURNAL_RDONLY);

	if (!again) {
		export->status = JNL_REFUSED;
		return -EIO;
	}
	fetch_close(export->fetch);
	export->fetch = NULL;
	(void)journal_close(export->journal);
	export->journal = again;
	return export_fetch(export);
}

/* Those that are not there any more are retired. */
static int export_look_again(struct export *export)
{
	size_t i, count = export->doubtful_count;
	uint64_t *doubtful = export->doubtful;
	struct journal_entry entry;
	int err = export_reopen(export);

	/* those that are in doubt still are noted anew */
	export->doubtful = NULL;
	export->doubtful_count = 0;
	export->doubtful_room = 0;
	for (i = 0; i < count && !err; i++)
		if (!journal_lookup(export->journal, doubtful[i], &entry))
			err = export_ask(export, &entry);
	free(doubtful);
	return err ? err : export_drain(export, UINT64_MAX);
}

static bool export_beside_writer(struct export *export)
{
	struct journal_info info;

	return !journal_info(export->journal, &info) && info.in_use_pid;
}

static int export_looks(struct export *export)
{
	int look, err = export_fetch(export);

	if (!err)
		err = export_first_look(export);

	for (look = 0; look < EXPORT_LOOKS_MOST && !err && export->doubtful_count; look++) {
		if (look >= EXPORT_LOOKS_LEAST && !export_beside_writer(export))
			break;
		err = export_look_again(export);
	}
	return err;
}

/* ---- what is lost --------------------------------------------------------------- */

static void export_name_lost(struct export *export, uint64_t id)
{
	char text[JOURNAL_ID_CHARS];
	struct journal_entry entry = { .id = id };
	struct fetched fetched = { .error = -EBADMSG };
	int err = journal_lookup(export->journal, id, &entry);

	if (err)
		return;
	if (entry.state != JOURNAL_LOST) {
		fetch_ask(export->fetch, &entry);
		(void)fetch_next(export->fetch, &fetched);
	}
	err = fetched.error;
	journal_id_print(id, text);
	jnl_error("%s: %s", text, err == -EBADMSG || err == -ENOENT ? "COMMITTED_BUT_LOST" :
		  strerror(-err));
	if (export->status == JNL_DONE)
		export->status = JNL_DAMAGE;
}

static void export_lost(struct export *export)
{
	struct journal_info info;
	size_t i;

	for (i = 0; i < export->doubtful_count; i++)
		export_name_lost(export, export->doubtful[i]);
	if (journal_info(export->journal, &info) || !info.lost_unnamed)
		return;
	jnl_error("%s: at least %" PRIu64 " more are COMMITTED_BUT_LOST and their ids with them",
		  export->dir, info.lost_unnamed);
	if (export->status == JNL_DONE)
		export->status = JNL_DAMAGE;
}

int export_messages(struct export *export, void *state)
{
	struct journal_info info;

	export->status = JNL_DONE;
	export->state = state;
	if (!journal_info(export->journal, &info))
		export->total = info.live_bytes;
	if (export->output && strcmp(export->output, "-"))
		progress_start(&export->progress, "exporting");
	else
		progress_start_beside_output(&export->progress, "exporting");
	if (export_looks(export)) {
		progress_end();
		return JNL_REFUSED;
	}
	progress_end();
	export_lost(export);
	return export->status;
}
