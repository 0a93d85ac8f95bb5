/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Are the bounds kept?  Reads the rows and prints each bound with what was
 * measured.  Where several rows match (with NVRAM and without, after a crash
 * and after a close), the worst one counts.
 *
 * usage: bounds [--strict] FILE       --strict: exit 1 when one is missed
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_rows.h"
#include "util/math.h"

enum bound_kind { AT_MOST, AT_LEAST, BELOW };

struct figure {
	const char *method; /* NAME, or where rows have several, NAME@DEPTH or NAME/LOGS */
	int payload_bytes; /* -1: any */
	int threads;
	const char *field;
};

struct bound {
	const char *text;
	enum bound_kind kind;
	struct figure ours;
	struct figure floor; /* method NULL: @limit is absolute, in @unit */
	double limit;
	double unit;
	const char *unit_name;
};

/* floor-direct takes the place of floor-dsync where the log needs no sync */
static const char disk_floor[] = "floor-dsync";

static const struct bound bounds[] = {
	{ "jnl-retire p50 / floor-bit", AT_MOST, { "jnl-retire", -1, 1, "p50_ns" },
	  { "floor-bit", -1, 1, "p50_ns" }, 1.5, 0, NULL },
	{ "jnl-staged p50, 64 B / floor-bit", AT_MOST, { "jnl-staged", 64, 1, "p50_ns" },
	  { "floor-bit", -1, 1, "p50_ns" }, 1.4, 0, NULL },
	{ "jnl-staged p50, 4 KiB / floor-copy", AT_MOST, { "jnl-staged", 4096, 1, "p50_ns" },
	  { "floor-copy", 4096, 1, "p50_ns" }, 1.8, 0, NULL },
	{ "jnl-group64 p50 each / floor-bit", AT_MOST, { "jnl-group64", 64, 1, "p50_ns" },
	  { "floor-bit", -1, 1, "p50_ns" }, 0.08, 0, NULL },
	{ "jnl-direct p50, 4 KiB / disk floor", AT_MOST, { "jnl-direct", 4096, 1, "p50_ns" },
	  { disk_floor, 4096, 1, "p50_ns" }, 1.10, 0, NULL },
	{ "jnl-synced p50, 4 KiB / disk floor", AT_MOST, { "jnl-synced", 4096, 1, "p50_ns" },
	  { disk_floor, 4096, 1, "p50_ns" }, 1.10, 0, NULL },
	{ "jnl-synced p50, 4 KiB / sqlite-wal-full", BELOW,
	  { "jnl-synced", 4096, 1, "p50_ns" },
	  { "sqlite-wal-full", 4096, 1, "p50_ns" }, 1, 0, NULL },
	{ "jnl-synced p50, 4 KiB / rocksdb-sync", BELOW,
	  { "jnl-synced", 4096, 1, "p50_ns" },
	  { "rocksdb-sync", 4096, 1, "p50_ns" }, 1, 0, NULL },
	{ "jnl-synced p50, 4 KiB / lmdb-sync", BELOW,
	  { "jnl-synced", 4096, 1, "p50_ns" },
	  { "lmdb-sync", 4096, 1, "p50_ns" }, 1, 0, NULL },
	{ "jnl-synced p50, 4 KiB / append-fsync", BELOW,
	  { "jnl-synced", 4096, 1, "p50_ns" },
	  { "append-fsync", 4096, 1, "p50_ns" }, 1, 0, NULL },
	{ "jnl-synced per_s, 16 threads / one", AT_LEAST, { "jnl-synced", 4096, 16, "per_s" },
	  { "jnl-synced", 4096, 1, "per_s" }, 4, 0, NULL },
	{ "jnl-async per_s, 1024 / one by one", AT_LEAST,
	  { "jnl-async@1024", 4096, 1, "per_s" },
	  { "jnl-one-by-one", 4096, 1, "per_s" }, 8, 0, NULL },
	{ "jnl-staged per_s, 2 threads / one", AT_LEAST, { "jnl-staged", 64, 2, "per_s" },
	  { "jnl-staged", 64, 1, "per_s" }, 1.8, 0, NULL },
	{ "jnl-reads per_s, depth 32 / fio-randread", AT_LEAST, { "jnl-reads", -1, 1, "per_s" },
	  { "fio-randread", 4096, 1, "per_s" }, 0.8, 0, NULL },
	{ "2 logs / 1, disks with a queue", AT_LEAST, { "jnl-logs/2", 4096, 1, "per_s" },
	  { "jnl-logs/1", 4096, 1, "per_s" }, 1.8, 0, NULL },
	{ "2 logs / 1, one write at a time", AT_LEAST, { "jnl-logs-turns/2", 4096, 1, "per_s" },
	  { "jnl-logs-turns/1", 4096, 1, "per_s" }, 1.8, 0, NULL },
	{ "4 logs / 1, one write at a time", AT_LEAST, { "jnl-logs-turns/4", 4096, 1, "per_s" },
	  { "jnl-logs-turns/1", 4096, 1, "per_s" }, 3.2, 0, NULL },
	{ "2 logs / 1, 16 threads that wait", AT_LEAST,
	  { "jnl-logs-turns/2", 4096, 16, "per_s" },
	  { "jnl-logs-turns/1", 4096, 16, "per_s" }, 1.7, 0, NULL },
	{ "2 logs / 1, direct", AT_LEAST, { "jnl-logs-direct-turns/2", 65536, 16, "per_s" },
	  { "jnl-logs-direct-turns/1", 65536, 16, "per_s" }, 1.8, 0, NULL },
	{ "4 logs / 1, direct", AT_LEAST, { "jnl-logs-direct-turns/4", 65536, 16, "per_s" },
	  { "jnl-logs-direct-turns/1", 65536, 16, "per_s" }, 3.2, 0, NULL },
	{ "sustained staged 4 KiB, bytes / fio", AT_LEAST,
	  { "jnl-sustained", 4096, 1, "bytes_per_s" },
	  { "fio-seqwrite", 1 << 20, 1, "bytes_per_s" }, 0.8, 0, NULL },
	{ "join and leave / fork, exec, wait", AT_MOST, { "jnl-join", -1, 1, "p50_ns" },
	  { "fork-exec-true", -1, 1, "p50_ns" }, 1.0, 0, NULL },
	{ "staged per_s, 2 processes / one", AT_LEAST, { "jnl-staged-proc", 64, 2, "per_s" },
	  { "jnl-staged-proc", 64, 1, "per_s" }, 1.8, 0, NULL },
	{ "staged per_s, 64 processes / 2", AT_LEAST, { "jnl-staged-proc", 64, 64, "per_s" },
	  { "jnl-staged-proc", 64, 2, "per_s" }, 0.9, 0, NULL },
	{ "synced per_s, 32 processes / one", AT_LEAST, { "jnl-synced-proc", 64, 32, "per_s" },
	  { "jnl-synced-proc", 64, 1, "per_s" }, 4, 0, NULL },
	{ "longest wait, a peer is stopped", AT_MOST, { "jnl-wait-stopped", -1, 3, "max_ns" },
	  { NULL, 0, 0, NULL }, 100, 1e6, "ms" },
	{ "longest wait, a peer is killed", AT_MOST, { "jnl-wait-killed", -1, 3, "max_ns" },
	  { NULL, 0, 0, NULL }, 100, 1e6, "ms" },
	{ "recovery, nothing live", AT_MOST, { "recovery-empty", -1, 1, "p50_ns" },
	  { NULL, 0, 0, NULL }, 50, 1e6, "ms" },
	{ "the same, first open after the writer", AT_MOST,
	  { "recovery-empty", -1, 1, "first_ns" }, { NULL, 0, 0, NULL }, 50, 1e6, "ms" },
	{ "recovery, 1,000,000 live / floor-read", AT_MOST, { "recovery-1m", -1, 1, "p50_ns" },
	  { "floor-read", -1, 1, "p50_ns" }, 2, 0, NULL },
	{ "library memory, 1,000,000 live", AT_MOST, { "recovery-1m", -1, 1, "library_bytes" },
	  { NULL, 0, 0, NULL }, 64, 1 << 20, "MiB" },
};

