/* SPDX-License-Identifier: BSD-3-Clause */
/* link: tests/fuzz/place.c -Wl,--wrap=pwrite,--wrap=pwritev2,--wrap=mmap,--wrap=munmap */
/* link: tests/fuzz/large.c -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free */
/* link: tests/fuzz/values.c -Wl,--wrap=posix_memalign,--wrap=statx,--wrap=preadv2 */
/*
 * A whole journal: bytes of its markers and log are overwritten, with checksums made to
 * hold again or not, and it is opened read-only, listed, read and checked.
 *
 * Whatever the bytes: no crash, no endless list, no error that is not documented.
 */
#include <errno.h>

#include "place.h"

static const struct journal_open_options quick = {
	.flags = JOURNAL_RDONLY | JOURNAL_NO_URING,
	.recover_threads = 1,
};

static void look(const struct place *place, bool sealed)
{
	struct journal *j = NULL;
	int error = journal_open(place_dir(place), &quick, &j);

	FUZZ_CHECK(!error || strlen(journal_error(j)) > 0);
	FUZZ_CHECK(!error || error == -EUCLEAN || error == -EPROTO || error == -EXDEV ||
		   error == -ENOENT || error == -EPERM);
	if (!error)
		place_look(place, j, sealed, NULL);
	journal_close(j);
}

static void found(void *context, const struct journal_finding *finding)
{
	*(int *)context += finding->damage;
	FUZZ_CHECK(finding->text && finding->text[0]);
}

static void check(const struct place *place)
{
	char message[256] = "";
	int damage = 0, error;

	error = journal_check(place_dir(place), &quick, found, &damage, message,
			      sizeof(message));
	FUZZ_CHECK(error || !damage);
	FUZZ_CHECK(!error || error == -EUCLEAN || message[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	struct place *place = place_of(how >> 1);
	bool sealed = place_patch(place, &in);

	if (how & 1)
		check(place);
	else
		look(place, sealed);
	place_restore(place);
	return 0;
}
