/* SPDX-License-Identifier: BSD-3-Clause */
/* What the commands of jnl share. */
#ifndef TOOLS_JNL_H
#define TOOLS_JNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"

/* exit statuses: a contract, scripts rely on it */
enum jnl_exit {
	JNL_DONE = 0,    /* done */
	JNL_REFUSED = 1, /* refused or failed */
	JNL_USAGE = 2,   /* the command line does not make sense */
	JNL_DAMAGE = 3,  /* damage found */
};

struct jnl_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

int cmd_format(int argc, char **argv);
int cmd_put(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_retire(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_set_marker(int argc, char **argv);
int cmd_rescue(int argc, char **argv);
int cmd_resize(int argc, char **argv);
int cmd_mirror(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_destroy(int argc, char **argv);

/* "jnl: what: why" on stderr, in one write; a line of progress that stands there goes first */
__attribute__((format(printf, 1, 2)))
void jnl_error(const char *format, ...);

/**
 * jnl_open() - journal_open() with its error told on stderr and progress shown
 * Return: the handle, or NULL.
 */
struct journal *jnl_open(const char *dir, unsigned int flags);

/* whether a file may be written there: not over one of the journal's own, which is told */
bool jnl_may_write(const char *dir, const char *path);

/* On stderr: logs that are out of use, and how many are lost whose ids are lost with
 * them.  Return: whether something is lost with a log. */
bool jnl_tell_lost(const struct journal_info *info, const char *dir);

/* journal_close() with its error told; Return: @status, or JNL_REFUSED */
int jnl_close(struct journal *journal, int status);

#endif
