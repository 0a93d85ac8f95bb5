/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TXN_OPEN_IMPL_H
#define TXN_OPEN_IMPL_H

#include "txn/journal_impl.h"

/* open a handle that its caller has prepared (found, found_context) */
int journal_open_impl(struct journal *j, const char *dir,
		      const struct journal_open_options *options);

/* @why_private: NULL; or why no index is made that others could share */
int journal_open_once(const char *dir, const struct journal_open_options *options,
		      void (*prepare)(struct journal *j, void *context), void *context,
		      const struct message *why_private, struct journal **journal);

/* journal_open(), with @prepare called on each handle that it tries with, before anything
 * is done with it */
int journal_open_prepared(const char *dir, const struct journal_open_options *options,
			  void (*prepare)(struct journal *j, void *context), void *context,
			  struct journal **journal);

#endif
