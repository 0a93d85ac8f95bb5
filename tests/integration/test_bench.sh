#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# serial
# The benchmark runs, very short: every method has a row for each payload or a
# line that says why not, and every row has its fields with values that can be.
# How fast anything is, no test says.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/test-bench.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
export LD_LIBRARY_PATH=$BUILD${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
json=$scratch/bench.json
status=0

is() # is "what" COMMAND...
{
	local what=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/    /' "$scratch/out"
		status=1
	fi
}

# what benchmarks that have ended left; others may be running beside this one
in_shm()
{
	local dir
	for dir in /dev/shm/jnl-bench-*; do
		[ ! -e "$dir" ] || [ -d "/proc/${dir##*-}" ] || echo "$dir"
	done
}

nothing_new() # nothing_new BEFORE AFTER: lists, sorted
{
	[ -z "$(comm -13 <(echo "$1") <(echo "$2"))" ]
}

has_rows() # has_rows METHOD: or a line on stderr
{
	jq -e --arg m "$1" 'any(.[]; .method == $m)' "$json" || grep -F "bench: $1" "$scratch/err"
}

fields()
{
	jq -e 'length > 0 and all(.[];
		(.method | type == "string") and (.survives | IN("process", "os", "power")) and
		all(.payload_bytes, .threads, .batch, .n, .p50_ns, .p90_ns, .p99_ns, .p999_ns,
		    .p9999_ns, .max_ns, .per_s; type == "number") and
		.n > 0 and .threads > 0 and .batch > 0 and .per_s > 0 and .p50_ns > 0 and
		.p50_ns <= .p90_ns and .p99_ns <= .p999_ns and
		.p999_ns <= .p9999_ns and .p9999_ns <= .max_ns)' "$json"
}

once() # no two rows that could be mixed up
{
	jq -e 'map(select(.method | startswith("recovery") or . == "floor-read" | not))
		| map([.method, .payload_bytes, .threads, .batch, .marker, .depth, .logs])
		| length == (unique | length)' "$json"
}

before=$(in_shm)
is "the suite runs" \
	"$BUILD/bench/latency" --quick --dir "$scratch/tmp" --json "$json"
cp "$scratch/out" "$scratch/err"
is "processes runs" \
	"$BUILD/bench/processes" --quick --dir "$scratch/tmp" --json "$json" --append
is "waits runs" \
	"$BUILD/bench/waits" --quick --dir "$scratch/tmp" --json "$json" --append
is "recovery runs" \
	"$BUILD/bench/recovery" --quick --dir "$scratch/tmp" --json "$json" --append
cat "$scratch/out" >>"$scratch/err"
is "reads run" \
	"$BUILD/bench/reads" --quick --dir "$scratch/tmp" --json "$json" --append
cat "$scratch/out" >>"$scratch/err"
is "sustained runs" \
	"$BUILD/bench/sustained" --quick --dir "$scratch/tmp" --json "$json" --append
cat "$scratch/out" >>"$scratch/err"
is "logs runs" \
	"$BUILD/bench/logs" --quick --dir "$scratch/tmp" --json "$json" --append
cat "$scratch/out" >>"$scratch/err"
is "async runs" \
	"$BUILD/bench/async" --quick --dir "$scratch/tmp" --json "$json" --append
cat "$scratch/out" >>"$scratch/err"

for method in floor-bit floor-copy floor-dsync floor-direct append-fsync create-fsync-rename \
	jnl-retire jnl-staged jnl-direct jnl-synced jnl-group64 sqlite-wal-full lmdb-sync \
	rocksdb-sync libpmemlog libpmemobj-tx jnl-reads fio-randread jnl-sustained \
	fio-seqwrite jnl-async jnl-logs jnl-wait-none \
	jnl-wait-stopped jnl-wait-killed; do
	is "$method has rows or a reason" has_rows "$method"
done
# no optional library, no NVRAM needed: these have no excuse on any machine
for method in append-fsync create-fsync-rename jnl-synced jnl-async recovery-empty recovery-1m; do
	is "$method has rows" jq -e --arg m "$method" 'any(.[]; .method == $m)' "$json"
done
is "every row has its fields" fields
is "no row is there twice" once
is "DRAM survives a process" jq -e 'all(.[] | select(.method | IN("floor-bit", "floor-copy",
	"jnl-staged", "jnl-retire", "jnl-group64", "libpmemlog", "libpmemobj-tx"));
	.survives == "process")' "$json"
is "the bounds are printed" bash -c '"$1" "$2" | grep -q "jnl-staged p50"' - \
	"$BUILD/bench/bounds" "$json"

echo '[]' >"$scratch/empty.json"
is "nothing measured: exit 0" "$BUILD/bench/bounds" "$scratch/empty.json"
is "nothing measured: exit 1 when strict" \
	bash -c '! "$1" --strict "$2"' - "$BUILD/bench/bounds" "$scratch/empty.json"
is "nothing is left behind on disk" test ! -e "$scratch/tmp"
is "nothing is left behind in memory" nothing_new "$before" "$(in_shm)"
exit $status
