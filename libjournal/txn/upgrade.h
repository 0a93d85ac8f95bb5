/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TXN_UPGRADE_H
#define TXN_UPGRADE_H

#include "format/features.h"
#include "txn/conf.h"

struct log_store;
struct marker_store;

#define UPGRADE_COPIES 2u

/**
 * struct upgrade_medium - one of them, and what its superblocks are to be
 * @copies: of the superblock, as they are; the logs' to be freed
 * @wanted: what both are to be
 * @good:   the copy that @wanted was made from
 */
struct upgrade_medium {
	enum feature_medium kind;
	const char *name;
	struct marker_store *marker;
	struct log_store *log;
	uint8_t *copies;
	uint8_t wanted[4096];
	unsigned int good;
	bool write[UPGRADE_COPIES];
};

/* @features: those that are known, as features[] */
struct upgrade {
	char dir[PATH_MAX];
	const struct feature *features;
	const struct journal_upgrade_options *options;
	struct message *message;
	struct conf conf;
	struct upgrade_medium media[1 + JOURNAL_LOGS_MAX];
	unsigned int count, changes;
};

int upgrade_journal(struct upgrade *u, const char *dir);

#endif
