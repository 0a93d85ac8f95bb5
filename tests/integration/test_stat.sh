#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl stat: its numbers against what was done, its forms, and nobody there.
. "$(dirname "$0")/../lib/common.sh"

writer_starts() # writer_starts DIR: sets $writer; lines for it go to descriptor 9
{
	rm -f "$scratch/feed"
	mkfifo "$scratch/feed"
	: >"$scratch/ids"
	"$JNL" put "$1" --as lines <"$scratch/feed" >>"$scratch/ids" 2>"$scratch/writer.err" &
	writer=$!
	ends "$writer"
	exec 9>"$scratch/feed"
}

puts() # puts COUNT: and waits until so many more are durable
{
	local before
	before=$(wc -l <"$scratch/ids")
	seq 1000001 $((1000000 + $1)) >&9 # 7 bytes each
	until_or_end "$writer" lines_at_least $((before + $1)) "$scratch/ids"
}

writer_ends()
{
	exec 9>&-
	wait "$writer" || wrong "the writer: $(cat "$scratch/writer.err")"
}

report() # report FILTER: of the last report in $out
{
	tail -n 1 "$out" | jq -r "$1"
}

is() # is FILTER VALUE
{
	[ "$(report "$1")" = "$2" ] || wrong "$1 is $(report "$1"), not $2: $(tail -n 1 "$out")"
}

# all its times are in order, and none without calls
in_order()
{
	jq -es 'all(.[] | select(.in_use) | .calls[];
		.p50_ns <= .p90_ns and .p90_ns <= .p99_ns and .p99_ns <= .p999_ns and
		.p999_ns <= .max_ns * 17 / 16 + 1 and (.count > 0) == (.p50_ns > 0) and .per_s >= 0)' \
		"$out" >/dev/null || wrong "not in order: $(cat "$out")"
}

numbers_are_right() # numbers_are_right KIND PATH
{
	local dir=$scratch/$1 path=$2
	# shellcheck disable=SC2046
	journal "$dir" $(marker_option "$1" stat)
	writer_starts "$dir"
	puts 500
	# shellcheck disable=SC2046
	expect 0 "$JNL" retire "$dir" $(head -n 100 "$scratch/ids")
	expect 0 "$JNL" stat --json "$dir"
	[ "$(wc -l <"$out")" = 1 ] || wrong "not one report in one line"
	in_order
	is .in_use true
	is .members 1
	is .live 400
	is .live_bytes 2800
	is .lost 0
	# since it was opened: rate by time is what was done
	is ".calls.$path.per_s * .seconds | round" 500
	is '.calls.retire.per_s * .seconds | round' 100
	is '.calls.group.count' 0
	is '.log.fill >= 0 and .log.fill <= 1 and .lines.fill > 0 and .lines.fill <= 1' true
	if [ "$path" = synced ]; then
		is .calls.synced.count 500
		is '.calls.retire.count >= 1 and .calls.retire.count <= 100' true # calls of some each
		is .stage.bytes 0
		is '.log.writes_per_s * .seconds >= 501' true
		is '.clean.write_amplification' 1
		is '.clean.written_per_payload_byte > 1' true
	else
		is '.stage.bytes > 0 and .stage.used_bytes >= 500 * 64' true
		is '.stage.fill > 0 and .stage.fill < 1' true
		is .stage.live 400
		is '.stage.oldest_s > 0' true
		# nothing of it touched the disk
		is '.clean.write_amplification' null
	fi
	writer_ends
}

# synced commits in all reports so far; the last line may be half written
all_synced()
{
	jq -R 'fromjson? | .calls.synced.count' "$out" | awk '{ n += $1 } END { print n + 0 }'
}

synced_are() # synced_are COUNT
{
	[ "$(all_synced)" = "$1" ]
}

