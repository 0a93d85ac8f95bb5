/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for tar_library.c where libarchive's header was missing. */
extern const char tar_missing[];

const char tar_missing[] = "this jnl was built without libarchive: no tar";
