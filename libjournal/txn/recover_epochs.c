/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marker lines on a damaged medium: both words of the epoch fail, or a record in the stage
 * says that they cannot be right.  What lives in a line has a record, in the stage or in
 * the log, and each names the epoch: the highest number of them all is the line's, or
 * nothing lives in it.  The maps are taken as they are.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/checkpoint.h"
#include "txn/found.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/recover.h"

bool recover_is_by_records(const struct recovery *r, uint32_t line)
{
	return r->by_records && r->by_records[line];
}

static bool recover_has_all_logs(const struct journal *j)
{
	uint32_t log;

	for (log = 0; log < logs_end(j); log++)
		if (logs_gone(j, log))
			return false;
	return true;
}

/* Return: 0 or -ENOMEM */
static int recover_by_records(struct recovery *r, uint32_t line)
{
	struct journal *j = r->j;

	if (!r->by_records)
		r->by_records = calloc(j->geometry.lines, sizeof(*r->by_records));
	if (!r->by_records)
		return journal_say(j, -ENOMEM, "no memory to recover");
	r->by_records[line] = true;
	found_damage(j, 0, "%s: line %u: its epoch or its maps are damaged: the highest epoch of "
		     "the records that name it stands in, and something that was retired may be "
		     "back", j->conf.marker, line);
	if (recover_has_all_logs(j) || !recover_maps_are_gone(r, line))
		return 0;
	/* a map that is made anew has no bit for it */
	found_damage(j, 0, "%s: line %u: what it committed on a log that is not there is lost, "
		     "without a name", j->conf.marker, line);
	j->recovered.lost_unnamed++;
	return 0;
}

int recover_without_epoch(struct recovery *r, uint32_t line)
{
	struct journal *j = r->j;

	if (recover_has_all_logs(j))
		return recover_by_records(r, line);
	/* its records may be on the log that is not there: it is never taken again, for
	 * nobody knows what it holds */
	found_damage(j, 0, "%s: line %u: its epoch is damaged: what it committed cannot be "
		     "decided while a log is not there", j->conf.marker, line);
	j->recovered.lost_unnamed++;
	return line_bad(j, line);
}

static bool line_is_erased(const struct marker_line *media)
{
	return get_le64(media->epoch) == WORD_ERASED && get_le64(media->epoch_copy) == WORD_ERASED;
}

/* All of a map says the same as the medium does where there is nothing any more. */
static bool map_is_gone(const struct marker_line *media, const __le64 map[MARKER_LINE_WORDS])
{
	uint64_t any = 0, all = ~0ull;
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		any |= get_le64(map[word]);
		all &= get_le64(map[word]);
	}
	return !any || (!~all && line_is_erased(media));
}

/* the maps that somebody made anew when he was killed: MARKER_MENDING_* */
static uint64_t line_being_mended(const struct marker_line *media)
{
	uint64_t maps;

	return word_unseal(media->mending, &maps) ? 0 : maps & MARKER_MENDING_BOTH;
}

bool recover_commits_are_gone(const struct recovery *r, uint32_t line)
{
	const struct marker_line *media = line_media(r->j, line);

	return recover_is_by_records(r, line) &&
	       (map_is_gone(media, media->commit) ||
		line_being_mended(media) & MARKER_MENDING_COMMIT);
}

bool recover_retires_are_gone(const struct recovery *r, uint32_t line)
{
	const struct marker_line *media = line_media(r->j, line);

	return recover_is_by_records(r, line) &&
	       (map_is_gone(media, media->retire) ||
		line_being_mended(media) & MARKER_MENDING_RETIRE);
}

bool recover_maps_are_gone(const struct recovery *r, uint32_t line)
{
	return recover_commits_are_gone(r, line) || recover_retires_are_gone(r, line);
}

/*
 * A block of the medium that reads zeros may begin within a line, behind its epoch.  What
 * lies behind the line tells that from a line of which all is retired: no epoch is zero.
 * Who makes both anew may have got to the line behind it first.
 */
static bool line_ends_in_zeros(struct journal *j, uint32_t line)
{
	const struct marker_line *media = line_media(j, line), *next;
	uint64_t any = 0;
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		any |= get_le64(media->retire[word]);
	if (any || line + 1 >= j->geometry.lines)
		return false;
	next = line_media(j, line + 1);
	return !get_le64(next->epoch) && !get_le64(next->epoch_copy) &&
	       (!get_le64(next->mending) || line_being_mended(next));
}

int recover_line_in_doubt(struct recovery *r, uint32_t line)
{
	bool in_doubt = line_being_mended(line_media(r->j, line)) ||
			line_ends_in_zeros(r->j, line);

	return r->j->bits_durable && in_doubt ? recover_without_epoch(r, line) : 0;
}

static int recover_adopt(struct recovery *r, uint32_t line, uint64_t number)
{
	int error;

	/* nothing was ever issued above, and nothing could be after it */
	if (number >> LINE_COUNTER_BITS >= UINT32_MAX - 1)
		return 0;
	/* what was entered of an epoch before goes with it: staged, so it holds nothing */
	error = line_adopt(r->j, line, number);
	if (!error && !recover_retires_are_gone(r, line))
		recover_claim(r, line);
	return error;
}

