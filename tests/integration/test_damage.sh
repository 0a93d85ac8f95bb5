#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Damage to what was acknowledged is named by id, exit 3; all else is readable.
. "$(dirname "$0")/../lib/common.sh"

logs_of() { "$JNL" info --json "$1" | jq -r '.logs[].name'; }

# damage DIR TEXT: overwrite TEXT in the log, wherever it stands
damage()
{
	local file at found=0
	for file in $(logs_of "$1"); do
		for at in $(LC_ALL=C grep -abo -- "$2" "$file" | cut -d : -f 1); do
			printf 'XXXX' | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
			found=1
		done
	done
	[ $found = 1 ] || wrong "$2 does not stand in the log"
}

# five messages of a size that is not staged, so that the log holds them
five_messages() # five_messages DIR together|apart
{
	local n
	for n in 1 2 3 4 5; do
		{ echo "payload-$n-of-five"; head -c 40000 /dev/zero | tr '\0' "$n"; echo; } >"$scratch/p$n"
		echo "From $n"
		cat "$scratch/p$n"
		echo
	done >"$scratch/mbox"
	if [ "$2" = together ]; then
		"$JNL" put "$1" --as mbox "$scratch/mbox"
	else
		for n in 1 2 3 4 5; do
			"$JNL" put "$1" "$scratch/p$n"
		done
	fi
}

# who has it open has recovered: before that there is no index to share
in_use()
{
	"$JNL" info --json "$1" | jq -e '.now.members > 0 and .index_shared' >/dev/null
}

damaged_payloads() # damaged_payloads KIND together|apart
{
	local kind=$1 j=$scratch/j.$1.$2
	# shellcheck disable=SC2046
	journal "$j" $(marker_option "$kind" "damage.$2")
	five_messages "$j" "$2" >"$scratch/ids.$kind.$2"
	mapfile -t ids <"$scratch/ids.$kind.$2"
	damage "$j" payload-2-of-five

	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*${ids[1]}" "$out" || wrong "check does not name it: $(cat "$out")"
	for n in 0 2 3 4; do
		! grep -q "damage: ${ids[$n]}" "$out" || wrong "check names another: $(cat "$out")"
	done
	expect 3 "$JNL" check --json "$j"
	jq -e --arg id "${ids[1]}" '(.clean | not) and any(.findings[]; .damage and .id == $id)' "$out"

	# the same while somebody has it open to write
	mkfifo "$scratch/fifo.$kind.$2"
	"$JNL" put "$j" --as lines <"$scratch/fifo.$kind.$2" >"$scratch/none" &
	local writer=$! in
	ends $writer
	exec {in}>"$scratch/fifo.$kind.$2"
	until_or_end $writer in_use "$j"
	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*${ids[1]}" "$out" || wrong "beside a writer: $(cat "$out")"
	[ "$(grep -c ^damage "$out")" = 1 ] || wrong "beside a writer, others, too: $(cat "$out")"
	expect 0 "$JNL" ls "$j"
	grep -q "${ids[1]}.*lost" "$out" || wrong "beside a writer: $(cat "$out")"
	exec {in}>&-
	wait $writer

	expect 3 "$JNL" cat "$j" "${ids[1]}"
	says "${ids[1]}: COMMITTED_BUT_LOST"
	[ "$(grep -o COMMITTED_BUT_LOST "$err" | wc -l)" = 1 ] || wrong "said twice: $(cat "$err")"
	printed ""
	expect 3 "$JNL" cat "$j" "${ids[0]}" "${ids[1]}" "${ids[2]}" nonsense
	cat "$scratch/p1" "$scratch/p3" >"$scratch/rest"
	same "$out" "$scratch/rest"

	expect 0 "$JNL" ls --json "$j"
	[ "$(jq length "$out")" = 5 ] || wrong "$(cat "$out")"
	[ "$(jq -r '.[] | select(.state == "lost") | .id' "$out")" = "${ids[1]}" ] ||
		wrong "lost are: $(cat "$out")"
	"$JNL" info --json "$j" | jq -e '.now.lost == 1 and .now.live == 4'

	# the journal goes on
	expect 0 "$JNL" put "$j" "$scratch/p1"
	expect 0 "$JNL" retire "$j" "${ids[1]}"
	printed "${ids[1]}"
	expect 0 "$JNL" check "$j"
	expect 1 "$JNL" cat "$j" "${ids[1]}"
	for n in 1 3 4 5; do
		expect 0 "$JNL" cat "$j" "${ids[$((n - 1))]}"
		same "$out" "$scratch/p$n"
	done
}

