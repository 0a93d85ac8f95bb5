/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The N-th operation of a kind fails, once or with all after it, in a process that was
 * forked for it.  What is counted, and may fail, is what happens between nth_on() and
 * nth_off(): in all threads, whoever does it, the library, libc, liburing or a module.
 */
#ifndef TESTS_LIB_NTH_H
#define TESTS_LIB_NTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nth_kind {
	NTH_ALLOCATION,   /* malloc() and its like */
	NTH_CALL,         /* a system call, with an error that it may have */
	NTH_INTERRUPTION, /* one that does half of it, or is interrupted */
	NTH_COMPLETION,   /* what io_uring gives back */
	NTH_MARKER,       /* a fence or a checkpoint */
	NTH_LOG,          /* a read, write or flush of a log */
	NTH_KINDS,
};

#define NTH_CALLS_MAX  512 /* numbers of system calls */
#define NTH_ERRORS_MAX 16

/* In memory that outlives the process. */
struct nth {
	enum nth_kind kind;
	uint64_t at;  /* from 1; 0: nothing fails, all is counted */
	bool forever;
	/* what was met */
	_Atomic bool on;
	_Atomic uint64_t seen, struck;
	_Atomic int errors;
	int error[NTH_ERRORS_MAX]; /* different ones that were given, positive */
	char what[64];             /* the first one */
	/* of all runs */
	_Atomic uint64_t calls[NTH_CALLS_MAX];  /* how often each was made */
	_Atomic uint64_t failed[NTH_CALLS_MAX]; /* ... and failed */
};

extern struct nth *nth;

void nth_on(void);
void nth_off(void);

/* One operation of @kind.  Return: 0: it goes on; else its number, and it is to fail. */
uint64_t nth_strikes(enum nth_kind kind);
/* It fails with @error (positive), @what it was. */
void nth_note(const char *what, int error);
/* whether @error (negative) was given to anybody */
bool nth_gave(int error);

/* ---- allocations: the program defines malloc() and the like by these ------------- */

/* @by: who called, by __builtin_return_address(0) */
void *nth_malloc(size_t bytes, const void *by);
void *nth_calloc(size_t count, size_t bytes, const void *by);
void *nth_realloc(void *old, size_t bytes, const void *by);
void *nth_memalign(size_t alignment, size_t bytes, const void *by);
int nth_posix_memalign(void **out, size_t alignment, size_t bytes, const void *by);
void nth_free(void *memory, const void *by);
void nth_memory_begin(void);
/* allocated and not freed */
int64_t nth_live(void);

/* ---- system calls: all of this process from here on ------------------------------- */

/* whether it can be done here; else a line "skip: ..." was printed */
bool nth_calls_can(void);
/* Return: 0 or negative errno */
int nth_calls_begin(void);
/* what is known of it; NULL: nothing */
const char *nth_call_name(int number);
/* io_uring: what a call that was not failed has made, and what a submission is to become */
void nth_ring_called(long number, const long arguments[6], long result);
void nth_ring_submits(const long arguments[6]);

/* ---- stores ------------------------------------------------------------------------- */

struct log_store;
struct marker_store;
void nth_marker_opened(struct marker_store *store);
void nth_log_opened(struct log_store *store);

#endif
