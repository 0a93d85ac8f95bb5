/* SPDX-License-Identifier: BSD-3-Clause */
/* What the maker of the golden images and their test agree on. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Beside each image NAME.tar.gz stands NAME.txt, a line for each transaction:
 *
 *   live ID BYTES CRC TAG     acknowledged and not retired: CRC-32C of its payload
 *   gone ID                   retired
 */
#define GOLDEN_PAYLOAD_MAX (2500u << 10)

/* a payload that compresses well, and is another one for each @seed */
static inline void golden_payload(uint8_t *to, size_t bytes, uint32_t seed)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		to[i] = (uint8_t)(i < 4         ? seed >> 8 * i :
				  i % 65536 < 4 ? i >> 16 :
						  seed * 7);
}

#endif
