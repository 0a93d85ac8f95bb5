/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/pmem_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "marker/pmem_evidence.h"
#include "marker/pmem_load.h"
#include "marker/pmem_replace.h"
#include "marker/pmem_store.h"
#include "store/evidence.h"
#include "store/persist.h"
#include "util/in_use.h"
#include "util/math.h"

#define ERASE_BYTES 4096u

static void pmem_close(struct marker_store *store)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;

	if (pmem->map && (store->read_only || !pmem->module))
		(void)munmap(pmem->map, pmem->map_bytes);
	else if (pmem->map)
		(void)pmem->module->unmap(pmem->map, pmem->map_bytes);
	if (pmem->dirty_made)
		dirty_destroy(&pmem->dirty);
	in_use_end(pmem->medium.fd);
	medium_close(&pmem->medium);
	free(pmem);
}

static void pmem_share(struct marker_store *store, struct marker_share *share, void *map)
{
	(void)map; /* the medium is mapped by everybody */
	share->kind = ((struct marker_pmem *)store)->kind;
}

/* What was cut off kills who touches it (SIGBUS). */
static bool pmem_is_short(const struct marker_pmem *pmem, const struct stat *st)
{
	return S_ISREG(st->st_mode) && (uint64_t)st->st_size < pmem->store.bytes;
}

static void pmem_plug(struct marker_store *store)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;
	int protection = store->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	struct stat st;
	uint64_t from;

	if (pmem->medium.fd < 0 || fstat(pmem->medium.fd, &st) || !pmem_is_short(pmem, &st))
		return;
	from = round_up((uint64_t)st.st_size, MEDIUM_PAGE_BYTES);
	/* if it cannot be had, it is as it was */
	if (from < store->bytes)
		(void)mmap(store->map + from, store->bytes - from, protection,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* As at open: what its class rests on; and that it is there for the next open. */
static int pmem_health(struct marker_store *store, struct message *why)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;
	struct pmem_evidence evidence;
	struct stat st;

	if (pmem->medium.fd < 0)
		return message_set(why, -ENODEV, "the medium is not in use here");
	if (fstat(pmem->medium.fd, &st))
		return message_errno(why, -errno, "the medium");
	if (!st.st_nlink)
		return message_set(why, -ENODEV, "the medium was removed");
	if (pmem_is_short(pmem, &st))
		return message_set(why, -EUCLEAN, "the medium was truncated");
	if (pmem->kind != PMEM_DAX)
		return 0;
	/* of a limit of this process the text says nothing worse than of a region that went */
	(void)pmem_evidence_read("/sys", S_ISCHR(st.st_mode),
				 S_ISCHR(st.st_mode) ? st.st_rdev : st.st_dev, &evidence);
	return evidence.class >= store->class ? 0 : message_set(why, -EIO, "%s", evidence.text);
}

static const struct marker_store_ops pmem_ops = {
	.backend = "pmem",
	.health = pmem_health,
	.plug = pmem_plug,
	.share = pmem_share,
	.replace = pmem_replace,
	.show = pmem_show,
	.close = pmem_close,
};

/* ---- mapping -------------------------------------------------------------- */

/* The size wanted, with every block there; a sparse file (copied, perhaps)
 * would be a SIGBUS on the day the disk is full. */
static int allocate(struct marker_pmem *pmem, unsigned int flags, uint64_t bytes,
		    struct message *message)
{
	struct medium *m = &pmem->medium;
	struct stat st;

	if (flags & MARKER_CREATE) {
		bytes = bytes ? bytes : round_down(m->bytes, MEDIUM_PAGE_BYTES);
		if (!bytes)
			return message_set(message, -EINVAL, "%s: a size is needed", m->path);
		pmem->store.bytes = bytes;
		return medium_resize(m, bytes, message);
	}
	pmem->store.bytes = round_down(m->bytes, MEDIUM_PAGE_BYTES);
	if (!pmem->store.bytes)
		return message_set(message, -EUCLEAN, "%s: truncated", m->path);
	if (pmem->store.read_only || m->device)
		return 0;
	if (fstat(m->fd, &st))
		return message_errno(message, -errno, "%s", m->path);
	if ((uint64_t)st.st_blocks * 512 >= m->bytes)
		return 0;
	return medium_resize(m, m->bytes, message);
}

/* Whether a file can be mapped so that a store needs no system call. */
static bool maps_sync(int fd)
{
	void *page = mmap(NULL, MEDIUM_PAGE_BYTES, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd,
			  0);

	if (page == MAP_FAILED)
		return false;
	(void)munmap(page, MEDIUM_PAGE_BYTES);
	return true;
}

