/* SPDX-License-Identifier: BSD-3-Clause */
/* What persistent memory survives, as the kernel's nvdimm subsystem tells it. */
#ifndef MARKER_PMEM_EVIDENCE_H
#define MARKER_PMEM_EVIDENCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "journal.h"

struct pmem_evidence {
	enum journal_class class;
	bool cache_domain; /* the caches are saved too: no flush is needed */
	char text[256];
};

/**
 * pmem_evidence_read() - find the nd region of a device: its persistence
 * domain, and the health of each of its modules
 * @sysfs:     "/sys"; tests have one of their own
 * @character: @device is a /dev/dax device, else a block device
 *
 * Where anything is missing or unhealthy the class is process, and the text
 * says what.
 * Return: 0; or negative errno: a limit of this process is why something is missing
 */
int pmem_evidence_read(const char *sysfs, bool character, dev_t device,
		       struct pmem_evidence *evidence);

#endif
