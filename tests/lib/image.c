/* SPDX-License-Identifier: BSD-3-Clause */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

char image_dir[160];
static char base[128];
uint64_t *image_ids;
uint8_t *image_map;
struct log_geometry image_geometry;
struct journal *image_journal;
static enum journal_path path_wanted;

void image_payload(uint8_t *to, uint32_t which)
{
	uint32_t i;

	for (i = 0; i < IMAGE_BYTES; i++)
		to[i] = (uint8_t)(which * 37 + i);
}

int image_put(struct journal *j, uint32_t which, uint64_t *id)
{
	struct journal_txn_options options = { .path = path_wanted, .bytes = IMAGE_BYTES };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t data[IMAGE_BYTES];

	image_payload(data, which);
	if (journal_begin(j, &options, &txn) || journal_append(txn, data, IMAGE_BYTES) ||
	    journal_commit(txn, &receipt))
		return -EIO;
	*id = receipt.id;
	return 0;
}

void image_in_a_process(int (*work)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(work() ? 1 : 0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int put_all(void)
{
	struct journal *j;
	uint32_t i;

	if (journal_open(image_dir, NULL, &j))
		return 1;
	for (i = 0; i < IMAGE_PUTS; i++)
		if (image_put(j, i, &image_ids[i]))
			return 1;
	return 0;
}

static void image_load(void)
{
	const char *why;
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/log", image_dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	image_map = mmap(NULL, IMAGE_LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(image_map != MAP_FAILED);
	close(fd);
	assert_int_equal(log_super_decode((struct log_super *)image_map, IMAGE_LOG_BYTES, false,
					  &image_geometry, &why), 0);
}

static int image_make(const char *scheme, enum journal_path path)
{
	struct journal_format_options options = {
		.log_bytes = IMAGE_LOG_BYTES, .marker_bytes = 2 << 20,
		.require = JOURNAL_CLASS_PROCESS,
	};
	const char *tmp = getenv("TMPDIR");
	char uri[200], message[512] = "";

	path_wanted = path;
	snprintf(base, sizeof(base), "%s/log.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(base));
	snprintf(image_dir, sizeof(image_dir), "%s/j", base);
	snprintf(uri, sizeof(uri), "%s:%s/markers", scheme, base);
	options.marker = uri;
	if (journal_format(image_dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	image_in_a_process(put_all);
	image_load();
	return 0;
}

int image_synced(void **state)
{
	(void)state;
	return image_make("file", JOURNAL_PATH_SYNCED);
}

int image_synced_bits(void **state)
{
	(void)state;
	return image_make("sim", JOURNAL_PATH_SYNCED);
}

int image_direct(void **state)
{
	(void)state;
	return image_make("sim", JOURNAL_PATH_DIRECT);
}

int image_drop(void **state)
{
	char command[200];

	(void)state;
	journal_close(image_journal);
	image_journal = NULL;
	munmap(image_map, IMAGE_LOG_BYTES);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

struct log_record *image_record_of(uint64_t id)
{
	struct log_record *record;
	uint64_t at;

	for (at = image_geometry.segments_offset; at < IMAGE_LOG_BYTES; at += LOG_RECORD_ALIGN) {
		record = (struct log_record *)(image_map + at);
		if (get_le16(record->magic) == LOG_RECORD_MAGIC && get_le64(record->id) == id &&
		    record->type != LOG_RETIRE)
			return record;
	}
	fail_msg("no record of %llx", (unsigned long long)id);
	return NULL;
}

uint8_t *image_payload_of(uint64_t id)
{
	return (uint8_t *)(image_record_of(id) + 1);
}

void image_open(void)
{
	if (journal_open(image_dir, NULL, &image_journal))
		fail_msg("%s", journal_error(image_journal));
}

void image_is_there(uint32_t which)
{
	uint8_t wanted[IMAGE_BYTES], got[IMAGE_BYTES];
	size_t bytes;

	image_payload(wanted, which);
	assert_int_equal(journal_read(image_journal, image_ids[which], got, sizeof(got),
				      &bytes), 0);
	assert_int_equal(bytes, IMAGE_BYTES);
	assert_memory_equal(got, wanted, IMAGE_BYTES);
}

void image_all_but(uint32_t missing)
{
	uint32_t i;

	for (i = 0; i < IMAGE_PUTS; i++)
		if (i != missing)
			image_is_there(i);
}

static void found(void *context, const struct journal_finding *finding)
{
	*(int *)context += finding->damage;
}

int image_check(void)
{
	int damage = 0, error = journal_check(image_dir, NULL, found, &damage, NULL, 0);

	assert_true(!error == !damage);
	return error;
}

void image_counts_are(uint64_t live, uint64_t lost, uint64_t unnamed, uint64_t torn)
{
	struct journal_info info;

	assert_int_equal(journal_info(image_journal, &info), 0);
	assert_int_equal(info.live, live);
	assert_int_equal(info.lost, lost);
	assert_int_equal(info.lost_unnamed, unnamed);
	assert_int_equal(info.torn, torn);
}

void image_is_lost(uint32_t which)
{
	struct journal_entry entry;

	assert_int_equal(journal_lookup(image_journal, image_ids[which], &entry), 0);
	assert_int_equal(entry.state, JOURNAL_LOST);
}

void image_is_gone(uint32_t which)
{
	struct journal_entry entry;

	assert_int_equal(journal_lookup(image_journal, image_ids[which], &entry), -ENOENT);
}

int image_fill_segments(void)
{
	static uint8_t much[100000];
	struct journal_receipt receipt;
	struct journal *j;
	uint32_t i;

	if (journal_open(image_dir, NULL, &j))
		return 1;
	for (i = 0; i < 15; i++)
		if (journal_put(j, much, sizeof(much), &receipt))
			return 1;
	return 0;
}

int image_group_and_one_more(void)
{
	const struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct journal *j;
	uint32_t i;
	int error = journal_open(image_dir, NULL, &j);

	if (!error)
		error = journal_begin(j, &options, &txn);
	for (i = 0; i < IMAGE_GROUP && !error; i++) {
		error = i ? journal_group_next(txn) : 0;
		if (!error)
			error = journal_append(txn, "a message", 9);
	}
	if (!error)
		error = journal_commit(txn, &receipt);
	for (i = 0; i < IMAGE_GROUP; i++)
		image_ids[IMAGE_PUTS + i] = receipt.id + i;
	return error ? error : image_put(j, 9, &image_ids[IMAGE_PUTS + IMAGE_GROUP]);
}

uint8_t *image_segment_of(uint32_t which)
{
	uint64_t offset = (uint64_t)((uint8_t *)image_record_of(image_ids[which]) - image_map) -
			  image_geometry.segments_offset;

	return image_map + image_geometry.segments_offset + offset / image_geometry.segment_bytes *
						  image_geometry.segment_bytes;
}


int image_share(void **state)
{
	(void)state;
	image_ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return image_ids == MAP_FAILED ? -1 : 0;
}

int image_unshare(void **state)
{
	(void)state;
	return munmap(image_ids, 4096);
}
