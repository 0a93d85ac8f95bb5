/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/member.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/line.h"

static uint64_t member_mix(uint64_t bits)
{
	bits = (bits ^ bits >> 32) * 0xd6e8feb86659fd93ull;
	bits = (bits ^ bits >> 32) * 0xd6e8feb86659fd93ull;
	return bits ^ bits >> 32;
}

/*
 * What an exec changes, and nothing else does.  The kernel's random bytes are the
 * secret of stack guards: of a mix of all of them a half is used, from which the bytes
 * cannot be had.
 */
static uint64_t member_exec(void)
{
	const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
	uint64_t words[2] = { 0 };

	if (random)
		memcpy(words, random, sizeof(words));
	return member_mix(member_mix(words[0]) + words[1]) >> 32;
}

/*
 * Which program in which process this is, on this machine and in this boot: pid, its
 * namespace, when it began, and which exec.  Who execs has lost its locks, and what it
 * had before is a dead one's.  0 is nobody.
 */
static uint64_t member_identity(void)
{
	char text[1024] = "";
	const char *at;
	struct stat ns = { 0 };
	unsigned long long began = 0;
	int i, fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	(void)stat("/proc/self/ns/pid", &ns);
	/* the name may hold anything: fields are counted from its end */
	at = strrchr(text, ')');
	for (i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (at)
		began = strtoull(at, NULL, 10);
	return ((uint64_t)getpid() << 32 ^ (uint64_t)ns.st_ino << 20 ^
		began * 0x9e3779b97f4a7c15ull ^ member_exec() * 0xff51afd7ed558ccdull) | 1;
}

static void member_path(const char *dir, uint32_t number, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%.*s/" PEERS_DIR "/%u", PATH_MAX - 32, dir, number);
}

/* The directory of the files; who may write the journal may write in it. */
static int member_directory(const char *dir, int lock_fd)
{
	char path[PATH_MAX];
	struct stat lock;
	mode_t mode;

	(void)snprintf(path, sizeof(path), "%.*s/" PEERS_DIR, PATH_MAX - 32, dir);
	if (fstat(lock_fd, &lock))
		return -errno;
	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	mode = lock.st_mode & 0660;
	if (chown(path, (uid_t)-1, lock.st_gid) || chmod(path, mode | (mode & 0440) >> 2))
		return -errno;
	return 0;
}

static int member_open(const char *dir, int lock_fd, uint32_t number, int *fd)
{
	char path[PATH_MAX];
	struct stat lock;
	int error = 0;

	member_path(dir, number, path);
	*fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (*fd >= 0)
		return 0;
	if (errno == ENOENT && (error = member_directory(dir, lock_fd)))
		return error;
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0 || fstat(lock_fd, &lock))
		return -errno;
	/* of two who make it at once, its owner may not be us: then it is done already */
	(void)!fchown(*fd, (uid_t)-1, lock.st_gid);
	(void)!fchmod(*fd, lock.st_mode & 0660);
	return 0;
}

int member_make(const char *dir, int lock_fd)
{
	int fd = -1, error = member_open(dir, lock_fd, 0, &fd);

	if (fd >= 0)
		close(fd);
	return error;
}

/* The lock of the process; whoever has the number has the file to itself. */
static int member_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &lock) ? -errno : 0;
}

/* Take number @number, if it is free.  -EAGAIN: it is not, after all. */
static int member_try(struct journal *j, uint32_t number)
{
	struct member *m = &j->members[number];
	uint64_t word = atomic_load(&m->state), starting;
	int fd = -1, error;

	starting = member_word(word + (1ull << 32), MEMBER_STARTING, 0);
	if ((word & 0xff) != MEMBER_FREE ||
	    !atomic_compare_exchange_strong(&m->state, &word, starting))
		return -EAGAIN;
	atomic_store(&m->identity, j->identity);
	atomic_store(&m->pid, j->opener_pid);
	error = member_open(j->dir, j->lock_fd, number, &fd);
	if (!error)
		error = member_lock(fd);
	word = starting;
	/* somebody may have found us dead before we had the lock */
	if (!error && !atomic_compare_exchange_strong(&m->state, &word,
						      member_word(word, MEMBER_ALIVE, 0)))
		error = -EAGAIN;
	if (!error) {
		j->member_fd = fd;
		return 0;
	}
	/* the file's lock may be held by one who was found dead in this way */
	if (error == -EACCES)
		error = -EAGAIN;
	if (fd >= 0)
		close(fd);
	word = starting;
	(void)atomic_compare_exchange_strong(&m->state, &word,
					     member_word(word, MEMBER_FREE, 0));
	return error;
}

