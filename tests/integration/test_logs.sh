#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# Several logs: one that is not there at open, and one on a disk that takes no more.
. "$(dirname "$0")/../lib/common.sh"

# two_logs DIR KIND: a journal with logs in DIR.a and DIR.b, and messages on both;
# their ids are in DIR.ids, each message in DIR.N
two_logs()
{
	local n
	mkdir "$1.a" "$1.b"
	# shellcheck disable=SC2046
	journal "$1" --size 24M --log "$1.a" --log "$1.b" $(marker_option "$2" "${1##*/}")
	for n in $(seq 60); do
		{ echo "message $n"; head -c 50000 /dev/urandom; } >"$1.$n"
	done
	# by many processes, some of which begin where another one stopped
	for n in $(seq 60); do
		"$JNL" put "$1" "$1.$n"
	done >"$1.ids"
}

# What is said to be lost is, all else is as it was; leaves the lost ones in DIR.lost.
some_are_lost() # some_are_lost DIR
{
	local n=0 id
	: >"$1.lost"
	expect 3 "$JNL" ls "$1"
	cp "$out" "$1.ls"
	while read -r id; do
		n=$((n + 1))
		if grep -q "^$id .* lost " "$1.ls"; then
			echo "$id" >>"$1.lost"
			expect 3 "$JNL" cat "$1" "$id"
			says "$id: COMMITTED_BUT_LOST: (it is|no record .*; it may be) on $1.b/.*, which"
		else
			"$JNL" cat "$1" "$id" | cmp - "$1.$n" || wrong "$id is not as it was"
		fi
	done <"$1.ids"
	[ -s "$1.lost" ] || wrong "none is lost: the test is wrong"
	[ "$(wc -l <"$1.lost")" -lt 60 ] || wrong "all are lost"
}

told_of() # told_of DIR WHY
{
	local id
	expect 3 "$JNL" ls "$1"
	says "${1##*/}.b/.*: this log is out of use: .*$2"
	expect 3 "$JNL" info "$1"
	says "${1##*/}.b/.*: this log is out of use: .*$2"
	while read -r id; do
		grep -q "^jnl: $id: COMMITTED_BUT_LOST" "$err" || wrong "info does not name $id"
	done <"$1.lost"
	expect 3 "$JNL" check "$1"
	grep -q "^damage: .*$2.*: what is on this log alone is lost, unless it comes back\$" "$out" || wrong "$(cat "$out")"
	while read -r id; do
		grep -q "^damage: $id: COMMITTED_BUT_LOST: it is on $1.b/.*, which is not there\$" "$out" ||
			grep -q "^damage: $id: .* its commit bit is set.*; it may be on $1.b/" "$out" ||
			wrong "check does not name $id: $(cat "$out")"
	done <"$1.lost"
	! grep -q "without a name\|may be back" "$out" || wrong "said of a clean close: $(cat "$out")"
	"$JNL" info --json "$1" 2>"$scratch/quiet" | jq -e '.logs[1].failed and (.logs[0].failed | not)'
}

