/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the marker medium is still what was opened.  Asked now and then, by
 * journal_maintain(), by who joins, and once a second beside who stages; never on the way
 * of a commit.
 */
#include <errno.h>
#include <string.h>

#include "format/marker.h"
#include "txn/health.h"

/* A card that is gone reads all zeros or all ones.  The rule is that of the open: either
 * copy serves. */
static int super_is_ours(const struct journal *j, struct message *why)
{
	const struct marker_super *super = (const struct marker_super *)j->marker->map;
	struct marker_geometry g;
	const char *text[MARKER_SUPERS];
	unsigned int i;

	for (i = 0; i < MARKER_SUPERS; i++) {
		if (marker_super_decode(&super[i], j->marker->bytes, j->read_only, &g, &text[i]))
			continue;
		if (!memcmp(g.uuid, j->geometry.uuid, sizeof(g.uuid)) &&
		    g.nonce == j->geometry.nonce)
			return 0;
		text[i] = "it is another journal's";
	}
	return message_set(why, -EUCLEAN, "its superblock: %s", text[0]);
}

int health_ask(struct journal *j)
{
	uint64_t word = health_word_now(j);
	struct message why = { "" };
	int error;

	if (!j->bits_durable || health_state_of(word) != HEALTH_TRUSTED || !health_bits_durable(j))
		return 0; /* it cannot be seen from here */
	/* first whether it is there: then its bytes may be touched */
	error = marker_store_health(j->marker, &why);
	if (!error)
		error = super_is_ours(j, &why);
	return error && health_word_now(j) == word ? health_distrust(j, why.text) : 0;
}
