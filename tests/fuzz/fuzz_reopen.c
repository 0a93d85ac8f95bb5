/* SPDX-License-Identifier: BSD-3-Clause */
/* link: tests/fuzz/place.c -Wl,--wrap=pwrite,--wrap=pwritev2,--wrap=mmap,--wrap=munmap */
/* link: tests/fuzz/large.c -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free */
/* link: tests/fuzz/values.c -Wl,--wrap=posix_memalign,--wrap=statx,--wrap=preadv2 */
/*
 * A whole journal, its bytes overwritten as for `recover`, is opened to be written to: what
 * opens has to go on.  More is put, some of what is there retired, and it is closed, or left
 * as by a process that is killed.  Opened once more, it has what it had, what was put, and
 * nothing of what was retired: each once, byte for byte.
 */
#include <errno.h>

#include "place.h"
#include "txn/journal_impl.h"
#include "util/crc32c.h"

#define CALLS_MAX 9u

static const struct journal_open_options quick = {
	.flags = JOURNAL_NO_URING,
	.recover_threads = 1,
	.stage_max_bytes = 4096,
};

static struct place_list wanted, again;

static bool is_gone(int error)
{
	return error == -EUCLEAN || error == -EPROTO || error == -EXDEV || error == -ENOENT ||
	       error == -EPERM;
}

static void put(struct journal *j, struct fuzz_input *in)
{
	static const uint32_t sizes[] = { 0, 40, 700, 4096, 9000, 30000, 300, 2000 };
	uint32_t bytes = sizes[fuzz_byte(in) % 8];
	struct journal_receipt receipt;
	uint8_t fill = fuzz_byte(in);
	struct place_seen *seen = &wanted.seen[wanted.count];
	int error = journal_put(j, place_payload(fill), bytes, &receipt);
	uint32_t i;

	FUZZ_CHECK(!error || error == -ENOSPC || error == -EMSGSIZE || error == -EIO);
	if (error || wanted.count == PLACE_SEEN_MAX)
		return;
	/* no id comes twice (P4) */
	for (i = 0; i < wanted.count; i++)
		FUZZ_CHECK(wanted.seen[i].id != receipt.id);
	*seen = (struct place_seen){ .id = receipt.id, .bytes = bytes,
				     .sum = crc32c(~0u, place_payload(fill), bytes) };
	wanted.count++;
}

static void retire(struct journal *j, struct fuzz_input *in)
{
	uint32_t which = fuzz_u16(in);
	int error;

	if (!wanted.count)
		return;
	which %= wanted.count;
	error = journal_retire(j, wanted.seen[which].id);
	FUZZ_CHECK(!error || error == -EIO);
	if (!error)
		wanted.seen[which] = wanted.seen[--wanted.count];
}

static void maintain(struct journal *j, struct fuzz_input *in)
{
	struct journal_maintain_options options = { .stage_fill_percent = fuzz_byte(in) % 101,
						    .stage_age_ns = 1 };
	int error = journal_maintain(j, &options, NULL);

	FUZZ_CHECK(!error || error == -EIO);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct place_seen *)a)->id, y = ((const struct place_seen *)b)->id;

	return x < y ? -1 : x > y;
}

static void must_be_there(void)
{
	uint32_t i;

	qsort(wanted.seen, wanted.count, sizeof(wanted.seen[0]), by_id);
	FUZZ_CHECK(again.count == wanted.count);
	for (i = 0; i < wanted.count; i++) {
		const struct place_seen *was = &wanted.seen[i], *is = &again.seen[i];

		FUZZ_CHECK(was->id == is->id && was->damaged == is->damaged);
		FUZZ_CHECK(is->damaged || (was->bytes == is->bytes && was->sum == is->sum));
	}
}

/* Return: whether it opens; then it is closed again */
static bool go_on(const struct place *place, struct fuzz_input *in, bool sealed, bool killed)
{
	unsigned int calls = fuzz_byte(in) % CALLS_MAX, kinds = fuzz_u16(in);
	struct journal *j = NULL;
	int error = journal_open(place_dir(place), &quick, &j);

	FUZZ_CHECK(!error || is_gone(error));
	FUZZ_CHECK(!error || strlen(journal_error(j)) > 0);
	if (!error)
		place_look(place, j, sealed, &wanted);
	for (; !error && calls--; kinds >>= 2) {
		if (!(kinds & 2))
			put(j, in);
		else if (kinds & 1)
			retire(j, in);
		else
			maintain(j, in);
	}
	/* closing stores nothing then */
	if (!error && killed)
		(void)journal_fail(j, -EIO);
	if (journal_close(j))
		FUZZ_CHECK(killed || sealed);
	return !error;
}

static void look_again(const struct place *place)
{
	struct journal *j = NULL;
	int error = journal_open(place_dir(place), &quick, &j);

	FUZZ_CHECK(!error);
	/* what was put meanwhile is compared below */
	place_look(place, j, true, &again);
	must_be_there();
	FUZZ_CHECK(!journal_close(j));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes }, calls;
	unsigned int how = fuzz_byte(&in), split = fuzz_byte(&in);
	struct place *place = place_of(how >> 1);
	bool sealed;

	/* calls first, patches after */
	calls = in;
	calls.bytes = split < calls.bytes ? split : calls.bytes;
	in.data += calls.bytes;
	in.bytes -= calls.bytes;
	sealed = place_patch(place, &in);
	if (go_on(place, &calls, sealed, how & 1))
		look_again(place);
	place_restore(place);
	return 0;
}
