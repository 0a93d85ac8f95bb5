#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl info: everything that journal_info() knows, as text, as JSON and in the man page;
# and why the index is one that processes do not share.
. "$(dirname "$0")/../lib/common.sh"

root=$lib/../..
header=$root/libjournal/include/journal_info.h

fields_of() # fields_of STRUCT: the members of one of journal_info.h, by name
{
	sed -n "/^struct $1 {/,/^};/p" "$header" | sed 's:/\*.*::; /^[[:space:]]*\*/d' |
		grep -oE '[a-z_]+(\[[A-Za-z0-9_]+\])?;' | sed 's/[[;].*//'
}

# as it is told, where that is not the member's own name
told_as() # told_as FIELD
{
	case $1 in
	since_ns) echo since ;;
	distrusted_time_ns) echo distrusted_time ;;
	staged_oldest_time_ns) echo staged_oldest_time ;;
	survives) echo class ;;
	log_count) echo logs ;; # so many are in the array
	*) echo "$1" ;;
	esac
}

# has FIELD KEYS WHERE: it is a line of the text KEYS
has()
{
	grep -qx "$1" <<<"$2" || wrong "$3 lacks $1"
}

every_field_is_told()
{
	local dir=$scratch/fields page f name keys n=0
	page=$(mandoc -T ascii "$root/docs/man/jnl.1" | sed 's/.\x08//g' | grep -oE '[a-z_]+' | sort -u)
	journal "$dir"
	expect 0 "$JNL" info --json "$dir"
	keys=$(jq -r '., .geometry, .now, .counters, .recovery | keys[]' "$out")
	for f in $(fields_of journal_info); do
		name=$(told_as "$f")
		has "$name" "$keys" "jnl info --json"
		has "$name" "$page" "jnl(1)"
		n=$((n + 1))
	done
	[ $n -gt 60 ] || wrong "only $n fields of struct journal_info were found"
	for f in $(fields_of journal_medium); do
		name=$(told_as "$f")
		has "$name" "$(jq -r '.marker | keys[]' "$out")" "the marker of jnl info --json"
		has "$name" "$(jq -r '.logs[0] | keys[]' "$out")" "a log of jnl info --json"
		has "$name" "$page" "jnl(1)"
		n=$((n + 1))
	done
	[ $n -gt 68 ] || wrong "only $n fields with those of struct journal_medium"
}

# and nothing is documented, or told, that is no field
nothing_else_is_told()
{
	local dir=$scratch/else known
	known=" $(for f in $(fields_of journal_info) $(fields_of journal_medium); do told_as "$f"; done |
		tr '\n' ' ') geometry now counters recovery "
	journal "$dir"
	expect 0 "$JNL" info --json "$dir"
	jq -r '[paths | .[-1] | strings] | unique[]' "$out" >"$scratch/keys"
	while read -r key; do
		[ "${known/ $key /}" != "$known" ] || wrong "$key is no field"
	done <"$scratch/keys"
}

# the text has the same numbers
text_and_json_agree()
{
	local dir=$scratch/agree name value n=0
	journal "$dir"
	seq 1 5 | expect 0 "$JNL" put "$dir" --as lines
	"$JNL" info "$dir" >"$scratch/text"
	expect 0 "$JNL" info --json "$dir"
	while read -r name value; do
		case $name in
		recovery_ns | since | log_async) continue ;; # of each opening
		esac
		has "  $name: $value" "$(<"$scratch/text")" "the text"
		n=$((n + 1))
	done < <(jq -r '.geometry, .now, .counters, .recovery | to_entries[] |
		select(.value != null) | "\(.key) \(.value)"' "$out")
	[ $n -gt 45 ] || wrong "only $n numbers"
}

value() # value FILTER: of the last jnl info --json
{
	jq -r "$1" "$out"
}

is() # is FILTER VALUE
{
	[ "$(value "$1")" = "$2" ] || wrong "$1 is $(value "$1"), not $2"
}

