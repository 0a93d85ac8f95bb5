/* SPDX-License-Identifier: BSD-3-Clause */
/* A file of another journal, where markers are to be made. */
#ifndef TXN_OTHERS_FILES_H
#define TXN_OTHERS_FILES_H

#include "util/message.h"

/* Does @path belong to a journal in another directory than @dir: has it one of the names there
 * that are its own, there or not, or is it a log of it?  Its markers are left to force.
 * Return: 0: no; -EEXIST with the text, or -ENOMEM */
int others_files_guard(const char *dir, const char *path, struct message *message);

#endif
