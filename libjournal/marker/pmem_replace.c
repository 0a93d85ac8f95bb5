/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Another file in a medium's place, under one map that stays where it is: pages show the
 * one before until they are told to show this one.
 */
#include "marker/pmem_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "marker/pmem_evidence.h"
#include "store/evidence.h"
#include "util/math.h"

/* The routine was chosen for the kind, once. */
static bool kind_fits(const struct marker_pmem *pmem, const struct medium *m)
{
	enum pmem_kind kind = pmem_kind_of(m);

	return kind == pmem->kind || (pmem->kind == PMEM_CACHE && kind != PMEM_MEMORY);
}

static int replace_check(const struct marker_pmem *pmem, const struct medium *m,
			 uint64_t device, uint64_t inode, struct message *message)
{
	struct pmem_evidence evidence;
	struct stat st;
	int error;

	if (fstat(m->fd, &st))
		return message_errno(message, -errno, "%s", m->path);
	if (inode && (st.st_dev != device || st.st_ino != inode))
		return message_set(message, -ESTALE, "%s: is another file by now", m->path);
	if (!kind_fits(pmem, m) || (inode && m->device))
		return message_set(message, -ENOTSUP, "%s: is another kind of memory", m->path);
	if (pmem->kind != PMEM_DAX)
		return 0;
	error = pmem_evidence_read("/sys", m->device, m->device ? st.st_rdev : st.st_dev,
				   &evidence);
	if (error)
		return evidence_none(m->path, error, message);
	return evidence.class >= pmem->store.class ? 0 :
	       message_set(message, -EPERM, "%s: %s", m->path, evidence.text);
}

int pmem_replace(struct marker_store *store, const char *path, uint64_t device,
		 uint64_t inode, struct message *message)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;
	struct medium m;
	int error = medium_open(path, store->read_only ? MARKER_RDONLY : 0, &m, message);

	if (error)
		return error;
	error = replace_check(pmem, &m, device, inode, message);
	if (error) {
		medium_close(&m);
		return error;
	}
	/* under the number that it has: another thread may be asking it how it is */
	if (pmem->medium.fd >= 0 && dup3(m.fd, pmem->medium.fd, O_CLOEXEC) < 0) {
		error = message_errno(message, -errno, "%s", path);
		medium_close(&m);
		return error;
	}
	pmem->medium.bytes = m.bytes;
	pmem->medium.device = m.device;
	if (pmem->medium.fd >= 0)
		medium_close(&m);
	else
		pmem->medium.fd = m.fd;
	return 0;
}

/* @store's map, in memory of nobody, for as long as there is no medium: @map, which others
 * have pointers into, or a new one. */
int pmem_vacant(struct marker_pmem *pmem, void *map, uint64_t bytes)
{
	int protection = pmem->store.read_only ? PROT_READ : PROT_READ | PROT_WRITE;

	if (!map)
		map = mmap(NULL, bytes, protection,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	pmem->map = map;
	pmem->map_bytes = bytes;
	return 0;
}

int pmem_show(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;
	int flags = pmem->kind == PMEM_DAX && !pmem->medium.device ?
			    MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
	void *map;

	if (offset > pmem->medium.bytes || bytes > pmem->medium.bytes - offset)
		return -EUCLEAN;
	map = mmap(store->map + at, bytes, store->read_only ? PROT_READ : PROT_READ | PROT_WRITE,
		   flags | MAP_FIXED, pmem->medium.fd, (off_t)offset);
	return map == MAP_FAILED ? -errno : 0;
}
