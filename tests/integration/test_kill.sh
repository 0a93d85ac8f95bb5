#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 at random moments: what was acknowledged is there, byte for byte;
# nothing is torn, nothing comes twice, what was retired never returns.
#
# SEED=N repeats the messages and the moments as far as a machine can; ROUNDS=N
# has so many kills of each kind, by default 12, or TEST_SHARE times fewer.
# slow
. "$(dirname "$0")/../lib/common.sh"

# who is killed while its leaks are looked for says so
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
rounds=${ROUNDS:-$((11 / ${TEST_SHARE:-1} + 1))}
echo "# SEED=$seed ROUNDS=$rounds"
RANDOM=$((seed % 32768))

# The process is killed after a random number of its acknowledgements, and a
# random while: ACKS, WAIT from the seed.
kill_at_random() # kill_at_random PID FILE
{
	local acks=$((RANDOM % 120)) wait_ms=$((RANDOM % 20))
	until_or_end "$1" lines_at_least $acks "$2"
	sleep "0.$(printf '%03d' $wait_ms)"
	kill -9 "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# whole lines only: the last one may have been cut off by the kill
whole_lines() { perl -ne 'print if /\n\z/' "$1"; }

# Compare the live transactions with the messages they must be.
# Files: $w/acked holds "ID N" for each acknowledged message, $w/retired the ids
# acknowledged as retired, $w/retiring those asked for.
verify()
{
	expect 0 "$JNL" check "$j"
	expect 0 "$JNL" ls "$j"
	cp "$out" "$w/ls"
	cut -d " " -f 1 "$w/ls" >"$w/live"
	[ -z "$(sort "$w/live" | uniq -d)" ] || wrong "an id comes twice"
	# every acknowledged one lives unless somebody asked to retire it
	sort "$w/retiring" >"$w/retiring.sorted"
	cut -d " " -f 1 "$w/acked" | sort | comm -23 - "$w/retiring.sorted" >"$w/must"
	sort "$w/live" | comm -13 - "$w/must" >"$w/missing"
	[ ! -s "$w/missing" ] || wrong "acknowledged and gone: $(cat "$w/missing")"
	sort "$w/retired" | comm -12 - <(sort "$w/live") >"$w/back"
	[ ! -s "$w/back" ] || wrong "retired and back: $(cat "$w/back")"
	# and each live one is a whole message, the one it was
	[ -s "$w/live" ] || return 0
	xargs "$JNL" cat "$j" <"$w/live" >"$w/payloads"
	perl "$lib/generate.pl" "$seed" "$w/ls" "$w/acked" <"$w/payloads"
}

put_round() # put_round FIRST: leaves the number of the next message in $next
{
	local pid unacked
	: >"$w/ids"
	# the generator never ends: only the kill does
	"$JNL" put "$j" --as lines < <(exec perl "$lib/generate.pl" "$seed" "$1") \
		>"$w/ids" 2>"$w/err" &
	pid=$!
	ends $pid
	kill_at_random $pid "$w/ids"
	[ ! -s "$w/err" ] || grep -q 'full' "$w/err" || wrong "$(cat "$w/err")"
	whole_lines "$w/ids" | awk -v n="$1" '{ print $1, n + NR - 1 }' >>"$w/acked"
	next=$(($1 + $(whole_lines "$w/ids" | wc -l) + 1000))
}

retire_round()
{
	local pid
	ids_of "$j" >"$w/live"
	sort -R --random-source=<(yes "$RANDOM$RANDOM") "$w/live" |
		head -n $(($(wc -l <"$w/live") * 2 / 3)) >"$w/ask"
	cat "$w/ask" >>"$w/retiring"
	: >"$w/out"
	"$JNL" retire "$j" - < <(while read -r id; do echo "$id"; done <"$w/ask") >"$w/out" 2>"$w/err" &
	pid=$!
	ends $pid
	kill_at_random $pid "$w/out"
	[ ! -s "$w/err" ] || wrong "$(cat "$w/err")"
	whole_lines "$w/out" >>"$w/retired"
}

killed() # killed NAME FORMAT-OPTION...
{
	w=$scratch/$1 j=$scratch/$1/j
	shift
	mkdir "$w"
	expect 0 "$JNL" format "$j" --size 64M --require process "$@"
	: >"$w/acked" >"$w/retired" >"$w/retiring"
	next=1
	for ((round = 0; round < rounds; round++)); do
		echo "round $round, first message $next"
		put_round $next
		verify
		retire_round
		verify
	done
	[ -s "$w/acked" ] || wrong "nothing was ever acknowledged"
	[ -s "$w/retired" ] || wrong "nothing was ever retired"
}

it "killed, file:, SEED=$seed" killed file
it "killed, sim:, SEED=$seed" killed sim --marker "sim:$scratch/sim.image"
if why=$(have_marker pmem); then
	goes "/dev/shm/jnl.$$.kill"
	it "killed, pmem: on /dev/shm, SEED=$seed" killed pmem --marker "pmem:/dev/shm/jnl.$$.kill"
else
	skip "killed, pmem:" "$why"
fi
done_testing
