/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads a part of the library that brings others' libraries along, when it is
 * needed and not before. */
#ifndef UTIL_MODULE_H
#define UTIL_MODULE_H

#include <stddef.h>
#include <stdint.h>

/**
 * module_load() - find a module: beside the file this code is in, in the
 * configured library directory, then where the system looks
 * @file:    "libjournal-x.so"
 * @symbol:  its table; a uint32_t with its version comes first
 * @version: the one that is meant
 * @table:   receives the table; the module stays loaded
 * @reason:  receives, on an error, why not
 * Return: 0, or -ENOTSUP.
 */
int module_load(const char *file, const char *symbol, uint32_t version, const void **table,
		char *reason, size_t reason_bytes);

#endif