/* A clean close says where slots of it are left. */
static bool line_is_in_use(struct journal *j, uint32_t line)
{
	uint64_t value;
	uint32_t i;

	if (!word_unseal(state_media(j)->shared_clean, &value) &&
	    value >> MARKER_CLEAN_SLOT_BITS == line)
		return true;
	for (i = 0; i < j->lane_count; i++)
		if (!word_unseal(lane_media(j, i)->clean, &value) &&
		    value >> MARKER_CLEAN_SLOT_BITS == line)
			return true;
	return false;
}

/*
 * Numbers are drawn in order.  So if a line reads as never used because all of the medium is
 * an old image, nothing on that is newer than an epoch of the line that the log knows.
 */
bool recover_was_erased(const struct recovery *r, uint32_t line, uint64_t number)
{
	return r->j->bits_durable && line_is_erased(line_media(r->j, line)) &&
	       (number < r->newest || line_is_in_use(r->j, line));
}

int recover_erased_epoch(struct recovery *r, uint32_t line, uint64_t number)
{
	int error = 0;

	if (!recover_is_by_records(r, line))
		error = recover_without_epoch(r, line);
	return error || line_is_bad(r->j, line) ? error : recover_adopt(r, line, number);
}

int recover_staged_epoch(struct recovery *r, uint32_t line, uint64_t number)
{
	struct journal *j = r->j;
	uint64_t known;
	int error = 0;

	if (line >= j->geometry.lines)
		return 0;
	r->newest = max_u64(r->newest, number);
	known = line < j->shared->lines_used ? j->lines[line].number : 0;
	/* a reader beside a writer: the line moved on since it was looked at */
	if (number <= known || j->writer_pid || line_is_bad(j, line))
		return 0;
	/* the epoch is durable before a record of it is begun (P1), on the same medium */
	if (!recover_is_by_records(r, line))
		error = recover_by_records(r, line);
	return error ? error : recover_adopt(r, line, number);
}

/* Closed, under the highest number of all incarnations that were seen: no record is
 * of a higher one. */
static uint64_t recover_epoch_without_records(const struct recovery *r)
{
	return (((r->incarnation + 1) << LINE_COUNTER_BITS) - 1) << 1;
}

/* As the index has it: what was found, and what of that is retired by now. */
static void maps_mend(struct journal *j, uint32_t line)
{
	const struct line *state = &j->lines[line];
	struct marker_line *media = line_media(j, line);
	bool used = line < j->shared->lines_used;
	uint64_t maps[2 * MARKER_LINE_WORDS];
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		maps[word] = used ? ~state->committed[word] : ~0ull;
		maps[MARKER_LINE_WORDS + word] =
			used ? ~state->claimed[word] | state->undecided[word] : ~0ull;
	}
	nv_copy(j->marker, media->commit, maps, sizeof(maps));
}

/* A map that is whole stays so: of it each word is true, the old one as the new one. */
static void line_give_up_maps(struct recovery *r, uint32_t line)
{
	uint64_t maps = (recover_commits_are_gone(r, line) ? MARKER_MENDING_COMMIT : 0) |
			(recover_retires_are_gone(r, line) ? MARKER_MENDING_RETIRE : 0);

	if (maps)
		nv_store8(r->j->marker, (uint64_t *)&line_media(r->j, line)->mending,
			  (uint64_t)word_seal(maps));
}

/* Return: 0, or the sticky failure */
static int recover_mend_maps(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t line;
	int error;

	if (!r->by_records)
		return 0;
	for (line = 0; line < j->geometry.lines; line++)
		line_give_up_maps(r, line);
	/* before the maps: of what is half made the next recovery must not believe a word */
	error = nv_fence(j->marker);
	if (error)
		return journal_fail(j, error);
	for (line = 0; line < j->geometry.lines; line++)
		if (recover_maps_are_gone(r, line))
			maps_mend(j, line);
	/* before the epochs: with those it believes the maps */
	error = nv_fence(j->marker);
	return error ? journal_fail(j, error) : 0;
}

int recover_mend_epochs(struct recovery *r)
{
	struct journal *j = r->j;
	struct marker_line *media;
	uint64_t epoch;
	uint32_t line;
	int error = recover_mend_maps(r);

	if (error)
		return error;

	for (line = 0; line < j->geometry.lines; line++) {
		media = line_media(j, line);
		if (recover_is_by_records(r, line))
			epoch = line < j->shared->lines_used && j->lines[line].number ?
					j->lines[line].number << 1 | 1 :
					recover_epoch_without_records(r);
		else if (marker_line_epoch(media, &epoch))
			continue;
		if (recover_is_by_records(r, line) || media->epoch != media->epoch_copy)
			line_epoch_store(j, media, epoch);
		/* also of one who was killed before this: the maps are good, and some day the
		 * epoch may be damaged again */
		if (get_le64(media->mending) != WORD_ERASED)
			nv_store8(j->marker, (uint64_t *)&media->mending, WORD_ERASED);
	}
	return 0;
}
