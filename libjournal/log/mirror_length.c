/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a leg has to be: as long as the log's own superblocks say, or, once it was
 * resized, as far as the runs in journal.conf go.  Of a leg that is shorter something is
 * not there, be it nothing that is used so far: it is left, and the other one serves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/features.h"
#include "format/log.h"
#include "log/mirror.h"
#include "util/math.h"

/* what the superblocks of the log say, of all legs that were asked */
struct wanted {
	uint64_t formatted, runs;
	bool resized;
};

static void wanted_super(const struct mirror *m, const struct log_super *super,
			 struct wanted *wanted)
{
	struct log_geometry g;
	const char *why;

	if (log_super_decode(super, UINT64_MAX, true, &g, &why) ||
	    memcmp(g.uuid, m->of.uuid, sizeof(g.uuid)))
		return;
	/* one that was resized may have been made shorter than it was formatted */
	wanted->resized |= (g.incompat & FORMAT_INCOMPAT_RUNS) != 0;
	wanted->formatted = max_u64(wanted->formatted, g.bytes);
	if (m->of.runs)
		wanted->runs = max_u64(wanted->runs, log_runs_bytes(m->of.runs, &g, m->of.log));
}

/* What cannot be read says nothing: another copy may. */
static int wanted_leg(const struct mirror *m, unsigned int leg, struct wanted *wanted)
{
	struct log_io io = { .offset = LEG_HEAD_BYTES, .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	const struct log_super *super;
	unsigned int i;

	if (m->leg[leg]->bytes < io.offset + io.bytes)
		return 0;
	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return -ENOMEM;
	super = io.buffer;
	if (!log_store_read(m->leg[leg], &io, 1))
		for (i = 0; i < LOG_SUPERS; i++)
			wanted_super(m, &super[i], wanted);
	free(io.buffer);
	return 0;
}

int mirror_short(const struct mirror *m, unsigned int legs, unsigned int *found, uint64_t *bytes)
{
	struct wanted wanted = { 0 };
	unsigned int i;
	int error = 0;

	*found = 0;
	for (i = 0; i < LEGS && !error; i++)
		if (legs >> i & 1)
			error = wanted_leg(m, i, &wanted);
	*bytes = max_u64(wanted.resized ? 0 : wanted.formatted, wanted.runs);
	for (i = 0; i < LEGS && !error; i++)
		if (legs >> i & 1 && m->leg[i]->bytes < *bytes + LEG_HEAD_BYTES)
			*found |= 1u << i;
	return error;
}

int mirror_without_short(struct mirror *m, struct message *message)
{
	unsigned int legs = mirror_in_use(m) & atomic_load(&m->there), found, leg;
	struct message why;
	uint64_t bytes;
	int error = mirror_short(m, legs, &found, &bytes);

	if (error)
		return message_errno(message, error, "%s", m->path[0]);
	/* both, or the only one: who reads the log's superblock says what is wrong with it */
	if (legs != LEGS_ALL || !found || found == LEGS_ALL)
		return 0;
	leg = found == 2;
	(void)message_set(&why, -EUCLEAN, "%s: is too short: %" PRIu64 " bytes are wanted",
			  m->path[leg], bytes + LEG_HEAD_BYTES);
	atomic_fetch_and(&m->there, ~found);
	error = mirror_without(m, leg, -EUCLEAN, why.text);
	return error ? message_errno(message, error, "%s", m->path[leg]) : 0;
}
