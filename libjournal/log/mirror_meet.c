/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A leg that is opened anew while others have the log open, perhaps elsewhere: one of them
 * has it, says where it is, and that it is another one by now (log_legs.fills); each of
 * the others opens it when he is to write or read it.  What was there before stays open
 * until the log is closed: some thread may be in the middle of reading it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/mirror.h"
#include "store/log_gone.h"

/* Caller holds the lock. */
static int take(struct mirror *m, unsigned int leg, struct log_store *store, const char *path)
{
	struct mirror_old *old = calloc(1, sizeof(*old));
	char *copy = strdup(path);

	if (!old || !copy) {
		free(old);
		free(copy);
		return -ENOMEM;
	}
	old->leg = m->leg[leg];
	old->path = m->path[leg];
	old->next = m->old;
	m->old = old;
	__atomic_store_n(&m->path[leg], copy, __ATOMIC_RELEASE);
	__atomic_store_n(&m->leg[leg], store, __ATOMIC_RELEASE);
	return 0;
}

/* The path may lead somewhere else for us. */
static int is_it(struct mirror *m, unsigned int leg, struct log_store *store, const char *path,
		 struct message *why)
{
	struct leg_meta meta;
	int error = mirror_head_read(store, path, &meta, why);

	if (!error && (meta.leg != leg || meta.pair != m->meta.pair ||
		       memcmp(meta.uuid, m->of.uuid, sizeof(meta.uuid))))
		error = message_set(why, -EXDEV, "%s: is not that leg", path);
	return error;
}

static int open_it(struct mirror *m, unsigned int leg, struct log_share *share,
		   struct log_store **store, struct message *why)
{
	int error = m->of.join ? m->of.join(share->path, m->flags, share, store, why) :
				 message_set(why, -ENODEV, "%s: cannot be joined", share->path);

	if (error)
		return error;
	error = is_it(m, leg, *store, share->path, why);
	if (error)
		log_store_close(*store);
	return error;
}

static int meet_now(struct mirror *m, unsigned int leg, uint32_t fills)
{
	struct log_share *share = &m->share[mirror_share_of(leg, fills)];
	struct message why = { "" };
	struct log_store *store;
	int error = open_it(m, leg, share, &store, &why);

	if (error && log_store_gone(error, why.text, log_store_bytes(&m->store) + LEG_HEAD_BYTES,
				    m->store.block_bytes, m->store.read_only, &store))
		return -ENOMEM; /* the next time */
	if (take(m, leg, store, share->path)) {
		log_store_close(store);
		return -ENOMEM;
	}
	if (error)
		atomic_fetch_and(&m->there, ~(1u << leg));
	else
		atomic_fetch_or(&m->there, 1u << leg);
	/* release: with the store */
	atomic_store_explicit(&m->met[leg], fills, memory_order_release);
	return 0;
}

int mirror_meet(struct mirror *m, unsigned int leg)
{
	uint32_t fills;
	int error = 0;

	if (mirror_met(m, leg))
		return 0;
	pthread_mutex_lock(&m->meet);
	fills = atomic_load_explicit(&m->legs->fills[leg], memory_order_acquire);
	if (atomic_load(&m->met[leg]) != fills)
		error = meet_now(m, leg, fills);
	pthread_mutex_unlock(&m->meet);
	return error;
}

int mirror_show(struct mirror *m, unsigned int leg, struct log_store *store, const char *path)
{
	uint32_t fills = atomic_load(&m->legs->fills[leg]) + 1;
	struct log_share *share = m->share ? &m->share[mirror_share_of(leg, fills)] : NULL;
	int error = 0;

	pthread_mutex_lock(&m->meet);
	if (store)
		error = take(m, leg, store, path);
	if (!error && share) {
		share->gone = 0;
		(void)snprintf(share->path, sizeof(share->path), "%s", path);
		log_store_share(mirror_store(m, leg), share);
	}
	if (!error) {
		atomic_fetch_or(&m->there, 1u << leg);
		atomic_store(&m->met[leg], fills);
		/* release: with all that is known of it */
		atomic_store_explicit(&m->legs->fills[leg], fills, memory_order_release);
	}
	pthread_mutex_unlock(&m->meet);
	return error;
}
