/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl cat: payloads, byte for byte. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "jnl.h"
#include "output.h"

struct cat {
	const char *dir;
	struct journal *journal;
	uint8_t *data;
	size_t room;
};

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
	int err = journal_read(cat->journal, id, cat->data, cat->room, got);

	if (err != -ENOBUFS)
		return err;
	err = cat_room(cat, *got);
	return err ? err : journal_read(cat->journal, id, cat->data, cat->room, got);
}

/* Beside a writer it may have been moved or retired since we opened, and its place
 * used again: whoever opens now finds it, or knows that it is gone. */
static bool cat_stale(struct cat *cat, int err)
{
	struct journal_info info;

	return err == -EBADMSG || (err == -ENOENT && !journal_info(cat->journal, &info) &&
				   info.in_use_pid);
}

static int cat_read_again(struct cat *cat, uint64_t id, size_t *got)
{
	struct journal *again = jnl_open(cat->dir, JOURNAL_RDONLY);

	if (!again)
		return -EBADMSG;
	(void)journal_close(cat->journal);
	cat->journal = again;
	return cat_read(cat, id, got);
}

static int cat_refuse(struct cat *cat, const char *word, int err)
{
	switch (err) {
	case -EBADMSG:
		/* it starts with the id, and says COMMITTED_BUT_LOST */
		jnl_error("%s", journal_error(cat->journal));
		return JNL_DAMAGE;
	case -ENOENT:
		jnl_error("%s: no such transaction, or already retired", word);
		return JNL_REFUSED;
	default:
		jnl_error("%s: %s", word, err == -ENOMEM ? strerror(ENOMEM) :
			  journal_error(cat->journal));
		return JNL_REFUSED;
	}
}

static int cat_one(struct cat *cat, const char *word)
{
	uint64_t id;
	size_t got;
	int err;

	if (journal_id_parse(word, &id)) {
		jnl_error("%s: not an id", *word ? word : "''");
		return JNL_REFUSED;
	}
	err = cat_read(cat, id, &got);
	if (cat_stale(cat, err))
		err = cat_read_again(cat, id, &got);
	if (err)
		return cat_refuse(cat, word, err);
	return output_data(cat->data, got) ? -1 : JNL_DONE;
}

/* Damage to one, or an unknown one, keeps no other from being read. */
static int cat_all(struct cat *cat, const struct ids *ids)
{
	int worst = JNL_DONE;

	for (int i = 0; i < ids->count; i++) {
		int status = cat_one(cat, ids->words[i]);

		if (status < 0)
			return JNL_REFUSED;
		if (status > worst)
			worst = status;
	}
	return worst;
}

int cmd_cat(int argc, char **argv)
{
	struct cat cat = { 0 };
	struct ids ids = { 0 };
	int status;

	ids_parse(argc, argv, "DIR ID...",
		  "Write the payload of each transaction ID to standard output, byte for byte.",
		  &ids);
	cat.dir = ids.dir;
	cat.journal = jnl_open(cat.dir, JOURNAL_RDONLY);
	if (!cat.journal)
		return JNL_REFUSED;
	status = cat_all(&cat, &ids);
	free(cat.data);
	return jnl_close(cat.journal, status);
}