log_is_gone() # log_is_gone KIND HOW WHY
{
	local j=$scratch/gone.$1.$2 b first more
	two_logs "$j" "$1"
	b=$(echo "$j".b/*)
	cp "$b" "$j.saved"
	case $2 in
	removed) rm "$b" ;;
	empty) : >"$b" ;;
	short) truncate -s 8191 "$b" ;;
	blank) head -c "$(stat -c %s "$b")" /dev/zero >"$b" ;;
	unmounted) rm -r "$j.b" ;;
	esac
	some_are_lost "$j"
	told_of "$j" "$3"
	# the rest goes on: put, retire, also of one that is lost
	for n in $(seq 30); do
		"$JNL" put "$j" "$j.$n"
	done >"$j.more"
	first=$(head -n 1 "$j.lost")
	expect 0 "$JNL" retire "$j" "$first"
	more=$(head -n 1 "$j.more")
	"$JNL" cat "$j" "$more" | cmp - "$j.1"
	expect 3 "$JNL" check "$j"
	! grep -q "$first" "$out" || wrong "$first is retired: $(cat "$out")"
	# and when it is back, so is what was on it
	mkdir -p "$j.b"
	cp "$j.saved" "$b"
	expect 0 "$JNL" check "$j"
	expect 0 "$JNL" ls "$j"
	[ "$(wc -l <"$out")" = 89 ] || wrong "$(wc -l <"$out") are there: $(cat "$out")"
	! grep -q "$first" "$out" || wrong "$first is retired, and back"
	while read -r id; do
		[ "$id" = "$first" ] || "$JNL" cat "$j" "$id" >/dev/null
	done <"$j.ids"
	for n in $(seq 30); do
		"$JNL" put "$j" "$j.$n"
	done >"$j.again"
	expect 0 "$JNL" check "$j"
}

# The second digests, which NVRAM has, go to the next log: that is not there.
markers_move_without_a_log()
{
	local j=$scratch/moved b
	two_logs "$j" pmem
	b=$(echo "$j".b/*)
	mv "$b" "$j.saved"
	some_are_lost "$j"
	sort "$j.lost" >"$j.before"
	expect 0 "$JNL" set-marker "$j" "file:$j.markers"
	some_are_lost "$j"
	sort "$j.lost" | cmp - "$j.before"
	mv "$j.saved" "$b"
	expect 0 "$JNL" ls "$j"
	[ "$(wc -l <"$out")" = 60 ] || wrong "$(wc -l <"$out") are there: $(cat "$out")"
}

# After a crash what was written last has no name on another disk: that is said.
crashed_and_gone()
{
	local j=$scratch/crashed put log said=0
	two_logs "$j" file
	mkfifo "$j.fifo"
	"$JNL" put --as lines "$j" "$j.fifo" >"$j.put" &
	put=$!
	ends $put
	exec 7>"$j.fifo"
	seq 100 >&7
	until_or_end $put lines_at_least 100 "$j.put"
	kill -9 $put
	wait $put || true
	exec 7>&-
	for log in "$j".a/* "$j".b/*; do
		mv "$log" "$log.away"
		expect 3 "$JNL" check "$j"
		grep -q "was being written: what was in it last is lost, without a name" "$out" &&
			grep -q "some of it may be back" "$out" && said=$((said + 1))
		mv "$log.away" "$log"
	done
	[ $said -gt 0 ] || wrong "not said: $(cat "$out")"
	expect 0 "$JNL" check "$j"
	[ "$(ids_of "$j" | wc -l)" = 160 ] || wrong "$(ids_of "$j" | wc -l) are there"
}

every_log_is_gone()
{
	local j=$scratch/all
	two_logs "$j" file
	rm "$j".a/* "$j".b/*
	for command in ls info check "put -"; do
		# shellcheck disable=SC2086
		expect 1 "$JNL" ${command% -} "$j" </dev/null
		says "all.a/.*No such file or directory"
	done
}

anothers_log_is_refused()
{
	local j=$scratch/anothers other=$scratch/other
	two_logs "$j" file
	mkdir "$other.a" "$other.b"
	journal "$other" --size 24M --log "$other.a" --log "$other.b"
	cp "$other".b/* "$j".b/journal-*
	expect 1 "$JNL" ls "$j"
	says "belongs to another journal"
	# nor is one log the other
	cp "$j".a/* "$j".b/journal-*
	expect 1 "$JNL" ls "$j"
	says "is log 1 of 2, but journal.conf has it as 2 of 2"
}

# A disk that is full where the log has holes: each write there fails.
disk_takes_no_more() # disk_takes_no_more KIND
{
	local j=$scratch/full.$1 mnt=$scratch/mnt.$1 serve n
	mkdir "$mnt" "$j.a"
	mount -t tmpfs -o size=14M tmpfs "$mnt"
	# shellcheck disable=SC2064
	trap "umount -l '$mnt'" EXIT
	# shellcheck disable=SC2046
	journal "$j" --size 24M --log "$j.a" --log "$mnt" $(marker_option "$1" "full")
	fallocate -p -o 2M -l 10M "$mnt"/journal-*
	dd if=/dev/zero of="$mnt/fill" bs=64k 2>/dev/null || true
	"$JNL" serve "$j" 2>"$scratch/serve.$1" &
	serve=$!
	ends $serve
	until "$JNL" info --json "$j" | jq -e '.now.members == 1' >/dev/null; do
		kill -0 $serve
		sleep 0.05
	done
	head -c 50000 /dev/urandom >"$scratch/one"
	for n in $(seq 120); do
		"$JNL" put "$j" "$scratch/one" || wrong "put $n fails"
	done >"$j.ids"
	"$JNL" info --json "$j" >"$out" 2>"$err"
	says "mnt.$1/.*: this log is out of use: writing to it has failed"
	jq -e '.logs[1].failed and (.logs[0].failed | not) and .now.live == 120' "$out" ||
		wrong "$(cat "$out")"
	while read -r id; do
		"$JNL" cat "$j" "$id" | cmp - "$scratch/one"
	done <"$j.ids"
	"$JNL" retire "$j" - <"$j.ids" >/dev/null
	kill $serve
	wait $serve
	rm "$mnt/fill"
	"$JNL" put "$j" "$scratch/one" >/dev/null
	[ "$(ids_of "$j" | wc -l)" = 1 ] || wrong "$("$JNL" ls "$j")"
}

for kind in $markers; do
	why=$(have_marker $kind) || { skip "$kind" "$why"; continue; }
	it "$kind: a log is removed" log_is_gone $kind removed "No such file or directory"
done
# Without markers nothing says what a log had that is not there.
no_rescue_without_a_log()
{
	local j=$scratch/rescued b
	two_logs "$j" pmem
	b=$(echo "$j".b/*)
	mv "$b" "$j.saved"
	rm "$(sed -n 's/^marker = pmem://p' "$j/journal.conf")"
	expect 1 "$JNL" rescue --yes "$j"
	says "rescued.b/.*would be gone for good"
	mv "$j.saved" "$b"
	expect 0 "$JNL" rescue --yes "$j"
}

if why=$(have_marker pmem); then
	it "no rescue without a log" no_rescue_without_a_log
	it "markers move while a log is gone" markers_move_without_a_log
else
	skip "markers move while a log is gone" "$why"
fi
it "a log's directory is not there" log_is_gone file unmounted "No such file or directory"
it "a log is gone after a crash" crashed_and_gone
it "a log is empty" log_is_gone file empty "has no room"
it "a log is cut short" log_is_gone file short "too short for a superblock"
it "a log is blank" log_is_gone file blank "no superblock"
it "every log is gone" every_log_is_gone
it "another journal's log is refused" anothers_log_is_refused
if [ "$(id -u)" = 0 ] && mkdir "$scratch/try" && mount -t tmpfs tmpfs "$scratch/try" 2>/dev/null; then
	umount "$scratch/try"
	for kind in $markers; do
		why=$(have_marker $kind) || continue
		it "$kind: p16_a_disk_takes_no_more_and_the_rest_goes_on" disk_takes_no_more $kind
	done
else
	skip "p16_a_disk_takes_no_more_and_the_rest_goes_on" "no tmpfs can be mounted"
fi
done_testing
