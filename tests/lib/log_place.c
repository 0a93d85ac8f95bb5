/* SPDX-License-Identifier: BSD-3-Clause */
#include "log_place.h"

#include <stdlib.h>
#include <string.h>

#include "log/log_file.h"
#include "store/log_queue.h"

int log_place_make(void **state)
{
	*state = calloc(1, sizeof(struct log_place));
	return 0;
}

int log_place_remove(void **state)
{
	struct log_place *place = *state;

	log_store_close(place->store);
	scratch_remove(&place->scratch);
	free(place);
	return 0;
}

int log_place_open(struct log_place *place, const char *name, unsigned int flags, uint64_t bytes)
{
	scratch_path(&place->scratch, name, place->path);
	return log_file_open(place->path, flags, bytes, NULL, &place->store, &place->message);
}

/* 8 reads, 4 at a time, of what is 0x5a all over */
static bool queue_works(struct log_store *store, uint8_t *buffer)
{
	struct log_io io[4], *back;
	struct log_queue *queue;
	bool right = true;

	if (log_queue_open(store, 4, NULL, &queue))
		return false;
	memset(buffer, 0, 4 * PLACE_UNIT);
	for (unsigned int i = 0; i < 4; i++) {
		io[i] = (struct log_io){ i & 1 ? PLACE_MIB - PLACE_UNIT : 0,
					 buffer + i * PLACE_UNIT, PLACE_UNIT, 0 };
		log_queue_submit(queue, &io[i]);
	}
	for (unsigned int i = 0; i < 8 && right; i++) {
		back = log_queue_complete(queue, true);
		right = !back->result;
		if (i < 4)
			log_queue_submit(queue, back);
	}
	log_queue_close(queue);
	return right && buffer[0] == 0x5a && !memcmp(buffer, buffer + 1, 4 * PLACE_UNIT - 1);
}

bool log_place_works(struct log_store *store)
{
	uint8_t *buffer = log_store_buffer(store);
	struct log_io io[2] = { { 0, buffer, PLACE_UNIT, 0 },
				{ PLACE_MIB - PLACE_UNIT, buffer + PLACE_UNIT, PLACE_UNIT, 0 } };
	bool right;

	memset(buffer, 0x5a, 2 * PLACE_UNIT);
	right = !log_store_write(store, io, 1, true) && !log_store_write(store, io, 2, true) &&
		!log_store_write(store, io, 2, false) && !log_store_flush(store);
	memset(buffer, 0, 2 * PLACE_UNIT);
	right = right && !log_store_read(store, io, 2) && buffer[0] == 0x5a &&
		!memcmp(buffer, buffer + 1, 2 * PLACE_UNIT - 1) && queue_works(store, buffer);
	log_store_buffer_done(store, buffer);
	return right;
}
