#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Media that end too soon: what there is, is read; what is missing has its name.
. "$(dirname "$0")/../lib/common.sh"

# 100 messages of 40000 bytes, each readable or named, and every second one retired;
# fills the log from its beginning, and leaves the rest of it unused
filled() # filled DIR [OPTION...]
{
	local dir=$1 n
	shift
	expect 0 "$JNL" format "$dir" --require process "$@"
	for n in $(seq 100); do
		head -c 40000 /dev/zero | tr '\0' "$((n % 10))"
		echo " $n"
	done >"$scratch/lines"
	"$JNL" put "$dir" --as lines <"$scratch/lines" >"$scratch/ids"
	sed -n 'n;p' "$scratch/ids" >"$scratch/retired"
	sed -n 'p;n' "$scratch/ids" >"$scratch/kept"
	"$JNL" retire "$dir" - <"$scratch/retired" >"$scratch/none"
}

# what is not named lost is the message that was put; none of the retired is back
all_are_read_or_named() # all_are_read_or_named DIR: how many are lost
{
	local id lost=0
	"$JNL" ls --json "$1" 2>"$scratch/quiet" >"$scratch/list"
	jq -r '.[].id' "$scratch/list" | sort >"$scratch/there"
	sort "$scratch/kept" | diff - "$scratch/there" >&2
	"$JNL" check "$1" >"$scratch/said" 2>"$scratch/quiet" && wrong "check is clean"
	while read -r id; do
		if [ "$(jq -r --arg id "$id" '.[] | select(.id == $id) | .state' "$scratch/list")" = lost ]; then
			grep -q "^damage: $id: COMMITTED_BUT_LOST" "$scratch/said"
			lost=$((lost + 1))
		else
			"$JNL" cat "$1" "$id" >"$scratch/got" 2>"$scratch/quiet"
			grep -qxF -f "$scratch/got" "$scratch/lines"
		fi
	done <"$scratch/kept"
	echo $lost
}

# a log that lacks BYTES at its end: LOST messages are named, all others are read
the_only_log() # the_only_log BYTES LOST
{
	local j=$scratch/one.$1 lost
	filled "$j" --size 16M
	truncate -s "-$1" "$j/log"
	expect 3 "$JNL" check "$j"
	grep -q "^damage: $j/log: is too short, and is only read: .*truncate -s 16777216" "$out" ||
		wrong "$(cat "$out")"
	lost=$(all_are_read_or_named "$j")
	[ "$lost" "$2" 0 ] || wrong "$lost are lost"
	expect 1 "$JNL" retire "$j" "$(head -n 1 "$scratch/kept")"
	says "$j/log: is too short"
	expect 1 "$JNL" put "$j" "$scratch/kept"
	says "truncate -s 16777216"
	"$JNL" dump "$j" >"$scratch/dumped" 2>"$scratch/quiet" || true # it ends too soon
	grep -q '^  segment 0: stream' "$scratch/dumped" || wrong "nothing is shown"
	[ "$(all_are_read_or_named "$j")" = "$lost" ] || wrong "it has changed"
	# as it says
	truncate -s 16777216 "$j/log"
	# and what lies in a block of which there was a part, too
	[ "$lost" = 0 ] || [ "$(all_are_read_or_named "$j")" -le "$lost" ] || wrong "other ones"
	expect 0 "$JNL" retire "$j" "$(head -n 1 "$scratch/kept")"
	expect 0 "$JNL" put "$j" "$scratch/kept"
	"$JNL" ls --json "$j" 2>"$scratch/quiet" | jq -r '.[] | select(.state == "lost") | .id' |
		"$JNL" retire "$j" - >"$scratch/none"
	# of segments whose digests are gone the other copies serve, until their next use
	"$JNL" check "$j" >"$scratch/said" 2>"$scratch/quiet" || [ "$lost" -gt 0 ]
	! grep -v "stands in$\|read whole$" "$scratch/said" || wrong "$(cat "$scratch/said")"
}

