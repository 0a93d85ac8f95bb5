/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every system call of this process traps (seccomp), also those that liburing and the
 * dynamic loader make without libc; the handler carries it out, or says that it failed.
 * No list says which calls there are: what is not known below fails with EIO.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "nth.h"
#include "nth_rules.h"
#include "tool_code.h"

/* the only place from which the kernel takes calls */
long nth_gate(long number, long a, long b, long c, long d, long e, long f);
void nth_gate_clone(void);
extern const char nth_gate_from[], nth_gate_to[];
/* where a thread that was made there goes on, and its maker: libc has one place */
extern long nth_gate_back;

__asm__(".text\n"
	".globl nth_gate, nth_gate_clone, nth_gate_from, nth_gate_to, nth_gate_back\n"
	".balign 64\n"
	"nth_gate_from:\n"
	"nth_gate:\n"
	"	.cfi_startproc\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"nth_gate_clone:\n"
	"	syscall\n"
	"	jmp *nth_gate_back(%rip)\n"
	"nth_gate_to:\n"
	".data\n"
	".balign 8\n"
	"nth_gate_back:\n"
	"	.quad 0\n"
	".text\n");

static long carry_out(long number, const long a[6])
{
	return nth_gate(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- what one is to give ----------------------------------------------------------- */

static bool moves_bytes(long number)
{
	return number == SYS_read || number == SYS_pread64 || number == SYS_write ||
	       number == SYS_pwrite64;
}

/* half of what was wanted, in whole sectors where there are two of them */
static long short_one(long number, long a[6])
{
	a[2] = a[2] >= 1024 ? a[2] / 2 & ~511l : a[2] / 2;
	return carry_out(number, a);
}

/* Of an eventfd reads and writes do not fail, but by what it counts. */
static _Atomic uint64_t eventfds[16];

static void descriptor(long number, const long a[6], long result)
{
	if (number == SYS_eventfd2 && result >= 0 && result < 1024)
		atomic_fetch_or(&eventfds[result / 64], 1ull << result % 64);
	if (number == SYS_close && a[0] >= 0 && a[0] < 1024)
		atomic_fetch_and(&eventfds[a[0] / 64], ~(1ull << a[0] % 64));
}

static bool is_eventfd(long number, const long a[6])
{
	return (number == SYS_read || number == SYS_write) && a[0] >= 0 && a[0] < 1024 &&
	       atomic_load(&eventfds[a[0] / 64]) >> a[0] % 64 & 1;
}

/* Return: whether it fails, with @result */
static bool fails(long number, long a[6], long *result)
{
	const struct nth_rule *rule = nth_rule(number);
	uint64_t turn;
	int error;

	if (nth->kind == NTH_INTERRUPTION) {
		if (!nth_can_interrupt(number, a) || is_eventfd(number, a))
			return false;
		turn = nth_strikes(NTH_INTERRUPTION);
		if (!turn)
			return false;
		turn += nth->forever;
		/* for ever means that it never comes further than one sector, not nowhere */
		if (moves_bytes(number) && a[2] >= 2 && (nth->forever || turn % 2)) {
			nth_note(rule->name, EINTR);
			*result = short_one(number, a);
			return true;
		}
		if (nth->forever && turn % 2)
			return false; /* every second one only: else nobody could go on */
		nth_note(rule->name, EINTR);
		*result = -EINTR;
		return true;
	}
	if (nth->kind != NTH_CALL || nth_cannot_fail(number, a) || is_eventfd(number, a))
		return false;
	turn = nth_strikes(NTH_CALL);
	if (!turn)
		return false;
	error = nth_choose(rule, turn + nth->forever);
	nth_note(rule && rule->name ? rule->name : "a call without a name", error);
	*result = -error;
	/* these cannot leave undone what they were to do */
	if (number == SYS_close || number == SYS_munmap)
		descriptor(number, a, carry_out(number, a));
	if (number == SYS_brk)
		*result = nth_gate(SYS_brk, 0, 0, 0, 0, 0, 0);
	return true;
}

/* ---- the trap ------------------------------------------------------------------------ */

/* The mask is what the handler returns to; SIGSYS must never be in it. */
static long change_mask(ucontext_t *context, const long a[6])
{
	uint64_t *mask = (uint64_t *)(void *)&context->uc_sigmask;
	uint64_t set, before = *mask;

	if (a[1]) {
		memcpy(&set, (const void *)a[1], sizeof(set));
		if (a[0] == SIG_BLOCK)
			*mask |= set;
		else if (a[0] == SIG_UNBLOCK)
			*mask &= ~set;
		else
			*mask = set;
		*mask &= ~(1ull << (SIGSYS - 1));
	}
	if (a[2])
		memcpy((void *)a[2], &before, sizeof(before));
	return 0;
}

static void count(_Atomic uint64_t *of, long number)
{
	if (number >= 0 && number < NTH_CALLS_MAX)
		atomic_fetch_add_explicit(&of[number], 1, memory_order_relaxed);
}

static void on_call(int signal, siginfo_t *info, void *handed)
{
	ucontext_t *context = handed;
	greg_t *r = context->uc_mcontext.gregs;
	long number = info->si_syscall, result;
	long a[6] = { r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9] };
	bool on = atomic_load(&nth->on);

	(void)signal;
	if (on)
		count(nth->calls, number);
	if (on && fails(number, a, &result)) {
		count(nth->failed, number);
		r[REG_RAX] = result;
		return;
	}
	if (number == SYS_rt_sigprocmask) {
		r[REG_RAX] = change_mask(context, a);
		return;
	}
	if (number == SYS_clone || number == SYS_clone3) {
		nth_gate_back = r[REG_RIP];
		r[REG_RIP] = (greg_t)(uintptr_t)nth_gate_clone;
		r[REG_RAX] = number;
		return;
	}
	if (on && number == SYS_io_uring_enter)
		nth_ring_submits(a);
	result = carry_out(number, a);
	nth_ring_called(number, a, result);
	descriptor(number, a, result);
	r[REG_RAX] = result;
}

#define WHERE offsetof(struct seccomp_data, instruction_pointer)
/* is it in [from, to]?  then allowed */
#define IF_FROM(range)                                                                 \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHERE + 4),                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)((range).from >> 32), 0, 4),     \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHERE),                                     \
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(range).from, 0, 2),             \
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(range).to, 1, 0),               \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int nth_calls_begin(void)
{
	struct code_range gate = { (uintptr_t)nth_gate_from, (uintptr_t)nth_gate_to };
	struct code_range tool = { UINT64_MAX, 0 };
	struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER };

	(void)tool_code(&tool);
	if (gate.from >> 32 != gate.to >> 32 ||
	    (tool.to && tool.from >> 32 != tool.to >> 32))
		return -ERANGE;

	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		IF_FROM(gate),
		IF_FROM(tool),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter), .filter = filter,
	};

	if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

bool nth_calls_can(void)
{
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)
		return true;
	puts("skip: system calls: no seccomp here");
	return false;
}
