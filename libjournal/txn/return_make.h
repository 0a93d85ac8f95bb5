/* SPDX-License-Identifier: BSD-3-Clause */
/* The medium that is gone back to, before anybody uses it. */
#ifndef TXN_RETURN_MAKE_H
#define TXN_RETURN_MAKE_H

#include "txn/journal_impl.h"

/* where it is; @suffix: of its name before the end.  Return: 0 or -ENAMETOOLONG */
int return_path(const struct view_shared *v, const char *suffix, char path[PATH_MAX]);

/* whether what is there can be trusted, and a new file take its place */
bool return_is_sound(const struct view_shared *v);

/* another place for it, by order */
struct return_where {
	const char *uri;
	enum journal_class assume;
};

/**
 * return_try() - whether a medium could be made at @where, while the one before it is still
 * in use: of its size, of a class and a kind that will do.  It is made, and removed.
 * Return: 0; -EAGAIN not just now; or negative errno with the text
 */
int return_try(struct journal *j, const struct return_where *where);

/**
 * return_make() - a medium in the place of that of @word, which is abandoned, and the
 * journal.conf that names it; both under names of their own
 * @where: NULL: where that one was
 * Return: 0 and its number in @view; or negative errno with the text.
 */
int return_make(struct journal *j, uint64_t word, const struct return_where *where,
		uint32_t *view);
void return_undo(struct journal *j, uint32_t view);

#endif
