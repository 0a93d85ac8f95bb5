/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int disk_open(struct disk *disk, const char *path, const struct disk_options *options)
{
	pthread_condattr_t monotonic;
	struct stat st;

	memset(disk, 0, sizeof(*disk));
	disk->options = *options;
	disk->fd = open(path, O_RDWR | O_CLOEXEC);
	if (disk->fd < 0)
		return -errno;
	if (fstat(disk->fd, &st)) {
		close(disk->fd);
		return -errno;
	}
	disk->bytes = (uint64_t)st.st_size / DISK_SECTOR * DISK_SECTOR;
	disk->on = true;
	disk->last = &disk->first;
	pthread_mutex_init(&disk->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&disk->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

void disk_close(struct disk *disk)
{
	while (disk->first)
		disk_forget(disk, &disk->first);
	pthread_cond_destroy(&disk->changed);
	pthread_mutex_destroy(&disk->lock);
	close(disk->fd);
}

/* ---- the file ------------------------------------------------------------- */

static int file_read(int fd, uint8_t *data, size_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t n = pread(fd, data, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		bytes -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int file_write(int fd, const uint8_t *data, size_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t n = pwrite(fd, data, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		bytes -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* ---- writes that are not durable -------------------------------------------- */

static struct disk_write *write_new(const void *data, uint32_t bytes, uint64_t offset)
{
	size_t sectors = bytes / DISK_SECTOR;
	struct disk_write *write = malloc(sizeof(*write) + bytes + sectors);

	if (!write)
		return NULL;
	*write = (struct disk_write){ .offset = offset, .bytes = bytes };
	memcpy(write->data, data, bytes);
	write->gone = write->data + bytes;
	memset(write->gone, 0, sectors);
	return write;
}

static void write_add(struct disk *disk, struct disk_write *write)
{
	*disk->last = write;
	disk->last = &write->next;
	disk->counts.pending++;
	disk->counts.pending_bytes += write->bytes;
}

void disk_forget(struct disk *disk, struct disk_write **place)
{
	struct disk_write *write = *place;

	*place = write->next;
	if (disk->last == &write->next)
		disk->last = place;
	disk->counts.pending--;
	disk->counts.pending_bytes -= write->bytes;
	free(write);
}

static struct disk_write **write_place(struct disk *disk, const struct disk_write *write)
{
	struct disk_write **place = &disk->first;

	while (*place != write)
		place = &(*place)->next;
	return place;
}

/* one sector of @write is durable: it is what older ones must not come over */
static void sector_supersedes(struct disk *disk, const struct disk_write *write, uint64_t offset)
{
	for (struct disk_write *old = disk->first; old != write; old = old->next) {
		if (offset >= old->offset && offset < old->offset + old->bytes)
			old->gone[(offset - old->offset) / DISK_SECTOR] = 1;
	}
}

int disk_settle(struct disk *disk, struct disk_write *write, const uint8_t *keep)
{
	uint32_t sectors = write->bytes / DISK_SECTOR, run;
	int error = 0;

	for (uint32_t i = 0; i < sectors && !error; i += run) {
		uint64_t at = (uint64_t)i * DISK_SECTOR;

		for (run = 0; i + run < sectors; run++) {
			if (write->gone[i + run] || (keep && !keep[i + run]))
				break;
			sector_supersedes(disk, write, write->offset + at + run * DISK_SECTOR);
		}
		error = file_write(disk->fd, write->data + at, (size_t)run * DISK_SECTOR,
				   write->offset + at);
		run += !run;
	}
	return error;
}

/* all that was complete at @stamp, oldest first */
static int settle_until(struct disk *disk, uint64_t stamp)
{
	struct disk_write **place = &disk->first;
	int error = 0;

	while (*place && !error) {
		struct disk_write *write = *place;

		if (!write->completed || write->completed > stamp) {
			place = &write->next;
			continue;
		}
		error = disk_settle(disk, write, NULL);
		if (!error)
			disk_forget(disk, place);
	}
	return error;
}

/* a cache is finite: what has been in it for longest goes to the medium */
static int evict(struct disk *disk)
{
	struct disk_write **place = &disk->first;
	int error = 0;

	while (*place && !error && disk->counts.pending_bytes > disk->options.cache_bytes) {
		if (!(*place)->completed) {
			place = &(*place)->next;
			continue;
		}
		error = disk_settle(disk, *place, NULL);
		if (!error) {
			disk_forget(disk, place);
			disk->counts.evicted++;
		}
	}
	return error;
}

/* ---- waiting ---------------------------------------------------------------- */

static bool cut_off(const struct disk *disk, uint64_t power)
{
	return disk->power != power;
}

static void wait_while_held(struct disk *disk, enum disk_hold hold, uint64_t power)
{
	const uint64_t *released = &disk->released[hold == DISK_HOLD_FLUSH];
	uint64_t before = *released;

	if (!(disk->holds & hold))
		return;
	disk->counts.held++;
	while (*released == before && !cut_off(disk, power))
		pthread_cond_wait(&disk->changed, &disk->lock);
	disk->counts.held--;
}

static void wait_for_delay(struct disk *disk, uint64_t power)
{
	uint64_t delay_ns = disk->options.flush_delay_ns;
	struct timespec until;

	if (!delay_ns)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	delay_ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(delay_ns / 1000000000);
	until.tv_nsec = (long)(delay_ns % 1000000000);
	while (!cut_off(disk, power) &&
	       pthread_cond_timedwait(&disk->changed, &disk->lock, &until) != ETIMEDOUT)
		continue;
}

/* all that a flush, or a FUA, waits for; false when the power went meanwhile */
static bool wait_in_line(struct disk *disk, uint64_t power)
{
	disk->counts.flushing++;
	while (disk->options.serial && disk->working && !cut_off(disk, power))
		pthread_cond_wait(&disk->changed, &disk->lock);
	disk->working++;
	if (disk->counts.at_once < disk->working)
		disk->counts.at_once = disk->working;
	wait_while_held(disk, DISK_HOLD_FLUSH, power);
	wait_for_delay(disk, power);
	disk->working--;
	disk->counts.flushing--;
	pthread_cond_broadcast(&disk->changed);
	return !cut_off(disk, power);
}

/* ---- requests --------------------------------------------------------------- */

/* with the lock; without power nothing is done */
static int begin(struct disk *disk)
{
	pthread_mutex_lock(&disk->lock);
	if (disk->on)
		return 0;
	disk->counts.refused++;
	pthread_mutex_unlock(&disk->lock);
	return -ESHUTDOWN;
}

static void read_over(const struct disk_write *write, uint8_t *data, uint32_t bytes,
		      uint64_t offset)
{
	for (uint32_t at = 0; at < write->bytes; at += DISK_SECTOR) {
		uint64_t where = write->offset + at;

		if (where >= offset && where < offset + bytes && !write->gone[at / DISK_SECTOR])
			memcpy(data + (where - offset), write->data + at, DISK_SECTOR);
	}
}

int disk_read(struct disk *disk, void *data, uint32_t bytes, uint64_t offset)
{
	int error = begin(disk);

	if (error)
		return error;
	error = file_read(disk->fd, data, bytes, offset);
	for (const struct disk_write *write = disk->first; write; write = write->next) {
		if (write->offset < offset + bytes && offset < write->offset + write->bytes)
			read_over(write, data, bytes, offset);
	}
	disk->counts.reads++;
	disk->counts.read_bytes += bytes;
	pthread_mutex_unlock(&disk->lock);
	return error;
}

/* the lock is held */
static int write_durably(struct disk *disk, struct disk_write *write, uint64_t power)
{
	int error;

	disk->counts.fua++;
	if (!wait_in_line(disk, power))
		return -ESHUTDOWN;
	if (disk->options.lies & DISK_LIE_FUA) {
		disk->counts.lies++;
		write->completed = ++disk->stamp;
		return 0;
	}
	error = disk_settle(disk, write, NULL);
	if (!error)
		disk_forget(disk, write_place(disk, write));
	return error;
}

int disk_write(struct disk *disk, const void *data, uint32_t bytes, uint64_t offset, bool fua)
{
	struct disk_write *write = write_new(data, bytes, offset);
	uint64_t power;
	int error;

	if (!write)
		return -ENOMEM;
	error = begin(disk);
	if (error) {
		free(write);
		return error;
	}
	power = disk->power;
	disk->counts.writes++;
	disk->counts.written_bytes += bytes;
	write_add(disk, write);
	wait_while_held(disk, DISK_HOLD_WRITE, power);
	/* then a cut has taken it */
	if (cut_off(disk, power))
		error = -ESHUTDOWN;
	else if (fua)
		error = write_durably(disk, write, power);
	else
		write->completed = ++disk->stamp;
	if (!error)
		error = evict(disk);
	pthread_mutex_unlock(&disk->lock);
	return error;
}

int disk_flush(struct disk *disk)
{
	uint64_t stamp;
	int error = begin(disk);

	if (error)
		return error;
	/* what completes from now on is for the next one */
	stamp = disk->stamp;
	disk->counts.flushes++;
	if (!wait_in_line(disk, disk->power))
		error = -ESHUTDOWN;
	else if (disk->options.lies & DISK_LIE_FLUSH)
		disk->counts.lies++;
	else
		error = settle_until(disk, stamp);
	pthread_mutex_unlock(&disk->lock);
	return error;
}

/* ---- what it is told -------------------------------------------------------- */

void disk_on(struct disk *disk)
{
	pthread_mutex_lock(&disk->lock);
	disk->on = true;
	pthread_mutex_unlock(&disk->lock);
}

void disk_hold(struct disk *disk, unsigned int holds)
{
	pthread_mutex_lock(&disk->lock);
	disk->holds = holds;
	pthread_mutex_unlock(&disk->lock);
}

void disk_release(struct disk *disk, unsigned int holds)
{
	pthread_mutex_lock(&disk->lock);
	disk->holds &= ~holds;
	disk->released[0] += !!(holds & DISK_HOLD_WRITE);
	disk->released[1] += !!(holds & DISK_HOLD_FLUSH);
	pthread_cond_broadcast(&disk->changed);
	pthread_mutex_unlock(&disk->lock);
}

void disk_lie(struct disk *disk, unsigned int lies)
{
	pthread_mutex_lock(&disk->lock);
	disk->options.lies = lies;
	pthread_mutex_unlock(&disk->lock);
}

void disk_count(struct disk *disk, struct disk_counts *counts)
{
	pthread_mutex_lock(&disk->lock);
	*counts = disk->counts;
	pthread_mutex_unlock(&disk->lock);
}
