/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl put: one transaction per message, its id told once it is durable. */
#include <string.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"
#include "reader.h"

static const struct {
	const char *name;
	reader_next *next;
} put_readers[] = {
	{ "raw", raw_next },
	{ "lines", lines_next },
	{ "mbox", mbox_next },
	{ "bsmtp", bsmtp_next },
	{ "tar", tar_next },
};

struct put {
	const char *dir;
	const char *file;
	reader_next *next;
};

static reader_next *put_reader(const char *name)
{
	for (size_t i = 0; i < sizeof(put_readers) / sizeof(put_readers[0]); i++) {
		if (!strcmp(name, put_readers[i].name))
			return put_readers[i].next;
	}
	return NULL;
}

static error_t put_parse(int key, char *value, struct argp_state *state)
{
	struct put *put = state->input;

	switch (key) {
	case 'a':
		put->next = put_reader(value);
		if (!put->next)
			arguments_refuse(state, "--as %s: it is raw, lines, mbox, bsmtp or tar",
					 value);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			arguments_refuse(state, "one argument too many: %s", value);
		*(state->arg_num ? &put->file : &put->dir) = value;
		return 0;
	case ARGP_KEY_END:
		if (!put->dir)
			arguments_refuse(state, "DIR is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option put_options[] = {
	{ "as", 'a', "FORM", 0,
	  "how FILE is taken apart: raw (the default: all of it is one message), "
	  "lines, mbox, bsmtp, tar", 0 },
	{ 0 },
};

static const struct argp put_argp = {
	.options = put_options,
	.parser = put_parse,
	.args_doc = "DIR [FILE]",
	.children = arguments_common,
	.doc = "Put each message of FILE, or of standard input, into the journal in DIR "
	       "and print its ID once it is durable."
	       "\vWhat was read before an error in the input stays committed.",
};

/* Commit the message at hand and tell its id. */
static int put_message(struct journal *journal, const struct reader *reader)
{
	struct journal_receipt receipt;

	if (journal_put(journal, reader->data, reader->bytes, &receipt)) {
		jnl_error("%s: message %llu, byte %llu: %s", reader->input->name,
			  (unsigned long long)reader->number,
			  (unsigned long long)reader->start, journal_error(journal));
		return JNL_REFUSED;
	}
	return output_id(receipt.id) ? JNL_REFUSED : JNL_DONE;
}

static int put_messages(struct journal *journal, struct reader *reader, reader_next *next)
{
	struct progress progress;
	int status = JNL_DONE;
	int got = 0;

	progress_start_beside_output(&progress, "putting");
	while (status == JNL_DONE && (got = next(reader)) > 0) {
		status = put_message(journal, reader);
		progress_report(&progress, reader->input->offset, reader->input->total);
	}
	progress_end();
	if (got < 0) {
		jnl_error("%s: %s", reader->input->name, reader->error);
		status = JNL_REFUSED;
	}
	return status;
}

static int put_input(const struct put *put, struct input *input)
{
	struct reader reader;
	struct journal *journal = jnl_open(put->dir, 0);
	int status;

	if (!journal)
		return JNL_REFUSED;
	reader_init(&reader, input, JOURNAL_TXN_BYTES_MAX);
	status = put_messages(journal, &reader, put->next);
	reader_free(&reader);
	return jnl_close(journal, status);
}

int cmd_put(int argc, char **argv)
{
	struct put put = { .next = raw_next };
	struct input input;
	int err, status;

	arguments_parse(&put_argp, argc, argv, &put);
	err = input_open(&input, put.file);
	if (err) {
		jnl_error("%s: %s", put.file ? put.file : "standard input", strerror(-err));
		return JNL_REFUSED;
	}
	status = put_input(&put, &input);
	input_close(&input);
	return status;
}
