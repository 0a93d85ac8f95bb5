#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl resize: what it prints, what it refuses, and that the other commands know a journal
# that was resized.
. "$(dirname "$0")/../lib/common.sh"

j=$scratch/j

fill() # fill DIR: messages in $scratch/in, ids in $scratch/ids
{
	seq 300 | sed 's/^/a message that stays: /' >"$scratch/in"
	"$JNL" put "$1" --as lines "$scratch/in" >"$scratch/ids"
}

there() # there DIR: exactly that
{
	"$JNL" ls "$1" | cut -d ' ' -f 1 | sort >"$scratch/there"
	sort "$scratch/ids" >"$scratch/wanted"
	same "$scratch/there" "$scratch/wanted"
	xargs "$JNL" cat "$1" <"$scratch/ids" >"$scratch/.all"
	tr -d '\n' <"$scratch/in" | cmp - "$scratch/.all" || wrong "not byte for byte"
	expect 0 "$JNL" check "$1"
}

segments() { "$JNL" info --json "$1" | jq .geometry.segments; }

larger_smaller()
{
	local before
	journal "$j"
	fill "$j"
	before=$(segments "$j")
	expect 0 "$JNL" resize "$j" --size 40M
	grep -q "^$j: [0-9]* bytes, 39 segments in 1 log$" "$out" || wrong "$(cat "$out")"
	grep -q "^$j: before: 16777216 bytes, $before segments in 1 log$" "$out" || wrong "$(cat "$out")"
	[ "$(segments "$j")" = 39 ]
	there "$j"
	expect 0 "$JNL" resize "$j" --size 16M
	[ "$(segments "$j")" = "$before" ]
	there "$j"
	# and nothing to do
	expect 0 "$JNL" resize "$j" --size 16M
	! grep -q before "$out"
	there "$j"
}

logs()
{
	rm -rf "$j"
	mkdir "$j.a" "$j.b"
	journal "$j"
	fill "$j"
	(cd "$scratch" && expect 0 "$JNL" resize j --add-log j.a --add-log "$j.b")
	[ "$("$JNL" info --json "$j" | jq '.logs | length')" = 3 ]
	there "$j"
	expect 0 "$JNL" resize "$j" --remove-log "$j" --remove-log "$j.a"
	[ ! -e "$j/log" ] || wrong "the log that was removed is there"
	rmdir "$j.a"
	[ "$("$JNL" info --json "$j" | jq -r '.logs[0].name')" = "$(echo "$j".b/*)" ]
	there "$j"
}

the_others_know_it()
{
	local nvram=/dev/shm/jnl.$$.nvram
	goes "$nvram"
	expect 0 "$JNL" dump "$j"
	grep -q '^  log = -$' "$out" || wrong "$(head "$out")"
	[ "$(grep -c '^  segment [0-9]*: stream' "$out")" -ge 1 ] || wrong "no segment is shown"
	expect 0 "$JNL" upgrade "$j"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	there "$j"
	expect 0 "$JNL" resize "$j" --size 50M
	there "$j"
	expect 0 "$JNL" set-marker "$j" "file:$j/markers"
	expect 0 "$JNL" resize "$j" --size 30M
	there "$j"
	rm "$j/markers"
	expect 1 "$JNL" ls "$j"
	expect 0 "$JNL" rescue "$j" --yes
	there "$j"
	expect 0 "$JNL" destroy "$j" --yes
	rmdir "$j.b"
}

dry_run()
{
	rm -rf "$j"
	journal "$j"
	fill "$j"
	cp "$j/journal.conf" "$scratch/conf"
	expect 0 "$JNL" resize "$j" --size 30M --dry-run
	grep -q "in 1 log, it would be$" "$out" || wrong "$(cat "$out")"
	expect 1 "$JNL" resize "$j" -n --size 1M
	says "makes no sense: at least"
	same "$j/journal.conf" "$scratch/conf"
	[ "$(stat -c %s "$j/log")" = 16777216 ]
}