enum pmem_kind pmem_kind_of(const struct medium *m)
{
	struct statfs fs;

	if (m->device)
		return PMEM_DAX;
	if (!fstatfs(m->fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
				     fs.f_type == HUGETLBFS_MAGIC))
		return PMEM_MEMORY;
	return maps_sync(m->fd) ? PMEM_DAX : PMEM_CACHE;
}

/* libpmem maps for writing only, and is not loaded to join */
static int map_plain(struct marker_pmem *pmem, int protection)
{
	int flags = pmem->kind == PMEM_DAX && !pmem->medium.device ?
		    MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
	void *map = mmap(NULL, pmem->medium.bytes, protection, flags, pmem->medium.fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	pmem->map = map;
	pmem->map_bytes = pmem->medium.bytes;
	return 0;
}

static int map_medium(struct marker_pmem *pmem, struct message *message)
{
	const char *path = pmem->medium.path;
	int is_pmem = 0;
	int error = 0;

	if (pmem->store.read_only) {
		error = map_plain(pmem, PROT_READ);
		if (error)
			return message_errno(message, error, "%s: cannot be mapped", path);
	} else {
		pmem->map = pmem->module->map(path, &pmem->map_bytes, &is_pmem);
		if (!pmem->map)
			return message_set(message, errno > 0 ? -errno : -EIO,
					   "%s: cannot be mapped: %s", path,
					   pmem->module->error());
		/* both must say so: libpmem alone can be told to believe anything */
		if (pmem->kind == PMEM_DAX && !is_pmem)
			pmem->kind = PMEM_CACHE;
	}
	/* it was opened twice, by us and by libpmem: what if it has shrunk */
	if (pmem->map_bytes < pmem->store.bytes)
		return message_set(message, -EUCLEAN, "%s: truncated while it was opened", path);
	pmem->store.map = pmem->map;
	return 0;
}

/* ---- class and routine ------------------------------------------------------ */

static int judge_memory(struct marker_pmem *pmem)
{
	pmem->store.class = JOURNAL_CLASS_PROCESS;
	(void)snprintf(pmem->store.evidence, sizeof(pmem->store.evidence),
		       "plain memory (tmpfs): gone with the kernel");
	return persist_choose(PERSIST_MEMORY, &pmem->store.persist);
}

static int judge_dax(struct marker_pmem *pmem)
{
	struct pmem_evidence evidence;
	struct stat st;
	bool cache;
	int error;

	if (fstat(pmem->medium.fd, &st))
		return -errno;
	error = pmem_evidence_read("/sys", pmem->medium.device,
				   pmem->medium.device ? st.st_rdev : st.st_dev, &evidence);
	if (error)
		return error;
	pmem->store.class = evidence.class;
	(void)snprintf(pmem->store.evidence, sizeof(pmem->store.evidence), "%s, %.240s",
		       pmem->medium.device ? "device dax" : "fsdax", evidence.text);
	cache = evidence.cache_domain && pmem->module->auto_flush() == 1;
	return persist_choose(cache ? PERSIST_CACHE : PERSIST_MEMORY, &pmem->store.persist);
}

static int judge_cache(struct marker_pmem *pmem)
{
	struct evidence evidence;
	int error = evidence_read(pmem->medium.fd, &evidence);

	if (error)
		return error;
	pmem->store.class = evidence.class;
	(void)snprintf(pmem->store.evidence, sizeof(pmem->store.evidence),
		       "page cache of %.230s", evidence.text);
	return pmem_msync_init(pmem);
}

static int judge(struct marker_pmem *pmem, struct message *message)
{
	int error;

	if (pmem->kind == PMEM_MEMORY)
		error = judge_memory(pmem);
	else if (pmem->kind == PMEM_DAX)
		error = judge_dax(pmem);
	else
		error = judge_cache(pmem);
	/* no instruction known that writes lines back: the system does it */
	if (error == -ENOTSUP)
		error = pmem_msync_init(pmem);
	return error ? evidence_none(pmem->medium.path, error, message) : 0;
}

/* ---- erasing ------------------------------------------------------------------ */

/* /dev/dax cannot be read, so medium_open() could not look */
static bool device_is_blank(const struct marker_pmem *pmem)
{
	const uint8_t *map = pmem->store.map;

	return (map[0] == 0 || map[0] == 0xff) &&
	       !memcmp(map, map + 1, MEDIUM_PAGE_BYTES - 1);
}

static int erase(struct marker_pmem *pmem, unsigned int flags, struct message *message)
{
	uint8_t ones[ERASE_BYTES];
	struct marker_store *store = &pmem->store;
	int error;

	if (pmem->medium.device && !(flags & MARKER_FORCE) && !device_is_blank(pmem))
		return message_set(message, -EEXIST, "%s: there is content already",
				   pmem->medium.path);
	memset(ones, 0xff, sizeof(ones));
	for (uint64_t at = 0; at < store->bytes; at += sizeof(ones))
		nv_copy(store, store->map + at, ones, sizeof(ones));
	/* orders the erased map before all that is ever stored in it */
	error = nv_fence(store);
	if (error)
		return message_errno(message, error, "%s: cannot be erased", pmem->medium.path);
	return medium_sync(&pmem->medium, message);
}

/* ---- opening ------------------------------------------------------------------ */

static int open_all(struct marker_pmem *pmem, unsigned int flags, uint64_t bytes,
		    struct message *message)
{
	int error = allocate(pmem, flags, bytes, message);

	if (error)
		return error;
	pmem->kind = pmem_kind_of(&pmem->medium);
	error = map_medium(pmem, message);
	if (!error)
		error = judge(pmem, message);
	if (!error && (flags & MARKER_CREATE))
		error = erase(pmem, flags, message);
	return error;
}

int marker_pmem_open(const char *path, unsigned int flags, uint64_t bytes,
		     struct marker_store **store, struct message *message)
{
	const struct pmem_module *module;
	struct marker_pmem *pmem;
	int error = medium_size_check(path, bytes, message);

	if (!error)
		error = pmem_load(&module, message);
	if (error)
		return error;
	pmem = calloc(1, sizeof(*pmem));
	if (!pmem)
		return message_errno(message, -ENOMEM, "%s", path);
	pmem->module = module;
	pmem->store.ops = &pmem_ops;
	pmem->store.byte_persistent = true;
	pmem->store.read_only = flags & MARKER_RDONLY;
	error = medium_open(path, flags, &pmem->medium, message);
	if (!error) {
		error = open_all(pmem, flags, bytes, message);
		if (error)
			medium_undo(&pmem->medium);
	}
	if (error) {
		pmem_close(&pmem->store);
		return error;
	}
	marker_store_check(&pmem->store);
	*store = &pmem->store;
	return 0;
}

/* ---- joining ------------------------------------------------------------------ */

static int join_all(struct marker_pmem *pmem, const struct marker_share *share, void *map,
		    struct message *message)
{
	int error;

	pmem->kind = (enum pmem_kind)share->kind;
	if (pmem->medium.fd >= 0 && pmem->medium.bytes < share->bytes)
		return message_set(message, -EUCLEAN, "%s: truncated", pmem->medium.path);
	error = pmem->medium.fd < 0 ?
			pmem_vacant(pmem, map, share->bytes) :
			map_plain(pmem, pmem->store.read_only ? PROT_READ : PROT_READ | PROT_WRITE);
	if (!error)
		error = pmem->kind == PMEM_CACHE || !strcmp(share->routine, "msync") ?
				pmem_msync_init(pmem) :
				persist_named(share->routine, &pmem->store.persist);
	if (error)
		return message_errno(message, error, "%s: cannot be mapped", pmem->medium.path);
	pmem->store.map = pmem->map;
	pmem->store.bytes = share->bytes;
	pmem->store.class = (enum journal_class)share->class;
	memcpy(pmem->store.evidence, share->evidence, sizeof(pmem->store.evidence));
	return 0;
}

int marker_pmem_join(const char *path, unsigned int flags, struct marker_share *share,
		     void *map, struct marker_store **store, struct message *message)
{
	struct marker_pmem *pmem = calloc(1, sizeof(*pmem));
	int error;

	if (!pmem)
		return message_errno(message, -ENOMEM, "%s", path);
	pmem->store.ops = &pmem_ops;
	pmem->store.byte_persistent = true;
	pmem->store.read_only = flags & MARKER_RDONLY;
	pmem->medium.path = path;
	pmem->medium.fd = -1;
	error = flags & MARKER_VACANT ? 0 : medium_open(path, flags, &pmem->medium, message);
	if (!error)
		error = join_all(pmem, share, flags & MARKER_VACANT ? map : NULL, message);
	if (error) {
		if (flags & MARKER_VACANT && map)
			pmem->map = NULL; /* it stays its owner's */
		pmem_close(&pmem->store);
		return error;
	}
	marker_store_check(&pmem->store);
	*store = &pmem->store;
	return 0;
}
