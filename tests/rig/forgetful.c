/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: forgetful none|fsync|dsync FILE | forgetful verify FILE
 *
 * Writes blocks of 4 KiB, one after the other, to a file or a disk, and acknowledges each
 * by a line +N: after fsync(); after a write with O_DIRECT and O_DSYNC; or, and that is
 * what the rig has to notice, with nothing between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK  4096
#define WORDS  (BLOCK / sizeof(uint64_t))
#define BLOCKS 8192

static uint64_t *block;

static void fill(uint64_t n)
{
	for (uint64_t i = 0; i < WORDS; i++)
		block[i] = (n + 1) * 0x9e3779b97f4a7c15 + i;
}

/* is the block that was read the one of number @n? */
static int is(uint64_t n)
{
	for (uint64_t i = 0; i < WORDS; i++) {
		if (block[i] != (n + 1) * 0x9e3779b97f4a7c15 + i)
			return 0;
	}
	return 1;
}

static int failed(const char *what)
{
	fprintf(stderr, "forgetful: %s: %s\n", what, strerror(errno));
	return 1;
}

static void say(char what, uint64_t n)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "%c%llu\n", what, (unsigned long long)n);

	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		exit(1);
}

/* what is there; the first number that is not used yet */
static uint64_t look(int fd, int tell)
{
	uint64_t next = 0;

	for (uint64_t n = 0; n < BLOCKS; n++) {
		if (pread(fd, block, BLOCK, (off_t)(n * BLOCK)) != BLOCK || !is(n))
			continue;
		next = n + 1;
		if (tell)
			say('=', n);
	}
	return next;
}

static int work(int fd, int sync)
{
	for (uint64_t n = look(fd, 0); n < BLOCKS; n++) {
		fill(n);
		if (pwrite(fd, block, BLOCK, (off_t)(n * BLOCK)) != BLOCK)
			return failed("write");
		if (sync && fsync(fd))
			return failed("fsync");
		say('+', n);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int dsync = argc == 3 && !strcmp(argv[1], "dsync");
	int fd;

	if (argc != 3)
		return 2;
	if (posix_memalign((void **)&block, BLOCK, BLOCK))
		return failed("memory");
	fd = open(argv[2], O_RDWR | O_CREAT | (dsync ? O_DIRECT | O_DSYNC : 0), 0600);
	if (fd < 0)
		return failed(argv[2]);
	if (!strcmp(argv[1], "verify")) {
		look(fd, 1);
		return 0;
	}
	return work(fd, !strcmp(argv[1], "fsync"));
}
