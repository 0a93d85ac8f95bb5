/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Format version and feature masks, the same in every superblock.
 *
 * compat:    unknown bits are ignored
 * ro_compat: unknown bits allow reading only
 * incompat:  unknown bits refuse the medium
 */
#ifndef FORMAT_FEATURES_H
#define FORMAT_FEATURES_H

#define FORMAT_VERSION 0u

#define FORMAT_COMPAT_KNOWN    0ull
#define FORMAT_RO_COMPAT_KNOWN 0ull


/* of a checkpointed marker medium: its commit maps name transactions */
#define FORMAT_INCOMPAT_COMMITS 1ull
#define MARKER_INCOMPAT_KNOWN   FORMAT_INCOMPAT_COMMITS
#define LOG_INCOMPAT_KNOWN      0ull

#endif
