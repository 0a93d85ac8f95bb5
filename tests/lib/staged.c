/* SPDX-License-Identifier: BSD-3-Clause */
#include "staged.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

static char base[128], dir[160];
struct staged_said *staged_said;
uint8_t *staged_image;
struct marker_geometry staged_geometry;
struct journal *staged_journal;

int staged_share(void **state)
{
	(void)state;
	staged_said = mmap(NULL, sizeof(*staged_said), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return staged_said == MAP_FAILED ? -1 : 0;
}

/* ---- writers ------------------------------------------------------------------------- */

static int begin(struct journal *j, struct journal_txn **txn)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_STAGED };

	return journal_begin(j, &options, txn);
}

int staged_put(struct journal *j, uint32_t bytes)
{
	static const uint8_t data[STAGED_BYTES];
	struct journal_receipt receipt;
	struct journal_txn *txn;

	if (begin(j, &txn) || journal_append(txn, data, bytes) || journal_commit(txn, &receipt) ||
	    receipt.path != JOURNAL_PATH_STAGED)
		return 1;
	staged_said->ids[staged_said->count++] = receipt.id;
	return 0;
}

int staged_put_group(struct journal *j, uint32_t count)
{
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint32_t i;

	if (begin(j, &txn))
		return 1;
	for (i = 0; i < count; i++)
		if ((i && journal_group_next(txn)) || journal_append(txn, "in a group", 10))
			return 1;
	if (journal_commit(txn, &receipt) || receipt.path != JOURNAL_PATH_STAGED)
		return 1;
	for (i = 0; i < count; i++)
		staged_said->ids[staged_said->count++] = receipt.id + i;
	return 0;
}

int staged_puts(struct journal *j, uint32_t count, uint32_t bytes)
{
	while (count--)
		if (staged_put(j, bytes))
			return 1;
	return 0;
}

int staged_open(struct journal **j)
{
	return journal_open(dir, NULL, j);
}

/* ---- around a test ------------------------------------------------------------------- */

void staged_in_a_process(int (*work)(void))
{
	cpu_set_t set;
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		/* lanes are picked by processor: one is enough */
		CPU_ZERO(&set);
		CPU_SET(0, &set);
		(void)sched_setaffinity(0, sizeof(set), &set);
		_exit(work() ? 1 : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int staged_make(void **state)
{
	struct journal_format_options options = {
		.log_bytes = 32 << 20, .marker_bytes = STAGED_IMAGE,
		.require = JOURNAL_CLASS_PROCESS,
	};
	const char *tmp = getenv("TMPDIR"), *why;
	char uri[200], message[512] = "", path[200];
	int fd;

	(void)state;
	staged_said->count = 0;
	snprintf(base, sizeof(base), "%s/names.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/j", base);
	snprintf(uri, sizeof(uri), "sim:%s/nvram", base);
	options.marker = uri;
	if (journal_format(dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	snprintf(path, sizeof(path), "%s/nvram", base);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	staged_image = mmap(NULL, STAGED_IMAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(staged_image != MAP_FAILED);
	close(fd);
	assert_int_equal(marker_super_decode((struct marker_super *)staged_image, STAGED_IMAGE,
					     false, &staged_geometry, &why), 0);
	return 0;
}

int staged_drop(void **state)
{
	char command[200];

	(void)state;
	journal_close(staged_journal);
	staged_journal = NULL;
	munmap(staged_image, STAGED_IMAGE);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

/* ---- the image ------------------------------------------------------------------------ */

struct marker_lane *staged_lane(uint32_t lane)
{
	return (struct marker_lane *)(staged_image + staged_geometry.lanes_offset) + lane;
}

struct marker_line *staged_line(uint32_t line)
{
	return (struct marker_line *)(staged_image + staged_geometry.lines_offset) + line;
}

/* that verifies, at or above its lane's tail */
bool staged_header_at(uint64_t at, struct stage_meta *meta)
{
	const struct stage_record *record = (struct stage_record *)(staged_image + at);
	uint64_t ring = staged_geometry.ring_bytes, tail;
	uint64_t offset = at - staged_geometry.stage_offset;
	uint64_t position = stage_position(record);
	uint32_t lane = (uint32_t)(offset / ring);

	return !word_unseal(staged_lane(lane)->tail, &tail) && position >= tail &&
	       !stage_decode(record, stage_seed(staged_geometry.nonce, lane), position,
			     ring - offset % ring, meta);
}

uint32_t staged_lane_of(const struct stage_record *record)
{
	uint64_t at = (uint64_t)((const uint8_t *)record - staged_image);

	return (uint32_t)((at - staged_geometry.stage_offset) / staged_geometry.ring_bytes);
}

struct stage_record *staged_header(enum stage_type type, uint64_t id)
{
	struct stage_meta meta;
	uint64_t at;

	for (at = staged_geometry.stage_offset; at < staged_geometry.bytes; at += STAGE_ALIGN)
		if (staged_header_at(at, &meta) && meta.type == type &&
		    (type == STAGE_VOID || meta.id == id))
			return (struct stage_record *)(staged_image + at);
	fail_msg("no record of %llx", (unsigned long long)id);
	return NULL;
}

struct stage_record *staged_record(uint32_t which)
{
	return staged_header(STAGE_DATA, staged_said->ids[which]);
}

void staged_spoil(struct stage_record *record)
{
	memset(record, 0, sizeof(*record));
}

/* ---- what is told ---------------------------------------------------------------------- */

static void found(void *context, const struct journal_finding *finding)
{
	*(int *)context += finding->damage;
}

int staged_check(void)
{
	int damage = 0, error = journal_check(dir, NULL, found, &damage, NULL, 0);

	assert_true(!error == !damage);
	return error;
}

void staged_counts_are(uint64_t lost, uint64_t unnamed)
{
	struct journal_info info;

	if (!staged_journal && journal_open(dir, NULL, &staged_journal))
		fail_msg("%s", journal_error(staged_journal));
	assert_int_equal(journal_info(staged_journal, &info), 0);
	assert_int_equal(info.lost, lost);
	assert_int_equal(info.lost_unnamed, unnamed);
	assert_int_equal(info.torn, 0);
}

int staged_state(uint32_t which)
{
	struct journal_entry entry;

	if (journal_lookup(staged_journal, staged_said->ids[which], &entry))
		return 0;
	return (int)entry.state;
}

/* [@from, @to) are; of all others each lives, or was retired */
void staged_lost_are(uint32_t from, uint32_t to)
{
	uint32_t i;

	for (i = 0; i < staged_said->count; i++)
		if (i >= from && i < to)
			assert_int_equal(staged_state(i), JOURNAL_LOST);
		else
			assert_int_not_equal(staged_state(i), JOURNAL_LOST);
}

void staged_close(void)
{
	assert_int_equal(journal_close(staged_journal), 0);
	staged_journal = NULL;
}
