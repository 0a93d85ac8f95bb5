/* SPDX-License-Identifier: BSD-3-Clause */
/* Little-endian media fields: __le types of the kernel's headers, so that
 * sparse and readers see what is on a medium and what is not. */
#ifndef UTIL_ENDIAN_H
#define UTIL_ENDIAN_H

#include <endian.h>
#include <linux/types.h>
#include <stdint.h>

static inline uint16_t get_le16(__le16 v) { return le16toh((uint16_t)v); }
static inline uint32_t get_le32(__le32 v) { return le32toh((uint32_t)v); }
static inline uint64_t get_le64(__le64 v) { return le64toh((uint64_t)v); }
static inline __le16 put_le16(uint16_t v) { return (__le16)htole16(v); }
static inline __le32 put_le32(uint32_t v) { return (__le32)htole32(v); }
static inline __le64 put_le64(uint64_t v) { return (__le64)htole64(v); }

#endif