# all of it is looked at before the first step
nothing_changes_before()
{
	local n before
	before=$(segments "$j")
	mkdir -p "$scratch/n" "$scratch/m" "$scratch/read-only"
	ln -sfn n "$scratch/also.n"
	while read -r why options; do
		for n in "" -n; do
			# shellcheck disable=SC2086
			(cd "$scratch" && expect 1 "$JNL" resize "$j" --size 40M $options $n)
			says "$(echo "$why" | tr _ ' ')"
			printed ""
		done
		[ "$(segments "$j")" = "$before" ] || wrong "$options: it was resized"
		[ "$(stat -c %s "$j/log")" = 16777216 ] || wrong "$options: the file was resized"
		[ -z "$(ls -A "$scratch/n" "$scratch/m" | grep journal)" ] || wrong "$options: made"
	done <<-END
		nothing:_No_such_file --add-log nothing
		nothing:_No_such_file --add-log n --mirror nothing
		a_log_is_a_directory --add-log $j/lock
		one_place --add-log n --add-log also.n
		nor_beside_it --add-log n --mirror ./also.n/
		is_there_already --add-log n --add-log j
	END
	# what it may not be written to, and what survives too little
	if [ "$(id -u)" != 0 ]; then
		chmod 500 "$scratch/read-only"
		expect 1 "$JNL" resize "$j" --size 40M --add-log "$scratch/read-only"
		says "read-only: Permission denied"
	fi
	goes "/dev/shm/jnl.$$.low"
	mkdir "/dev/shm/jnl.$$.low"
	sed -i.as 's/^require = .*/require = os/; t; $a require = os' "$j/journal.conf"
	if "$JNL" info "$j" >"$scratch/none" 2>&1; then
		expect 1 "$JNL" resize "$j" --size 40M --add-log "/dev/shm/jnl.$$.low"
		says 'low: survives only "process" but "os" is required'
		[ -z "$(ls "/dev/shm/jnl.$$.low")" ] || wrong "something is left"
	fi
	mv "$j/journal.conf.as" "$j/journal.conf"
	[ "$(segments "$j")" = "$before" ]
}

refused()
{
	expect 2 "$JNL" resize "$j"
	expect 2 "$JNL" resize --size 1M
	expect 2 "$JNL" resize "$j" --size many
	expect 2 "$JNL" resize "$j" --size x
	for size in 0 9E 99999999999999999999; do
		expect 1 "$JNL" resize "$j" --size $size
		says "--size $size: not sensible"
	done
	expect 2 "$JNL" resize "$j" "$j" --size 1M
	expect 2 "$JNL" resize "$j" --add-log ""
	expect 1 "$JNL" resize "$scratch/nothing" --size 1M
	says "no journal there"
	expect 1 "$JNL" resize "$j" --add-log "$scratch/nothing"
	says "nothing: No such file"
	nothing_changes_before
	expect 1 "$JNL" resize "$j" --remove-log "$scratch"
	says "the journal has no log there"
	expect 1 "$JNL" resize "$j" --remove-log "$j"
	says "a journal has one log at least"
	mkdir "$scratch/c"
	uuid=$(sed -n 's/^uuid = //p' "$j/journal.conf")
	echo "a stranger's" >"$scratch/c/journal-$uuid-2.log"
	expect 1 "$JNL" resize "$j" --add-log "$scratch/c"
	says "File exists"
	[ "$(cat "$scratch/c/journal-$uuid-2.log")" = "a stranger's" ]
	there "$j"
	expect 0 "$JNL" resize "$j" --add-log "$scratch/c" --force
	there "$j"
}

# Runs that cannot be: named, not believed.
nonsense()
{
	local line
	cp "$j/journal.conf" "$scratch/conf"
	for line in "0 15 0 1 8192 69632" "1 8 0 1 8192 40960" "0 1 0 1 8192"; do
		sed '/^segments/d' "$scratch/conf" >"$j/journal.conf"
		echo "segments = $line" >>"$j/journal.conf"
		expect 1 "$JNL" ls "$j"
		says "make no sense|makes no sense|shorter"
	done
	cp "$scratch/conf" "$j/journal.conf"
	there "$j"
}

it "larger, smaller" larger_smaller
it "logs come and go" logs
it "the others know it" the_others_know_it
it "a dry run changes nothing" dry_run
it "what is refused" refused
it "nonsense in journal.conf" nonsense
done_testing
