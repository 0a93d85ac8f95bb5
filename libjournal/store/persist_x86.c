/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persist routines of x86-64.  This is the hot path of every commit: no
 * branch that can be left out, and none of it depends on the store.
 *
 * clwb, clflushopt and non-temporal stores are weakly ordered: the sfence of
 * persist_fence() is what waits for them, and what orders them before every
 * later store (of the acknowledgement, for recovery).  clflush is ordered by
 * itself, and fenced all the same.
 */
#include "store/persist.h"

#include <cpuid.h>
#include <immintrin.h>

#define LINE_BYTES  64u
#define SMALL_BYTES 512u /* above this a copy by size goes past the caches */

#define INLINE static inline __attribute__((always_inline))

/* ---- what the processor has --------------------------------------------- */

#define LEAF7_CLFLUSHOPT (1u << 23)
#define LEAF7_CLWB       (1u << 24)

static bool leaf7_ebx(uint32_t bit)
{
	uint32_t a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit);
}

static bool has_clwb(void)
{
	return leaf7_ebx(LEAF7_CLWB);
}

static bool has_clflushopt(void)
{
	return leaf7_ebx(LEAF7_CLFLUSHOPT);
}

/* both part of the base of x86-64 */
static bool has_base(void)
{
	return true;
}

/* these two also ask whether the system saves the registers */
static bool has_avx(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx");
}

static bool has_avx512(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f");
}

/* ---- writing lines back -------------------------------------------------- */

INLINE void line_clwb(const void *line)
{
	__asm__ volatile("clwb %0" : : "m"(*(const char *)line) : "memory");
}

INLINE void line_clflushopt(const void *line)
{
	__asm__ volatile("clflushopt %0" : : "m"(*(const char *)line) : "memory");
}

INLINE void line_clflush(const void *line)
{
	__asm__ volatile("clflush %0" : : "m"(*(const char *)line) : "memory");
}

INLINE void each_line(const void *address, size_t bytes, void (*line)(const void *))
{
	uintptr_t end = (uintptr_t)address + bytes;
	uintptr_t at = (uintptr_t)address & ~(uintptr_t)(LINE_BYTES - 1);

	for (; at < end; at += LINE_BYTES)
		line((const void *)at);
}

static void flush_none(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	(void)bytes;
	/* the compiler may not move the stores past here either */
	__asm__ volatile("" : : "r"(address) : "memory");
}

static void flush_clwb(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	each_line(address, bytes, line_clwb);
}

static void flush_clflushopt(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	each_line(address, bytes, line_clflushopt);
}

static void flush_clflush(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	each_line(address, bytes, line_clflush);
}

void persist_evict(const void *address, size_t bytes)
{
	each_line(address, bytes, line_clflush);
	/* orders the eviction before the loads and stores that are measured */
	__asm__ volatile("mfence" : : : "memory");
}

/* Orders everything flushed or copied by this thread before its later stores,
 * and waits until it has reached the persistence domain. */
void persist_fence(struct marker_store *store)
{
	(void)store;
	__asm__ volatile("sfence" : : : "memory");
}

/* ---- copies through the cache ------------------------------------------- */

static void copy_plain(struct marker_store *store, void *destination, const void *source,
		       size_t bytes)
{
	(void)store;
	memcpy(destination, source, bytes);
}

static void copy_clwb(struct marker_store *store, void *destination, const void *source,
		      size_t bytes)
{
	(void)store;
	memcpy(destination, source, bytes);
	each_line(destination, bytes, line_clwb);
}

static void copy_clflushopt(struct marker_store *store, void *destination,
			    const void *source, size_t bytes)
{
	(void)store;
	memcpy(destination, source, bytes);
	each_line(destination, bytes, line_clflushopt);
}

static void copy_clflush(struct marker_store *store, void *destination,
			 const void *source, size_t bytes)
{
	(void)store;
	memcpy(destination, source, bytes);
	each_line(destination, bytes, line_clflush);
}

/* ---- copies past the cache ----------------------------------------------- */

struct line {
	uint8_t bytes[LINE_BYTES];
} __attribute__((may_alias));

/* @bytes is a multiple of 8, @d aligned to 8 */
INLINE void words_nt(uint8_t *d, const uint8_t *s, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8) {
		long long word;

		memcpy(&word, s + i, 8);
		_mm_stream_si64((long long *)(void *)(d + i), word);
	}
}

/* zmm16 and up: their use leaves no state that vzeroupper would have to clear */
__attribute__((target("avx512f")))
INLINE void line_nt512(uint8_t *d, const uint8_t *s)
{
	__asm__ volatile("vmovdqu64 %1, %%zmm16\n\tvmovntdq %%zmm16, %0"
			 : "=m"(*(struct line *)(void *)d)
			 : "m"(*(const struct line *)(const void *)s)
			 : "xmm16");
}

__attribute__((target("avx")))
INLINE void line_nt256(uint8_t *d, const uint8_t *s)
{
	__m256i a = _mm256_loadu_si256((const __m256i_u *)(const void *)s);
	__m256i b = _mm256_loadu_si256((const __m256i_u *)(const void *)(s + 32));

	_mm256_stream_si256((__m256i *)(void *)d, a);
	_mm256_stream_si256((__m256i *)(void *)(d + 32), b);
}

