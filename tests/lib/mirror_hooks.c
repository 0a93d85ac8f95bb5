/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/mirror_hooks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/log_file.h"
#include "store/log_copies.h"

#define STORES 256u

static struct {
	struct log_store *store;
	const struct log_store_ops *under;
	struct log_store_ops ops;
	unsigned int who, leg;
} hooked[STORES];

static unsigned int stores;
static struct mirror_place *place;

unsigned int opening;
struct hook hook;
struct log_store *second;
struct log_share *share;
_Atomic unsigned int rounds;
bool cannot_join;

static unsigned int of(const struct log_store *store)
{
	unsigned int i = stores;

	while (i--)
		if (hooked[i].store == store)
			return i;
	abort();
}

static const struct log_store_ops *called(struct log_store *store, enum call call)
{
	unsigned int i = of(store);
	void (*run)(struct mirror_place *p) = hook.run;

	if (call == CALL_FLUSH && !hooked[i].who && hooked[i].leg == 1)
		rounds++;
	if (run && hook.who == hooked[i].who && hook.leg == hooked[i].leg && hook.call == call &&
	    !--hook.nth) {
		hook.run = NULL;
		run(place);
	}
	return hooked[i].under;
}

static int hooked_write(struct log_store *store, struct log_io *io, unsigned int count,
			bool durable)
{
	return called(store, CALL_WRITE)->write(store, io, count, durable);
}

static int hooked_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	return called(store, CALL_READ)->read(store, io, count);
}

static int hooked_flush(struct log_store *store)
{
	return called(store, CALL_FLUSH)->flush(store);
}

static int hook_it(const char *path, struct log_store *store)
{
	unsigned int i = stores++;

	assert_true(i < STORES);

	hooked[i].store = store;
	hooked[i].under = store->ops;
	hooked[i].ops = *store->ops;
	hooked[i].ops.write = hooked_write;
	hooked[i].ops.read = hooked_read;
	hooked[i].ops.flush = hooked_flush;
	hooked[i].who = opening;
	hooked[i].leg = strstr(path, "second") != NULL;
	store->ops = &hooked[i].ops;
	return 0;
}

static int open_hooked(const char *path, unsigned int flags, uint64_t bytes,
		       const struct journal_progress *progress, struct log_store **store,
		       struct message *message)
{
	int error = log_file_open(path, flags | LOG_NO_URING, bytes, progress, store, message);

	return error ? error : hook_it(path, *store);
}

static int join_hooked(const char *path, unsigned int flags, struct log_share *of_leg,
		       struct log_store **store, struct message *message)
{
	int error;

	opening = 1;
	if (cannot_join)
		return message_set(message, -EACCES, "%s: not for you", path);
	error = log_file_join(path, flags | LOG_NO_URING, of_leg, store, message);
	return error ? error : hook_it(path, *store);
}

int put_by(struct mirror_place *p, struct log_store *who, uint64_t block, int content)
{
	struct log_store *before = p->store;
	int error;

	p->store = who;
	error = mirror_place_put(p, block, content);
	p->store = before;
	return error;
}

/* the second leg is out of date, by block 7; both processes know it */
int hooks_make(void **state)
{
	struct mirror_place *p;

	assert_int_equal(mirror_place_make(state), 0);
	place = p = *state;
	memset(&hook, 0, sizeof(hook));
	stores = opening = 0;
	cannot_join = false;
	p->of.open = open_hooked;
	p->of.join = join_hooked;
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	share = aligned_alloc(128, LOG_SHARES * sizeof(*share));
	memset(share, 0, LOG_SHARES * sizeof(*share));
	log_store_share(p->store, share);
	assert_int_equal(log_mirror_join(&p->of, 0, share, &second, &p->message), 0);
	opening = 0;
	assert_int_equal(mirror_place_put(p, 300, 3), 0);
	log_store_fail(mirror_of(second)->leg[1], -EIO);
	assert_int_equal(put_by(p, second, 7, 7), 0);
	assert_int_equal(mirror_place_good(p), 1);
	rounds = 0;
	return 0;
}

int hooks_remove(void **state)
{
	log_store_close(second);
	second = NULL;
	assert_int_equal(mirror_place_remove(state), 0);
	free(share);
	return 0;
}

int renew(struct mirror_place *p)
{
	return log_copies_renew(p->store, NULL, &p->message);
}

void assert_whole(struct mirror_place *p, uint64_t block, int content)
{
	assert_int_equal(mirror_place_good(p), 3);
	assert_int_equal(second->copies->good(second), 3);
	assert_int_equal(mirror_place_says(p, 0), LEGS_ALL);
	assert_int_equal(mirror_place_says(p, 1), LEGS_ALL);
	assert_int_equal(mirror_place_get_of(p, 0, block), content);
	assert_int_equal(mirror_place_get_of(p, 1, block), content);
	assert_int_equal(mirror_place_get_of(p, 1, 7), 7);
}

void assert_not_whole(struct mirror_place *p, uint64_t block, int content)
{
	unsigned int i;

	assert_int_equal(mirror_place_good(p), 1);
	assert_int_equal(second->copies->good(second), 1);
	assert_int_equal(mirror_place_says(p, 0), 1);
	assert_int_equal(mirror_place_says(p, 1), 1);
	log_store_close(second);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1);
	for (i = 0; i < 2; i++)
		assert_int_equal(mirror_place_get(p, block), content);
	second = p->store;
	p->store = NULL;
}