what_is_counted_is_right()
{
	local dir=$scratch/counted writer id
	journal "$dir"
	mkfifo "$scratch/feed"
	: >"$scratch/ids"
	"$JNL" put "$dir" --as lines <"$scratch/feed" >"$scratch/ids" &
	writer=$!
	ends "$writer"
	exec 9>"$scratch/feed"
	printf 'one\ntwo\nthree\nfour\n' >&9
	until_or_end "$writer" lines_at_least 4 "$scratch/ids"
	id=$(head -n 1 "$scratch/ids")
	expect 0 "$JNL" retire "$dir" "$id"
	expect 0 "$JNL" info --json "$dir"
	is .in_use_pid "$writer"
	is .read_only true
	is .index_shared true
	is .index_private ""
	is .now.members 1
	is .now.live 3
	is .now.live_bytes 12
	is .now.lost 0
	is .now.stage_used_bytes 0
	is .counters.commits_synced 4
	is .counters.commits_staged 0
	is .counters.payload_bytes 15
	is .counters.retires 1
	# each commit, and the retire, waited for the disk: this process wrote none of them
	[ "$(value '.counters | .log_writes >= 5 and .log_bytes_written >= 5 * 512')" = true ] ||
		wrong "log_writes: $(value .counters.log_writes)"
	[ "$(value '.counters | .log_dsyncs + .log_unsynced + .log_flushes + .log_merged >= 5')" = true ] ||
		wrong "nothing was durable"
	[ "$(value '.counters.since[0:2]')" = 20 ] || wrong "since: $(value .counters.since)"
	exec 9>&-
	wait "$writer"
}

nobody_has_it()
{
	local dir=$scratch/nobody
	journal "$dir"
	expect 0 "$JNL" info --json "$dir"
	is .in_use_pid null
	is .index_shared false
	is .index_private "nobody has the journal open to write"
	is .now.members 0
	expect 0 "$JNL" info "$dir"
	grep -qx "index: private: nobody has the journal open to write" "$out" || wrong "$(cat "$out")"
}

# one whose marker is in its own memory
who_shares_with_nobody_says_why()
{
	local dir=$scratch/alone writer
	journal "$dir" --marker "sim:$scratch/sim"
	mkfifo "$scratch/alone.feed"
	: >"$scratch/ids"
	"$JNL" put "$dir" --as lines <"$scratch/alone.feed" >"$scratch/ids" &
	writer=$!
	ends "$writer"
	exec 8>"$scratch/alone.feed"
	echo one >&8
	until_or_end "$writer" lines_at_least 1 "$scratch/ids"
	expect 0 "$JNL" info --json "$dir"
	is .in_use_pid "$writer"
	is .index_shared false
	value .index_private | grep -q "^pid $writer shares it with nobody: sim:.*: processes cannot share it$" ||
		wrong "$(value .index_private)"
	exec 8>&-
	wait "$writer"
}

# an index that is there, but not to be found
who_cannot_find_it_says_why()
{
	local dir=$scratch/hidden writer
	journal "$dir"
	mkfifo "$scratch/hidden.feed"
	"$JNL" put "$dir" --as lines <"$scratch/hidden.feed" >"$scratch/ids" &
	writer=$!
	ends "$writer"
	exec 7>"$scratch/hidden.feed"
	echo one >&7
	until_or_end "$writer" lines_at_least 1 "$scratch/ids"
	cp "$dir/index" "$scratch/index"
	sed -i 's/^inode=.*/inode=1/' "$dir/index"
	expect 0 "$JNL" info --json "$dir"
	is .index_shared false
	value .index_private | grep -q "is not the file that" || wrong "$(value .index_private)"
	cp "$scratch/index" "$dir/index"
	exec 7>&-
	wait "$writer"
}

it "every field is told" every_field_is_told
it "nothing else is told" nothing_else_is_told
it "text and JSON agree" text_and_json_agree
it "what is counted is right" what_is_counted_is_right
it "nobody has it" nobody_has_it
it "who shares with nobody says why" who_shares_with_nobody_says_why
it "who cannot find it says why" who_cannot_find_it_says_why
done_testing
