/* SPDX-License-Identifier: BSD-3-Clause */
/* The forms of a backup: what the reader of the same name takes apart again. */
#ifndef TOOLS_FORMS_H
#define TOOLS_FORMS_H

#include <stdbool.h>

#include "journal.h"
#include "sink.h"

/**
 * struct form_message - one transaction to be written
 * @id:       as printed
 * @data, @bytes: its payload
 * @time_ns:  when it was begun or committed; 0 unknown
 * @inexact:  write it even if it comes back with something added
 */
struct form_message {
	const char *id;
	const uint8_t *data;
	size_t bytes;
	uint64_t time_ns;
	bool inexact;
};

/**
 * struct form - how messages become one file
 * @begin:   0, or negative errno, told on stderr; @state is the form's own, and freed
 *           by @end.  NULL: nothing to be done
 * @message: 0; -EINVAL: it would not come back byte for byte, *@why says why, nothing
 *           was written; or another negative errno, told on stderr
 * @end:     @whole: write what stands at the end.  0, or as @begin
 */
struct form {
	const char *name;
	int (*begin)(struct sink *sink, void **state);
	int (*message)(struct sink *sink, void *state, const struct form_message *message,
		       const char **why);
	int (*end)(void *state, bool whole);
};

extern const struct form form_mbox;  /* form_mail.c */
extern const struct form form_bsmtp; /* form_mail.c */
extern const struct form form_tar;   /* tar.c, or tar_none.c */

#endif
