/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole journal: a small one is made, its writer ends without closing it, and
 * then bytes of its markers and log are overwritten, with checksums made to
 * hold again or not, and it is opened read-only, listed, read and checked.
 *
 * Whatever the bytes: no crash, no endless list, no error that is not
 * documented.  And as long as no checksum was made to hold, what can be read
 * under an id is what was put under it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "fuzz_seal.h"
#include "journal.h"

#define LOG_BYTES    (16u << 20)
#define MARKER_BYTES (4u << 20)
#define PUTS         60u
#define PAYLOAD_MAX  (1200u << 10) /* more than one extent holds */

/* kept from the writer, in memory shared with it */
struct put {
	uint64_t id;
	uint32_t bytes;
	uint8_t fill;
};

struct image {
	char dir[64];
	bool there;
	struct medium marker, log;
	struct put *puts;
	uint32_t *put_count;
};

static struct image images[2]; /* file: and sim:, with a stage and bits */
static uint8_t *buffer;
static uint8_t *pattern; /* counts up, over and over */
static char base[64];

/* ---- making the journals ----------------------------------------------- */

static const uint8_t *payload(uint8_t fill)
{
	return pattern + fill;
}

static void make_pattern(void)
{
	uint32_t i;

	pattern = malloc(PAYLOAD_MAX + 256);
	FUZZ_CHECK(pattern);
	for (i = 0; i < PAYLOAD_MAX + 256; i++)
		pattern[i] = (uint8_t)i;
}

static void note(struct image *image, uint64_t id, uint32_t bytes, uint8_t fill)
{
	image->puts[(*image->put_count)++] = (struct put){ id, bytes, fill };
}

static int put(struct image *image, struct journal *j, uint32_t bytes, uint8_t fill)
{
	struct journal_receipt receipt;
	int error;

	error = journal_put(j, payload(fill), bytes, &receipt);
	if (!error)
		note(image, receipt.id, bytes, fill);
	return error;
}

static int put_group(struct image *image, struct journal *j, uint8_t fill)
{
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint32_t i;
	int error = journal_begin(j, NULL, &txn);

	for (i = 0; i < 5 && !error; i++) {
		error = journal_append(txn, payload((uint8_t)(fill + i)), 100 + i);
		if (!error && i < 4)
			error = journal_group_next(txn);
	}
	if (error)
		return error;
	error = journal_commit(txn, &receipt);
	for (i = 0; i < 5 && !error; i++)
		note(image, receipt.id + i, 100 + i, (uint8_t)(fill + i));
	return error;
}

/* one of each kind, some retired, some given up */
static int write_all(struct image *image, struct journal *j)
{
	static const uint32_t sizes[] = { 0, 1, 64, 500, 4096, 20000, 100000 };
	struct journal_txn *txn;
	uint32_t i;
	int error = 0;

	for (i = 0; i < 28 && !error; i++) {
		error = put(image, j, sizes[i % 7], (uint8_t)i);
		if (!error && i % 3 == 0)
			error = journal_retire(j, image->puts[i].id);
		if (!error && i % 5 == 0 && !journal_begin(j, NULL, &txn)) {
			(void)journal_append(txn, "given up", 8);
			(void)journal_abort(txn);
		}
	}
	if (!error)
		error = put_group(image, j, 100);
	if (!error)
		error = put(image, j, PAYLOAD_MAX - 5, 200); /* in several extents */
	return error;
}

