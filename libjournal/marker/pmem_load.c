/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/pmem_load.h"

#include "util/module.h"

int pmem_load(const struct pmem_module **module, struct message *message)
{
	char reason[480]; /* it names paths */
	const void *table;
	int error = module_load(PMEM_MODULE_FILE, PMEM_MODULE_SYMBOL, PMEM_MODULE_VERSION, &table,
				reason, sizeof(reason));

	if (error)
		return message_set(message, error, "pmem: cannot be used: %s", reason);
	*module = table;
	return 0;
}
