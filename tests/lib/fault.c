/* SPDX-License-Identifier: BSD-3-Clause */
#include "fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

uint64_t fault_seed(const char *test)
{
	const char *given = getenv("SEED");
	uint64_t seed;

	if (given && *given)
		seed = strtoull(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();
	printf("# %s: SEED=%" PRIu64 "\n", test, seed);
	(void)fflush(stdout);
	return seed;
}

/* splitmix64: every state is a good one */
uint64_t fault_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int fault_strike(struct fault *fault)
{
	fault->seen++;
	if (!fault->at || fault->seen < fault->at)
		return 0;
	return fault->seen == fault->at || fault->forever ? fault->error : 0;
}
