/* SPDX-License-Identifier: BSD-3-Clause */
#include "mirror_place.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/log_file.h"

const uint8_t mirror_uuid[16] = { 1, 2, 3 };

struct log_store *mirror_leg[LEGS];

static int open_leg(const char *path, unsigned int flags, uint64_t bytes,
		    const struct journal_progress *progress, struct log_store **store,
		    struct message *message)
{
	unsigned int i = strstr(path, "second") != NULL;
	int error = log_file_open(path, flags | LOG_NO_URING, bytes, progress, store, message);

	if (error)
		return error;
	mirror_leg[i] = *store = fault_log_wrap(*store);
	assert_non_null(*store);
	return 0;
}


int mirror_place_make(void **state)
{
	struct mirror_place *p = calloc(1, sizeof(*p));

	assert_int_equal(scratch_make(&p->scratch, NULL), 0);
	p->of = (struct log_legs_of){
		.path = { scratch_path(&p->scratch, "first", p->path[0]),
			  scratch_path(&p->scratch, "second", p->path[1]) },
		.uuid = mirror_uuid, .open = open_leg, .join = log_file_join,
	};
	p->buffer = aligned_alloc(MIRROR_UNIT, LOG_BUFFER_BYTES);
	assert_int_equal(log_mirror_open(&p->of, LOG_CREATE, MIRROR_BYTES, NULL, &p->store,
					 &p->message), 0);
	*state = p;
	return 0;
}

void mirror_place_close(struct mirror_place *p)
{
	log_store_close(p->store);
	p->store = NULL;
}

int mirror_place_remove(void **state)
{
	struct mirror_place *p = *state;

	mirror_place_close(p);
	scratch_remove(&p->scratch);
	free(p->buffer);
	free(p);
	return 0;
}

int mirror_place_reopen(struct mirror_place *p, unsigned int flags)
{
	mirror_place_close(p);
	return log_mirror_open(&p->of, flags, 0, NULL, &p->store, &p->message);
}

int mirror_place_put(struct mirror_place *p, uint64_t block, int content)
{
	struct log_io io = { block * MIRROR_UNIT, p->buffer, MIRROR_UNIT, 0 };

	memset(p->buffer, content, MIRROR_UNIT);
	return log_store_write(p->store, &io, 1, true);
}

int mirror_place_get(struct mirror_place *p, uint64_t block)
{
	struct log_io io = { block * MIRROR_UNIT, p->buffer, MIRROR_UNIT, 0 };

	return log_store_read(p->store, &io, 1) ? -1 : p->buffer[MIRROR_UNIT / 2];
}

int mirror_place_get_of(struct mirror_place *p, unsigned int i, uint64_t block)
{
	uint8_t byte;
	int fd = open(p->path[i], O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)(LEG_HEAD_BYTES + block * MIRROR_UNIT)), 1);
	close(fd);
	return byte;
}

uint32_t mirror_place_says(struct mirror_place *p, unsigned int i)
{
	static struct leg_super super[LEG_SUPERS];
	struct leg_meta meta[LEG_SUPERS];
	const char *why;
	int fd = open(p->path[i], O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, super, sizeof(super), 0), sizeof(super));
	close(fd);
	assert_int_equal(leg_super_decode(&super[0], 1ull << 40, true, &meta[0], &why), 0);
	assert_int_equal(leg_super_decode(&super[1], 1ull << 40, true, &meta[1], &why), 0);
	assert_int_equal(meta[0].good, meta[1].good);
	assert_int_equal(meta[0].events, meta[1].events);
	return meta[0].good;
}

unsigned int mirror_place_good(struct mirror_place *p)
{
	return p->store->copies->good(p->store);
}

void mirror_place_hide(struct mirror_place *p, unsigned int i, bool again)
{
	char away[PATH_MAX + 8];

	(void)snprintf(away, sizeof(away), "%s.away", p->path[i]);
	assert_int_equal(again ? rename(away, p->path[i]) : rename(p->path[i], away), 0);
}
