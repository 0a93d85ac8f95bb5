/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persist routines of x86-64.  This is the hot path of every commit: no
 * branch that can be left out, and none of it depends on the store.
 *
 * clwb, clflushopt and non-temporal stores are weakly ordered: the sfence of
 * fence_store() is what waits for them, and what orders them before every
 * later store (of the acknowledgement, for recovery).  clflush is ordered by
 * itself, and fenced all the same.
 */
#include "store/persist.h"

#include <cpuid.h>
#include <immintrin.h>

#define LINE_BYTES  64u
#define MIXED_BYTES 512u /* above this a mixed copy goes past the caches */

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

static bool has_clwb_avx512(void) { return has_clwb() && has_avx512(); }
static bool has_clwb_avx(void) { return has_clwb() && has_avx(); }
static bool has_clflushopt_avx512(void) { return has_clflushopt() && has_avx512(); }
static bool has_clflushopt_avx(void) { return has_clflushopt() && has_avx(); }

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
static void fence_store(struct marker_store *store)
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
}                                                                                 \
                                                                                  \
static void name##_mixed(struct marker_store *store, void *destination,           \
			 const void *source, size_t bytes)                        \
{                                                                                 \
	if (bytes <= MIXED_BYTES)                                                 \
		copy_clwb(store, destination, source, bytes);                     \
	else                                                                      \
		name(store, destination, source, bytes);                          \
}

COPY_NT(copy_nt512, line_nt512, __attribute__((target("avx512f"))))
COPY_NT(copy_nt256, line_nt256, __attribute__((target("avx"))))
COPY_NT(copy_nt128, line_nt128, )

/* ---- the table ------------------------------------------------------------ */

#define ROW(name, flush, copy, kind, supported) \
	{ { name, flush, copy, fence_store }, PERSIST_KIND_##kind, supported }

const struct persist_routine persist_routines[] = {
	ROW("eadr", flush_none, copy_plain, EADR, has_base),
	ROW("clwb", flush_clwb, copy_clwb, FLUSH, has_clwb),
	ROW("clflushopt", flush_clflushopt, copy_clflushopt, FLUSH, has_clflushopt),
	ROW("clflush", flush_clflush, copy_clflush, FLUSH, has_base),
	ROW("nt512+clwb", flush_clwb, copy_nt512, NT, has_clwb_avx512),
	ROW("nt256+clwb", flush_clwb, copy_nt256, NT, has_clwb_avx),
	ROW("nt128+clwb", flush_clwb, copy_nt128, NT, has_clwb),
	ROW("nt512+clflushopt", flush_clflushopt, copy_nt512, NT, has_clflushopt_avx512),
	ROW("nt256+clflushopt", flush_clflushopt, copy_nt256, NT, has_clflushopt_avx),
	ROW("nt128+clflushopt", flush_clflushopt, copy_nt128, NT, has_clflushopt),
	ROW("nt512+clflush", flush_clflush, copy_nt512, NT, has_avx512),
	ROW("nt256+clflush", flush_clflush, copy_nt256, NT, has_avx),
	ROW("nt128+clflush", flush_clflush, copy_nt128, NT, has_base),
	ROW("clwb, nt512 over 512 B", flush_clwb, copy_nt512_mixed, MIXED, has_clwb_avx512),
	ROW("clwb, nt256 over 512 B", flush_clwb, copy_nt256_mixed, MIXED, has_clwb_avx),
	ROW("clwb, nt128 over 512 B", flush_clwb, copy_nt128_mixed, MIXED, has_clwb),
};

const unsigned int persist_routine_count = sizeof(persist_routines) /
					   sizeof(persist_routines[0]);
