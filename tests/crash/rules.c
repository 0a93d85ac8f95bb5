/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A point is in the middle of a rule when a word that the rule is about is on its way, or a
 * function that does what the rule says is on the stack.
 */
#include "rules.h"

#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/assert.h"

#define FRAMES 64
#define CACHE  4096u

const char *const rule_names[RULES] = {
	[RULE_P1] = "P1 recycling a line",
	[RULE_P2] = "P2 retire against move",
	[RULE_P3] = "P3 a group in a word",
	[RULE_P4] = "P4 incarnations of ids",
	[RULE_P5] = "P5 the stage's rings",
	[RULE_P6] = "P6 destaging",
	[RULE_P7] = "P7 taking over",
	[RULE_P8] = "P8 pools of lines and stage",
	[RULE_P9] = "P9 direct commits",
	[RULE_P10] = "P10 synced: torn or damaged",
	[RULE_P11] = "P11 retires without NVRAM",
	[RULE_P12] = "P12 leaving out sync",
	[RULE_P13] = "P13 one flush for all",
	[RULE_P14] = "P14 NVRAM is given up",
	[RULE_P16] = "P16 failures stick",
	[RULE_P17] = "P17 who is first",
	[RULE_P18] = "P18 stopped ones",
};

/* functions by the beginning of their names; for what no word tells */
static const struct { const char *name; enum rule rule; } table[] = {
	{ "move_", RULE_P2 }, { "moved_", RULE_P2 }, { "moves_", RULE_P2 },
	{ "clean_lines", RULE_P2 }, { "retire_other", RULE_P2 }, { "recover_moved", RULE_P2 },
	{ "destage", RULE_P6 }, { "unstage", RULE_P6 },
	{ "takeover_", RULE_P7 }, { "lane_recover", RULE_P7 },
	{ "stream_", RULE_P10 },
	{ "retire_by_records", RULE_P11 },
	{ "log_store_flush", RULE_P13 },
	{ "health_", RULE_P14 }, { "stand_in", RULE_P14 }, { "return_", RULE_P14 },
	{ "op_fails", RULE_P16 },
	{ "journal_first", RULE_P17 },
};

/* ---- names of addresses ---------------------------------------------------------------- */

static const ElfW(Sym) *symbols;
static size_t symbol_count;
static const char *strings;
static uintptr_t base;

static int first_object(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	*(uintptr_t *)context = info->dlpi_addr;
	return 1;
}

/* the table of symbols of this program, which stays mapped */
static void symbols_find(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const ElfW(Shdr) *section;
	const ElfW(Ehdr) *head;
	struct stat st;
	const char *map;
	int i;

	JASSERT(fd >= 0 && !fstat(fd, &st));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	JASSERT(map != MAP_FAILED);
	(void)close(fd);
	head = (const void *)map;
	section = (const void *)(map + head->e_shoff);
	for (i = 0; i < head->e_shnum; i++)
		if (section[i].sh_type == SHT_SYMTAB) {
			symbols = (const void *)(map + section[i].sh_offset);
			symbol_count = section[i].sh_size / sizeof(*symbols);
			strings = map + section[section[i].sh_link].sh_offset;
		}
	JASSERT(symbols); /* not stripped */
	(void)dl_iterate_phdr(first_object, &base);
}

static const char *name_of(uintptr_t address)
{
	size_t i;

	address -= base;
	for (i = 0; i < symbol_count; i++)
		if (ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC &&
		    address - symbols[i].st_value < symbols[i].st_size)
			return strings + symbols[i].st_name;
	return "";
}

static uint32_t rules_of(uintptr_t address)
{
	static struct { uintptr_t address; uint32_t rules; } cache[CACHE];
	size_t i, at = address * 0x9e3779b97f4a7c15u >> 40 & (CACHE - 1);
	const char *name;

	if (cache[at].address == address)
		return cache[at].rules;
	if (!symbols)
		symbols_find();
	name = name_of(address);
	cache[at].address = address;
	cache[at].rules = 0;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strncmp(name, table[i].name, strlen(table[i].name)))
			cache[at].rules |= 1u << table[i].rule;
	return cache[at].rules;
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* several bits of one word of a map come together or not at all */
static bool is_group(const struct flight *flight, const struct flight_element *e)
{
	uint64_t was, is;

	memcpy(&was, flight->world->marker.durable + e->at, 8);
	memcpy(&is, e->data[e->versions - 1], 8);
	return __builtin_popcountll(was ^ is) > 1;
}

static uint32_t rules_of_state(uint64_t at)
{
	switch (at) {
	case offsetof(struct marker_state, incarnation):
		return 1u << RULE_P4;
	case offsetof(struct marker_state, shared_clean):
		return 1u << RULE_P8;
	default:
		return 0;
	}
}

static uint32_t rules_of_line(const struct flight *flight, const struct flight_element *e,
			      uint64_t at)
{
	uint32_t rules = 0;

	if (at < offsetof(struct marker_line, commit))
		return 1u << RULE_P1;
	if (at < offsetof(struct marker_line, retire))
		rules = 1u << RULE_P9;
	return rules | (is_group(flight, e) ? 1u << RULE_P3 : 0);
}

static uint32_t rules_of_word(const struct flight *flight, const struct flight_element *e,
			      const struct marker_geometry *g)
{
	uint64_t at = e->at;

	if (at - g->state_offset < MARKER_STATE_BYTES)
		return rules_of_state(at - g->state_offset);
	if (at - g->lanes_offset < (uint64_t)g->lanes * MARKER_LANE_BYTES)
		return (at - g->lanes_offset) % MARKER_LANE_BYTES ==
				       offsetof(struct marker_lane, clean) ?
			       1u << RULE_P8 : 1u << RULE_P5;
	if (at - g->lines_offset < (uint64_t)g->lines * MARKER_LINE_BYTES)
		return rules_of_line(flight, e, (at - g->lines_offset) % MARKER_LINE_BYTES);
	return at >= g->stage_offset && g->ring_bytes ? 1u << RULE_P5 : 0;
}

static uint32_t rules_of_element(const struct flight *flight, const struct flight_element *e,
				 const struct marker_geometry *g)
{
	switch (e->kind) {
	case FLIGHT_WORD:
		return rules_of_word(flight, e, g);
	case FLIGHT_SECTOR:
		return flight->world->no_cache ? 1u << RULE_P12 : 0;
	default:
		return 1u << RULE_P11;
	}
}

uint32_t rules_here(const struct flight *flight, const struct marker_geometry *g)
{
	void *frames[FRAMES];
	int i, count = backtrace(frames, FRAMES);
	uint32_t k, rules = 0;

	for (k = 0; k < flight->count; k++)
		rules |= rules_of_element(flight, &flight->all[k], g);
	for (i = 0; i < count; i++)
		rules |= rules_of((uintptr_t)frames[i] - 1);
	return rules;
}

uint32_t rules_found(const struct found *found)
{
	return found->torn ? 1u << RULE_P5 | 1u << RULE_P10 : 0;
}

void rules_print_stack(void)
{
	void *frames[FRAMES];
	int i, count = backtrace(frames, FRAMES);

	if (!symbols)
		symbols_find();
	printf("  in");
	for (i = 0; i < count; i++)
		printf(" %s", name_of((uintptr_t)frames[i] - 1));
	printf("\n");
}
