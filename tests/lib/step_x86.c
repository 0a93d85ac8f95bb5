/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tracing by the trap flag: a thread sends itself SIGTRAP, whose handler sets or
 * clears the flag in what the thread returns to.  A trap costs microseconds, and
 * each round of a memset is one: so a call of the C library is passed, and a
 * known place reached, by a breakpoint, as a debugger sets it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "step.h"

#define TRAP_FLAG  0x100
#define BREAKPOINT 0xcc /* one byte long */

extern const char __executable_start, etext;

static const struct step_traps *trap_calls;
static enum { STEP_OFF, STEP_TRACE, STEP_OVER, STEP_BREAK, STEP_BEHIND } trap_state;
static uint8_t *trap_address, trap_byte;
static uint32_t trap_times;
static bool trap_inside; /* tracing: the instruction before was ours */

static bool trap_ours(uintptr_t address)
{
	return address >= (uintptr_t)&__executable_start && address < (uintptr_t)&etext;
}

static void trap_put(uintptr_t address)
{
	trap_address = (uint8_t *)address;
	trap_byte = *trap_address;
	*trap_address = BREAKPOINT;
}

static void trap_take_away(greg_t *registers)
{
	registers[REG_RIP] = (greg_t)(uintptr_t)trap_address;
	*trap_address = trap_byte;
}

/* Of what is not ours nothing is traced: we go on where it returns to. */
__attribute__((no_sanitize_address)) /* of a stack that has nothing there yet */
static void trap_traced(greg_t *registers)
{
	uintptr_t address = (uintptr_t)registers[REG_RIP];
	uintptr_t back = *(const uintptr_t *)(uintptr_t)registers[REG_RSP];
	bool inside = trap_ours(address);
	int error;

	if (inside) {
		error = errno;
		trap_calls->stepped(address - (uintptr_t)&__executable_start);
		errno = error;
	} else if (trap_inside && trap_ours(back)) {
		trap_put(back);
		trap_state = STEP_OVER;
	}
	trap_inside = inside;
}

static void trap_over(greg_t *registers)
{
	trap_take_away(registers);
	trap_state = STEP_TRACE;
	trap_traced(registers);
}

/* To be met once more, it is put back behind the instruction. */
static void trap_met(greg_t *registers)
{
	int error;

	trap_take_away(registers);
	trap_state = --trap_times ? STEP_BEHIND : STEP_OFF;
	if (trap_times)
		return;
	error = errno;
	trap_calls->arrived();
	errno = error;
}

static void trap_from_processor(greg_t *registers)
{
	switch (trap_state) {
	case STEP_TRACE:
		trap_traced(registers);
		break;
	case STEP_OVER:
		trap_over(registers);
		break;
	case STEP_BREAK:
		trap_met(registers);
		break;
	case STEP_BEHIND:
		*trap_address = BREAKPOINT;
		trap_state = STEP_BREAK;
		break;
	case STEP_OFF:
		break;
	}
}

/* It calls nothing of the C library while there is a breakpoint, not even for errno: the
 * call's way out of the program may be where that is. */
static void trap_handler(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	if (info->si_code > 0) /* else our own */
		trap_from_processor(registers);
	if (trap_state == STEP_TRACE || trap_state == STEP_BEHIND)
		registers[REG_EFL] |= TRAP_FLAG;
	else
		registers[REG_EFL] &= ~TRAP_FLAG;
}

bool step_trap_install(const struct step_traps *traps)
{
	struct sigaction action = { .sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO };
	uintptr_t from = (uintptr_t)&__executable_start;

	trap_calls = traps;
	return !sigaction(SIGTRAP, &action, NULL) &&
	       !mprotect((void *)from, (uintptr_t)&etext - from,
			 PROT_READ | PROT_WRITE | PROT_EXEC);
}

void step_trap_trace(void)
{
	trap_inside = false;
	trap_state = STEP_TRACE;
	(void)pthread_kill(pthread_self(), SIGTRAP);
}

void step_trap_set(uint64_t place, uint32_t times)
{
	trap_times = times;
	trap_put((uintptr_t)&__executable_start + place);
	trap_state = STEP_BREAK;
}

void step_trap_off(void)
{
	bool traced = trap_state == STEP_TRACE;

	if (trap_state == STEP_BREAK)
		*trap_address = trap_byte;
	trap_state = STEP_OFF;
	if (traced)
		(void)pthread_kill(pthread_self(), SIGTRAP);
}
