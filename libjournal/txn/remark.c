/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/remark.h"

#include <errno.h>

#include "txn/line.h"

static void remark_line(const struct line *from, struct marker_store *store,
			struct marker_line *to)
{
	/* between two epochs it has the number of the next one, and nothing lives */
	uint64_t live, number = from->number ? from->number : from->use >> 2;
	uint32_t word;

	if (!number)
		return; /* never used */
	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		live = from->number ? from->committed[word] & ~from->claimed[word] : 0;
		nv_store8(store, (uint64_t *)&to->commit[word], (uint64_t)put_le64(~live));
		/* what is neither live nor retired was never acknowledged, and never
		 * will be: nobody goes on in these lines */
		nv_store8(store, (uint64_t *)&to->retire[word], (uint64_t)put_le64(live));
	}
	nv_store8(store, (uint64_t *)&to->epoch, (uint64_t)word_seal(number << 1 | 1));
	nv_store8(store, (uint64_t *)&to->epoch_copy, (uint64_t)word_seal(number << 1 | 1));
}

void remark_write(const struct remark *r, struct marker_store *store,
		  const struct marker_geometry *g)
{
	struct marker_state *state =
		(struct marker_state *)(void *)(store->map + g->state_offset);
	uint32_t line;

	nv_store8(store, (uint64_t *)&state->incarnation, (uint64_t)word_seal(r->incarnation));
	nv_store8(store, (uint64_t *)&state->replay_seq, (uint64_t)put_le64(r->replay_seq));
	nv_store8(store, (uint64_t *)&state->abandoned, (uint64_t)word_seal(r->abandoned));
	for (line = 0; line < remark_lines_used(r); line++)
		remark_line(&r->from->lines[line], store,
			    (struct marker_line *)(void *)(store->map +
							   marker_line_offset(g, line)));
}

int remark_possible(struct journal *j)
{
	uint32_t line;

	for (line = 0; line < j->shared->lines_used; line++)
		if (line_is_bad(j, line))
			return journal_say(j, -EUCLEAN, "%s: the epoch of line %u is damaged: what "
					   "it committed cannot be decided (jnl rescue goes by the "
					   "log alone)", j->conf.marker, line);
	return 0;
}
