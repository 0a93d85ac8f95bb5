#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What is no file in the place of one of a journal's is refused by every command: a FIFO would
# be waited for for ever.
. "$(dirname "$0")/../lib/common.sh"


a_fifo_for_the_conf()
{
	local d=$scratch/conf
	journal "$d"
	rm "$d/journal.conf"
	mkfifo "$d/journal.conf"
	expect 3 timeout 20 "$JNL" check "$d"
	says "journal.conf: is no file"
	expect 1 timeout 20 "$JNL" ls "$d"
	says "journal.conf: is no file"
	expect 1 timeout 20 "$JNL" put "$d" </dev/null
	says "journal.conf: is no file"
	expect 1 timeout 20 "$JNL" dump "$d"
	says "journal.conf: neither a file nor a device"
	expect 1 timeout 20 "$JNL" format "$d" --size 16M --require process
	[ -p "$d/journal.conf" ] || wrong "it was replaced"
	rm "$d/journal.conf"
	mkdir "$d/journal.conf"
	expect 1 timeout 20 "$JNL" ls "$d"
}

a_fifo_for_the_lock()
{
	local d=$scratch/lock
	journal "$d"
	echo kept | "$JNL" put "$d" >"$d.id"
	rm "$d/lock"
	mkfifo "$d/lock"
	# who only reads takes no lock
	expect 0 timeout 20 "$JNL" check "$d"
	expect 0 timeout 20 "$JNL" cat "$d" "$(cat "$d.id")"
	expect 1 timeout 20 "$JNL" put "$d" </dev/null
	says "lock: is no file"
	rm "$d/lock"
	expect 0 "$JNL" put "$d" </dev/null
}

a_fifo_for_a_medium() # a_fifo_for_a_medium NAME
{
	local d=$scratch/medium.$1
	journal "$d" --mirror "$scratch"
	rm "$d/$1"
	mkfifo "$d/$1"
	for command in check ls put; do
		status=0
		timeout 20 "$JNL" $command "$d" </dev/null >"$out" 2>"$err" || status=$?
		[ $status = 1 ] || [ $status = 3 ] || wrong "$command: exit $status: $(cat "$err")"
	done
	expect 1 timeout 20 "$JNL" dump "$d"
	says "$1: neither a file nor a device"
	[ -p "$d/$1" ] || wrong "it was replaced"
}

# jnl check --json says why: it does not open
json_says_why()
{
	local d=$scratch/json
	journal "$d"
	echo "nonsense" >>"$d/journal.conf"
	expect 3 "$JNL" check --json "$d"
	jq -e '(.clean | not) and (.findings | length == 1) and .findings[0].damage and
		.findings[0].id == null and (.findings[0].text | test("line .* makes no sense"))' \
		"$out" >/dev/null || wrong "$(cat "$out")"
	says "makes no sense"
	# not damaged: not there
	expect 1 "$JNL" check --json "$d.nowhere"
	printed ""
}

# a path is bytes, JSON is UTF-8
json_of_any_path()
{
	local d=$scratch/$'\xff-\xc0\xaf-\xed\xa0\x80-\xc3\xa9-\xf0\x9f\x93\xac-\xe2\x82'
	journal "$d"
	expect 0 "$JNL" info --json "$d"
	iconv -f UTF-8 -t UTF-8 "$out" >/dev/null || wrong "no UTF-8: $(cat "$out")"
	grep -qF -e $'/\xef\xbf\xbd-\xef\xbf\xbd\xef\xbf\xbd-' "$out" || wrong "$(cat "$out")"
	# what is whole stays
	grep -qF -e $'-\xc3\xa9-\xf0\x9f\x93\xac-\xef\xbf\xbd' "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" stat --json "$d"
	iconv -f UTF-8 -t UTF-8 "$out" >/dev/null || wrong "no UTF-8: $(cat "$out")"
	expect 0 "$JNL" ls --json "$d"
	jq -e . "$out" >/dev/null
	echo "nonsense" >>"$d/journal.conf"
	expect 3 "$JNL" check --json "$d"
	iconv -f UTF-8 -t UTF-8 "$out" >/dev/null || wrong "no UTF-8: $(cat "$out")"
	jq -e '.findings | length == 1' "$out" >/dev/null || wrong "$(cat "$out")"
}

it "JSON of a path that is no UTF-8" json_of_any_path
it "a FIFO for journal.conf" a_fifo_for_the_conf
it "a FIFO for the lock" a_fifo_for_the_lock
it "a FIFO for the log" a_fifo_for_a_medium log
it "a FIFO for the markers" a_fifo_for_a_medium markers
it "check --json says why it does not open" json_says_why
help_of_help()
{
	"$JNL" --help >"$scratch/help"
	for option in --help -h help; do
		expect 0 "$JNL" help $option
		same "$scratch/help" "$out"
	done
}

it "help of help" help_of_help
done_testing
