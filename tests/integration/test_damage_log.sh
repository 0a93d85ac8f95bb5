#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Damage to records of a segment that is open.  After a clean close there is no torn one, and
# each has a name, though no digest at the segment's end says so; after a crash each is named
# by the one behind it.
. "$(dirname "$0")/../lib/common.sh"

zeros() { head -c "$3" /dev/zero | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# Puts what comes, and is killed.
killed() # killed DIR COUNT, lines on stdin
{
	local writer in
	# before the writer has it: what an earlier one printed is not what is waited for
	: >"$scratch/ids"
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	"$JNL" put "$1" --as lines <"$scratch/fifo" >"$scratch/ids" &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
	cat >&"$in"
	until_or_end $writer lines_at_least "$2" "$scratch/ids"
	kill -9 $writer
	wait $writer || true
	exec {in}>&-
}

# twelve messages, each put by a process of its own, or all by one, which closes or is killed;
# $ids, $log
twelve() # twelve DIR together|apart|killed
{
	local n
	journal "$1"
	log=$("$JNL" info --json "$1" | jq -r '.logs[0].name')
	if [ "$2" = killed ]; then
		seq -f 'm-%02.0f-of-twelve' 12 | killed "$1" 12
	elif [ "$2" = together ]; then
		seq -f 'm-%02.0f-of-twelve' 12 | "$JNL" put "$1" --as lines >"$scratch/ids"
	else
		for n in $(seq 12); do
			printf 'm-%02d-of-twelve' "$n" | "$JNL" put "$1"
		done >"$scratch/ids"
	fi
	mapfile -t ids <"$scratch/ids"
}

# where the payload of message N lies; its header is the 96 bytes before it
payload_of() # payload_of N
{
	local at
	at=$(grep -abo -- "$(printf 'm-%02d-of-twelve' "$1")" "$log" | tail -n 1 | cut -d : -f 1)
	[ -n "$at" ] || wrong "message $1 is not in the log"
	echo "$at"
}

are_lost() # are_lost DIR N...
{
	local j=$1 n
	shift
	expect 3 "$JNL" check "$j"
	: >"$scratch/gone"
	for n; do
		echo "${ids[$((n - 1))]}" >>"$scratch/gone"
		grep -q "^damage: ${ids[$((n - 1))]}: COMMITTED_BUT_LOST" "$out" ||
			wrong "$n is not named: $(cat "$out")"
	done
	"$JNL" ls --json "$j" | jq -r '.[] | select(.state == "lost") | .id' >"$scratch/lost"
	same "$scratch/gone" "$scratch/lost"
	for n in $(seq 12); do
		! grep -qxF "${ids[$((n - 1))]}" "$scratch/gone" || continue
		expect 0 "$JNL" cat "$j" "${ids[$((n - 1))]}"
		printed "$(printf 'm-%02d-of-twelve' "$n")"
	done
}

# After a close, or by the record behind, all have names.
nothing_is_nameless() { ! grep "^damage: .*without a name" "$out" || wrong "has no name"; }

damaged() # damaged together|apart|killed header|payload N...
{
	local j=$scratch/j.$1.$2.$3 how=$1 what=$2 n at
	shift 2
	twelve "$j" "$how"
	for n; do
		at=$(payload_of "$n")
		[ $what = payload ] || at=$((at - 96))
		zeros "$log" "$at" 8
	done
	are_lost "$j" "$@"
	expect 3 "$JNL" check "$j"
	nothing_is_nameless
	# the next writer keeps their names, and so does who comes after that
	echo one more | "$JNL" put "$j" >"$scratch/more"
	are_lost "$j" "$@"
	echo one more | "$JNL" put "$j" >>"$scratch/more"
	are_lost "$j" "$@"
	"$JNL" retire "$j" - <"$scratch/gone" >"$scratch/none"
	expect 0 "$JNL" check "$j"
	[ "$(ids_of "$j" | wc -l)" = $((14 - $#)) ] || wrong "$(ids_of "$j")"
}

# No name tells of a retire record: the watermark does.
the_last_retire()
{
	local j=$scratch/retire at
	twelve "$j" together
	"$JNL" retire "$j" "${ids[3]}" >"$scratch/none"
	at=$("$JNL" dump "$j" | perl -ne '
		($size, $base) = ($1, $2) if /segments of (\d+) at (\d+)/;
		$segment = $1 if /^  segment (\d+):/;
		print $base + $segment * $size + $1 if /^ +(\d+): retire /')
	[ -n "$at" ] || wrong "dump shows no retire record"
	zeros "$log" $((at + 96)) 8
	expect 3 "$JNL" check "$j"
	grep -q '^damage: .*retire' "$out" || wrong "$(cat "$out")"
	[ "$(ids_of "$j" | wc -l)" -ge 11 ] || wrong "$(ids_of "$j")"
}

# What was named then may have gone since, and the names stay behind.
what_is_retired_is_not_missed()
{
	local j=$scratch/retired
	twelve "$j" together
	printf '%s\n' "${ids[@]:8}" | "$JNL" retire "$j" - >"$scratch/none"
	zeros "$log" "$(($(payload_of 12) - 96))" 8
	expect 0 "$JNL" check "$j"
	expect 0 "$JNL" ls "$j"
	[ "$(wc -l <"$out")" = 8 ] || wrong "$(cat "$out")"
}

# After a crash too, and what is retired has a name that nobody wants.
nor_is_it_after_a_crash()
{
	local j=$scratch/retired-killed
	twelve "$j" killed
	"$JNL" retire "$j" "${ids[4]}" >"$scratch/none"
	zeros "$log" "$(($(payload_of 5) - 96))" 8
	expect 0 "$JNL" check "$j"
	[ "$("$JNL" ls "$j" | wc -l)" = 11 ] || wrong "$("$JNL" ls "$j")"
}

# A commit in flight at a crash is torn, whatever an earlier close has named.
what_came_after_the_close_is_torn()
{
	local j=$scratch/torn
	twelve "$j" together
	echo m-13-of-twelve | killed "$j" 1
	zeros "$log" "$(payload_of 13)" 4
	expect 0 "$JNL" check "$j"
	[ "$(ids_of "$j" | wc -l)" = 12 ] || wrong "$(ids_of "$j")"
}

# The segment ends before it then: its digest names it all the same.
a_long_last_record() # a_long_last_record BYTES
{
	local j=$scratch/long.$1 n at
	journal "$j"
	for n in 1 2 3; do
		head -c "$1" /dev/zero | tr '\0' "$n" | "$JNL" put "$j"
	done >"$scratch/ids"
	at=$(grep -abo 3333333333 "$j/log" | tail -n 1 | cut -d : -f 1)
	zeros "$j/log" "$at" 1
	for n in 1 2 3; do
		expect 3 "$JNL" check "$j"
		grep -q "^damage: $(tail -n 1 "$scratch/ids"): COMMITTED_BUT_LOST" "$out" ||
			wrong "round $n: $(cat "$out")"
		[ "$n" = 3 ] || echo more | "$JNL" put "$j" >"$scratch/more"
	done
	tail -n 1 "$scratch/ids" | "$JNL" retire "$j" - >"$scratch/none"
	expect 0 "$JNL" check "$j"
}

for bytes in 4000 10000 200000; do
	it "the last record, of $bytes bytes" a_long_last_record $bytes
done
for how in together apart; do
	it "the last payload, $how" damaged $how payload 12
	it "the last header, $how" damaged $how header 12
	it "a header in the middle, $how" damaged $how header 5
	it "three headers, $how" damaged $how header 1 6 7
done
it "a header in the middle, after a crash" damaged killed header 5
it "three headers, after a crash" damaged killed header 1 6 9
it "a payload, after a crash" damaged killed payload 10
it "the last retire record" the_last_retire
it "what is retired is not missed" what_is_retired_is_not_missed
it "nor is it after a crash" nor_is_it_after_a_crash
it "what came after the close is torn" what_came_after_the_close_is_torn
done_testing
