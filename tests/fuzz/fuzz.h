/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fuzz targets share: input is a list of patches over something
 * valid, so that a few bytes of input reach deep, and no corpus is needed.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_input {
	const uint8_t *data;
	size_t bytes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* what must hold whatever the input: a crash is what the fuzzer looks for */
#define FUZZ_CHECK(condition)            \
	do {                             \
		if (!(condition))        \
			__builtin_trap(); \
	} while (0)

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (!in->bytes)
		return 0;
	in->bytes--;
	return *in->data++;
}

static inline uint32_t fuzz_u16(struct fuzz_input *in)
{
	uint32_t low = fuzz_byte(in);

	return low | (uint32_t)fuzz_byte(in) << 8;
}

/* one patch: length, place, bytes */
static inline void fuzz_patch(struct fuzz_input *in, void *target, size_t bytes)
{
	size_t length = fuzz_byte(in) % 16u + 1, place = fuzz_u16(in) % bytes, i;

	for (i = 0; i < length && place + i < bytes && in->bytes; i++)
		((uint8_t *)target)[place + i] = fuzz_byte(in);
}

/* patches until the input ends, or at most @count */
static inline void fuzz_patches(struct fuzz_input *in, void *target, size_t bytes,
				unsigned int count)
{
	while (count-- && in->bytes)
		fuzz_patch(in, target, bytes);
}

#endif
