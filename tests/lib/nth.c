/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth.h"

#include <stdio.h>

struct nth *nth;

void nth_on(void)
{
	atomic_store(&nth->on, true);
}

void nth_off(void)
{
	atomic_store(&nth->on, false);
}

uint64_t nth_strikes(enum nth_kind kind)
{
	uint64_t turn;

	if (!nth || !atomic_load_explicit(&nth->on, memory_order_relaxed) || nth->kind != kind)
		return 0;
	turn = atomic_fetch_add(&nth->seen, 1) + 1;
	if (!nth->at || turn < nth->at || (turn > nth->at && !nth->forever))
		return 0;
	return turn;
}

bool nth_gave(int error)
{
	for (int i = 0; i < atomic_load(&nth->errors) && i < NTH_ERRORS_MAX; i++)
		if (nth->error[i] == -error)
			return true;
	return false;
}

/* Called in a signal handler: nothing of libc but what only copies. */
void nth_note(const char *what, int error)
{
	size_t i;

	if (!nth_gave(-error) && atomic_load(&nth->errors) < NTH_ERRORS_MAX)
		nth->error[atomic_fetch_add(&nth->errors, 1) % NTH_ERRORS_MAX] = error;
	if (atomic_fetch_add(&nth->struck, 1))
		return;
	for (i = 0; what[i] && i < sizeof(nth->what) - 1; i++)
		nth->what[i] = what[i];
	nth->what[i] = '\0';
}
