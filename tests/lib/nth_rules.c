/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "nth.h"
#include "util/math.h"

static const struct nth_rule rules[] = {
	/* journal.conf, /proc, /sys, /dev/shm: the kernel gives such a file in one piece */
	{ SYS_read, "read", { EIO }, false },
	{ SYS_pread64, "pread64", { EIO }, true },
	{ SYS_write, "write", { EIO, ENOSPC }, true },
	{ SYS_pwrite64, "pwrite64", { EIO, ENOSPC }, true },
	{ SYS_pwritev2, "pwritev2", { EIO, ENOSPC, EOPNOTSUPP }, false },
	{ SYS_preadv2, "preadv2", { EIO, EOPNOTSUPP }, false },
	{ SYS_open, "open", { EMFILE, ENOMEM, EIO }, false },
	{ SYS_openat, "openat", { EMFILE, ENOMEM, EIO }, false },
	{ SYS_close, "close", { EIO, EINTR }, false },
	{ SYS_fstat, "fstat", { EIO, ENOMEM }, false },
	{ SYS_stat, "stat", { EIO, ENOMEM }, false },
	{ SYS_lstat, "lstat", { EIO, ENOMEM }, false },
	{ SYS_newfstatat, "newfstatat", { EIO, ENOMEM }, false },
	{ SYS_statx, "statx", { EIO, ENOMEM, ENOSYS }, false },
	{ SYS_statfs, "statfs", { EIO, ENOMEM }, false },
	{ SYS_fstatfs, "fstatfs", { EIO, ENOMEM }, false },
	{ SYS_access, "access", { EIO, ENOMEM }, false },
	{ SYS_faccessat, "faccessat", { EIO, ENOMEM }, false },
	{ SYS_faccessat2, "faccessat2", { EIO, ENOMEM }, false },
	{ SYS_readlink, "readlink", { EIO, ENOMEM }, false },
	{ SYS_readlinkat, "readlinkat", { EIO, ENOMEM }, false },
	{ SYS_getdents64, "getdents64", { EIO, ENOMEM }, false },
	{ SYS_getcwd, "getcwd", { ENOMEM }, false },
	{ SYS_lseek, "lseek", { EIO }, false },
	{ SYS_ioctl, "ioctl", { EIO, ENOTTY, ENOMEM }, false },
	{ SYS_fcntl, "fcntl", { ENOLCK, EMFILE }, false },
	{ SYS_flock, "flock", { ENOLCK }, true },
	{ SYS_fallocate, "fallocate", { ENOSPC, EIO, EOPNOTSUPP }, true },
	{ SYS_ftruncate, "ftruncate", { EIO, ENOSPC }, true },
	{ SYS_fsync, "fsync", { EIO, ENOSPC }, true },
	{ SYS_fdatasync, "fdatasync", { EIO, ENOSPC }, true },
	{ SYS_sync_file_range, "sync_file_range", { EIO, ENOSPC }, false },
	{ SYS_fadvise64, "fadvise64", { EIO }, false },
	{ SYS_msync, "msync", { EIO, ENOMEM }, false },
	{ SYS_rename, "rename", { EIO, ENOSPC, ENOMEM }, false },
	{ SYS_renameat, "renameat", { EIO, ENOSPC, ENOMEM }, false },
	{ SYS_renameat2, "renameat2", { EIO, ENOSPC, ENOMEM }, false },
	{ SYS_mkdir, "mkdir", { ENOSPC, EIO, ENOMEM }, false },
	{ SYS_mkdirat, "mkdirat", { ENOSPC, EIO, ENOMEM }, false },
	{ SYS_rmdir, "rmdir", { EIO, ENOMEM }, false },
	{ SYS_unlink, "unlink", { EIO, ENOMEM }, false },
	{ SYS_unlinkat, "unlinkat", { EIO, ENOMEM }, false },
	{ SYS_link, "link", { EIO, ENOSPC }, false },
	{ SYS_linkat, "linkat", { EIO, ENOSPC }, false },
	{ SYS_symlink, "symlink", { EIO, ENOSPC }, false },
	{ SYS_chmod, "chmod", { EIO, EPERM }, false },
	{ SYS_fchmod, "fchmod", { EIO, EPERM }, false },
	{ SYS_fchmodat, "fchmodat", { EIO, EPERM }, false },
	{ SYS_chown, "chown", { EIO, EPERM }, false },
	{ SYS_fchown, "fchown", { EIO, EPERM }, false },
	{ SYS_fchownat, "fchownat", { EIO, EPERM }, false },
	{ SYS_mmap, "mmap", { ENOMEM }, false },
	{ SYS_munmap, "munmap", { ENOMEM }, false },
	{ SYS_mremap, "mremap", { ENOMEM }, false },
	{ SYS_mprotect, "mprotect", { ENOMEM }, false },
	{ SYS_madvise, "madvise", { ENOMEM, EAGAIN }, false },
	{ SYS_mlock, "mlock", { ENOMEM }, false },
	{ SYS_brk, "brk", { ENOMEM }, false },
	{ SYS_memfd_create, "memfd_create", { EMFILE, ENOMEM, ENFILE }, false },
	{ SYS_eventfd2, "eventfd2", { EMFILE, ENOMEM, ENFILE }, false },
	{ SYS_epoll_create1, "epoll_create1", { EMFILE, ENOMEM }, false },
	{ SYS_inotify_init1, "inotify_init1", { EMFILE, ENOMEM }, false },
	{ SYS_inotify_add_watch, "inotify_add_watch", { ENOSPC, ENOMEM }, false },
	{ SYS_socket, "socket", { EMFILE, ENOMEM, ENFILE }, false },
	{ SYS_bind, "bind", { ENOMEM }, false },
	{ SYS_connect, "connect", { ENOMEM }, false },
	{ SYS_sendto, "sendto", { ENOMEM }, false },
	{ SYS_clone, "clone", { EAGAIN }, false },
	{ SYS_clone3, "clone3", { EAGAIN }, false },
	{ SYS_io_uring_setup, "io_uring_setup", { ENOMEM, EMFILE, EPERM }, false },
	{ SYS_io_uring_register, "io_uring_register", { ENOMEM, EINVAL }, false },
	{ SYS_io_uring_enter, "io_uring_enter", { EAGAIN, EBADR }, true },
	{ SYS_getrandom, "getrandom", { ENOSYS, EAGAIN }, false },
	{ SYS_membarrier, "membarrier", { EPERM, ENOSYS }, false },
	{ SYS_poll, "poll", { ENOMEM }, true },
	{ SYS_ppoll, "ppoll", { ENOMEM }, true },
	{ SYS_epoll_wait, "epoll_wait", { EIO }, true },
	{ SYS_prlimit64, "prlimit64", { EPERM }, false },
	{ SYS_prctl, "prctl", { EINVAL }, false },
	{ SYS_sysinfo, "sysinfo", { 0 }, false },
	{ SYS_uname, "uname", { 0 }, false },
	{ SYS_getpid, "getpid", { 0 }, false },
	{ SYS_gettid, "gettid", { 0 }, false },
	{ SYS_getppid, "getppid", { 0 }, false },
	{ SYS_getuid, "getuid", { 0 }, false },
	{ SYS_geteuid, "geteuid", { 0 }, false },
	{ SYS_getgid, "getgid", { 0 }, false },
	{ SYS_getegid, "getegid", { 0 }, false },
	{ SYS_umask, "umask", { 0 }, false },
	{ SYS_sched_yield, "sched_yield", { 0 }, false },
	{ SYS_getcpu, "getcpu", { 0 }, false },
	{ SYS_sched_getaffinity, "sched_getaffinity", { 0 }, false },
	{ SYS_clock_gettime, "clock_gettime", { 0 }, false },
	{ SYS_clock_getres, "clock_getres", { 0 }, false },
	{ SYS_clock_nanosleep, "clock_nanosleep", { 0 }, true },
	{ SYS_nanosleep, "nanosleep", { 0 }, true },
	{ SYS_futex, "futex", { 0 }, true },
	/* of a thread that begins or ends: libc gives up at most, and tells nobody */
	{ SYS_rseq, "rseq", { 0 }, false },
	{ SYS_set_robust_list, "set_robust_list", { 0 }, false },
	{ SYS_set_tid_address, "set_tid_address", { 0 }, false },
	{ SYS_rt_sigprocmask, "rt_sigprocmask", { 0 }, false },
	{ SYS_rt_sigaction, "rt_sigaction", { 0 }, false },
	{ SYS_sigaltstack, "sigaltstack", { 0 }, false },
	{ SYS_arch_prctl, "arch_prctl", { 0 }, false },
	{ SYS_tgkill, "tgkill", { 0 }, false },
	{ SYS_restart_syscall, "restart_syscall", { 0 }, false },
};