static double number_of(struct json_object *row, const char *field)
{
	return json_object_get_double(json_object_object_get(row, field));
}

static const char *text_of(struct json_object *row, const char *field)
{
	const char *text = json_object_get_string(json_object_object_get(row, field));

	return text ? text : "";
}

static bool is_named(struct json_object *row, const char *method)
{
	const char *name = text_of(row, "method"), *at = strpbrk(method, "@/");

	if (!at)
		return !strcmp(name, method);
	return strlen(name) == (size_t)(at - method) && !strncmp(name, method, strlen(name)) &&
	       (int)number_of(row, *at == '@' ? "depth" : "logs") == atoi(at + 1);
}

static bool matches(struct json_object *row, const struct figure *figure, const char *method)
{
	return is_named(row, method) &&
	       (figure->payload_bytes < 0 ||
		(int)number_of(row, "payload_bytes") == figure->payload_bytes) &&
	       (int)number_of(row, "threads") == figure->threads;
}

/* without sync where our own row says that its log needs none */
static const char *floor_method(const struct bound *bound, struct json_object *ours)
{
	if (bound->floor.method != disk_floor)
		return bound->floor.method;
	return strncmp(text_of(ours, "routine"), "none", 4) ? disk_floor : "floor-direct";
}

/* the row of the same marker, where rows have one */
static struct json_object *find_floor(struct json_object *rows, const struct bound *bound,
				      struct json_object *ours)
{
	size_t i, count = json_object_array_length(rows);