# the first tells of what was before, the others of what was done since the one before
between_two_reports()
{
	local dir=$scratch/between stat
	journal "$dir"
	writer_starts "$dir"
	puts 300
	"$JNL" stat --json "$dir" 0.05 >"$out" 2>"$err" &
	stat=$!
	ends "$stat"
	until_or_end "$stat" synced_are 300
	puts 50
	until_or_end "$stat" synced_are 350
	kill -0 "$stat" || wrong "it ended: $(cat "$err")"
	kill "$stat"
	wait "$stat" || true
	synced_are 350 || wrong "$(all_synced) in all"
	[ "$(head -n 1 "$out" | jq .calls.synced.count)" = 300 ] || wrong "$(head -n 1 "$out")"
	expect 0 "$JNL" stat --json "$dir" 0.01 3
	[ "$(wc -l <"$out")" = 3 ] || wrong "not three reports: $(cat "$out")"
	in_order
	[ "$(jq -s 'all(.[1:][]; .seconds < 60)' "$out")" = true ] || wrong "$(jq .seconds "$out")"
	writer_ends
}

nobody_is_there()
{
	local dir=$scratch/nobody
	journal "$dir"
	expect 0 "$JNL" stat "$dir"
	grep -q "nobody has the journal open to write" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" stat --json "$dir" 0.01 2
	[ "$(jq -s 'length == 2 and all(.[]; .in_use == false and (.why | contains("nobody")))' \
		"$out")" = true ] || wrong "$(cat "$out")"
	# it has looked, and done nothing
	[ ! -e "$dir/index" ] || wrong "it has made an index"
}

# those that write come and go, and are killed, while it looks
they_come_and_go()
{
	local dir=$scratch/come stat
	journal "$dir"
	"$JNL" stat --json "$dir" 0.01 >"$scratch/live" 2>"$err" &
	stat=$!
	ends "$stat"
	until_or_end "$stat" grep -q '"in_use":false' "$scratch/live"
	writer_starts "$dir"
	puts 10
	until_or_end "$stat" grep -q '"in_use":true,.*"live":10,' "$scratch/live"
	writer_ends
	: >"$scratch/live"
	until_or_end "$stat" grep -q '"in_use":false' "$scratch/live"
	writer_starts "$dir"
	puts 5
	until_or_end "$stat" grep -q '"in_use":true,.*"live":15,' "$scratch/live"
	kill -9 "$writer"
	wait "$writer" || true
	exec 9>&-
	: >"$scratch/live"
	until_or_end "$stat" grep -q '"in_use":false' "$scratch/live"
	kill -0 "$stat" || wrong "it ended: $(cat "$err")"
	kill "$stat"
	wait "$stat" || true
}

as_text()
{
	local dir=$scratch/text name
	journal "$dir"
	writer_starts "$dir"
	puts 20
	expect 0 "$JNL" stat "$dir" 0.01 2
	for name in staged direct synced group retire read destage flush room; do
		[ "$(grep -cE "^$name +[0-9]+\.[0-9]( +(-|[0-9.]+(ns|us|ms|s))){5}$" "$out")" = 2 ] ||
			wrong "$name: $(cat "$out")"
	done
	grep -qE '^live:  20, 140; lost 0' "$out" || wrong "$(cat "$out")"
	grep -qE '^log:   [0-9.]+% of [0-9.]+M; ' "$out" || wrong "$(cat "$out")"
	grep -q '1 writer$' "$out" || wrong "$(cat "$out")"
	writer_ends
}

it_refuses()
{
	local dir=$scratch/refuses bad
	journal "$dir"
	expect 2 "$JNL" stat
	says "DIR is missing"
	for bad in 0 0.001 x 1x -- "" inf nan 1e9 ' 1'; do
		[ "$bad" != -- ] || bad=+1
		expect 2 "$JNL" stat "$dir" "$bad"
		says "INTERVAL"
	done
	for bad in 0 1.5 x; do
		expect 2 "$JNL" stat "$dir" 1 "$bad"
		says "COUNT"
	done
	expect 2 "$JNL" stat "$dir" 1 1 1
	says "one argument too many"
	expect 1 "$JNL" stat "$scratch/nothing"
	says "nothing"
}

it "numbers are right, file" numbers_are_right file synced
if why=$(have_marker pmem); then
	it "numbers are right, pmem" numbers_are_right pmem staged
else
	skip "numbers are right, pmem" "$why"
fi
it "between two reports" between_two_reports
it "nobody is there" nobody_is_there
it "they come and go" they_come_and_go
it "as text" as_text
it "it refuses" it_refuses
done_testing
