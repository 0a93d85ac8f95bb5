/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Markers never need a log's place: that is a file that people can remove, or a block
 * device, which markers do not lie on.  So no force is taken for a wish to write over it.
 */
#include "txn/others_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "format/leg.h"
#include "format/log.h"
#include "txn/conf.h"

_Static_assert(offsetof(struct leg_super, uuid) == offsetof(struct log_super, uuid), "");
_Static_assert(LEG_SUPERS == LOG_SUPERS && LEG_SUPER_BYTES == LOG_SUPER_BYTES, "");

/* Damaged or not: either copy.  Return: whether there is one */
static bool others_find(int fd, uint8_t uuid[16])
{
	uint8_t head[offsetof(struct log_super, uuid) + 16];
	unsigned int i;

	for (i = 0; i < LOG_SUPERS; i++) {
		if (pread(fd, head, sizeof(head), (off_t)i * LOG_SUPER_BYTES) != sizeof(head) ||
		    (memcmp(head, LOG_MAGIC, 8) && memcmp(head, LEG_MAGIC, 8)))
			continue;
		memcpy(uuid, head + offsetof(struct log_super, uuid), 16);
		return true;
	}
	return false;
}

int others_log_guard(const char *path, struct message *message)
{
	/* O_NONBLOCK: never hang on a fifo */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint8_t uuid[16];
	char text[37];
	bool found;

	if (fd < 0)
		return 0;
	found = others_find(fd, uuid);
	close(fd);
	if (!found)
		return 0;
	uuid_print(uuid, text);
	return message_set(message, -EEXIST, "%s: is a log of the journal with the uuid %s: no "
			   "markers go there, whatever the force", path, text);
}
