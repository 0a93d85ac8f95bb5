/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jnl retire: ids from the command line or standard input, in batches under
 * one barrier.  From standard input a batch is what is there: no id waits for
 * another one to be written.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ids.h"
#include "input.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"

#define RETIRE_BATCH 64

struct retire {
	struct journal *journal;
	uint64_t ids[RETIRE_BATCH];
	size_t count;
	char word[JOURNAL_ID_CHARS + 1]; /* of an id that has begun; one more than any id has */
	size_t word_bytes;
	int status; /* the worst so far */
	struct progress progress;
	uint64_t told;       /* ids */
	uint64_t done, total; /* of what was given; total 0: not known */
};

static void retire_name(uint64_t id, const char *why)
{
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	jnl_error("%s: %s", text, why);
}

/* Tell what became of each.  Return: 0, or negative: no use to go on. */
static int retire_tell(struct retire *retire, const int *results)
{
	for (size_t i = 0; i < retire->count; i++) {
		if (results[i]) {
			retire_name(retire->ids[i], "no such transaction, or already retired");
			retire->status = JNL_REFUSED;
			continue;
		}
		if (output_id(retire->ids[i])) {
			retire->status = JNL_REFUSED;
			return -EIO;
		}
	}
	return 0;
}

static int retire_batch(struct retire *retire)
{
	int results[RETIRE_BATCH] = { 0 };
	int err;

	if (!retire->count)
		return 0;
	err = journal_retire_many(retire->journal, retire->ids, retire->count, results);
	retire->told += retire->count;
	progress_count(&retire->progress, retire->told, retire->done, retire->total);
	if (err && err != -ENOENT) {
		jnl_error("%s", journal_error(retire->journal));
		retire->status = JNL_REFUSED;
		return err;
	}
	err = retire_tell(retire, results);
	retire->count = 0;
	return err;
}

static int retire_word(struct retire *retire, const char *word)
{
	if (journal_id_parse(word, &retire->ids[retire->count])) {
		jnl_error("%s: not an id", *word ? word : "''");
		retire->status = JNL_REFUSED;
		return 0;
	}
	return ++retire->count == RETIRE_BATCH ? retire_batch(retire) : 0;
}

static int retire_words(struct retire *retire, const struct ids *ids)
{
	int err = 0;

	retire->total = (uint64_t)ids->count;
	for (int i = 0; i < ids->count && !err; i++) {
		retire->done++;
		err = retire_word(retire, ids->words[i]);
	}
	return err ? err : retire_batch(retire);
}

static int retire_word_end(struct retire *retire)
{
	if (!retire->word_bytes)
		return 0;
	retire->word[retire->word_bytes] = '\0';
	retire->word_bytes = 0;
	return retire_word(retire, retire->word);
}

/* A word too long for an id is cut, and still too long. */
static int retire_char(struct retire *retire, char c)
{
	if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
		return retire_word_end(retire);
	if (retire->word_bytes < sizeof(retire->word) - 1)
		retire->word[retire->word_bytes++] = c ? c : '?';
	return 0;
}

static int retire_piece(struct retire *retire, const struct input_piece *piece)
{
	int err = 0;

	for (size_t i = 0; i < piece->bytes && !err; i++)
		err = retire_char(retire, (char)piece->data[i]);
	/* all that was there has been seen: nothing waits for more */
	return err ? err : retire_batch(retire);
}

static int retire_input(struct retire *retire, struct input *input)
{
	struct input_piece piece;
	int got, err = 0;

	retire->total = input->total;
	while (!err && (got = input_some(input, &piece)) > 0) {
		retire->done = piece.offset;
		err = retire_piece(retire, &piece);
	}
	if (err)
		return err;
	if (got < 0) {
		jnl_error("%s: byte %llu: %s", input->name,
			  (unsigned long long)input->offset, strerror(-got));
		retire->status = JNL_REFUSED;
		return got;
	}
	err = retire_word_end(retire);
	return err ? err : retire_batch(retire);
}

static int retire_stdin(struct retire *retire)
{
	struct input input;
	int err = input_open(&input, NULL);

	if (err) {
		jnl_error("standard input: %s", strerror(-err));
		retire->status = JNL_REFUSED;
		return err;
	}
	err = retire_input(retire, &input);
	input_close(&input);
	return err;
}

int cmd_retire(int argc, char **argv)
{
	struct retire retire = { .status = JNL_DONE };
	struct ids ids = { 0 };

	ids_parse(argc, argv, "DIR ID...\nDIR -",
		  "Retire the transactions ID, or those whose ids stand on standard input, and "
		  "print each once that is durable.",
		  &ids);
	retire.journal = jnl_open(ids.dir, 0);
	if (!retire.journal)
		return JNL_REFUSED;
	progress_start_beside_output(&retire.progress, "retiring");
	if (ids.count == 1 && !strcmp(ids.words[0], "-"))
		(void)retire_stdin(&retire);
	else
		(void)retire_words(&retire, &ids);
	progress_end();
	return jnl_close(retire.journal, retire.status);
}
