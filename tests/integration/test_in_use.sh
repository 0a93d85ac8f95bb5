#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One process writes; a second one is told so; readers read beside it.
. "$(dirname "$0")/../lib/common.sh"

# a writer that has the journal open, and goes on when told to
writer_starts() # writer_starts DIR
{
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	: >"$scratch/ids" # the writer does so only after it has opened its input
	"$JNL" put "$1" --as lines <"$scratch/fifo" >"$scratch/ids" 2>"$scratch/writer.err" &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
}

writer_ends()
{
	exec {in}>&-
	wait "$writer"
	[ ! -s "$scratch/writer.err" ]
}

told() # told COUNT LINES...: the writer has committed COUNT messages
{
	printf '%s\n' "${@:2}" >&"$in"
	until_or_end "$writer" lines_at_least "$1" "$scratch/ids"
	lines_at_least "$1" "$scratch/ids" || wrong "the writer ended: $(cat "$scratch/writer.err")"
}

a_second_writer_joins() # a_second_writer_joins KIND
{
	local j=$scratch/j.$1
	# shellcheck disable=SC2046
	journal "$j" $(marker_option "$1" use)
	writer_starts "$j"
	told 1 first
	id=$(cat "$scratch/ids")
	expect 0 "$JNL" put "$j" <<<"of another"
	other=$(cat "$out")
	expect 1 "$JNL" format "$j" --size 16M --require process --force
	says "in use"
	expect 0 "$JNL" retire "$j" "$id"
	expect 1 "$JNL" retire "$j" "$id"
	told 2 second
	expect 0 "$JNL" cat "$j" "$other"
	printed "of another"
	writer_ends
	expect 0 "$JNL" ls "$j"
	cut -d ' ' -f 1 "$out" | sort >"$scratch/listed"
	{ sed -n 2p "$scratch/ids"; echo "$other"; } | sort | cmp - "$scratch/listed" ||
		wrong "not listed: $(cat "$scratch/listed")"
	expect 0 "$JNL" check "$j"
}

# Whoever comes does not wait for somebody to write to it.
a_log_that_is_a_fifo_by_now()
{
	local j=$scratch/fifos
	journal "$j"
	writer_starts "$j"
	told 1 first
	mv "$j/log" "$j/away"
	mkfifo "$j/log"
	for command in "ls $j" "put $j $scratch/ids"; do
		# shellcheck disable=SC2086
		expect 1 timeout 20 "$JNL" $command
		says "log: neither a file nor a block device"
	done
	rm "$j/log"
	mv "$j/away" "$j/log"
	told 2 second
	writer_ends
	expect 0 "$JNL" check "$j"
}

# another journal is not made of what one has in use, whatever is forced
nobody_elses() # nobody_elses PATH OPTION...
{
	expect 1 "$JNL" format "$scratch/other" --size 16M --require process "${@:2}"
	says "$1: "
	expect 1 "$JNL" format "$scratch/other" --size 16M --require process --force "${@:2}"
	says "$1: in use by a journal"
	[ ! -e "$scratch/other/journal.conf" ] || wrong "it was made"
}

