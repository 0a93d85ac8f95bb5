/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth_story.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"
#include "nth.h"

void nth_wrong(struct nth_story *story, const char *format, ...)
{
	size_t used = strlen(story->text);
	va_list arguments;

	story->wrongs++;
	if (used + 2 >= sizeof(story->text))
		return;
	va_start(arguments, format);
	(void)vsnprintf(story->text + used, sizeof(story->text) - used - 1, format, arguments);
	va_end(arguments);
	used = strlen(story->text);
	story->text[used] = '\n';
	story->text[used + 1] = '\0';
}

/* what no fault need have given: what it made of one, or documented refusals */
static bool follows(const char *call, int error, const char *text)
{
	/* libpmem says so when it has no memory for its own text */
	if (error == -EINVAL && text && strstr(text, "cannot be mapped: "))
		return true;
	/* threads: libc's word for no memory */
	if (error == -EAGAIN && strstr(call, "journal_async_open"))
		return true;
	switch (-error) {
	case EIO: /* sticky, or what stands for it */
	case ENOMEM:
	case ENOTSUP: /* what was given up, or could not be loaded */
		return true;
	default:
		return nth_gave(error);
	}
}

int nth_told(struct nth_life *life, const char *call, int error, const char *text)
{
	if (error >= 0)
		return error;
	if (!atomic_load(&nth->struck))
		nth_wrong(life->story, "%s: %s, and nothing failed: %s", call, strerror(-error),
			  text ? text : "");
	/* what cannot be read is damage to it, and its findings say which */
	else if (error == -EUCLEAN && strstr(call, "journal_check"))
		return error;
	else if ((error == -ENOENT && life->unnamed) || (error == -EBADMSG && life->lost))
		return error;
	/* of two logs one is out of use: the other one may be full; or nothing is cleaned */
	else if (error == -ENOSPC && (life->place->logs == 2 || life->fills))
		return error;
	else if (!follows(call, error, text) && !(life->alone && error == -EBUSY))
		nth_wrong(life->story, "%s: an error that nothing gave: %s: %s", call,
			  strerror(-error), text ? text : "");
	if (getenv("NTH_VERBOSE"))
		fprintf(stderr, "# %s: %s: %s\n", call, strerror(-error), text ? text : "");
	if (text && !text[0])
		nth_wrong(life->story, "%s: %s, without a text", call, strerror(-error));
	return error;
}

struct nth_put *nth_new(struct nth_story *story, uint32_t bytes)
{
	struct nth_put *put = &story->put[story->count];

	if (story->count == NTH_PUTS_MAX)
		abort();
	*put = (struct nth_put){ .bytes = bytes };
	story->count++;
	return put;
}

uint8_t *nth_payload(const struct nth_story *story, const struct nth_put *put)
{
	uint64_t head[2] = { (uint64_t)(put - story->put), put->bytes };
	uint8_t *payload = bed_payload(put->bytes, head[0] + 1);

	if (!payload)
		abort();
	memcpy(payload, head, sizeof(head));
	return payload;
}

enum nth_answer nth_committed(int error)
{
	switch (-error) {
	case 0:
		return NTH_YES;
	case ENOSPC:
	case EMSGSIZE:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return NTH_NO;
	default:
		return NTH_DOUBT;
	}
}

void nth_compare(struct nth_life *life, const struct nth_put *put, const void *data, size_t bytes)
{
	uint8_t *wanted = nth_payload(life->story, put);

	if (bytes != put->bytes || memcmp(wanted, data, bytes))
		nth_wrong(life->story, "number %d: other bytes than were put",
			  (int)(put - life->story->put));
	free(wanted);
}

/* which one it is, by its own words */
static struct nth_put *whose(struct nth_story *story, const uint8_t *data, size_t bytes)
{
	uint64_t head[2];

	if (bytes < sizeof(head))
		return NULL;
	memcpy(head, data, sizeof(head));
	return head[0] < story->count ? &story->put[head[0]] : NULL;
}