	for (i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (matches(row, &bound->floor, floor_method(bound, ours)) &&
		    !strcmp(text_of(row, "marker"), text_of(ours, "marker")))
			return row;
	}
	return NULL;
}

struct measured {
	bool there;
	double ours, floor, value, net;
	const char *note;
};

/* @net: both less what the clock takes, which flatters whoever takes longer */
static bool measure(struct json_object *rows, const struct bound *bound,
		    struct json_object *row, struct measured *m)
{
	struct json_object *floor;
	double clock;

	*m = (struct measured){ .there = true, .ours = number_of(row, bound->ours.field) };
	m->note = text_of(row, "marker");
	if (!bound->floor.method) {
		m->value = m->net = m->ours / bound->unit;
		return true;
	}
	floor = find_floor(rows, bound, row);
	if (!floor)
		return false;
	m->floor = number_of(floor, bound->floor.field);
	clock = strcmp(bound->ours.field, "p50_ns") ? 0 : 1;
	m->value = m->floor ? m->ours / m->floor : 0;
	m->net = (m->ours - clock * number_of(row, "clock_ns")) /
		 (m->floor - clock * number_of(floor, "clock_ns"));
	return m->floor > 0;
}

static bool is_worse(const struct bound *bound, double a, double b)
{
	return bound->kind == AT_LEAST ? a < b : a > b;
}

static bool is_kept(const struct bound *bound, double value)
{
	if (bound->kind == AT_LEAST)
		return value >= bound->limit;
	return bound->kind == BELOW ? value < bound->limit : value <= bound->limit;
}

static struct measured worst(struct json_object *rows, const struct bound *bound)
{
	struct measured result = { 0 }, one;
	size_t i, count = json_object_array_length(rows);

	for (i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (matches(row, &bound->ours, bound->ours.method) &&
		    measure(rows, bound, row, &one) &&
		    (!result.there || is_worse(bound, one.value, result.value)))
			result = one;
	}
	return result;
}

static bool print_bound(struct json_object *rows, const struct bound *bound)
{
	static const char *const signs[] = { "<=", ">=", "<" };
	const char *unit = bound->unit_name ? bound->unit_name : "";
	struct measured m = worst(rows, bound);
	bool kept = m.there && is_kept(bound, m.value);

	printf("%-41s %2s %5.4g %-3s ", bound->text, signs[bound->kind], bound->limit, unit);
	if (!m.there) {
		printf("%8s   not measured\n", "-");
		return false;
	}
	printf("%8.3f   %-6s", m.value, kept ? "ok" : "MISSED");
	if (bound->floor.method)
		printf(" %12.1f / %-12.1f net of the clock %.3f", m.ours, m.floor, m.net);
	if (m.note[0])
		printf(" (worst: %s)", m.note);
	printf("\n");
	return kept;
}

static int print_all(struct json_object *rows)
{
	int missed = 0;
	size_t i;

	printf("%-41s %-12s %8s\n", "bound", "", "measured");
	for (i = 0; i < ARRAY_COUNT(bounds); i++)
		missed += !print_bound(rows, &bounds[i]);
	printf("%-41s %2s %5d %-3s %8s   counted by a test\n",
	       "system calls per staged commit", "<=", 0, "", "-");
	return missed;
}

int main(int argc, char **argv)
{
	bool strict = argc > 1 && !strcmp(argv[1], "--strict");
	struct json_object *rows;
	int missed;

	if (argc != 2 + strict) {
		fprintf(stderr, "usage: %s [--strict] FILE\n", argv[0]);
		return 2;
	}
	rows = rows_open(argv[1 + strict], true);
	if (!rows) {
		fprintf(stderr, "bounds: %s: not a list of rows\n", argv[1 + strict]);
		return 2;
	}
	missed = print_all(rows);
	json_object_put(rows);
	return strict && missed ? 1 : 0;
}
