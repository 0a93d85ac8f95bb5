/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl stat: what goes on in a journal that others have open, as iostat tells of disks. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"
#include "stat.h"

#define INTERVAL_MIN_S 0.01
#define INTERVAL_MAX_S 86400.0
#define COUNT_MAX      1000000000ul

struct stat_command {
	const char *dir;
	uint64_t interval_ns; /* 0: one report */
	unsigned long count;  /* 0: for ever */
	bool json;

	struct journal *journal; /* NULL while nobody writes */
	struct stat_look *now, *before;
	bool looked; /* before is of this journal, open without a break */
};

/* ---- the line ------------------------------------------------------------------- */

static uint64_t stat_interval(const struct argp_state *state, const char *text)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	/* strtod takes blanks, signs, "inf" and "nan" */
	if (!isdigit((unsigned char)*text) || *end || errno || !(seconds >= INTERVAL_MIN_S) ||
	    seconds > INTERVAL_MAX_S)
		arguments_refuse(state, "INTERVAL: '%s' is no number of seconds from %g to %g",
				 text, INTERVAL_MIN_S, INTERVAL_MAX_S);
	return (uint64_t)(seconds * 1e9);
}

static unsigned long stat_count(const struct argp_state *state, const char *text)
{
	unsigned long count;
	char *end;

	errno = 0;
	count = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || !count || count > COUNT_MAX)
		arguments_refuse(state, "COUNT: '%s' is no number from 1 to %lu", text, COUNT_MAX);
	return count;
}

static error_t stat_parse(int key, char *value, struct argp_state *state)
{
	struct stat_command *s = state->input;

	switch (key) {
	case 'j':
		s->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!s->dir)
			s->dir = value;
		else if (!s->interval_ns)
			s->interval_ns = stat_interval(state, value);
		else if (!s->count)
			s->count = stat_count(state, value);
		else
			arguments_refuse(state, "one argument too many: %s", value);
		return 0;
	case ARGP_KEY_END:
		if (!s->dir)
			arguments_refuse(state, "DIR is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option stat_options[] = {
	{ "json", 'j', NULL, 0, "print JSON, an object in a line for each report", 0 },
	{ 0 },
};

static const struct argp stat_argp = {
	.options = stat_options,
	.parser = stat_parse,
	.args_doc = "DIR [INTERVAL [COUNT]]",
	.doc = "Tell how often and how fast those who have the journal in DIR open commit, "
	       "retire, read and clean, and how full it is; every INTERVAL seconds, COUNT "
	       "times or until it is interrupted. The first report is since they opened it."
	       "\vIt recovers nothing: with nobody there it says so.",
	.children = arguments_common,
};

/* ---- reports ---------------------------------------------------------------------- */

static uint64_t stat_time_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void stat_leave(struct stat_command *s)
{
	(void)journal_close(s->journal);
	s->journal = NULL;
	s->looked = false;
}

static void stat_say_nobody(const struct stat_command *s, const char *why)
{
	if (s->json)
		stat_nobody_json(stat_time_now(), why);
	else
		stat_nobody_text(stat_time_now(), why);
}

/* Return: 0 also if nobody is there, which is said; or negative errno, told */
static int stat_open(struct stat_command *s)
{
	const struct journal_open_options options = { .flags = JOURNAL_RDONLY | JOURNAL_BESIDE };
	int err = journal_open(s->dir, &options, &s->journal);

	if (!err)
		return 0;
	if (err == -ESRCH)
		stat_say_nobody(s, journal_error(s->journal));
	else
		jnl_error("%s", journal_error(s->journal));
	stat_leave(s);
	return err == -ESRCH ? 0 : err;
}

static void stat_tell(struct stat_command *s)
{
	struct stat_look *look = s->now;
	struct stat_report report;

	stat_make(look, s->looked ? s->before : NULL, &report);
	if (s->json)
		stat_json(&report);
	else
		stat_text(s->dir, &report);
	s->now = s->before;
	s->before = look;
	s->looked = true;
}

/* Return: 0 or negative errno, told */
static int stat_once(struct stat_command *s)
{
	int tries, err;

	/* they may have left, and others have come since */
	for (tries = 0; tries < 2; tries++) {
		err = s->journal ? 0 : stat_open(s);
		if (err || !s->journal)
			return err;
		err = stat_take(s->journal, s->now);
		if (err) {
			jnl_error("%s", journal_error(s->journal));
			return err;
		}
		if (s->now->info.members) {
			stat_tell(s);
			return 0;
		}
		stat_leave(s);
	}
	stat_say_nobody(s, "those who had the journal open have left");
	return 0;
}

/* In step with the clock, however long a report takes. */
static void stat_wait(const struct timespec *began, uint64_t ns)
{
	struct timespec until = *began;

	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000ull);
	until.tv_nsec = (long)(ns % 1000000000ull);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int stat_loop(struct stat_command *s)
{
	struct timespec began;
	unsigned long reports;

	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	for (reports = 1;; reports++) {
		if (stat_once(s) || output_flush())
			return JNL_REFUSED;
		if (!s->interval_ns || reports == s->count)
			return JNL_DONE;
		stat_wait(&began, s->interval_ns * reports);
	}
}

int cmd_stat(int argc, char **argv)
{
	struct stat_command s = { 0 };
	int status = JNL_REFUSED;

	arguments_parse(&stat_argp, argc, argv, &s);
	s.now = malloc(sizeof(*s.now));
	s.before = malloc(sizeof(*s.before));
	if (s.now && s.before)
		status = stat_loop(&s);
	else
		jnl_error("%s: %s", s.dir, strerror(ENOMEM));
	free(s.now);
	free(s.before);
	return s.journal ? jnl_close(s.journal, status) : status;
}
