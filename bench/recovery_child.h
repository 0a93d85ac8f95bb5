/* SPDX-License-Identifier: BSD-3-Clause */
/* What the recovery benchmark lets child processes do, and what they report. */
#ifndef BENCH_RECOVERY_CHILD_H
#define BENCH_RECOVERY_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "lib_env.h"

#define FULL_PAYLOAD 65536u
#define LIVE_PAYLOAD 256u

struct subject {
	struct bench_env *env;
	char dir[4096];
	const char *marker;      /* NULL: embedded */
	const char *marker_name; /* for the rows */
	uint64_t live;           /* to put */
	bool clean;              /* journal_close() after an open */
};

/* what a child reports */
struct writer_report {
	uint64_t put, log_bytes, log_bytes_written;
	char log_name[256];
	char text[256];
};

struct open_report {
	uint64_t ns, live, lost, log_bytes_read, memory_bytes;
	enum journal_class survives;
	char text[256];
};

/* Bodies for child_run(): @argument is a struct subject, @out the report. */

/* Make the journal, fill it, retire everything.  Out: struct writer_report. */
int recovery_write_full(void *argument, void *out);
/* Put @live small transactions in groups.  Out: struct writer_report. */
int recovery_write_live(void *argument, void *out);
/* Open it once.  Out: struct open_report. */
int recovery_open(void *argument, void *out);

#endif