/* The writer: a process that ends without closing, as after a crash. */
static int write_and_die(struct image *image)
{
	struct journal *j;
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (journal_open(image->dir, NULL, &j) || write_all(image, j)) {
			fprintf(stderr, "writer: %s\n", journal_error(j));
			_exit(1);
		}
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static void image_make(struct image *image, const char *scheme)
{
	struct journal_format_options options = {
		.log_bytes = LOG_BYTES,
		.marker_bytes = MARKER_BYTES,
		.require = JOURNAL_CLASS_PROCESS,
	};
	char uri[128], path[128], message[256];

	image->puts = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FUZZ_CHECK(image->puts != MAP_FAILED);
	image->put_count = (uint32_t *)(image->puts + PUTS);
	snprintf(image->dir, sizeof(image->dir), "%s/%s", base, scheme);
	snprintf(uri, sizeof(uri), "%s:%s/%s.markers", scheme, base, scheme);
	options.marker = uri;
	if (journal_format(image->dir, &options, message, sizeof(message))) {
		fprintf(stderr, "%s\n", message);
		return;
	}
	FUZZ_CHECK(!write_and_die(image));
	snprintf(path, sizeof(path), "%s/%s.markers", base, scheme);
	FUZZ_CHECK(!medium_map(&image->marker, path));
	snprintf(path, sizeof(path), "%s/log", image->dir);
	FUZZ_CHECK(!medium_map(&image->log, path));
	image->there = true;
}

static void clean_up(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	if (system(command))
		fprintf(stderr, "%s is left behind\n", base);
}

static void make_all(void)
{
	const char *tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(base, sizeof(base), "%s/jnl-fuzz.XXXXXX", tmp);
	FUZZ_CHECK(mkdtemp(base));
	atexit(clean_up);
	buffer = malloc(PAYLOAD_MAX);
	FUZZ_CHECK(buffer);
	make_pattern();
	image_make(&images[0], "file");
	image_make(&images[1], "sim");
	FUZZ_CHECK(images[0].there && images[1].there);
}

/* ---- looking at one ------------------------------------------------------ */

static const struct journal_open_options quick = {
	.flags = JOURNAL_RDONLY | JOURNAL_NO_URING,
	.recover_threads = 1,
};

static const struct put *put_of(const struct image *image, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < *image->put_count; i++)
		if (image->puts[i].id == id)
			return &image->puts[i];
	return NULL;
}

static void must_be_what_was_put(const struct image *image, uint64_t id, size_t got)
{
	const struct put *p = put_of(image, id);

	FUZZ_CHECK(p && p->bytes == got && !memcmp(buffer, payload(p->fill), got));
}

static void read_one(const struct image *image, struct journal *j,
		     const struct journal_entry *entry, bool sealed)
{
	size_t got = 0;
	int error = journal_read(j, entry->id, buffer, PAYLOAD_MAX, &got);

	if (error) {
		FUZZ_CHECK(error == -EBADMSG || (error == -ENOBUFS && sealed));
		return;
	}
	FUZZ_CHECK(entry->state == JOURNAL_LIVE && got == entry->bytes);
	if (!sealed)
		must_be_what_was_put(image, entry->id, got);
}

static void read_all(const struct image *image, bool sealed)
{
	struct journal_entry entry = { .id = 0 };
	struct journal_info info;
	uint64_t before = 0, count = 0;
	struct journal *j = NULL;
	int error = journal_open(image->dir, &quick, &j);

	FUZZ_CHECK(!error || strlen(journal_error(j)) > 0);
	FUZZ_CHECK(!error || error == -EUCLEAN || error == -EPROTO || error == -EXDEV ||
		   error == -ENOENT || error == -EPERM);
	while (!error && !journal_next(j, before, &entry)) {
		FUZZ_CHECK(entry.id > before && count++ < 1 << 20);
		before = entry.id;
		read_one(image, j, &entry, sealed);
	}
	if (!error)
		FUZZ_CHECK(!journal_info(j, &info) && info.live + info.lost >= count);
	journal_close(j);
}

static void found(void *context, const struct journal_finding *finding)
{
	*(int *)context += finding->damage;
	FUZZ_CHECK(finding->text && finding->text[0]);
}

static void check(const struct image *image)
{
	char message[256] = "";
	int damage = 0, error;

	error = journal_check(image->dir, &quick, found, &damage, message, sizeof(message));
	FUZZ_CHECK(error || !damage);
	FUZZ_CHECK(!error || error == -EUCLEAN || message[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	struct image *image;
	unsigned int how, patches;
	bool sealed = false;

	if (!buffer)
		make_all();
	how = fuzz_byte(&in);
	image = &images[how & 1];
	for (patches = 0; patches < UNDO_MAX / 4 && in.bytes > 3; patches++)
		sealed |= medium_patch(&image->marker, &image->log, &in);
	read_all(image, sealed);
	if (how & 2)
		check(image);
	medium_undo_all();
	return 0;
}
