/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: churn DIR COUNT
 *
 * Commits COUNT transactions as fast as it goes, and then more until its input
 * ends, and keeps the last 50 of them, so that lines and segments are recycled all
 * the time.  Each payload repeats eight digits.  Prints a line when it has begun,
 * and one when it has committed COUNT.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"

#define KEPT        50
#define UNITS_MAX   2000
#define UNIT_BYTES  8

static int churn_fail(struct journal *journal, const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, journal_error(journal));
	return 1;
}

static size_t churn_payload(char *payload, uint32_t n)
{
	size_t units = 1 + n * 7919 % UNITS_MAX;

	for (size_t i = 0; i < units; i++)
		(void)snprintf(payload + i * UNIT_BYTES, UNIT_BYTES + 1, "%08" PRIx32, n);
	return units * UNIT_BYTES;
}

static void churn_say(const char *what)
{
	puts(what);
	fflush(stdout);
}

/* nothing is ever written to the pipe: it is readable when its other end is closed */
static bool churn_told_to_end(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, 0) != 0;
}

static int churn(struct journal *journal, uint32_t count)
{
	static char payload[UNITS_MAX * UNIT_BYTES + 1];
	uint64_t kept[KEPT] = { 0 };

	for (uint32_t n = 0; n <= count || !churn_told_to_end(); n++) {
		uint64_t *slot = &kept[n % KEPT];
		struct journal_receipt receipt;

		if (*slot && journal_retire(journal, *slot))
			return churn_fail(journal, "retire");
		if (journal_put(journal, payload, churn_payload(payload, n), &receipt))
			return churn_fail(journal, "put");
		*slot = receipt.id;
		if (!n)
			churn_say("begun");
		if (n == count)
			churn_say("enough");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct journal *journal;
	int status;

	if (argc != 3)
		return 2;
	if (journal_open(argv[1], NULL, &journal))
		return churn_fail(journal, argv[1]);
	status = churn(journal, (uint32_t)strtoul(argv[2], NULL, 10));
	if (journal_close(journal))
		status = 1;
	return status;
}
