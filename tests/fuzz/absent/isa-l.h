/* SPDX-License-Identifier: BSD-3-Clause */
/* MemorySanitizer cannot see into this library: the build takes what does without it. */
#error "not here"
