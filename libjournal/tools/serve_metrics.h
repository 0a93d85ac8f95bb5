/* SPDX-License-Identifier: BSD-3-Clause */
/* What journal_info() and journal_times() tell, in the text form that Prometheus reads. */
#ifndef TOOLS_SERVE_METRICS_H
#define TOOLS_SERVE_METRICS_H

#include <limits.h>

#include "journal.h"

/**
 * serve_metrics_path() - what is replaced: not a link, but the file that it leads to
 * Return: 0; -EEXIST there is a device, a pipe, a directory: that would be lost; or another
 * negative errno.
 */
int serve_metrics_path(const char *path, char real[PATH_MAX]);

/**
 * serve_metrics_write() - replace the file at @path, as a whole
 * @path: its directory takes a temporary file meanwhile
 * @dir:  of the journal, the label "dir"
 * @journal: whose times are told, besides @info
 * Return: 0 or a negative errno (-EEXIST as above); the file is then as it was.
 */
int serve_metrics_write(const char *path, const char *dir, struct journal *journal,
			const struct journal_info *info);

#endif
