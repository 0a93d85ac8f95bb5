/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is on its way to the media of a crash world at one point: of each 8-byte word of NVRAM
 * and each 512-byte sector of the log, what it may hold if the power fails here.
 *
 * An image is one choice for each of them.  All choices are gone through where there are no
 * more than is wanted (4,096: 12 elements of two states), else: none and all of it, each alone,
 * each left out, each with all before it, and some by seed.
 */
#ifndef TESTS_CRASH_FLIGHT_H
#define TESTS_CRASH_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "crash_world.h"

#define FLIGHT_VERSIONS 8u  /* of one element: of more, the first ones and the last */
#define FLIGHT_ALL      4096u

enum flight_kind { FLIGHT_WORD, FLIGHT_SECTOR, FLIGHT_CHECKPOINT };

/* @data: its states beyond the durable one, in the order in which they came */
struct flight_element {
	uint64_t at;
	enum flight_kind kind;
	bool other;  /* of the world's other marker medium */
	uint32_t versions;
	const void *data[FLIGHT_VERSIONS];
	uint64_t sum[FLIGHT_VERSIONS]; /* added to that of the durable image */
};

struct flight {
	const struct crash_world *world;
	struct flight_element *all;
	uint32_t count, room;
	uint64_t sum;    /* of what is durable */
	double images;   /* how many there are */
};

/* @world stays as it is while @flight is used */
void flight_collect(struct flight *flight, const struct crash_world *world);
void flight_free(struct flight *flight);
/* for each element 0: durable, or which of its versions */
uint64_t flight_sum(const struct flight *flight, const uint8_t *choice);
/* the image, as @copy; Return: as crash_world_clone() */
void flight_image(const struct flight *flight, const uint8_t *choice, struct crash_world *copy);
/* Whether none of the elements in which @a and @b differ is a sector in @unread. */
bool flight_same(const struct flight *flight, const uint8_t *a, const uint8_t *b,
		 const uint64_t *read);
/* Return: false: that is enough */
typedef bool flight_visit(void *context, const uint8_t *choice);
/* @all: up to so many images are gone through; @samples: of more of them, by @seed */
void flight_each(const struct flight *flight, uint32_t all, uint32_t samples, uint64_t seed,
		 flight_visit *visit, void *context);

#endif
