/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines of the form DIR ID... */
#ifndef TOOLS_IDS_H
#define TOOLS_IDS_H

struct ids {
	const char *dir;
	char **words; /* the ids as given */
	int count;    /* at least 1 */
};

/* @doc, @args_doc as argp; exits as arguments_parse() does */
void ids_parse(int argc, char **argv, const char *args_doc, const char *doc, struct ids *ids);

#endif
