/* SPDX-License-Identifier: BSD-3-Clause */
/* libarchive, loaded when an archive is read or written, and not before: it brings
 * many libraries along (docs/decisions/0010-tar.md). */
#ifndef TOOLS_TAR_LIBRARY_H
#define TOOLS_TAR_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

#define TAR_FUNCTIONS(f)               \
	f(archive_entry_clear)         \
	f(archive_entry_filetype)      \
	f(archive_entry_free)          \
	f(archive_entry_hardlink)      \
	f(archive_entry_new)           \
	f(archive_entry_pathname)      \
	f(archive_entry_set_filetype)  \
	f(archive_entry_set_mtime)     \
	f(archive_entry_set_pathname)  \
	f(archive_entry_set_perm)      \
	f(archive_entry_set_size)      \
	f(archive_error_string)        \
	f(archive_filter_bytes)        \
	f(archive_read_data)           \
	f(archive_read_free)           \
	f(archive_read_new)            \
	f(archive_read_next_header)    \
	f(archive_read_open)           \
	f(archive_read_support_format_tar) \
	f(archive_write_close)         \
	f(archive_write_data)          \
	f(archive_write_fail)          \
	f(archive_write_free)          \
	f(archive_write_header)        \
	f(archive_write_new)           \
	f(archive_write_open)          \
	f(archive_write_set_format_pax)

#define TAR_POINTER(name) __typeof__(name) *name;

struct tar_library {
	TAR_FUNCTIONS(TAR_POINTER)
};

/* @why: receives the reason, a string that stays.  Return: 0, or -ENOTSUP */
int tar_library_load(struct tar_library *library, const char **why);

#endif
