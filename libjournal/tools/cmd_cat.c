/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl cat: payloads, byte for byte. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "ids.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"

/**
 * struct cat - reading in the order of the command line
 * @again: the journal opened anew, to look for what could not be read; or NULL
 * @next:  the next word to ask for
 * @turn:  the word whose turn it is to be written
 * @worst: exit status so far
 */
struct cat {
	const struct ids *ids;
	struct journal *journal, *again;
	struct fetch *fetch;
	uint8_t *data;
	size_t room;
	int next, turn;
	int worst;
	struct progress progress;
};

/* ---- again -------------------------------------------------------------------- */

static int cat_room(struct cat *cat, size_t wanted)
{
	uint8_t *data;

	if (wanted <= cat->room)
		return 0;
	data = realloc(cat->data, wanted);
	if (!data)
		return -ENOMEM;
	cat->data = data;
	cat->room = wanted;
	return 0;
}

/* Read the whole payload, verified, before any of it is told. */
static int cat_read(struct cat *cat, uint64_t id, size_t *got)
{
	int err = journal_read(cat->again, id, cat->data, cat->room, got);

	if (err != -ENOBUFS)
		return err;
	err = cat_room(cat, *got);
	return err ? err : journal_read(cat->again, id, cat->data, cat->room, got);
}

/* Beside a writer it may have been moved or retired since we opened, and its place
 * used again: whoever opens now finds it, or knows that it is gone. */
static bool cat_stale(struct journal *journal, int err)
{
	struct journal_info info;

	return err == -EBADMSG ||
	       (err == -ENOENT && !journal_info(journal, &info) && info.in_use_pid);
}

/* Return: 0 with the payload in cat->data, or negative errno with its text */
static int cat_read_again(struct cat *cat, struct fetched *fetched)
{
	int err = cat->again ? cat_read(cat, fetched->entry.id, &fetched->bytes) : -ENOENT;

	if (!cat->again || cat_stale(cat->again, err)) {
		(void)journal_close(cat->again);
		cat->again = jnl_open(cat->ids->dir, JOURNAL_RDONLY);
		if (!cat->again)
			return fetched->error;
		err = cat_read(cat, fetched->entry.id, &fetched->bytes);
	}
	fetched->data = cat->data;
	fetched->text = err == -ENOMEM ? strerror(ENOMEM) : journal_error(cat->again);
	return err;
}

/* ---- one after the other --------------------------------------------------------- */

static void cat_refuse(struct cat *cat, const char *word, const struct fetched *fetched)
{
	int status = JNL_REFUSED;

	if (fetched->error == -EBADMSG) {
		/* it starts with the id, and says COMMITTED_BUT_LOST */
		jnl_error("%s", fetched->text);
		status = JNL_DAMAGE;
	} else if (fetched->error == -ENOENT) {
		jnl_error("%s: no such transaction, or already retired", word);
	} else {
		jnl_error("%s: %s", word, fetched->text);
	}
	if (status > cat->worst)
		cat->worst = status;
}

/* Return: 0, or negative: nothing more can be written */
static int cat_write(struct cat *cat, const char *word, struct fetched *fetched)
{
	if (cat_stale(cat->journal, fetched->error))
		fetched->error = cat_read_again(cat, fetched);
	if (!fetched->error)
		return output_data(fetched->data, fetched->bytes);
	cat_refuse(cat, word, fetched);
	return 0;
}

/* What is no id is refused in its turn, too. */
static void cat_skip(struct cat *cat)
{
	const char *word;
	uint64_t id;

	for (; cat->turn < cat->ids->count; cat->turn++) {
		word = cat->ids->words[cat->turn];
		if (!journal_id_parse(word, &id))
			return;
		jnl_error("%s: not an id", *word ? word : "''");
		if (cat->worst < JNL_REFUSED)
			cat->worst = JNL_REFUSED;
	}
}

static void cat_ask(struct cat *cat)
{
	struct journal_entry entry;

	for (; cat->next < cat->ids->count; cat->next++) {
		if (journal_id_parse(cat->ids->words[cat->next], &entry.id))
			continue;
		if (journal_lookup(cat->journal, entry.id, &entry))
			entry.bytes = 0; /* reading it says why */
		if (!fetch_has_room(cat->fetch, entry.bytes))
			return;
		fetch_ask(cat->fetch, &entry);
	}
}

/* Damage to one, or an unknown one, keeps no other from being read. */
static int cat_all(struct cat *cat)
{
	struct fetched fetched;

	cat->fetch = fetch_open(cat->journal);
	if (!cat->fetch) {
		jnl_error("%s: %s", cat->ids->dir, strerror(ENOMEM));
		return JNL_REFUSED;
	}
	for (;;) {
		cat_ask(cat);
		cat_skip(cat);
		if (!fetch_next(cat->fetch, &fetched))
			return cat->worst;
		if (cat_write(cat, cat->ids->words[cat->turn++], &fetched))
			return JNL_REFUSED;
		progress_count(&cat->progress, (uint64_t)cat->turn, (uint64_t)cat->turn,
			       (uint64_t)cat->ids->count);
	}
}

int cmd_cat(int argc, char **argv)
{
	struct ids ids = { 0 };
	struct cat cat = { .ids = &ids };
	int status;

	ids_parse(argc, argv, "DIR ID...",
		  "Write the payload of each transaction ID to standard output, byte for byte.",
		  &ids);
	cat.journal = jnl_open(ids.dir, JOURNAL_RDONLY);
	if (!cat.journal)
		return JNL_REFUSED;
	progress_start_beside_output(&cat.progress, "reading");
	status = cat_all(&cat);
	progress_end();
	fetch_close(cat.fetch);
	(void)journal_close(cat.again);
	free(cat.data);
	return jnl_close(cat.journal, status);
}