# Its place is taken from dump: no text stands in it that could be looked for.
a_damaged_retire_record_is_damage()
{
	local j=$scratch/retires at
	journal "$j"
	mapfile -t ids < <(seq 1 5 | "$JNL" put "$j" --as lines)
	expect 0 "$JNL" retire "$j" "${ids[0]}"
	expect 0 "$JNL" put "$j" </dev/null
	at=$("$JNL" dump "$j" | perl -ne '
		($size, $base) = ($1, $2) if /segments of (\d+) at (\d+)/;
		$segment = $1 if /^  segment (\d+):/;
		print $base + $segment * $size + $1 if /^ +(\d+): retire /')
	[ -n "$at" ] || wrong "dump shows no retire record"
	printf 'XXXX' | dd of="$(logs_of "$j")" bs=1 seek=$((at + 96)) conv=notrunc status=none
	expect 3 "$JNL" check "$j"
	grep -q '^damage: .*retire' "$out" || wrong "$(cat "$out")"
	for n in 1 2 3 4; do
		expect 0 "$JNL" cat "$j" "${ids[$n]}"
	done
}

# the log is written round and round: what is left of the lost one is not
what_is_lost_stays_lost() # what_is_lost_stays_lost KIND
{
	local j=$scratch/j.$1.round id n
	# shellcheck disable=SC2046
	journal "$j" $(marker_option "$1" round)
	{ echo "the-one-that-is-lost"; head -c 40000 /dev/zero; } >"$scratch/one"
	id=$("$JNL" put "$j" "$scratch/one")
	"$JNL" put "$j" "$scratch/p1" >"$scratch/much.id"
	damage "$j" the-one-that-is-lost
	"$JNL" retire "$j" - <"$scratch/much.id" >/dev/null
	head -c 900000 /dev/zero >"$scratch/much"
	for n in $(seq 40); do
		"$JNL" put "$j" "$scratch/much" >"$scratch/much.id"
		"$JNL" retire "$j" - <"$scratch/much.id" >/dev/null
	done
	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*$id" "$out" || wrong "check does not name it: $(cat "$out")"
	expect 3 "$JNL" cat "$j" "$id"
	expect 0 "$JNL" retire "$j" "$id"
	expect 0 "$JNL" check "$j"
}

check_changes_nothing()
{
	local j=$scratch/j.file.together
	(cd "$j" && find . -type f -exec sha256sum {} +) >"$scratch/before"
	damage "$j" payload-4-of-five
	(cd "$j" && find . -type f -exec sha256sum {} +) >"$scratch/before"
	expect 3 "$JNL" check "$j"
	expect 3 "$JNL" cat "$j" "${ids[3]}"
	expect 0 "$JNL" ls "$j"
	expect 0 "$JNL" dump "$j"
	(cd "$j" && find . -type f -exec sha256sum {} +) >"$scratch/after"
	same "$scratch/before" "$scratch/after"
}

# the first bytes of the marker file, and more and more of what is behind them
a_damaged_head_of_the_marker_file() # a_damaged_head_of_the_marker_file BYTES
{
	local j=$scratch/head.$1 live=$scratch/live.$1
	journal "$j"
	seq 200 | "$JNL" put "$j" --as lines >"$scratch/ids"
	sed -n '1~5p' "$scratch/ids" | "$JNL" retire "$j" - >"$scratch/gone"
	[ "$(wc -l <"$scratch/gone")" = 40 ] || wrong "retired: $(cat "$scratch/gone")"
	seq 201 240 | "$JNL" put "$j" --as lines >>"$scratch/ids"
	grep -vxFf "$scratch/gone" "$scratch/ids" >"$live"
	head -c "$1" /dev/zero | dd of="$j/markers" conv=notrunc status=none

	for _ in 1 2; do # who only looks mends nothing
		expect 3 "$JNL" check "$j"
		grep -q "^damage: .*$j/markers: the head of the file" "$out" || wrong "$(cat "$out")"
		[ "$1" -lt 12288 ] || grep -q "^damage: .*no head is whole" "$out" || wrong "$(cat "$out")"
		[ "$(ids_of "$j")" = "$(cat "$live")" ] || wrong "ls: $("$JNL" ls "$j")"
		expect 0 "$JNL" dump "$j"
		grep -q "head of the file: does not verify" "$out" || wrong "$(cat "$out")"
		grep -q "superblock 0: version" "$out" || wrong "$(cat "$out")"
	done
	echo more | "$JNL" put "$j" >>"$live"
	expect 0 "$JNL" check "$j"
	[ "$(ids_of "$j")" = "$(cat "$live")" ] || wrong "ls: $("$JNL" ls "$j")"
	! grep -q damage "$out" || wrong "$(cat "$out")"
}

# of each medium one copy: who writes next makes it as the other one is
a_damaged_copy_of_a_superblock() # a_damaged_copy_of_a_superblock OFFSET
{
	local j=$scratch/super.$1 nv=/dev/shm/jnl.$$.super.$1 log
	goes "$nv"
	mkdir "$j.a" "$j.b"
	expect 0 "$JNL" format "$j" --size 24M --require process --marker "pmem:$nv" \
		--log "$j.a" --log "$j.b"
	seq 5 | "$JNL" put "$j" --as lines >"$scratch/ids"
	for log in "$nv" "$j".a/* "$j".b/*; do
		head -c 8192 "$log" >"$scratch/supers.${log##*/}"
		head -c 100 /dev/zero | dd of="$log" bs=1 seek=$(($1 + 50)) conv=notrunc status=none
	done
	expect 3 "$JNL" check "$j"
	[ "$(grep -c "^damage: .*: superblock copy $(($1 / 4096 + 1)): " "$out")" = 3 ] || wrong "$(cat "$out")"
	expect 3 "$JNL" check "$j"
	echo more | "$JNL" put "$j" >>"$scratch/ids"
	expect 0 "$JNL" check "$j"
	for log in "$nv" "$j".a/* "$j".b/*; do
		head -c 8192 "$log" | cmp - "$scratch/supers.${log##*/}" || wrong "$log is not as it was"
	done
	[ "$(ids_of "$j" | sort)" = "$(sort "$scratch/ids")" ] || wrong "ls: $("$JNL" ls "$j")"
}

for kind in $markers; do
	if why=$(have_marker $kind); then
		it "damaged payloads, $kind" damaged_payloads $kind together
		it "damaged payloads, each put by a process of its own, $kind" \
			damaged_payloads $kind apart
		it "what is lost stays lost, $kind" what_is_lost_stays_lost $kind
	else
		skip "damaged payloads, $kind" "$why"
	fi
done
for bytes in 8 4096 12288; do
	it "the first $bytes bytes of the marker file are damaged" \
		a_damaged_head_of_the_marker_file $bytes
done
mapfile -t ids <"$scratch/ids.file.together"
if why=$(have_marker pmem); then
	it "the first copies of the superblocks" a_damaged_copy_of_a_superblock 0
	it "the second copies of the superblocks" a_damaged_copy_of_a_superblock 4096
else
	skip "copies of superblocks" "$why"
fi
it "a damaged retire record is damage" a_damaged_retire_record_is_damage
it "reading and checking change nothing" check_changes_nothing
done_testing