static void compare_one(struct nth_life *life, const struct journal_entry *entry, uint8_t *seen)
{
	struct nth_story *story = life->story;
	uint8_t *data = malloc(entry->bytes + 1);
	struct nth_put *put;
	uint64_t number;
	size_t got = 0;
	int error;

	if (!data)
		abort();
	error = journal_read(life->j, entry->id, data, entry->bytes, &got);
	put = error ? NULL : whose(story, data, got);
	if (entry->state != JOURNAL_LIVE || error) {
		nth_wrong(story, "%" PRIx64 ": state %d, read: %s", entry->id, entry->state,
			  strerror(-error));
	} else if (!put) {
		nth_wrong(story, "%" PRIx64 ": nobody put that", entry->id);
	} else {
		number = (uint64_t)(put - story->put);
		if (seen[number]++)
			nth_wrong(story, "number %d is there twice", (int)number);
		if (put->put == NTH_NO && !story->rescued)
			nth_wrong(story, "number %d is there, and was refused", (int)number);
		if (put->put == NTH_YES && put->id != entry->id)
			nth_wrong(story, "number %d has another id", (int)number);
		if (put->retire == NTH_YES && !story->rescued)
			nth_wrong(story, "number %d was retired, and is back", (int)number);
		nth_compare(life, put, data, got);
	}
	free(data);
}

static void compare_missing(struct nth_story *story, const uint8_t *seen)
{
	uint32_t i, k;

	for (i = 0; i < story->count; i++) {
		const struct nth_put *put = &story->put[i];

		if (put->put == NTH_YES && put->retire == NTH_NO && !seen[i])
			nth_wrong(story, "number %d (%d bytes) was acknowledged, and is gone",
				  (int)i, (int)put->bytes);
		/* of a group all, or nothing; what was retired meanwhile apart */
		for (k = i + 1; put->group && k < story->count; k++)
			if (story->put[k].group == put->group && put->retire == NTH_NO &&
			    story->put[k].retire == NTH_NO && !seen[i] != !seen[k])
				nth_wrong(story, "number %d is there without %d of its group",
					  (int)(seen[i] ? i : k), (int)(seen[i] ? k : i));
	}
}

/* What is there twice, and of which a write failed; nothing is lost by it. */
static bool of_the_failure(const char *text)
{
	return atomic_load(&nth->struck) &&
	       (strstr(text, "the second copy stands in") || strstr(text, "it is read whole"));
}

static void on_finding(void *context, const struct journal_finding *finding)
{
	struct nth_life *life = context;

	if (!finding->damage)
		return;
	if (of_the_failure(finding->text))
		life->damaged = true;
	else
		nth_wrong(life->story, "check: %s", finding->text);
}

static void check(struct nth_life *life)
{
	char text[512] = "";
	int error;

	/* a leg that failed is out of use, and is brought up to date */
	if (life->place->mirrored && atomic_load(&nth->struck) &&
	    journal_mirror(life->place->dir, NULL, text, sizeof(text)))
		nth_wrong(life->story, "mirror: %s", text);
	life->damaged = false;
	error = journal_check(life->place->dir, NULL, on_finding, life, text, sizeof(text));
	if (error && !(error == -EUCLEAN && life->damaged))
		nth_wrong(life->story, "check: %s", text[0] ? text : strerror(-error));
}

/* one more of each way, and it is there: the journal goes on */
static void go_on(struct nth_life *life)
{
	struct journal_receipt receipt;
	struct nth_put *put = nth_new(life->story, 3000);
	uint8_t *payload = nth_payload(life->story, put);
	int error = journal_put(life->j, payload, put->bytes, &receipt);

	if (error)
		nth_wrong(life->story, "it does not go on: %s", journal_error(life->j));
	else if (journal_retire(life->j, receipt.id))
		nth_wrong(life->story, "it does not retire: %s", journal_error(life->j));
	free(payload);
}

void nth_compare_all(struct nth_life *life)
{
	static uint8_t seen[NTH_PUTS_MAX];
	struct nth_story *story = life->story;
	struct journal_entry entry = { 0 };
	struct journal_info info;
	int error = journal_open(life->place->dir, NULL, &life->j);

	memset(seen, 0, sizeof(seen));
	if (error) {
		nth_wrong(story, "it does not open: %s", journal_error(life->j));
		(void)journal_close(life->j);
		return;
	}
	while (!journal_next(life->j, entry.id, &entry))
		compare_one(life, &entry, seen);
	compare_missing(story, seen);
	if (!journal_info(life->j, &info) && info.lost_unnamed)
		nth_wrong(story, "%d are lost without a name", (int)info.lost_unnamed);
	go_on(life);
	error = journal_close(life->j);
	if (error)
		nth_wrong(story, "close: %s", strerror(-error));
	check(life);
}
