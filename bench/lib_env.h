/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all methods of a run share: directory, NVRAM, payload, and the two
 * journals.  The one with NVRAM serves jnl-staged, jnl-direct, jnl-retire and
 * jnl-group64; the embedded one, without, serves jnl-synced.
 */
#ifndef BENCH_LIB_ENV_H
#define BENCH_LIB_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "lib_even.h"
#include "store/marker_store.h"
#include "util/message.h"

#define BENCH_PAYLOAD_MAX (64u << 10)

struct bench_options {
	const char *dir;          /* where files and logs go */
	const char *marker;       /* NVRAM of the journal, a URI */
	const char *floor_marker; /* NVRAM of the floors, a URI */
	const char *json;
	const char *only;         /* comma-separated methods, NULL: all */
	bool append;
	bool quick;
	unsigned int rounds;
	uint64_t slice_ns;        /* of the rows bound by the disk */
	uint64_t log_bytes;
	uint64_t marker_bytes;
};

struct bench_env {
	struct bench_options options;
	char dir[2048];           /* of this run, removed at its end */
	char nvram_dir[2048];     /* for pools of peers, next to the NVRAM file */
	char marker[2048], floor_marker[2048];
	enum journal_class disk_class, nvram_class;
	char disk_evidence[256], nvram_evidence[256];
	uint8_t *payload;         /* BENCH_PAYLOAD_MAX bytes that do not compress */
	struct journal *nvram, *embedded;
	struct marker_store *floor;
	struct message why_nvram, why_embedded, why_floor;
	int nvram_error, embedded_error, floor_error; /* sticky: say it once */
	struct even even; /* pages that nobody gets */
};

/* Parse the command line; does not return on --help or a mistake. */
void bench_options_parse(struct bench_options *options, int argc, char **argv);

/* Make the directories.  Return: 0, or a negative errno with @why. */
int env_open(struct bench_env *env, const struct bench_options *options,
	     struct message *why);
void env_close(struct bench_env *env);

/* The media, opened when first wanted.  Return: 0, or a negative errno with
 * the reason in @why. */
int env_journal(struct bench_env *env, bool embedded, struct journal **journal,
		struct message *why);
int env_floor(struct bench_env *env, struct marker_store **store, struct message *why);

/* Format DIR/@name with @marker (NULL: embedded) and open it. */
int env_make_journal(const char *dir, const char *marker, uint64_t log_bytes,
		     uint64_t marker_bytes, struct journal **journal, struct message *why);

#endif
