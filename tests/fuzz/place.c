/* SPDX-License-Identifier: BSD-3-Clause */
#include "place.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "fuzz_seal.h"
#include "large.h"

#define LOG_BYTES    (10u << 20)
#define MARKER_BYTES (1u << 20)
#define LANES        2u
#define LINES        12u
#define RING_BYTES   16384u
#define FILL_DIRECT  (470u << 10)
#define FILL_SYNCED  (380u << 10)
#define PUTS         64u
#define PAGE_BYTES   4096u
#define LOG_PAGES    (LOG_BYTES / PAGE_BYTES)
#define FILES_MAX    8u

/* kept from the writer, in memory shared with it */
struct put {
	uint64_t id;
	uint32_t bytes;
	uint8_t fill;
};

struct kept {
	struct put puts[PUTS];
	uint32_t count;
};

/* a medium, what is on it at first, and which file it is */
struct kind {
	struct medium medium;
	uint8_t *first;
	char path[128];
	struct stat about;
};

struct place {
	char dir[80], scheme[8];
	bool digests; /* in NVRAM */
	bool large;   /* transactions in several extents, too */
	struct kind marker, log;
	struct kept *kept;
	bool written;
	uint8_t dirty[LOG_PAGES];
	char conf[512];
	size_t conf_bytes;
	char files[FILES_MAX][32];
	uint32_t file_count;
};

static struct place places[] = {
	{ .scheme = "file" }, { .scheme = "sim", .digests = true }, { .scheme = "sim" },
	{ .scheme = "sim", .digests = true, .large = true },
};

static struct place *current;  /* whose writes are seen */
static uint8_t *pattern;      /* counts up, over and over */
static char base[64];

/* ---- what goes to the media ------------------------------------------------------ */

void __msan_check_mem_is_initialized(const volatile void *at, size_t bytes)
	__attribute__((weak));

static void must_have_values(const void *at, size_t bytes)
{
	if (__msan_check_mem_is_initialized)
		__msan_check_mem_is_initialized(at, bytes);
}

static bool is_of(int fd, const struct kind *kind)
{
	struct stat about;

	return !fstat(fd, &about) && about.st_ino == kind->about.st_ino &&
	       about.st_dev == kind->about.st_dev;
}

static void note_write(int fd, uint64_t offset, uint64_t bytes)
{
	uint64_t page;

	if (!current)
		return;
	current->written = true;
	if (!bytes || !is_of(fd, &current->log))
		return;
	FUZZ_CHECK(offset + bytes <= LOG_BYTES);
	for (page = offset / PAGE_BYTES; page * PAGE_BYTES < offset + bytes; page++)
		current->dirty[page] = 1;
}

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	must_have_values(data, bytes);
	note_write(fd, (uint64_t)offset, bytes);
	return __real_pwrite(fd, data, bytes, offset);
}

ssize_t __real_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < count; i++) {
		must_have_values(iov[i].iov_base, iov[i].iov_len);
		bytes += iov[i].iov_len;
	}
	note_write(fd, (uint64_t)offset, bytes);
	return __real_pwritev2(fd, iov, count, offset, flags);
}

/* NVRAM is written by stores: what stands there in the end is looked at */
static struct {
	void *at;
	size_t bytes;
} mapped[4];

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *map = __real_mmap(at, bytes, protection, flags, fd, offset);
	unsigned int i;

	if (!current || map == MAP_FAILED || fd < 0 || !(protection & PROT_WRITE) ||
	    !is_of(fd, &current->marker))
		return map;
	current->written = true;
	for (i = 0; i < 4 && mapped[i].at; i++)
		;
	FUZZ_CHECK(i < 4);
	mapped[i].at = map;
	mapped[i].bytes = bytes;
	return map;
}

int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (mapped[i].at != at)
			continue;
		must_have_values(at, mapped[i].bytes);
		mapped[i].at = NULL;
	}
	return __real_munmap(at, bytes);
}

/* ---- making the journals ----------------------------------------------------------- */

const uint8_t *place_payload(uint8_t fill)
{
	return pattern + fill;
}

