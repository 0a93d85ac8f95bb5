/* SPDX-License-Identifier: BSD-3-Clause */
/* A log, of whatever journal, where markers are to be made. */
#ifndef TXN_OTHERS_LOG_H
#define TXN_OTHERS_LOG_H

#include "util/message.h"

/* Is a log at @path, or a leg of one, or what is left of it?  Return: 0: no, or nobody can
 * tell; -EEXIST with the text, which names its journal */
int others_log_guard(const char *path, struct message *message);

#endif
