/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth_image.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX  64
#define PAGE_BYTES 4096u

struct kept {
	char path[PATH_MAX / 2];
	mode_t mode;
	size_t bytes;
	uint8_t *data; /* NULL: a directory, or empty */
};

struct nth_image {
	unsigned int root_count, count;
	char root[4][PATH_MAX / 2];
	struct kept all[FILES_MAX]; /* directories before what is in them */
};

/* nftw() has no context */
static struct nth_image *current;

static void need(int holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	abort();
}

static int take_one(const char *path, const struct stat *s, int type, struct FTW *where)
{
	struct kept *kept = &current->all[current->count++];
	int fd;

	(void)where;
	need(current->count <= FILES_MAX, "too many files");
	need(strlen(path) < sizeof(kept->path), path);
	*kept = (struct kept){ .mode = s->st_mode, .bytes = 0 };
	memcpy(kept->path, path, strlen(path) + 1);
	if (type == FTW_D)
		return 0;
	kept->bytes = (size_t)s->st_size;
	if (!kept->bytes)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kept->data = mmap(NULL, kept->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	need(fd >= 0 && kept->data != MAP_FAILED, path);
	need(read(fd, kept->data, kept->bytes) == (ssize_t)kept->bytes, path);
	close(fd);
	return 0;
}

struct nth_image *nth_image_take(const char *const *roots, unsigned int count)
{
	struct nth_image *image = calloc(1, sizeof(*image));

	need(image != NULL, "image");
	image->root_count = count;
	current = image;
	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(image->root[i], sizeof(image->root[i]), "%s", roots[i]);
		need(!nftw(roots[i], take_one, 16, FTW_PHYS), roots[i]);
	}
	return image;
}

static int drop_one(const char *path, const struct stat *s, int type, struct FTW *where)
{
	(void)s;
	(void)where;
	for (unsigned int i = 0; i < current->count; i++)
		if (!strcmp(current->all[i].path, path) &&
		    S_ISDIR(current->all[i].mode) == (type == FTW_DP))
			return 0;
	need(!(type == FTW_DP ? rmdir(path) : unlink(path)), path);
	return 0;
}

static void write_one(int fd, const struct kept *kept)
{
	uint8_t *now = mmap(NULL, kept->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	size_t at, piece;

	need(now != MAP_FAILED, kept->path);
	for (at = 0; at < kept->bytes; at += piece) {
		piece = kept->bytes - at < PAGE_BYTES ? kept->bytes - at : PAGE_BYTES;
		if (memcmp(now + at, kept->data + at, piece))
			memcpy(now + at, kept->data + at, piece);
	}
	need(!munmap(now, kept->bytes), kept->path);
}

void nth_image_restore(const struct nth_image *image)
{
	struct stat s;
	int fd;

	current = (struct nth_image *)(uintptr_t)image;
	for (unsigned int i = 0; i < image->root_count; i++)
		need(!nftw(image->root[i], drop_one, 16, FTW_PHYS | FTW_DEPTH), image->root[i]);
	for (unsigned int i = 0; i < image->count; i++) {
		const struct kept *kept = &image->all[i];

		if (S_ISDIR(kept->mode)) {
			need(!mkdir(kept->path, kept->mode & 07777) || errno == EEXIST, kept->path);
			continue;
		}
		fd = open(kept->path, O_RDWR | O_CREAT | O_CLOEXEC, kept->mode & 07777);
		need(fd >= 0 && !fstat(fd, &s) && !fchmod(fd, kept->mode & 07777), kept->path);
		if (s.st_size != (off_t)kept->bytes)
			need(!ftruncate(fd, (off_t)kept->bytes), kept->path);
		if (kept->data)
			write_one(fd, kept);
		close(fd);
	}
}

void nth_image_free(struct nth_image *image)
{
	for (unsigned int i = 0; i < image->count; i++)
		if (image->all[i].data)
			(void)munmap(image->all[i].data, image->all[i].bytes);
	free(image);
}
