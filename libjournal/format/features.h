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

#include <stdbool.h>
#include <stdint.h>

#define FORMAT_VERSION 0u

#define FORMAT_COMPAT_KNOWN    0ull
#define FORMAT_RO_COMPAT_KNOWN 0ull

/* of a checkpointed marker medium: its commit maps name transactions */
#define FORMAT_INCOMPAT_COMMITS 1ull
#define MARKER_INCOMPAT_KNOWN   FORMAT_INCOMPAT_COMMITS

/* of a log: records may lie in other slots than their ids name; summaries have ids */
#define FORMAT_INCOMPAT_MOVED 1ull
/* of a log: which segments it has is in journal.conf, perhaps (run.h) */
#define FORMAT_INCOMPAT_RUNS  2ull
/* of a log: it lies on two legs (format/leg.h), and is no log without their heads */
#define FORMAT_INCOMPAT_MIRRORED 4ull
#define LOG_INCOMPAT_KNOWN \
	(FORMAT_INCOMPAT_MOVED | FORMAT_INCOMPAT_RUNS | FORMAT_INCOMPAT_MIRRORED)

#define LEG_INCOMPAT_KNOWN    0ull

enum feature_medium { FEATURE_MARKER, FEATURE_LOG };
enum feature_mask { FEATURE_COMPAT, FEATURE_RO_COMPAT, FEATURE_INCOMPAT, FEATURE_MASKS };

/**
 * struct feature - a bit of a mask
 * @upgrade: jnl upgrade turns it on where it is off: a medium without it is older, and
 *           means the same with it.  Else it says what the medium is, or has
 * @what:    for people
 */
struct feature {
	const char *name;
	enum feature_medium medium;
	enum feature_mask mask;
	uint64_t bit;
	bool upgrade;
	const char *what;
};

/* every bit of the masks above; ends with one that has no name */
extern const struct feature features[];

#endif
