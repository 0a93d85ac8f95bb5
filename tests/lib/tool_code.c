/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool_code.h"

#include <link.h>
#include <string.h>

static int object_look(struct dl_phdr_info *object, size_t bytes, void *context)
{
	struct code_range *range = context;
	int i;

	(void)bytes;
	if (!strstr(object->dlpi_name, "/libtsan.") && !strstr(object->dlpi_name, "/libasan."))
		return 0;
	for (i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		range->from = object->dlpi_addr + part->p_vaddr;
		range->to = range->from + part->p_memsz;
	}
	return 1;
}

bool tool_code(struct code_range *range)
{
	return dl_iterate_phdr(object_look, range);
}
