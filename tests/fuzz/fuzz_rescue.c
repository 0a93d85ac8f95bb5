/* SPDX-License-Identifier: BSD-3-Clause */
/* link: tools tests/fuzz/place.c -Wl,--wrap=pwrite,--wrap=pwritev2,--wrap=mmap,--wrap=munmap */
/* link: tests/fuzz/large.c -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free */
/* link: tests/fuzz/values.c -Wl,--wrap=posix_memalign,--wrap=statx,--wrap=preadv2 */
/* link: -Wl,--wrap=journal_open,--wrap=sink_write,--wrap=output_write */
/* address only */
/*
 * A whole journal, its bytes overwritten as for `recover`: jnl rescue makes one of what its
 * log has, which opens then, or jnl export writes it all as tar, batch SMTP or mbox.  What
 * was written as tar is read again: it is what a reader of the journal sees.
 * (MemorySanitizer knows nothing of libarchive and json-c.)
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "place.h"
#include "tools/jnl.h"
#include "tools/reader.h"
#include "tools/sink.h"
#include "util/crc32c.h"

#define OUT_BYTES (4u << 20)

static uint8_t out[OUT_BYTES];
static size_t out_bytes;
static bool told;

int __wrap_sink_write(struct sink *sink, const void *data, size_t bytes);
int __wrap_sink_write(struct sink *sink, const void *data, size_t bytes)
{
	(void)sink;
	FUZZ_CHECK(bytes <= sizeof(out) - out_bytes);
	if (bytes)
		memcpy(out + out_bytes, data, bytes);
	out_bytes += bytes;
	return 0;
}

int __wrap_output_write(int fd, const void *data, size_t bytes);
int __wrap_output_write(int fd, const void *data, size_t bytes)
{
	if (fd != STDERR_FILENO)
		return 0;
	FUZZ_CHECK(bytes > 6 && !memcmp(data, "jnl: ", 5));
	told = true;
	return 0;
}

/* one thread, and no ring of the kernel: both are made anew for each input */
extern __typeof__(journal_open) __real_journal_open, __wrap_journal_open;
int __wrap_journal_open(const char *dir, const struct journal_open_options *options,
			struct journal **journal)
{
	struct journal_open_options quick = options ? *options : (struct journal_open_options){ 0 };

	quick.flags |= JOURNAL_NO_URING;
	quick.recover_threads = 1;
	return __real_journal_open(dir, &quick, journal);
}

static struct place_list list;

static int look(const struct place *place, bool sealed)
{
	static const struct journal_open_options quick = { .flags = JOURNAL_RDONLY };
	struct journal *j = NULL;
	int error = journal_open(place_dir(place), &quick, &j);

	list.count = 0;
	if (!error)
		place_look(place, j, sealed, &list);
	journal_close(j);
	return error;
}

static void rescue(struct place *place, bool sealed, bool force)
{
	char name[] = "rescue", yes[] = "--yes", with[] = "--force", dir[128];
	char *argv[] = { name, yes, dir, force ? with : NULL, NULL };
	int status;

	snprintf(dir, sizeof(dir), "%s", place_dir(place));
	status = cmd_rescue(force ? 4 : 3, argv);
	FUZZ_CHECK(status == JNL_DONE || (status == JNL_REFUSED && told));
	if (status == JNL_DONE)
		FUZZ_CHECK(!look(place, sealed));
}

static void must_be_what_is_seen(void)
{
	struct reader reader;
	struct input input;
	uint32_t i;

	FUZZ_CHECK(!input_open_memory(&input, out, out_bytes));
	reader_init(&reader, &input, PLACE_PAYLOAD_MAX + (64u << 20));
	for (i = 0; i < list.count; i++) {
		if (list.seen[i].damaged)
			continue;
		FUZZ_CHECK(tar_next(&reader) == 1 && reader.bytes == list.seen[i].bytes);
		FUZZ_CHECK(crc32c(~0u, reader.data, reader.bytes) == list.seen[i].sum);
	}
	FUZZ_CHECK(tar_next(&reader) == 0);
	reader_free(&reader);
	input_close(&input);
}

static void export(struct place *place, bool sealed, unsigned int form)
{
	static const char *const forms[] = { "tar", "bsmtp", "mbox", "tar" };
	char name[] = "export", as[16], inexact[] = "--inexact", dir[128];
	char *argv[] = { name, as, inexact, dir, NULL };
	int status;

	snprintf(dir, sizeof(dir), "%s", place_dir(place));
	snprintf(as, sizeof(as), "--as=%s", forms[form]);
	out_bytes = 0;
	status = cmd_export(4, argv);
	FUZZ_CHECK(status == JNL_DONE || told);
	FUZZ_CHECK(status == JNL_DONE || status == JNL_REFUSED || status == JNL_DAMAGE);
	if (status == JNL_REFUSED || strcmp(forms[form], "tar"))
		return;
	FUZZ_CHECK(!look(place, sealed));
	must_be_what_is_seen();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	struct place *place = place_of(how >> 4);
	bool sealed = place_patch(place, &in);

	told = false;
	if (how & 1)
		rescue(place, sealed, how & 2);
	else
		export(place, sealed, how >> 1 & 3);
	place_restore(place);
	return 0;
}