static void member_is(struct journal *j, uint32_t number)
{
	j->member = number + 1;
	j->own = &j->members[number].own;
	slots_from_none(j->own);
	j->own->owner = j->member;
}

void member_alone(struct journal *j)
{
	member_is(j, 0);
	atomic_store(&j->members[0].state, MEMBER_ALIVE);
}

int member_join(struct journal *j)
{
	uint32_t number;
	int error = -EAGAIN;

	j->identity = member_identity();
	for (number = 0; number < MEMBERS && error == -EAGAIN; number++)
		if (member_state_of(j, number) == MEMBER_FREE)
			error = member_try(j, number);
	if (error == -EAGAIN)
		return journal_say(j, -EUSERS, "%s: %u processes have it open: no more can", j->dir,
				   MEMBERS);
	if (error)
		return message_errno(journal_message(j), error, "%s/" PEERS_DIR, j->dir);
	member_is(j, number - 1); /* the loop is one ahead */
	return 0;
}

void member_leave(struct journal *j)
{
	struct member *m = &j->members[j->member - 1];

	atomic_store(&m->identity, 0);
	/* free before the lock goes: in between it would look dead */
	atomic_store(&m->state, member_word(m->state, MEMBER_FREE, 0));
	member_drop(j);
}

/* Others see that by the lock; our own process is told: it must not look at that. */
void member_die(struct journal *j)
{
	struct member *m = &j->members[j->member - 1];
	uint32_t given = (uint32_t)(atomic_load(&m->state) >> 32);

	/* the lock goes first: who takes over may get the number, and the file with it */
	member_drop(j);
	atomic_store(&m->gone, given);
}

void member_drop(struct journal *j)
{
	if (j->member_fd >= 0)
		close(j->member_fd);
	j->member_fd = -1;
}

bool member_is_dead(const struct journal *j, uint32_t number)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t identity = atomic_load(&j->members[number].identity);
	char path[PATH_MAX];
	bool dead;
	int fd;

	if (!identity)
		return false;
	/* one of our own process: its file must not be opened here */
	if (identity == j->identity)
		return atomic_load(&j->members[number].gone) ==
		       atomic_load(&j->members[number].state) >> 32;
	member_path(j->dir, number, path);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) /* it died before it had made its file; else it cannot be told */
		return errno == ENOENT && member_state_of(j, number) == MEMBER_STARTING;
	dead = !fcntl(fd, F_GETLK, &lock) && lock.l_type == F_UNLCK &&
	       identity == atomic_load(&j->members[number].identity);
	close(fd);
	return dead;
}

uint32_t member_count(const struct journal *j)
{
	uint32_t number, members = 0;

	for (number = 0; number < MEMBERS; number++)
		members += member_state_of(j, number) != MEMBER_FREE;
	return members;
}

bool member_is_stopped(const struct journal *j, uint32_t number)
{
	char path[64], text[1024] = "";
	const char *at;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat",
		       atomic_load(&j->members[number].pid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	/* pid (name) state: R, S and D go on */
	at = strrchr(text, ')');
	return !at || at[1] != ' ' || !at[2] || !strchr("RSD", at[2]);
}

int member_some_pid(const struct journal *j)
{
	uint32_t number;

	for (number = 0; number < MEMBERS; number++)
		if (member_state_of(j, number) == MEMBER_ALIVE)
			return atomic_load(&j->members[number].pid);
	return 0;
}
