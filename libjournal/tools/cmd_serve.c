/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl serve: work in the background, for processes too short-lived to do it. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "jnl.h"
#include "serve_metrics.h"
#include "serve_notify.h"

#define INTERVAL_MS   100u
#define BUSY_SHARE    10u /* while there is work, the next round comes so much sooner */
#define LOOK_NS       1000000000ull
#define LOOK_SHARE    20u /* looking goes over all that is live: of the time, at most */
#define STUCK_ROUNDS  10u
#define NS_PER_MS     1000000ull
#define MS_MAX        86400000ul

struct serve {
	const char *dir, *metrics;
	uint64_t interval_ns;
	struct journal_maintain_options options;

	struct journal *journal;
	char lock[PATH_MAX]; /* its path; "" is too long for that */
	struct stat locked;  /* while the journal is open there is no other like it */
	sigset_t stops;
	uint64_t look_ns; /* when to look again */
	uint64_t lost;    /* that was told of */
	bool metrics_bad, memory_bad, full, abandoned;
	uint32_t returns;
	uint32_t legs_out;
	unsigned int stuck; /* rounds in a row in which a lane could not be destaged */
};

/* ---- options --------------------------------------------------------------------- */

static const struct argp_option serve_options[] = {
	{ "metrics", 'm', "PATH", 0, "write numbers there, for Prometheus, once a second", 0 },
	{ "interval", 'i', "MS", 0, "between two rounds; 100, and less while there is work", 0 },
	{ "age", 'a', "MS", 0, "how long a transaction stays in NVRAM alone; 1000", 0 },
	{ "fill", 'f', "PERCENT", 0, "of a lane, from which on it is emptied; 50", 0 },
	{ 0 },
};

static unsigned long serve_number(const struct argp_state *state, const char *option,
				  const char *text, unsigned long most)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || !number || number > most)
		arguments_refuse(state, "--%s: '%s' is no number from 1 to %lu", option, text,
				 most);
	return number;
}

static error_t serve_parse(int key, char *value, struct argp_state *state)
{
	struct serve *s = state->input;

	switch (key) {
	case 'm':
		s->metrics = value;
		return 0;
	case 'i':
		s->interval_ns = serve_number(state, "interval", value, MS_MAX) * NS_PER_MS;
		return 0;
	case 'a':
		s->options.stage_age_ns = serve_number(state, "age", value, MS_MAX) * NS_PER_MS;
		return 0;
	case 'f':
		s->options.stage_fill_percent = (uint32_t)serve_number(state, "fill", value, 100);
		return 0;
	default:
		return arguments_only_dir(key, value, state, &s->dir);
	}
}

static const struct argp serve_argp = {
	.options = serve_options,
	.parser = serve_parse,
	.args_doc = "DIR",
	.doc = "Do in the background what else is done in line by who needs the room: move "
	       "transactions from NVRAM to the log, clean the log, take over what killed "
	       "processes had. Ends on SIGTERM and SIGINT, and when DIR is not there any more. "
	       "Nothing depends on it.",
	.children = arguments_common,
};

/* ---- telling ----------------------------------------------------------------------- */

static uint64_t serve_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void serve_tell_manager(const char *state)
{
	int error = serve_notify(state);

	if (error)
		jnl_error("the service manager: %s", error == -ENOPKG ?
			  "cannot be told anything: libsystemd is missing" : strerror(-error));
}

static void serve_tell_status(const struct journal_info *info)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "STATUS=%" PRIu64 " live, %" PRIu64 " of them in NVRAM alone; %" PRIu32
		       " of %" PRIu32 " segments free", info->live, info->staged_live,
		       info->segments_free, info->segments);
	/* that nobody can be told was said at the start */
	(void)serve_notify(text);
}

/* Each once, when it begins. */
static void serve_tell_health(struct serve *s, const struct journal_info *info)
{
	uint64_t lost = info->lost + info->lost_unnamed;
	bool full = info->segments_free * 32 < info->segments;

	if (lost > s->lost)
		jnl_error("%s: %" PRIu64 " transactions are COMMITTED_BUT_LOST", s->dir, lost);
	if (full && !s->full)
		jnl_error("%s: the log is nearly full: %" PRIu32 " of %" PRIu32
			  " segments are free", s->dir, info->segments_free, info->segments);
	if (info->abandoned && !s->abandoned)
		jnl_error("%s: %s is not trusted any more and was given up: %s", s->dir,
			  info->marker.name, info->marker.distrust);
	if (info->returns > s->returns)
		jnl_error("%s: %s is trusted, and in use, again", s->dir, info->marker.name);
	s->returns = info->returns;
	if (info->legs_out > s->legs_out)
		jnl_error("%s: a leg of a mirrored log is not in use: see jnl info, jnl mirror",
			  s->dir);
	if (info->legs_out < s->legs_out)
		jnl_error("%s: %s", s->dir, info->legs_out ?
			  "a leg of a mirrored log is in use again, and not all are" :
			  "all legs of mirrored logs are in use again");
	s->legs_out = info->legs_out;
	s->abandoned = info->abandoned;
	s->lost = lost;
	s->full = full;
}

static void serve_tell_round(struct serve *s, const struct journal_maintained *done)
{
	if (done->takeovers)
		jnl_error("%s: took over what %" PRIu32 " killed %s had", s->dir, done->takeovers,
			  done->takeovers == 1 ? "process" : "processes");
	s->stuck = done->lanes_stuck ? s->stuck + 1 : 0;
	if (s->stuck == STUCK_ROUNDS)
		jnl_error("%s: %" PRIu32 " lanes cannot be moved to the log: it is full, or their "
			  "oldest transaction is damaged", s->dir, done->lanes_stuck);
}