one_of_two_logs()
{
	local j=$scratch/two lost log put id
	mkdir "$j.a" "$j.b"
	filled "$j" --size 24M --log "$j.a" --log "$j.b"
	log=$(echo "$j".b/*)
	cp "$log" "$scratch/whole"
	truncate -s 1500000 "$log"
	lost=$(all_are_read_or_named "$j")
	grep -q "^damage: $log: is too short, and is only read" "$scratch/said" || wrong "no reason"
	# the other one takes what comes, and what is on this one can be retired
	for put in $(seq 40); do
		head -c 20000 /dev/zero | "$JNL" put "$j" >>"$scratch/more" 2>"$scratch/quiet"
		"$JNL" retire "$j" "$(tail -n 1 "$scratch/more")" >"$scratch/none" 2>&1
	done
	[ "$(all_are_read_or_named "$j")" = "$lost" ] || wrong "it has changed"
	[ "$lost" -gt 0 ] || wrong "none is lost: the test is wrong"
	head -n 20 "$scratch/kept" | "$JNL" retire "$j" - >"$scratch/none"
	expect 3 "$JNL" info --json "$j"
	says "$log: this log is out of use: it is too short"
	jq -e '.logs[1].failed and (.logs[0].failed | not) and .now.live + .now.lost == 30' "$out" ||
		wrong "$(cat "$out")"
	# and when it is back, so is what was on it
	cp "$scratch/whole" "$log"
	expect 0 "$JNL" check "$j"
	ids_of "$j" | sort >"$scratch/there"
	tail -n +21 "$scratch/kept" | sort | diff - "$scratch/there"
	while read -r id; do
		"$JNL" cat "$j" "$id" >"$scratch/got"
		grep -qxF -f "$scratch/got" "$scratch/lines"
	done <"$scratch/there"
	expect 0 "$JNL" put "$j" "$scratch/kept"
	expect 0 "$JNL" check "$j"
}

# while a process has it open, and for who joins
one_of_two_is_joined()
{
	local j=$scratch/joined server log
	mkdir "$j.a" "$j.b"
	filled "$j" --size 24M --log "$j.a" --log "$j.b"
	log=$(echo "$j".b/*)
	truncate -s -4096 "$log"
	"$JNL" serve "$j" >"$scratch/serve" 2>&1 &
	server=$!
	ends $server
	until_or_end $server grep -qs . "$j/index"
	echo joins | "$JNL" put "$j" 2>"$scratch/quiet" >>"$scratch/kept"
	echo " joins" >>"$scratch/lines"
	expect 0 "$JNL" cat "$j" "$(head -n 1 "$scratch/kept")"
	expect 0 "$JNL" cat "$j" "$(tail -n 1 "$scratch/kept")"
	printed joins
	kill "$server"
	wait "$server"
}

# the third of its slots is cut; which of them was the newest is another one each time
the_markers()
{
	local j=$scratch/marked n bytes
	filled "$j" --size 16M
	for n in 1 2 3 4; do
		bytes=$(stat -c %s "$j/markers")
		truncate -s "-$((n * n * 3000))" "$j/markers"
		expect 3 "$JNL" check "$j"
		grep -q "^damage: file:$j/markers: the file is truncated, and who writes" "$out" ||
			wrong "$(cat "$out")"
		ids_of "$j" | sort >"$scratch/there"
		sort "$scratch/kept" | diff - "$scratch/there"
		echo "$n" | "$JNL" put "$j" >>"$scratch/kept"
		[ "$(stat -c %s "$j/markers")" = "$bytes" ] || wrong "still too short"
		expect 0 "$JNL" check "$j"
	done
}

nvram()
{
	local j=$scratch/nvram
	goes "$scratch/nv"
	filled "$j" --size 16M --marker "pmem:$scratch/nv"
	cp "$scratch/nv" "$scratch/whole"
	truncate -s 100000 "$scratch/nv"
	expect 1 "$JNL" ls "$j"
	says "pmem:$scratch/nv: .*shorter than its superblock says: [0-9]+ bytes .truncate -s"
	expect 1 "$JNL" put "$j" "$scratch/kept"
	[ "$(stat -c %s "$scratch/nv")" = 100000 ] || wrong "it was changed"
	cp "$scratch/whole" "$scratch/nv"
	expect 0 "$JNL" check "$j"
}

it "a log without its last byte" the_only_log 1 -eq
it "a log that ends in what is used" the_only_log 14000001 -gt
it "a log of little more than one segment" the_only_log 15000000 -gt
it "one of two logs" one_of_two_logs
it "one of two logs, for who joins" one_of_two_is_joined
it "a marker file" the_markers
it "NVRAM" nvram
done_testing
