/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a life of a journal under nth.h did and was told, in memory that outlives its
 * process; and what must be true of the journal after it.
 */
#ifndef TESTS_LIB_NTH_STORY_H
#define TESTS_LIB_NTH_STORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"

#define NTH_PUTS_MAX 2048u

enum nth_answer {
	NTH_NO,    /* it did not happen, for certain */
	NTH_DOUBT, /* recovery decides */
	NTH_YES,   /* acknowledged */
};

struct nth_put {
	uint64_t id;
	uint32_t bytes;
	uint32_t group; /* 0, or the number of its group: all of it or nothing */
	uint8_t put, retire; /* enum nth_answer */
};

struct nth_story {
	uint32_t count, groups;
	struct nth_put put[NTH_PUTS_MAX];
	bool rescued; /* what was retired may be there again */
	bool absent;  /* there is no journal, and that is right */
	bool closed;  /* the life went to its end: what is left over is a leak */
	int64_t allocations, files, maps; /* left over */
	unsigned int wrongs;
	char text[4096]; /* what was wrong */
};

/* of which it is told */
#define NTH_LOGS 2u

/* a journal, or where one is to be */
struct nth_place {
	const char *name; /* "file", "sim", "pmem", ... */
	const char *scheme;
	unsigned int logs; /* 0: in its directory */
	bool mirrored;
	char root[PATH_MAX / 4], memory[PATH_MAX / 4]; /* on a disk; and not */
	char dir[PATH_MAX / 2];
	char marker[PATH_MAX / 2 + 16];
	char log[NTH_LOGS][PATH_MAX / 2], mirror[NTH_LOGS][PATH_MAX / 2];
};

struct nth_life {
	const struct nth_place *place;
	struct nth_story *story;
	struct journal *j;
	bool unhindered; /* nothing fails: what is refused is wrong */
	bool killed;     /* it is not closed */
	bool alone;      /* others are refused, and told so */
	uint64_t unnamed, lost; /* that could not be read when it was opened, and are told of */
	bool fills;      /* without cleaning it is full */
	bool force;      /* to format: over what is there */
	bool damaged;    /* check has found what a write that failed may leave */
};

void nth_wrong(struct nth_story *story, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A call that nth_on() was around has returned @error; what text it left.
 * Return: @error */
int nth_told(struct nth_life *life, const char *call, int error, const char *text);

/* call something on life->j, counted */
#define NTH_CALL_J(life, call) ({                                                            \
	int told_;                                                                           \
	nth_on();                                                                            \
	told_ = (call);                                                                      \
	nth_off();                                                                           \
	nth_told((life), #call, told_, told_ < 0 ? journal_error((life)->j) : NULL);         \
})

/* the same with something that writes its text to a buffer of the caller's */
#define NTH_CALL_TEXT(life, text, call) ({                                                   \
	int told_;                                                                           \
	nth_on();                                                                            \
	told_ = (call);                                                                      \
	nth_off();                                                                           \
	nth_told((life), #call, told_, told_ < 0 ? (text) : NULL);                           \
})

/* room for one more, with a payload of @bytes (at least 16) */
struct nth_put *nth_new(struct nth_story *story, uint32_t bytes);
/* its payload, malloc()ed */
uint8_t *nth_payload(const struct nth_story *story, const struct nth_put *put);
/* what a commit that said @error has done */
enum nth_answer nth_committed(int error);
/* a payload that was read: @data must be that of @put */
void nth_compare(struct nth_life *life, const struct nth_put *put, const void *data,
		 size_t bytes);

/* Open the journal without faults, compare, go on with it, check it. */
void nth_compare_all(struct nth_life *life);

#endif
