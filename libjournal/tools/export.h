/* SPDX-License-Identifier: BSD-3-Clause */
/* All live transactions, one after the other, beside a writer too. */
#ifndef TOOLS_EXPORT_H
#define TOOLS_EXPORT_H

#include "fetch.h"
#include "forms.h"
#include "progress.h"

/**
 * struct export - an export that is under way
 * @journal:  read-only; opened anew now and then
 * @doubtful: ids that could not be read: retired or moved meanwhile, or lost
 */
struct export {
	const char *dir;
	const char *output; /* NULL: standard output */
	const struct form *form;
	bool inexact, dry_run;

	struct sink sink;
	struct journal *journal;
	struct fetch *fetch;
	void *state; /* of the form */
	uint64_t *doubtful;
	size_t doubtful_count, doubtful_room;
	struct progress progress;
	uint64_t done, total; /* bytes of payload */
	int status;
};

/* Return: JNL_DONE; JNL_DAMAGE: some are lost, they were named; JNL_REFUSED: some
 * cannot be written in this form, and were named, or it was given up, and why was told */
int export_messages(struct export *export, void *state);
void export_free(struct export *export);

#endif
