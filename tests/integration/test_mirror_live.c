/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A leg of a mirrored log is brought up to date while processes put, retire and read, and
 * are stopped and killed, as is who copies.  Then the other leg goes, and all that was
 * acknowledged is on the one that was copied to (lib/crowd.h).
 *
 * MIRROR_ROUNDS: so many for each kind of marker, 4 by default, each with other trouble.
 * SEED: workloads, victims and moments; what the machine does in between is its own.
 */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/crowd.h"
#include "lib/fault.h"

#define TOGETHER 6u

/* what happens meanwhile: a mask */
#define TROUBLE_KILLS  1u /* of those who write */
#define TROUBLE_STOPS  2u
#define TROUBLE_COPIER 4u /* he is killed, again and again, before he may end */
#define TROUBLE_NEW    8u /* the leg is another file, on a new disk */

static const char *dir_of(struct bed *bed, unsigned int leg)
{
	return leg ? bed->mirrors[0] : bed->logs[0];
}

static void set_away(struct bed *bed, unsigned int leg, bool away)
{
	char name[PATH_MAX + 8];

	(void)snprintf(name, sizeof(name), "%s.away", dir_of(bed, leg));
	assert_int_equal(away ? rename(dir_of(bed, leg), name) : rename(name, dir_of(bed, leg)),
			 0);
}

static void remove_leg(struct bed *bed, unsigned int leg)
{
	char pattern[PATH_MAX + 8];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s/*", dir_of(bed, leg));
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(unlink(found.gl_pathv[0]), 0);
	globfree(&found);
}

static struct journal_leg look(struct bed *bed, unsigned int leg)
{
	struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct journal_leg both[JOURNAL_LEGS];
	struct bed reader = *bed;

	bed_open(&reader, &options);
	assert_int_equal(journal_legs(reader.j, 0, both), 0);
	bed_close(&reader);
	return both[leg];
}

static pid_t copier(struct bed *bed)
{
	char text[512];
	pid_t pid = child_fork();
	int error;

	if (pid)
		return pid;
	error = journal_mirror(bed->dir, NULL, text, sizeof(text));
	if (error)
		fprintf(stderr, "mirror: %s\n", text);
	child_exit(error ? 1 : 0);
}

static void kill_copiers(struct crowd *crowd)
{
	int status, i, killed = 0;
	pid_t pid;

	for (i = 0; i < 6; i++) {
		pid = copier(crowd->bed);
		crowd_sleep_us(fault_random(&crowd->random) % 40000);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed += WIFSIGNALED(status);
		crowd_goes_on(crowd, CROWD_MAX);
	}
	printf("# %d of 6 copiers were killed before they ended\n", killed);
}

/* While the copier runs.  Return: how he ended */
static int among(struct crowd *crowd, pid_t pid, unsigned int trouble)
{
	uint32_t who = (uint32_t)(fault_random(&crowd->random) % crowd->count);
	int status;

	if (trouble & TROUBLE_STOPS)
		(void)kill(crowd->pid[who], SIGSTOP);
	while (!waitpid(pid, &status, WNOHANG)) {
		crowd_sleep_us(fault_random(&crowd->random) % 10000);
		if (!(trouble & TROUBLE_KILLS))
			continue;
		who = (uint32_t)(fault_random(&crowd->random) % crowd->count);
		crowd_kill(crowd, who);
		crowd_goes_on(crowd, who);
		crowd_start(crowd, who);
	}
	/* the one that was stopped did not keep him from it */
	if (trouble & TROUBLE_STOPS)
		(void)kill(crowd->pid[who], SIGCONT);
	return status;
}

static void copied(struct crowd *crowd, unsigned int leg, unsigned int trouble)
{
	int status = among(crowd, copier(crowd->bed), trouble);

	/* with somebody killed in the moment of its end it says so: again */
	while (WEXITSTATUS(status) && trouble & TROUBLE_KILLS &&
	       look(crowd->bed, leg).state != JOURNAL_LEG_GOOD)
		status = among(crowd, copier(crowd->bed), 0);
	assert_int_equal(status, 0);
	assert_int_equal(look(crowd->bed, leg).state, JOURNAL_LEG_GOOD);
}

static void come_back(struct crowd *crowd, unsigned int leg, unsigned int trouble)
{
	struct bed *bed = crowd->bed;
	char text[512];
	uint32_t who;

	set_away(bed, leg, true);
	crowd_start_all(crowd);
	for (who = 0; who < TOGETHER; who++)
		crowd_goes_on(crowd, CROWD_MAX);
	assert_int_equal(look(bed, leg).state, JOURNAL_LEG_MISSING);
	set_away(bed, leg, false);
	if (trouble & TROUBLE_NEW)
		remove_leg(bed, leg);
	if (trouble & TROUBLE_COPIER)
		kill_copiers(crowd);
	copied(crowd, leg, trouble);
	crowd_goes_on(crowd, CROWD_MAX);
	if (fault_random(&crowd->random) % 2)
		crowd_kill_all(crowd);
	else
		crowd_end_all(crowd);
	crowd_fine(crowd);
	/* the other one is gone: what is there is what this one has */
	remove_leg(bed, !leg);
	if (journal_mirror(bed->dir, NULL, text, sizeof(text)))
		fail_msg("%s", text);
	crowd_compare(crowd);
}

static void it_comes_back(enum bed_medium medium)
{
	static const unsigned int troubles[] = {
		TROUBLE_STOPS, TROUBLE_KILLS, TROUBLE_COPIER | TROUBLE_STOPS,
		TROUBLE_KILLS | TROUBLE_COPIER | TROUBLE_NEW,
	};
	const char *given = getenv("MIRROR_ROUNDS");
	unsigned int i, rounds = given && *given ? (unsigned int)atoi(given) : 4;
	struct crowd crowd;
	struct bed bed;

	bed_make_mirrored(&bed, medium);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_SMALL | CROWD_BIG | CROWD_GROUPS | CROWD_SYNCED |
		   CROWD_ABORTS | CROWD_READS, fault_seed("it comes back"));
	for (i = 0; i < rounds; i++)
		come_back(&crowd, (i + (unsigned int)medium) & 1, troubles[i % 4]);
	printf("# %" PRIu64 " commits, %" PRIu64 " retires; longest call %.1f ms\n",
	       crowd_commits(&crowd), crowd_retires(&crowd),
	       (double)crowd_longest_ns(&crowd, CROWD_MAX) / 1e6);
	crowd_free(&crowd);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "it comes back", it_comes_back, 1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, 1);
}
