/* SPDX-License-Identifier: BSD-3-Clause */
/* Which mount a file is on.  st_dev cannot be used for that: btrfs gives every
 * subvolume a made-up device number. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/evidence_walk.h"

static int mount_id_read(int fd, unsigned int *mount_id)
{
	char path[64], line[128];
	int error = -ENOENT;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (error && fgets(line, sizeof(line), file))
		if (sscanf(line, "mnt_id: %u", mount_id) == 1)
			error = 0;
	(void)fclose(file);
	return error;
}

/* mountinfo writes blanks and the like as \ooo */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; out++) {
		unsigned int byte;

		if (*in == '\\' && sscanf(in + 1, "%3o", &byte) == 1) {
			*out = (char)byte;
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

static int field(char *destination, size_t bytes, const char *text)
{
	if (!text || strlen(text) >= bytes)
		return -EOVERFLOW;
	strcpy(destination, text);
	unescape(destination);
	return 0;
}

int evidence_mount_parse(char *line, unsigned int mount_id, struct evidence_mount *mount)
{
	char *end, *rest = strstr(line, " - ");

	/* "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,data=ordered" */
	if (strtoul(line, &end, 10) != mount_id || *end != ' ' || !rest)
		return -ENOENT;
	rest += 3;
	if (field(mount->type, sizeof(mount->type), strsep(&rest, " ")) ||
	    field(mount->source, sizeof(mount->source), strsep(&rest, " ")) ||
	    field(mount->options, sizeof(mount->options), strsep(&rest, " \n")))
		return -EOVERFLOW;
	return 0;
}

int evidence_mount_read(int fd, struct evidence_mount *mount)
{
	unsigned int mount_id;
	size_t room = 0;
	char *line = NULL;
	FILE *file;
	int error = mount_id_read(fd, &mount_id);

	if (error)
		return error;
	file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return -errno;
	error = -ENOENT;
	errno = 0;
	while (error == -ENOENT && getline(&line, &room, file) > 0)
		error = evidence_mount_parse(line, mount_id, mount);
	if (error == -ENOENT && errno == ENOMEM)
		error = -ENOMEM;
	free(line);
	(void)fclose(file);
	return error;
}

bool evidence_mount_has(const struct evidence_mount *mount, const char *option)
{
	size_t bytes = strlen(option);

	/* @option may end in '=': then any value of it will do */
	for (const char *at = mount->options; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, option, bytes) &&
		    (option[bytes - 1] == '=' || !at[bytes] || at[bytes] == ','))
			return true;
	}
	return false;
}
