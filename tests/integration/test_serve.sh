#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl serve: beside writers, its metrics, its end, the service manager, the units.
. "$(dirname "$0")/../lib/common.sh"

root=$lib/../..

serve() # serve DIR OPTION...: sets $pid
{
	local dir=$1
	shift
	"$JNL" serve "$dir" --interval 5 --age 1 "$@" 2>"$err" &
	pid=$!
	ends "$pid"
}

# the process must not have ended by itself
await() # await COMMAND...
{
	until_or_end "$pid" "$@"
	kill -0 "$pid" 2>/dev/null || wrong "it ended: $(cat "$err")"
}

stops() # stops SIGNAL: it ends cleanly
{
	local got=0
	kill -"$1" "$pid"
	wait "$pid" || got=$?
	[ $got = 0 ] || wrong "SIG$1: it exits $got: $(cat "$err")"
}

is_now() # is_now FIELD VALUE DIR: of jnl info
{
	[ "$("$JNL" info --json "$3" | jq "[.. | objects | .$1? // empty][0]")" = "$2" ]
}

metric() # metric NAME: its value
{
	awk -v name="libjournal_$1" 'index($0, name "{") == 1 { print $NF }' "$scratch/metrics"
}

times_count() # times_count CALL
{
	awk -v call="call=\"$1\"" 'index($0, "libjournal_call_seconds_count{") == 1 && index($0, call) {
		print $NF }' "$scratch/metrics"
}

metric_is()
{
	[ "$(metric "$1")" = "$2" ]
}

# the text format: by its own tool where there is one, and by ours
parses() # parses FILE
{
	if command -v promtool >/dev/null; then
		promtool check metrics <"$1" || wrong "promtool does not take it"
	fi
	perl "$lib/exposition.pl" "$1" || wrong "the metrics do not parse"
}

beside_writers() # beside_writers KIND
{
	local dir=$scratch/$1 writers=() w
	# shellcheck disable=SC2046
	journal "$dir" $(marker_option "$1" serve)
	serve "$dir" --metrics "$scratch/metrics"
	await [ -s "$scratch/metrics" ]
	for w in 1 2 3; do
		seq 1 200 | sed "s/^/$w /" | "$JNL" put "$dir" --as lines >"$scratch/ids.$w" &
		writers+=($!)
	done
	for w in "${writers[@]}"; do
		wait "$w" || wrong "a writer failed"
	done
	head -n 100 "$scratch/ids.1" | expect 0 "$JNL" retire "$dir" -
	# all of it is in the log by and by, and the numbers say so
	await is_now staged_live 0 "$dir"
	await metric_is live_transactions 500
	await metric_is staged_transactions 0
	parses "$scratch/metrics"
	[ "$(metric retires_total)" = 100 ] || wrong "retires: $(metric retires_total)"
	[ "$(metric payload_bytes_total)" = 2676 ] || wrong "$(metric payload_bytes_total)"
	if [ "$1" = file ]; then
		[ "$(times_count synced)" = 600 ] || wrong "synced: $(times_count synced)"
	fi
	[ "$(times_count flush)" -gt 0 ] || wrong "flush: $(times_count flush)"
	[ "$(metric log_writes_total)" -gt 0 ] || wrong "$(metric log_writes_total)"
	[ -z "$(ls "$scratch" | grep 'metrics\.')" ] || wrong "a temporary file is left"
	stops TERM
	expect 0 "$JNL" check "$dir"
	[ "$(ids_of "$dir" | wc -l)" = 500 ] || wrong "not all are there"
	rm "$scratch/metrics"
}

killed_ones_are_taken_over()
{
	local dir=$scratch/killed writer
	# shellcheck disable=SC2046
	journal "$dir" $(marker_option pmem killed)
	serve "$dir"
	await is_now members 1 "$dir"
	yes | "$JNL" put "$dir" --as lines >"$scratch/ids" &
	writer=$!
	ends "$writer"
	until_or_end "$writer" lines_at_least 10 "$scratch/ids"
	kill -9 "$writer"
	wait "$writer" || true
	await is_now takeovers 1 "$dir"
	await grep -q 'took over what 1 killed process had' "$err"
	stops INT
	expect 0 "$JNL" check "$dir"
}

it_refuses()
{
	local dir=$scratch/refuses
	journal "$dir"
	expect 2 "$JNL" serve
	says "DIR is missing"
	expect 2 "$JNL" serve "$dir" --fill 101
	says "from 1 to 100"
	expect 2 "$JNL" serve "$dir" --interval x
	says "'x' is no number"
	expect 2 "$JNL" serve "$dir" --age -1
	says "is no number"
	expect 1 "$JNL" serve "$scratch/nothing"
	says "nothing"
	expect 1 "$JNL" serve "$dir" --metrics "$scratch/none/metrics"
	says "No such file"
}

still_as_it_was() # still_as_it_was TEST FILE
{
	[ "$1" "$2" ] || wrong "$2 is replaced: $(stat -c %F "$2")"
	[ -z "$(ls "$scratch" | grep '\.......$')" ] || wrong "a temporary file is left"
}

# not a link is replaced, but what it leads to; and no device, no pipe, no folder
metrics_replace_a_file_alone()
{
	local dir=$scratch/alone path=$scratch/m
	journal "$dir"
	mkdir "$path.d"
	mkfifo "$path.fifo"
	ln -s "$path.fifo" "$path.fifolink"
	for what in d fifo fifolink; do
		expect 1 "$JNL" serve "$dir" --metrics "$path.$what"
		says "m.$what: is there, and is no file: it is not replaced"
		# first of all: there need not even be a journal
		expect 1 "$JNL" serve "$scratch/nothing" --metrics "$path.$what"
		says "m.$what: is there, and is no file"
	done
	still_as_it_was -p "$path.fifo"
	still_as_it_was -h "$path.fifolink"
	if mknod "$path.null" c 1 3 2>/dev/null; then
		expect 1 "$JNL" serve "$dir" --metrics "$path.null"
		says "m.null: is there, and is no file"
		still_as_it_was -c "$path.null"
	fi
	: >"$path.file"
	ln -s "$path.file" "$path.link"
	serve "$dir" --metrics "$path.link"
	await [ -s "$path.file" ]
	still_as_it_was -h "$path.link"
	# nor one that is put there later
	mkfifo "$path.later"
	mv -f "$path.later" "$path.file"
	await grep -q 'm.link: is there, and is no file' "$err"
	stops TERM
	still_as_it_was -p "$path.file"
}

labels_are_escaped()
{
	local dir="$scratch/a\"b\\c"
	journal "$dir"
	serve "$dir" --metrics "$scratch/metrics"
	await [ -s "$scratch/metrics" ]
	parses "$scratch/metrics"
	grep -qF 'a\"b\\c"' "$scratch/metrics" || wrong "$(head -3 "$scratch/metrics")"
	stops TERM
}

ended() # ended PATTERN: by itself, with exit 1, and says so
{
	local got=0
	wait "$pid" || got=$?
	[ $got = 1 ] || wrong "it exits $got: $(cat "$err")"
	says "$1"
	[ "$(wc -l <"$err")" = 1 ] || wrong "says more: $(cat "$err")"
}

# what is open goes on as it was: it is looked for
its_directory_is_gone()
{
	local dir=$scratch/gone
	journal "$dir"
	serve "$dir"
	await [ -s "$dir/index" ] # is_now members 1 is true before it is open
	rm -rf "$dir" # serve may remove its index first
	ended "^jnl: $dir: is not there any more: $dir/lock: No such file or directory\$"
	# moved: it is clean where it is now, however it was named
	journal "$dir"
	(cd "$dir" && exec "$JNL" serve . --interval 5 2>"$err") &
	pid=$!
	ends "$pid"
	await [ -s "$dir/index" ]
	expect 0 "$JNL" put "$dir" <<<kept
	mv "$dir" "$dir.moved"
	ended "^jnl: .: is not there any more: $dir/./lock: No such file"
	[ ! -e "$dir" ] || wrong "something is there again"
	expect 0 "$JNL" check "$dir.moved"
	[ "$(ids_of "$dir.moved" | wc -l)" = 1 ] || wrong "not all is there"
}

# the other one is left as it is, with who has it open
another_is_in_its_place()
{
	local dir=$scratch/another writer
	journal "$dir"
	serve "$dir"
	await [ -s "$dir/index" ] # is_now members 1 is true before it is open
	kill -STOP "$pid"
	rm -r "$dir"
	journal "$dir"
	mkfifo "$scratch/fifo"
	"$JNL" put "$dir" --as lines <"$scratch/fifo" >"$scratch/ids" &
	writer=$!
	ends "$writer"
	exec {in}>"$scratch/fifo"
	echo one >&"$in"
	until_or_end "$writer" lines_at_least 1 "$scratch/ids"
	cp "$dir/index" "$scratch/index"
	kill -CONT "$pid"
	ended "^jnl: $dir: is not there any more: $dir/lock is that of another journal\$"
	same "$scratch/index" "$dir/index"
	expect 0 "$JNL" put "$dir" <<<two
	exec {in}>&-
	wait "$writer" || wrong "the writer failed"
	[ "$(ids_of "$dir" | wc -l)" = 2 ] || wrong "not all are there"
	expect 0 "$JNL" check "$dir"
}

the_manager_is_told()
{
	local dir=$scratch/told listener
	journal "$dir"
	perl -MIO::Socket::UNIX -MSocket -e '$| = 1;
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
		while (defined $s->recv(my $m, 4096)) { print "$m\n" }' "$scratch/socket" \
		>"$scratch/told.log" &
	listener=$!
	ends "$listener"
	until_or_end "$listener" [ -S "$scratch/socket" ]
	NOTIFY_SOCKET=$scratch/socket serve "$dir"
	await grep -qx READY=1 "$scratch/told.log"
	await grep -q '^STATUS=0 live' "$scratch/told.log"
	stops TERM
	until_or_end "$listener" grep -qx STOPPING=1 "$scratch/told.log"
	kill "$listener"
}

nobody_can_tell() # built without libsystemd: it runs, and says it
{
	local dir=$scratch/untold
	journal "$dir"
	NOTIFY_SOCKET=$scratch/none serve "$dir"
	await grep -q 'libsystemd is missing' "$err"
	stops TERM
}

units_are_good()
{
	local unit
	mkdir -p "$scratch/units"
	for unit in "$root"/libjournal/tools/libjournal-serve*.service.in; do
		sed -e "s|@BINDIR@/jnl|$(realpath "$JNL")|" -e 's|@TYPE@|notify|' "$unit" \
			>"$scratch/units/$(basename "${unit%.in}" | sed 's/@/@var-spool-x/')"
	done
	expect 0 systemd-analyze verify --man=no "$scratch"/units/*
	# what it does not know it only warns of
	[ ! -s "$err" ] || ! grep "$scratch/units" "$err" || wrong "systemd-analyze warns"
}

for kind in $markers; do
	if why=$(have_marker $kind); then
		it "$kind: beside writers" beside_writers $kind
	else
		skip "$kind: beside writers" "$why"
	fi
done
if why=$(have_marker pmem); then
	it "killed ones are taken over" killed_ones_are_taken_over
else
	skip "killed ones are taken over" "$why"
fi
it "it refuses" it_refuses
it "metrics replace a file alone" metrics_replace_a_file_alone
it "labels are escaped" labels_are_escaped
it "its directory is gone" its_directory_is_gone
it "another is in its place" another_is_in_its_place
if grep -q 'libsystemd\.so\.0' "${JNL_BINARY:-$JNL}"; then
	it "the service manager is told" the_manager_is_told
else
	it "without libsystemd it says so" nobody_can_tell
fi
if command -v systemd-analyze >/dev/null; then
	it "the units are good" units_are_good
else
	skip "the units are good" "there is no systemd-analyze"
fi
done_testing