static void note(struct place *place, uint64_t id, uint32_t bytes, uint8_t fill)
{
	FUZZ_CHECK(place->kept->count < PUTS);
	place->kept->puts[place->kept->count++] = (struct put){ id, bytes, fill };
}

static int put(struct place *place, struct journal *j, uint32_t bytes, uint8_t fill)
{
	struct journal_receipt receipt;
	int error;

	error = journal_put(j, place_payload(fill), bytes, &receipt);
	if (!error)
		note(place, receipt.id, bytes, fill);
	return error;
}

static int put_group(struct place *place, struct journal *j, uint8_t fill)
{
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint32_t i;
	int error = journal_begin(j, NULL, &txn);

	for (i = 0; i < 5 && !error; i++) {
		error = journal_append(txn, place_payload((uint8_t)(fill + i)), 100 + i);
		if (!error && i < 4)
			error = journal_group_next(txn);
	}
	if (error)
		return error;
	error = journal_commit(txn, &receipt);
	for (i = 0; i < 5 && !error; i++)
		note(place, receipt.id + i, 100 + i, (uint8_t)(fill + i));
	return error;
}

/* Room of a segment that is not used is looked through, and that takes longest: there is not
 * much left of it.  What is put after that, and is large, needs two extents. */
static int put_fill(struct place *place, struct journal *j)
{
	uint32_t i, bytes = strcmp(place->scheme, "file") ? FILL_DIRECT : FILL_SYNCED;
	int error = 0;

	for (i = 0; i < 2 && !error; i++) {
		error = put(place, j, bytes, (uint8_t)(200 + i));
		if (!error)
			error = journal_retire(j, place->kept->puts[i].id);
	}
	return error;
}

/* one of each kind, some retired, some given up */
static int write_all(struct place *place, struct journal *j)
{
	static const uint32_t sizes[] = { 0, 1, 64, 500, 4096, 300, 9000 };
	static const struct journal_maintain_options all = { .stage_age_ns = 1 };
	struct journal_txn *txn;
	uint32_t i;
	int error = put_fill(place, j);

	for (i = 0; i < 28 && !error; i++) {
		error = put(place, j, sizes[i % 7], (uint8_t)i);
		if (!error && i % 3 == 0)
			error = journal_retire(j, place->kept->puts[place->kept->count - 1].id);
		if (!error && i % 5 == 0 && !journal_begin(j, NULL, &txn)) {
			(void)journal_append(txn, "given up", 8);
			(void)journal_abort(txn);
		}
	}
	if (!error && place->large)
		error = put(place, j, PLACE_PAYLOAD_MAX - 5, 202);
	/* some of what is in the stage goes to the log */
	if (!error && place->large)
		error = journal_maintain(j, &all, NULL);
	return error ? error : put_group(place, j, 100);
}

