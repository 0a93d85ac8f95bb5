/* SPDX-License-Identifier: BSD-3-Clause */
/* link: tools -Wl,--wrap=sink_write,--wrap=jnl_error */
/* address only */
/* bytes: 512 */
/*
 * What put reads of an archive, through libarchive: one that export has written, with bytes
 * of it overwritten, checksums of its headers made to hold again or not; or any bytes.
 *
 * Of one that was not touched each message comes back.  Whatever is read can be written, and
 * comes back byte for byte.  (MemorySanitizer knows nothing of libarchive.)
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "fuzz.h"
#include "tools/forms.h"
#include "tools/reader.h"

#define TEXT_BYTES (64u << 10)
#define MESSAGES   8u
#define BLOCK      512u
#define LIMIT      (16u << 10)

struct list {
	uint32_t count;
	size_t bytes, end[MESSAGES];
	uint8_t data[MESSAGES * LIMIT];
};

static struct list got, again, wanted;
static uint8_t out[2 * TEXT_BYTES + MESSAGES * LIMIT];
static size_t out_bytes;

int __wrap_sink_write(struct sink *sink, const void *data, size_t bytes);
int __wrap_sink_write(struct sink *sink, const void *data, size_t bytes)
{
	(void)sink;
	FUZZ_CHECK(bytes <= sizeof(out) - out_bytes);
	memcpy(out + out_bytes, data, bytes);
	out_bytes += bytes;
	return 0;
}

void __wrap_jnl_error(const char *format, ...);
void __wrap_jnl_error(const char *format, ...)
{
	(void)format;
}

/* Return: false: it has more than fit */
static bool list_add(struct list *list, const uint8_t *data, size_t bytes)
{
	if (list->count == MESSAGES || bytes > LIMIT)
		return false;
	if (bytes)
		memcpy(list->data + list->bytes, data, bytes);
	list->bytes += bytes;
	list->end[list->count++] = list->bytes;
	return true;
}

static void write_all(const struct list *list)
{
	static struct sink sink = { .name = "memory" };
	struct form_message message = { .data = list->data };
	const char *why = NULL;
	void *state = NULL;
	char id[16];
	uint32_t i;

	out_bytes = 0;
	FUZZ_CHECK(!form_tar.begin(&sink, &state));
	for (i = 0; i < list->count; i++) {
		snprintf(id, sizeof(id), "1-%08x", i);
		message.id = id;
		message.time_ns = i * 1000000007ull;
		message.data = list->data + (i ? list->end[i - 1] : 0);
		message.bytes = list->data + list->end[i] - message.data;
		FUZZ_CHECK(!form_tar.message(&sink, state, &message, &why));
	}
	FUZZ_CHECK(!form_tar.end(state, true));
}

static int read_all(const uint8_t *data, size_t bytes, struct list *list)
{
	struct reader reader;
	struct input input;
	uint64_t end = 0;
	int error;

	FUZZ_CHECK(!input_open_memory(&input, data, bytes));
	list->count = 0;
	list->bytes = 0;
	reader_init(&reader, &input, LIMIT);
	while ((error = tar_next(&reader)) > 0) {
		FUZZ_CHECK(reader.bytes <= LIMIT && reader.start >= end &&
			   reader.start <= bytes);
		end = reader.start;
		if (!list_add(list, reader.data, reader.bytes))
			break;
	}
	if (error <= 0) {
		FUZZ_CHECK(!error || error == -EINVAL || error == -EMSGSIZE);
		FUZZ_CHECK(!error == !reader.error[0]);
	}
	reader_free(&reader);
	input_close(&input);
	return error;
}

static void must_be_same(const struct list *a, const struct list *b)
{
	FUZZ_CHECK(a->count == b->count && a->bytes == b->bytes);
	FUZZ_CHECK(!memcmp(a->end, b->end, a->count * sizeof(a->end[0])));
	FUZZ_CHECK(!memcmp(a->data, b->data, a->bytes));
}

/* ---- an archive --------------------------------------------------------------------- */

static void seal(uint8_t *header)
{
	unsigned int i, sum = 0;
	char text[8];

	if (memcmp(header + 257, "ustar", 5))
		return;
	memset(header + 148, ' ', 8);
	for (i = 0; i < BLOCK; i++)
		sum += header[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header + 148, text, 7);
}

static void make_wanted(struct fuzz_input *in)
{
	static const uint32_t sizes[] = { 0, 1, 511, 512, 513, 2000 };
	static uint8_t payload[2000];
	uint32_t i, count = fuzz_byte(in) % 5u;

	wanted.count = 0;
	wanted.bytes = 0;
	for (i = 0; i < count; i++) {
		memset(payload, (int)i + 1, sizeof(payload));
		list_add(&wanted, payload, sizes[fuzz_byte(in) % 6u]);
	}
	write_all(&wanted);
}

/* Return: whether anything is another byte than it was */
static bool patch(struct fuzz_input *in, bool sealed, uint8_t *text, size_t bytes)
{
	bool patched = false;

	while (in->bytes > 3) {
		uint8_t *block = text + fuzz_byte(in) % (bytes / BLOCK) * BLOCK;

		fuzz_patch(in, block, BLOCK);
		if (sealed)
			seal(block);
		patched = true;
	}
	return patched;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t text[TEXT_BYTES];
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	bool as_it_was = false;
	size_t cut;
	int error;

	if (how & 1) {
		memcpy(text, in.data, in.bytes);
		cut = in.bytes;
	} else {
		make_wanted(&in);
		FUZZ_CHECK(out_bytes <= sizeof(text) && out_bytes >= BLOCK);
		memcpy(text, out, out_bytes);
		cut = how & 8 ? fuzz_u16(&in) % (out_bytes + 1) : out_bytes;
		as_it_was = !patch(&in, how & 4, text, out_bytes) && cut == out_bytes;
	}
	error = read_all(text, cut, &got);
	if (as_it_was) {
		FUZZ_CHECK(!error);
		must_be_same(&got, &wanted);
	}
	write_all(&got);
	FUZZ_CHECK(!read_all(out, out_bytes, &again));
	must_be_same(&again, &got);
	return 0;
}