static void serve_tell_metrics(const struct serve *s, int error)
{
	jnl_error("%s: %s", s->metrics, error == -EEXIST ?
		  "is there, and is no file: it is not replaced" : strerror(-error));
}

/* Before anything is done: by root it could be a device of the system. */
static bool serve_metrics_may(const struct serve *s)
{
	char real[PATH_MAX];
	int error = s->metrics ? serve_metrics_path(s->metrics, real) : 0;

	if (error)
		serve_tell_metrics(s, error);
	return !error && (!s->metrics || jnl_may_write(s->dir, s->metrics));
}

static int serve_metrics(struct serve *s, const struct journal_info *info)
{
	int error = s->metrics ? serve_metrics_write(s->metrics, s->dir, s->journal, info) : 0;

	if (error && !s->metrics_bad)
		serve_tell_metrics(s, error);
	s->metrics_bad = error != 0;
	return error;
}

/* Return: 0, or why the metrics could not be written */
static int serve_look(struct serve *s)
{
	struct journal_info info;
	uint64_t began = serve_now(), took;
	int error;

	if (journal_info(s->journal, &info))
		return 0;
	serve_tell_health(s, &info);
	serve_tell_status(&info);
	error = serve_metrics(s, &info);
	took = (serve_now() - began) * LOOK_SHARE;
	s->look_ns = began + (took > LOOK_NS ? took : LOOK_NS);
	return error;
}

/* ---- whether DIR is there ------------------------------------------------------------ */

static int serve_stat(struct serve *s, struct stat *st)
{
	return s->lock[0] && stat(s->lock, st) ? errno : 0;
}

/* DIR as it was given: another journal may be put where a link leads to, too. */
static void serve_lock_path(struct serve *s)
{
	char here[PATH_MAX] = "";
	int length;

	if (s->dir[0] != '/' && !getcwd(here, sizeof(here)))
		return;
	length = snprintf(s->lock, sizeof(s->lock), "%s%s%s/lock", here, *here ? "/" : "", s->dir);
	if (length >= (int)sizeof(s->lock))
		s->lock[0] = '\0';
}

static struct journal *serve_open(struct serve *s)
{
	int error;

	serve_lock_path(s);
	/* before: should another one come to its place meanwhile, it is not this one's */
	error = serve_stat(s, &s->locked);
	s->journal = jnl_open(s->dir, 0);
	if (s->journal && error)
		(void)serve_stat(s, &s->locked);
	return s->journal;
}

/* All that is open goes on as it was, but nobody comes to it any more. */
static bool serve_is_there(struct serve *s)
{
	struct stat now = s->locked;
	int error = serve_stat(s, &now);

	if (error == ENOENT || error == ENOTDIR) {
		jnl_error("%s: is not there any more: %s: %s", s->dir, s->lock, strerror(error));
		return false;
	}
	/* of what cannot be looked at now nothing is known */
	if (error || (now.st_dev == s->locked.st_dev && now.st_ino == s->locked.st_ino))
		return true;
	jnl_error("%s: is not there any more: %s is that of another journal", s->dir, s->lock);
	return false;
}

/* ---- the loop ------------------------------------------------------------------------ */

/* Return: whether one of the signals that end it has come */
static bool serve_wait(struct serve *s, bool more)
{
	uint64_t ns = more ? s->interval_ns / BUSY_SHARE : s->interval_ns;
	struct timespec time = { .tv_sec = (time_t)(ns / 1000000000ull),
				 .tv_nsec = (long)(ns % 1000000000ull) };

	return sigtimedwait(&s->stops, NULL, &time) > 0;
}

/* Return: 0, or that of journal_maintain() which ends it */
static int serve_round(struct serve *s, bool *more)
{
	struct journal_maintained done = { 0 };
	int error = journal_maintain(s->journal, &s->options, &done);

	if (error && (error != -ENOMEM || !s->memory_bad))
		jnl_error("%s: %s", s->dir, journal_error(s->journal));
	s->memory_bad = error == -ENOMEM;
	serve_tell_round(s, &done);
	*more = done.more;
	return s->memory_bad ? 0 : error;
}

static int serve_loop(struct serve *s)
{
	bool more = false;
	int error;

	do {
		if (!serve_is_there(s))
			return JNL_REFUSED;
		error = serve_round(s, &more);
		if (error || serve_now() >= s->look_ns)
			(void)serve_look(s);
	} while (!error && !serve_wait(s, more));
	return error ? JNL_REFUSED : JNL_DONE;
}

static void serve_signals(struct serve *s)
{
	(void)sigemptyset(&s->stops);
	(void)sigaddset(&s->stops, SIGTERM);
	(void)sigaddset(&s->stops, SIGINT);
	/* before there are other threads: they are taken by sigtimedwait() alone */
	(void)sigprocmask(SIG_BLOCK, &s->stops, NULL);
}

int cmd_serve(int argc, char **argv)
{
	struct serve s = { .interval_ns = INTERVAL_MS * NS_PER_MS };
	int status = JNL_REFUSED;

	arguments_parse(&serve_argp, argc, argv, &s);
	serve_signals(&s);
	if (!serve_metrics_may(&s))
		return JNL_REFUSED;
	if (!serve_open(&s))
		return JNL_REFUSED;
	if (!serve_look(&s)) {
		serve_tell_manager("READY=1");
		status = serve_loop(&s);
		(void)serve_notify("STOPPING=1");
	}
	return jnl_close(s.journal, status);
}