const struct nth_rule *nth_rule(long number)
{
	for (size_t i = 0; i < ARRAY_COUNT(rules); i++)
		if (rules[i].number == number)
			return &rules[i];
	return NULL;
}

const char *nth_call_name(int number)
{
	const struct nth_rule *rule = nth_rule(number);

	return rule ? rule->name : NULL;
}

bool nth_cannot_fail(long number, const long a[6])
{
	const struct nth_rule *rule = nth_rule(number);

	/* of a descriptor that is open: what only looks at it, or gives a lock back */
	if (number == SYS_fcntl)
		return a[1] == F_GETFL || a[1] == F_GETFD || a[1] == F_SETFD;
	/* libc ends the process when the kernel does not take a thread's stack back */
	if (number == SYS_munmap)
		return a[1] >= 8l << 20;
	if (number == SYS_flock)
		return a[1] == 8; /* LOCK_UN */
	return rule && !rule->error[0];
}

bool nth_can_interrupt(long number, const long a[6])
{
	const struct nth_rule *rule = nth_rule(number);
	int command = (int)a[1] & FUTEX_CMD_MASK;

	if (number == SYS_futex)
		return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
	return rule && rule->interrupted;
}

int nth_choose(const struct nth_rule *rule, uint64_t turn)
{
	uint64_t count = 0;

	if (!rule)
		return EIO;
	while (count < NTH_RULE_ERRORS && rule->error[count])
		count++;
	return rule->error[turn % count];
}
