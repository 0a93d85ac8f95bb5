/* SPDX-License-Identifier: BSD-3-Clause */
/* address only */
/* link: tools tests/fuzz/place.c -Wl,--wrap=pwrite,--wrap=pwritev2,--wrap=mmap,--wrap=munmap */
/* link: tests/fuzz/large.c -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free */
/* link: tests/fuzz/values.c -Wl,--wrap=posix_memalign,--wrap=statx,--wrap=preadv2 */
/* link: -Wl,--wrap=progress_report,--wrap=output_write */
/*
 * jnl dump of a journal whose media are overwritten as for `recover`, or whose journal.conf
 * is: it opens nothing as a journal, and shows whatever is there.  (MemorySanitizer knows
 * nothing of what libc's argp hands to the command.)
 */
#include <stdio.h>
#include <unistd.h>

#include "fuzz_words.h"
#include "place.h"
#include "tools/jnl.h"

#define CONF_BYTES 8192u
#define LINES_MAX  8u
#define READS_MAX  20000u /* an honest dump of so many media makes some hundred each */

/* no path leads out of the journal's own directory and the one above it */
static const char *const words[FUZZ_WORDS] = {
	"marker = file:../0.markers\n", "marker = sim:../1.markers\n", "log = log\n",
	"log = -\n", "mirror = log\n", "segments = 0-3\n", "segments = 0 ", "segments", "marker",
	"log", "mirror", " = ", "4294967295", "18446744073709551615", "-", "marker = file:log\n",
};

static unsigned int reads;
static bool told;

void __wrap_progress_report(void *progress, uint64_t done, uint64_t total);
void __wrap_progress_report(void *progress, uint64_t done, uint64_t total)
{
	(void)progress;
	(void)done;
	(void)total;
	FUZZ_CHECK(++reads < READS_MAX);
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

static void conf_words(struct place *place, struct fuzz_input *in)
{
	static char text[CONF_BYTES];
	size_t i, bytes = fuzz_words(in, words, text, sizeof(text)), lines = 0;

	for (i = 0; i < bytes && lines < LINES_MAX; i++) {
		lines += text[i] == '\n';
		if (text[i] == '/' && (i < 2 || memcmp(text + i - 2, "..", 2)))
			text[i] = '.';
	}
	place_conf(place, text, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	struct place *place = place_of(how >> 1);
	char name[] = "dump", dir[128], *argv[] = { name, dir, NULL };
	int status;

	snprintf(dir, sizeof(dir), "%s", place_dir(place));
	if (how & 1)
		conf_words(place, &in);
	else
		(void)place_patch(place, &in);
	reads = 0;
	told = false;
	status = cmd_dump(2, argv);
	FUZZ_CHECK(status == JNL_DONE || (status == JNL_REFUSED && told));
	place_restore(place);
	return 0;
}
