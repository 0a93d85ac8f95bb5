/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl export: all live transactions in one file that `put` reads again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "export.h"
#include "jnl.h"
#include "output.h"

static const struct form *const export_forms[] = { &form_mbox, &form_bsmtp, &form_tar };

enum export_key { EXPORT_INEXACT = 256 };

static const struct form *export_form(const char *name)
{
	for (size_t i = 0; i < sizeof(export_forms) / sizeof(export_forms[0]); i++) {
		if (!strcmp(export_forms[i]->name, name))
			return export_forms[i];
	}
	return NULL;
}

static error_t export_parse(int key, char *value, struct argp_state *state)
{
	struct export *export = state->input;
	error_t err;

	switch (key) {
	case 'a':
		export->form = export_form(value);
		if (!export->form)
			arguments_refuse(state, "--as %s: it is mbox, bsmtp or tar", value);
		return 0;
	case 'o':
		if (!*value)
			arguments_refuse(state, "--output: no path");
		export->output = value;
		return 0;
	case 'n':
		export->dry_run = true;
		return 0;
	case EXPORT_INEXACT:
		export->inexact = true;
		return 0;
	default:
		err = arguments_only_dir(key, value, state, &export->dir);
	}
	if (key == ARGP_KEY_END && !export->form)
		arguments_refuse(state, "--as FORM is missing: mbox, bsmtp or tar");
	return err;
}

static const struct argp_option export_options[] = {
	{ "as", 'a', "FORM", 0, "mbox, bsmtp or tar", 0 },
	{ "output", 'o', "FILE", 0,
	  "write to FILE, which is replaced when all is written (default: standard output)", 0 },
	{ "inexact", EXPORT_INEXACT, NULL, 0,
	  "mbox: add the newline that the last line of a message lacks, instead of "
	  "refusing it", 0 },
	{ "dry-run", 'n', NULL, 0, "read and verify all, write nothing", 0 },
	{ 0 },
};

static const struct argp export_argp = {
	.options = export_options,
	.parser = export_parse,
	.args_doc = "DIR",
	.children = arguments_common,
	.doc = "Write all live transactions of the journal in DIR, as a backup that "
	       "'jnl put' with the same --as reads again."
	       "\vTo see what would be refused or is lost: --dry-run.",
};

/* A file of that name in DIR may be the journal's own. */
static bool export_into_journal(const struct export *export)
{
	char copy[4096];
	struct stat dir, above;
	char *slash;

	if (snprintf(copy, sizeof(copy), "%s", export->output) >= (int)sizeof(copy))
		return false;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = '\0';
	return !stat(export->dir, &dir) && !stat(slash ? copy : ".", &above) &&
	       dir.st_dev == above.st_dev && dir.st_ino == above.st_ino;
}

/* Return: 0, or negative errno, told */
static int export_open(struct export *export)
{
	bool to_stdout = !export->output || !strcmp(export->output, "-");

	if (export->dry_run) {
		sink_nowhere(&export->sink);
		return 0;
	}
	if (to_stdout && export->form == &form_tar && isatty(STDOUT_FILENO)) {
		jnl_error("standard output: a terminal shows no tar");
		fprintf(stderr, "(--output FILE writes it to a file)\n");
		return -ENOTTY;
	}
	if (!to_stdout && export_into_journal(export)) {
		jnl_error("%s: a backup does not belong into the journal's own directory",
			  export->output);
		return -EINVAL;
	}
	if (!to_stdout && !jnl_may_write(export->dir, export->output))
		return -EEXIST;
	return sink_open(&export->sink, export->output);
}

/* A refusal leaves no file: what is missing in a backup is not seen by its name. */
static int export_all(struct export *export)
{
	void *state = NULL;
	int status = JNL_REFUSED;
	bool keep;

	if (!export->form->begin || !export->form->begin(&export->sink, &state)) {
		status = export_messages(export, state);
		if (export->form->end && export->form->end(state, status != JNL_REFUSED))
			status = JNL_REFUSED;
	}
	keep = status != JNL_REFUSED;
	return sink_end(&export->sink, keep) ? JNL_REFUSED : status;
}

int cmd_export(int argc, char **argv)
{
	/* large: it has the sink's buffer */
	static const struct export none;
	struct export export = none;
	int status;

	arguments_parse(&export_argp, argc, argv, &export);
	export.journal = jnl_open(export.dir, JOURNAL_RDONLY);
	if (!export.journal)
		return JNL_REFUSED;
	status = export_open(&export) ? JNL_REFUSED : export_all(&export);
	export_free(&export);
	return export.journal ? jnl_close(export.journal, status) : status;
}