/* The writer: a process that ends without closing, as after a crash. */
static int write_and_die(struct place *place)
{
	static const struct journal_open_options options = { .flags = JOURNAL_NO_URING };
	struct journal *j;
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (journal_open(place->dir, &options, &j) || write_all(place, j)) {
			fprintf(stderr, "writer: %s\n", journal_error(j));
			_exit(1);
		}
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

/* NVRAM is made smaller than it can be asked for: fewer bytes to copy each time. */
static void shrink(struct place *place)
{
	int fd = open(place->marker.path, O_RDWR | O_CLOEXEC);
	uint8_t *map = mmap(NULL, MARKER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct marker_super *super = (struct marker_super *)map;
	struct marker_geometry g;
	struct marker_state *state;
	const char *why;
	uint32_t i;

	FUZZ_CHECK(fd >= 0 && map != MAP_FAILED &&
		   !marker_super_decode(super, MARKER_BYTES, false, &g, &why));
	g.lanes = LANES;
	g.lines = LINES;
	g.ring_bytes = RING_BYTES;
	g.digests = place->digests ? g.digests : 0;
	marker_geometry_make(&g);
	FUZZ_CHECK(g.bytes <= MARKER_BYTES);
	memset(map, 0xff, MARKER_BYTES);
	for (i = 0; i < MARKER_SUPERS; i++)
		marker_super_encode(&g, &super[i]);
	state = (struct marker_state *)(map + g.state_offset);
	state->incarnation = word_seal(0);
	state->replay_seq = word_seal(0);
	for (i = 0; i < g.lanes; i++)
		((struct marker_lane *)(map + g.lanes_offset))[i].tail = word_seal(0);
	(void)munmap(map, MARKER_BYTES);
	FUZZ_CHECK(!ftruncate(fd, (off_t)round_up(g.bytes, PAGE_BYTES)));
	(void)close(fd);
}

static void kind_make(struct kind *kind)
{
	FUZZ_CHECK(!medium_map(&kind->medium, kind->path) && !stat(kind->path, &kind->about));
	kind->first = malloc(kind->medium.bytes);
	FUZZ_CHECK(kind->first);
	memcpy(kind->first, kind->medium.map, kind->medium.bytes);
}

static void remember_files(struct place *place)
{
	char path[128];
	struct dirent *entry;
	DIR *files = opendir(place->dir);
	int fd;

	FUZZ_CHECK(files);
	while ((entry = readdir(files))) {
		FUZZ_CHECK(place->file_count < FILES_MAX && strlen(entry->d_name) < 32);
		strcpy(place->files[place->file_count++], entry->d_name);
	}
	(void)closedir(files);
	snprintf(path, sizeof(path), "%s/journal.conf", place->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	place->conf_bytes = (size_t)read(fd, place->conf, sizeof(place->conf));
	FUZZ_CHECK(place->conf_bytes < sizeof(place->conf));
	(void)close(fd);
}

static void place_make(struct place *place, unsigned int number)
{
	struct journal_format_options options = {
		.log_bytes = LOG_BYTES,
		.marker_bytes = MARKER_BYTES,
		.require = JOURNAL_CLASS_PROCESS,
		.mode = 0600,
	};
	char uri[160], message[256];

	place->kept = mmap(NULL, sizeof(*place->kept), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FUZZ_CHECK(place->kept != MAP_FAILED);
	snprintf(place->dir, sizeof(place->dir), "%s/%u", base, number);
	snprintf(place->marker.path, sizeof(place->marker.path), "%s/%u.markers", base, number);
	snprintf(place->log.path, sizeof(place->log.path), "%s/log", place->dir);
	snprintf(uri, sizeof(uri), "%s:%s", place->scheme, place->marker.path);
	options.marker = uri;
	if (journal_format(place->dir, &options, message, sizeof(message)))
		fprintf(stderr, "%s\n", message);
	if (strcmp(place->scheme, "file"))
		shrink(place);
	FUZZ_CHECK(!write_and_die(place));
	kind_make(&place->marker);
	kind_make(&place->log);
	remember_files(place);
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
	uint32_t i;

	snprintf(base, sizeof(base), "%s/jnl-fuzz.XXXXXX", tmp);
	FUZZ_CHECK(mkdtemp(base));
	atexit(clean_up);
	pattern = malloc(PLACE_PAYLOAD_MAX + 256);
	FUZZ_CHECK(pattern);
	for (i = 0; i < PLACE_PAYLOAD_MAX + 256; i++)
		pattern[i] = (uint8_t)i;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		place_make(&places[i], i);
	large_begin();
}

struct place *place_of(unsigned int which)
{
	/* what is large takes longest */
	static const uint8_t often[] = { 0, 1, 2, 0, 1, 2, 1, 3 };

	if (!pattern)
		make_all();
	current = &places[often[which % sizeof(often)]];
	return current;
}

const char *place_dir(const struct place *place)
{
	return place->dir;
}

/* ---- patches, and all as it was ------------------------------------------------------ */

bool place_patch(struct place *place, struct fuzz_input *in)
{
	unsigned int patches;
	bool sealed = false;

	for (patches = 0; patches < UNDO_MAX / 4 && in->bytes > 3; patches++)
		sealed |= medium_patch(&place->marker.medium, &place->log.medium, in);
	return sealed;
}

void place_conf(struct place *place, const void *text, size_t bytes)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/journal.conf", place->dir);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && __real_pwrite(fd, text, bytes, 0) == (ssize_t)bytes);
	(void)close(fd);
	place->written = true;
}

static void restore_length(const struct kind *kind)
{
	struct stat about;

	FUZZ_CHECK(!stat(kind->path, &about) && about.st_ino == kind->about.st_ino);
	if ((uint64_t)about.st_size != kind->medium.bytes)
		FUZZ_CHECK(!truncate(kind->path, (off_t)kind->medium.bytes));
}

static bool is_first(const struct place *place, const char *name)
{
	uint32_t i;

	for (i = 0; i < place->file_count; i++)
		if (!strcmp(place->files[i], name))
			return true;
	return false;
}

static void restore_files(struct place *place)
{
	char path[400], text[sizeof(place->conf)];
	struct dirent *entry;
	DIR *files = opendir(place->dir);
	ssize_t got;
	int fd;

	FUZZ_CHECK(files);
	while ((entry = readdir(files))) {
		if (is_first(place, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", place->dir, entry->d_name);
		FUZZ_CHECK(!unlink(path));
	}
	(void)closedir(files);
	snprintf(path, sizeof(path), "%s/journal.conf", place->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	got = read(fd, text, sizeof(text));
	if (got != (ssize_t)place->conf_bytes || memcmp(text, place->conf, (size_t)got))
		FUZZ_CHECK(!ftruncate(fd, 0) &&
			   __real_pwrite(fd, place->conf, place->conf_bytes, 0) ==
				   (ssize_t)place->conf_bytes);
	(void)close(fd);
}

void place_restore(struct place *place)
{
	uint32_t page;

	FUZZ_CHECK(!large_in_use());
	medium_undo_all();
	if (!place->written)
		return;
	place->written = false;
	restore_length(&place->marker);
	restore_length(&place->log);
	restore_files(place);
	memcpy(place->marker.medium.map, place->marker.first, place->marker.medium.bytes);
	for (page = 0; page < LOG_PAGES; page++) {
		if (!place->dirty[page])
			continue;
		place->dirty[page] = 0;
		memcpy(place->log.medium.map + (uint64_t)page * PAGE_BYTES,
		       place->log.first + (uint64_t)page * PAGE_BYTES, PAGE_BYTES);
	}
}

/* ---- looking ----------------------------------------------------------------------- */

static void must_be_what_was_put(const struct place *place, uint64_t id, const uint8_t *data,
				 size_t bytes)
{
	const struct kept *kept = place->kept;
	uint32_t i;

	for (i = 0; i < kept->count && kept->puts[i].id != id; i++)
		;
	FUZZ_CHECK(i < kept->count && kept->puts[i].bytes == bytes &&
		   !memcmp(data, place_payload(kept->puts[i].fill), bytes));
}

void place_look(const struct place *place, struct journal *j, bool sealed,
		struct place_list *list)
{
	static uint8_t buffer[PLACE_PAYLOAD_MAX];
	struct journal_entry entry = { .id = 0 };
	struct place_seen seen;
	struct journal_info info;
	uint64_t before = 0;
	uint32_t count = 0;
	size_t got;
	int error;

	for (; !journal_next(j, before, &entry); before = entry.id, count++) {
		FUZZ_CHECK(entry.id > before && count < 1 << 20);
		got = 0;
		error = journal_read(j, entry.id, buffer, sizeof(buffer), &got);
		FUZZ_CHECK(!error || error == -EBADMSG || (error == -ENOBUFS && sealed));
		FUZZ_CHECK(error || (entry.state == JOURNAL_LIVE && got == entry.bytes));
		if (!error && !sealed)
			must_be_what_was_put(place, entry.id, buffer, got);
		seen = (struct place_seen){ .id = entry.id, .damaged = error == -EBADMSG,
					    .bytes = entry.bytes };
		if (!error)
			seen.sum = crc32c(~0u, buffer, got);
		if (list && count < PLACE_SEEN_MAX)
			list->seen[count] = seen;
	}
	FUZZ_CHECK(!journal_info(j, &info) && info.live + info.lost >= count);
	if (list)
		list->count = count;
}
