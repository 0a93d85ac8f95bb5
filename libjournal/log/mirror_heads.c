/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two copies of a leg's superblock.  One is enough to open it; one that is damaged is
 * told of, and written anew from the one that holds by who opens to write: nobody else
 * has the log open then, and with the next damage the leg would be nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "log/mirror.h"

/* The bytes of the good one, which are not touched; durable, or it is as bad as before. */
static bool head_mend(struct log_store *store, uint8_t *head, unsigned int bad)
{
	unsigned int copy = bad == 2;
	struct log_io io = {
		.offset = (uint64_t)copy * LEG_SUPER_BYTES,
		.buffer = head + (size_t)!copy * LEG_SUPER_BYTES,
		.bytes = LEG_SUPER_BYTES,
	};

	return !log_store_write(store, &io, 1, true);
}

static void head_look(struct mirror *m, unsigned int leg, void *head)
{
	struct log_io io = { .buffer = head, .bytes = LEG_HEAD_BYTES };
	unsigned int bad;

	/* it was read a moment ago; and if it cannot be now, there is nothing to tell */
	if (log_store_read(m->leg[leg], &io, 1))
		return;
	bad = leg_supers_bad(head);
	if (bad != 1 && bad != 2)
		return;
	m->heads_bad[leg] = bad;
	m->heads_mended[leg] = !m->store.read_only && head_mend(m->leg[leg], head, bad);
	m->store.copies->damaged(&m->store, leg, 0, m->heads_mended[leg]);
}

int mirror_heads(struct mirror *m, struct message *message)
{
	unsigned int i;
	void *head;

	if (posix_memalign(&head, 4096, LEG_HEAD_BYTES))
		return message_errno(message, -ENOMEM, "%s", m->path[0]);
	for (i = 0; i < LEGS; i++)
		if (mirror_has(m, i))
			head_look(m, i, head);
	free(head);
	return 0;
}
