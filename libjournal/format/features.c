/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/features.h"

const struct feature features[] = {
	{ "commits", FEATURE_MARKER, FEATURE_INCOMPAT, FORMAT_INCOMPAT_COMMITS, false,
	  "commit maps of a checkpointed medium name transactions" },
	{ "moved", FEATURE_LOG, FEATURE_INCOMPAT, FORMAT_INCOMPAT_MOVED, true,
	  "transactions that live long are moved to other marker lines" },
	{ "runs", FEATURE_LOG, FEATURE_INCOMPAT, FORMAT_INCOMPAT_RUNS, false,
	  "the journal was resized: journal.conf says which segments there are" },
	{ "mirrored", FEATURE_LOG, FEATURE_INCOMPAT, FORMAT_INCOMPAT_MIRRORED, false,
	  "every block of the log lies on two media" },
	{ 0 },
};
