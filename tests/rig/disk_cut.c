/* SPDX-License-Identifier: BSD-3-Clause */
/* Cutting the power: what becomes of each write is a function of the seed and of the
 * order in which the writes came. */
#include <errno.h>
#include <stdlib.h>

#include "disk.h"

/* splitmix64 */
static uint64_t chance(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* of @percent writes in a hundred a half is torn; the rest is kept */
static enum disk_fate fate_of_one(uint64_t *state, unsigned int percent)
{
	uint64_t x = chance(state);

	if (x % 100 >= percent)
		return DISK_KEEP;
	return x >> 63 ? DISK_TEAR : DISK_DROP;
}

/* some of its sectors, when there are several: neither none nor all of them */
static int tear(struct disk *disk, struct disk_write *write, uint64_t *state)
{
	uint32_t sectors = write->bytes / DISK_SECTOR;
	uint8_t *keep = malloc(sectors);
	uint32_t kept = 0;
	int error;

	if (!keep)
		return -ENOMEM;
	for (uint32_t i = 0; i < sectors; i++) {
		keep[i] = chance(state) & 1;
		kept += keep[i];
	}
	if (sectors > 1 && (!kept || kept == sectors))
		keep[chance(state) % sectors] ^= 1;
	error = disk_settle(disk, write, keep);
	free(keep);
	return error;
}

/* oldest first, so that of two that are kept the newer one stays */
static int cut_writes(struct disk *disk, enum disk_fate fate, uint64_t seed, struct disk_cut *cut)
{
	uint64_t state = seed;
	/* now and then a disk loses all of them, or next to nothing */
	static const unsigned int percents[] = { 100, 90, 50, 20, 5 };
	unsigned int percent = percents[chance(&state) % 5];
	int error = 0;

	while (disk->first && !error) {
		enum disk_fate one = fate == DISK_MIX ? fate_of_one(&state, percent) : fate;

		switch (one) {
		case DISK_KEEP:
			error = disk_settle(disk, disk->first, NULL);
			cut->kept++;
			break;
		case DISK_TEAR:
			error = tear(disk, disk->first, &state);
			cut->torn++;
			break;
		default:
			cut->dropped++;
			break;
		}
		disk_forget(disk, &disk->first);
	}
	return error;
}

int disk_cut(struct disk *disk, enum disk_fate fate, uint64_t seed, struct disk_cut *cut)
{
	int error = -ESHUTDOWN;

	*cut = (struct disk_cut){ 0 };
	pthread_mutex_lock(&disk->lock);
	if (disk->on) {
		disk->on = false;
		disk->power++;
		error = cut_writes(disk, fate, seed, cut);
		disk->counts.cuts++;
		disk->counts.kept += cut->kept;
		disk->counts.dropped += cut->dropped;
		disk->counts.torn += cut->torn;
		pthread_cond_broadcast(&disk->changed);
	}
	pthread_mutex_unlock(&disk->lock);
	return error;
}
