/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal's own files: what nothing else may be written over, whatever the force. */
#ifndef TXN_OWN_FILES_H
#define TXN_OWN_FILES_H

#include "txn/conf.h"

enum own_files {
	OWN_ALL,
	OWN_BUT_MARKERS, /* what may hold the markers, or once has, is left to the caller */
};

/* Is @path, which need not be there, one of those of the journal in @dir that @conf
 * describes, by whatever name?  Return: 0: none; -EEXIST with the text */
int own_files_guard(const char *dir, const struct conf *conf, const char *path,
		    enum own_files which, struct message *message);

#endif
