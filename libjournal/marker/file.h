/* SPDX-License-Identifier: BSD-3-Clause */
/* `file:PATH`: checkpoints in a plain file, format in format/checkpoint.h. */
#ifndef MARKER_FILE_H
#define MARKER_FILE_H

#include "store/marker_store.h"

marker_store_opener marker_file_open;
marker_store_joiner marker_file_join;

#endif