INLINE void line_nt128(uint8_t *d, const uint8_t *s)
{
	for (unsigned int i = 0; i < LINE_BYTES; i += 16)
		_mm_stream_si128((__m128i *)(void *)(d + i),
				 _mm_loadu_si128((const __m128i_u *)(const void *)(s + i)));
}

/* Words up to the first whole line, whole lines, words after the last: each
 * line of the body is written by full-line stores that never read it. */
#define COPY_NT(name, line_nt, target_attribute)                                  \
target_attribute __attribute__((noinline))                                        \
static void name##_long(uint8_t *d, const uint8_t *s, size_t bytes)               \
{                                                                                 \
	size_t head = -(uintptr_t)d & (LINE_BYTES - 1);                           \
	size_t body;                                                              \
                                                                                  \
	if (head > bytes)                                                         \
		head = bytes;                                                     \
	words_nt(d, s, head);                                                     \
	body = (bytes - head) & ~(size_t)(LINE_BYTES - 1);                        \
	for (size_t end = head + body; head < end; head += LINE_BYTES)            \
		line_nt(d + head, s + head);                                      \
	words_nt(d + head, s + head, bytes - head);                               \
}                                                                                 \
                                                                                  \
/* one line is the commonest record: straight through */                          \
target_attribute                                                                  \
static void name(struct marker_store *store, void *destination,                   \
		 const void *source, size_t bytes)                                \
{                                                                                 \
	(void)store;                                                              \
	if (__builtin_expect(!((bytes ^ LINE_BYTES) |                             \
			       ((uintptr_t)destination & (LINE_BYTES - 1))), 1))  \
		line_nt(destination, source);                                     \
	else                                                                      \
		name##_long(destination, source, bytes);                          \
}

COPY_NT(copy_nt512, line_nt512, __attribute__((target("avx512f"))))
COPY_NT(copy_nt256, line_nt256, __attribute__((target("avx"))))
COPY_NT(copy_nt128, line_nt128, )

/* ---- by size -------------------------------------------------------------- */

#define COPY_BY_SIZE(flushed, past)                                                 \
static void flushed##_##past(struct marker_store *store, void *destination,         \
			     const void *source, size_t bytes)                      \
{                                                                                   \
	if (bytes <= SMALL_BYTES)                                                   \
		copy_##flushed(store, destination, source, bytes);                  \
	else                                                                        \
		copy_##past(store, destination, source, bytes);                     \
}

COPY_BY_SIZE(clwb, nt512)
COPY_BY_SIZE(clwb, nt256)
COPY_BY_SIZE(clwb, nt128)
COPY_BY_SIZE(clflushopt, nt512)
COPY_BY_SIZE(clflushopt, nt256)
COPY_BY_SIZE(clflushopt, nt128)
COPY_BY_SIZE(clflush, nt512)
COPY_BY_SIZE(clflush, nt256)
COPY_BY_SIZE(clflush, nt128)

/* ---- the tables ----------------------------------------------------------- */

const struct persist_flush persist_flushes[] = {
	{ "eadr", flush_none, has_base },
	{ "clwb", flush_clwb, has_clwb },
	{ "clflushopt", flush_clflushopt, has_clflushopt },
	{ "clflush", flush_clflush, has_base },
};

enum { EADR, NT256, NT512, NT128, CLWB, CLFLUSHOPT, CLFLUSH };

#define BY_SIZE(flushed, past, FLUSHED, PAST) \
	{ #flushed "/" #past, flushed##_##past, has_base, \
	  &persist_copies[FLUSHED], &persist_copies[PAST] }

/* Past the caches first: a large stage is not in them.  Stores of 64 bytes must be clearly
 * better than those of 32: some processors slow down for a while after them. */
const struct persist_copy persist_copies[] = {
	[EADR] = { "eadr", copy_plain, has_base, NULL, NULL },
	[NT256] = { "nt256", copy_nt256, has_avx, NULL, NULL },
	[NT512] = { "nt512", copy_nt512, has_avx512, NULL, NULL },
	[NT128] = { "nt128", copy_nt128, has_base, NULL, NULL },
	[CLWB] = { "clwb", copy_clwb, has_clwb, NULL, NULL },
	[CLFLUSHOPT] = { "clflushopt", copy_clflushopt, has_clflushopt, NULL, NULL },
	[CLFLUSH] = { "clflush", copy_clflush, has_base, NULL, NULL },
	BY_SIZE(clwb, nt512, CLWB, NT512),
	BY_SIZE(clwb, nt256, CLWB, NT256),
	BY_SIZE(clwb, nt128, CLWB, NT128),
	BY_SIZE(clflushopt, nt512, CLFLUSHOPT, NT512),
	BY_SIZE(clflushopt, nt256, CLFLUSHOPT, NT256),
	BY_SIZE(clflushopt, nt128, CLFLUSHOPT, NT128),
	BY_SIZE(clflush, nt512, CLFLUSH, NT512),
	BY_SIZE(clflush, nt256, CLFLUSH, NT256),
	BY_SIZE(clflush, nt128, CLFLUSH, NT128),
};

const unsigned int persist_flush_count = sizeof(persist_flushes) / sizeof(persist_flushes[0]);
const unsigned int persist_copy_count = sizeof(persist_copies) / sizeof(persist_copies[0]);