its_marker_medium_is_its_own() # its_marker_medium_is_its_own KIND
{
	local j=$scratch/m.$1 option path
	option=$(marker_option "$1" mine)
	[ -n "$option" ] || option="--marker file:$scratch/mine"
	path=${option#*:}
	# shellcheck disable=SC2086
	journal "$j" $option
	writer_starts "$j"
	told 1 first
	nobody_elses "$path" $option
	told 2 second
	writer_ends
	expect 0 "$JNL" check "$j"
	[ "$("$JNL" ls "$j" | wc -l)" = 2 ] || wrong "$("$JNL" ls "$j")"
	# nobody has it any more
	expect 0 "$JNL" format "$scratch/other" --size 16M --require process --force \
		$option
	rm -r "$scratch/other"
}

its_log_device_is_its_own()
{
	journal "$scratch/d" --log "$device"
	writer_starts "$scratch/d"
	told 1 first
	nobody_elses "$device" --log "$device"
	told 2 second
	writer_ends
	expect 0 "$JNL" check "$scratch/d"
}

readers_read_beside_it() # readers_read_beside_it KIND
{
	local j=$scratch/r.$1
	# shellcheck disable=SC2046
	journal "$j" $(marker_option "$1" read)
	echo before | "$JNL" put "$j" >"$scratch/first"
	writer_starts "$j"
	told 2 one two
	expect 0 "$JNL" ls "$j"
	cut -d ' ' -f 1 "$out" >"$scratch/listed"
	cat "$scratch/first" "$scratch/ids" >"$scratch/wanted"
	same "$scratch/listed" "$scratch/wanted"
	# shellcheck disable=SC2046
	expect 0 "$JNL" cat "$j" $(cat "$scratch/wanted")
	printed "$(printf 'before\nonetwo')"
	expect 0 "$JNL" check "$j"
	grep -q "^note: in use by pid $writer: .*left out" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" info --json "$j"
	jq -e --argjson pid "$writer" '.in_use_pid == $pid and .now.live == 3' "$out"
	expect 0 "$JNL" dump "$j"
	told 3 three
	expect 0 "$JNL" cat "$j" "$(tail -n 1 "$scratch/ids")"
	printed three
	writer_ends
	expect 0 "$JNL" check "$j"
	[ "$(ids_of "$j" | wc -l)" = 4 ]
}

# A writer commits without pause, so many and then until it has been looked at for
# the third time, while everything read is right.  Retired ones and recycled segments
# come from a journal that is emptied in between.
busy=$((20000 / ${TEST_SHARE:-1}))
[ $busy -ge 4000 ] || busy=4000 # the log goes round twice
echo "# the busy writer commits $busy, and more"
readers_beside_a_busy_one() # readers_beside_a_busy_one KIND
{
	local j=$scratch/b.$1 n=0
	# shellcheck disable=SC2046
	journal "$j" $(marker_option "$1" busy)
	: >"$scratch/churn"
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	"$BUILD/tests/integration/churn" "$j" $busy <"$scratch/fifo" >"$scratch/churn" 2>&1 &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
	until_or_end $writer lines_at_least 1 "$scratch/churn"
	while kill -0 $writer 2>/dev/null && { [ $n -lt 3 ] || ! lines_at_least 2 "$scratch/churn"; }; do
		expect 0 "$JNL" ls "$j"
		while read -r id bytes _ state _; do
			[ "$state" = live ] || wrong "$id is $state, and nothing is damaged"
			[ "$bytes" -ge 8 ] || wrong "$id has $bytes bytes"
		done <"$out"
		expect 0 "$JNL" check "$j"
		expect 0 "$JNL" info "$j"
		id=$(ids_of "$j" | tail -n 1)
		local got=0
		[ -z "$id" ] || "$JNL" cat "$j" "$id" >"$out" 2>"$err" || got=$?
		[ $got -le 1 ] || wrong "$id is damaged: $(cat "$err")" # 1: retired since
		if [ -n "$id" ] && [ $got = 0 ]; then
			perl -0777 -ne 'exit(/\A([0-9a-f]{8})(?:\1)*\z/ ? 0 : 1)' "$out" ||
				wrong "torn: $(head -c 100 "$out")"
		fi
		n=$((n + 1))
	done
	exec {in}>&-
	wait $writer || wrong "$(cat "$scratch/churn")"
	[ $n -ge 3 ] || wrong "the writer ended: $(cat "$scratch/churn")"
	expect 0 "$JNL" check "$j"
}

# the lock goes with its process, however that ends
a_killed_writer_leaves_no_lock()
{
	local j=$scratch/lock
	journal "$j"
	writer_starts "$j"
	told 1 first
	kill -9 "$writer"
	wait "$writer" || true
	exec {in}>&-
	expect 0 "$JNL" put "$j" </dev/null
	[ "$(ids_of "$j" | wc -l)" = 2 ]
}

for kind in $markers; do
	if why=$(have_marker $kind); then
		it "a second writer joins, $kind" a_second_writer_joins $kind
		it "its marker medium is its own, $kind" its_marker_medium_is_its_own $kind
		it "readers read beside it, $kind" readers_read_beside_it $kind
		if [ $kind = pmem ] && [ "$(basename "$BUILD")" = wrapped ]; then
			skip "readers beside a busy one, $kind" \
				"valgrind's processor lacks the instructions that the writer persists with"
			continue
		fi
		it "readers beside a busy one, $kind" readers_beside_a_busy_one $kind
	else
		skip "in use, $kind" "$why"
	fi
done
truncate -s 24M "$scratch/disk"
if device=$(losetup -f --show "$scratch/disk" 2>"$err"); then
	it "its log device is its own" its_log_device_is_its_own
	losetup -d "$device"
else
	skip "its log device is its own" "no loop device: $(cat "$err")"
fi
it "a log that is a fifo by now" a_log_that_is_a_fifo_by_now
it "a killed writer leaves no lock" a_killed_writer_leaves_no_lock
done_testing
