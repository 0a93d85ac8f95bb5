#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# Bad input gets a clear error that names the thing and the reason, exit 1, and
# nothing is changed.
. "$(dirname "$0")/../lib/common.sh"

j=$scratch/j

# Every byte and name under a folder, but for the note of who holds the lock.
all_of()
{
	(
		cd "$1"
		find . ! -path './.*' ! -name lock -type f -exec sha256sum {} + | sort
		find . ! -path './.*' | sort
	)
}

# refused JOURNAL PATTERN COMMAND...: exit 1, says so, and changes nothing
refused()
{
	local dir=$1 pattern=$2
	shift 2
	all_of "$dir" >"$scratch/before"
	expect 1 "$@"
	says "$pattern"
	[ ! -s "$out" ] || wrong "prints something: $(cat "$out")"
	all_of "$dir" >"$scratch/after"
	same "$scratch/before" "$scratch/after"
}

# The same for a command that may write, and has opened the journal: it holds what
# it held.
keeps() # keeps JOURNAL PATTERN COMMAND...
{
	local dir=$1 pattern=$2
	shift 2
	"$JNL" ls "$dir" >"$scratch/before"
	expect 1 "$@"
	says "$pattern"
	[ ! -s "$out" ] || wrong "prints something: $(cat "$out")"
	"$JNL" ls "$dir" >"$scratch/after"
	same "$scratch/before" "$scratch/after"
}

can_mount()
{
	mkdir -p "$scratch/mount"
	mount -t tmpfs none "$scratch/mount" 2>/dev/null && umount "$scratch/mount"
}

log_of() { "$JNL" info --json "$1" | jq -r '.logs[0].name'; }
marker_of() { "$JNL" info --json "$1" | jq -r '.marker.name' | sed 's/^[a-z]*://'; }

no_journal_there()
{
	mkdir "$scratch/empty"
	for c in "put" "ls" "cat" "retire" "check" "info" "dump"; do
		id=
		[ $c != cat ] && [ $c != retire ] || id=1-1
		# shellcheck disable=SC2086
		refused "$scratch/empty" "$scratch/empty" "$JNL" $c "$scratch/empty" $id
		# shellcheck disable=SC2086
		expect 1 "$JNL" $c "$scratch/not there" $id
		says "$scratch/not there: no journal there \(no journal.conf\)"
		# shellcheck disable=SC2086
		expect 2 "$JNL" $c "" $id
		says "$c: DIR is empty"
	done
	expect 1 "$JNL" format "$scratch/made" --size 16M --require process --log /proc
	says "/proc/journal-.*: cannot be made: No such file"
}

# A path may be as long as the system takes it: what is said ends with the reason.
long_paths()
{
	local deep=$scratch/long name c
	name=$(printf 'd%.0s' {1..200})
	for c in ls put info check dump; do
		expect 1 "$JNL" $c "$deep/$name/$name/$name" </dev/null
		says "^jnl: $deep/[d/.]+: no journal there \\(no journal.conf\\)\$"
	done
	expect 1 "$JNL" format "$deep/$name/$name/$name" --require process
	says "^jnl: $deep/[d/.]+: No such file or directory\$"
	mkdir -p "$deep/$name/$name/$name/$name/$name"
	journal "$deep/$name/$name/$name/$name/$name"
	: >"$deep/$name/$name/$name/$name/$name/markers"
	for c in ls put info; do
		expect 1 "$JNL" $c "$deep/$name/$name/$name/$name/$name" </dev/null
		says "^jnl: $deep/[d/]+\.\.\.[d/]+/markers: truncated.*: jnl rescue\)\$"
	done
	journal "$j.long"
	expect 1 "$JNL" put "$j.long" "$deep/$(printf "$name/%.0s" {1..18})none"
	says "^jnl: $deep/.*/none: No such file or directory\$"
}

# overwrite AT BYTES FILE
overwrite() { head -c "$2" /dev/urandom | dd of="$3" bs=1 seek="$1" conv=notrunc status=none; }

superblocks_are_there_twice()
{
	journal "$j.twice" --marker "sim:$scratch/twice"
	echo text | "$JNL" put "$j.twice" >"$scratch/id"
	overwrite 8 100 "$scratch/twice"
	overwrite 8 100 "$(log_of "$j.twice")"
	expect 0 "$JNL" cat "$j.twice" "$(cat "$scratch/id")"
	printed text
}

# wreck FILE OFFSET BYTES, then each command is refused
wrecked()
{
	local dir=$1 file=$2
	for c in put ls info; do
		refused "$dir" "$file|$dir" "$JNL" $c "$dir"
	done
	local got=0
	"$JNL" check "$dir" >"$out" 2>"$err" </dev/null || got=$?
	[ $got = 3 ] || wrong "check exits $got"
	says "$file|$dir"
	"$JNL" dump "$dir" >"$out" 2>"$err" || true
	grep -q superblock "$out" || wrong "dump shows nothing: $(cat "$out" "$err")"
}

wrong_superblocks_of_the_log()
{
	local log
	journal "$j.log"
	log=$(log_of "$j.log")
	overwrite 0 8192 "$log"
	wrecked "$j.log" "$log"
}

wrong_superblocks_of_the_markers()
{
	journal "$j.marker" --marker "sim:$scratch/marker"
	overwrite 0 8192 "$scratch/marker"
	wrecked "$j.marker" "$scratch/marker"
}

wrong_checkpoints()
{
	local marker
	journal "$j.file"
	marker=$(marker_of "$j.file")
	overwrite 0 "$(stat -c %s "$marker")" "$marker"
	for c in put ls info; do
		refused "$j.file" "$marker|$j.file" "$JNL" $c "$j.file"
	done
}

# Markers that are there and hold none are damaged; only what is not there is not found.
markers_that_hold_nothing()
{
	journal "$j.none"
	cp "$j.none/markers" "$scratch/markers"
	for bytes in 0 1 4096 5000; do
		head -c $bytes "$scratch/markers" >"$j.none/markers"
		expect 3 "$JNL" check "$j.none"
		says "^jnl: $j.none/markers: .*\(if the markers are gone for good: jnl rescue\)"
	done
	# as long as it was, with a head but no checkpoint
	{ head -c 4096 "$scratch/markers"; head -c 1M /dev/zero; } |
		head -c "$(stat -c %s "$scratch/markers")" >"$j.none/markers"
	expect 3 "$JNL" check "$j.none"
	says "$j.none/markers: holds no checkpoint"
	rm "$j.none/markers"
	expect 1 "$JNL" check "$j.none"
	says "$j.none/markers: .*No such file"
	cp "$scratch/markers" "$j.none/markers"
	expect 0 "$JNL" check "$j.none"
}

truncated_media()
{
	local log
	journal "$j.short" --marker "sim:$scratch/short"
	log=$(log_of "$j.short")
	cp "$log" "$scratch/whole"
	truncate -s 5000 "$log"
	refused "$j.short" "$log" "$JNL" ls "$j.short"
	truncate -s 0 "$log"
	refused "$j.short" "$log" "$JNL" ls "$j.short"
	rm "$log"
	refused "$j.short" "$log" "$JNL" ls "$j.short"
	refused "$j.short" "$log" "$JNL" check "$j.short"
	cp "$scratch/whole" "$log"
	expect 0 "$JNL" ls "$j.short"
	truncate -s 5000 "$scratch/short"
	refused "$j.short" "$scratch/short" "$JNL" ls "$j.short"
	truncate -s 0 "$scratch/short"
	refused "$j.short" "$scratch/short" "$JNL" put "$j.short"
	rm "$scratch/short"
	refused "$j.short" "$scratch/short" "$JNL" put "$j.short"
}

# The version stands behind the 8 bytes of magic; its checksum is in the
# layout tests' hands, so here only: it is never taken for something else.
other_version()
{
	local log
	journal "$j.version"
	log=$(log_of "$j.version")
	printf '\x07' | dd of="$log" bs=1 seek=8 conv=notrunc status=none
	printf '\x07' | dd of="$log" bs=1 seek=4104 conv=notrunc status=none
	refused "$j.version" 'version' "$JNL" ls "$j.version"
	refused "$j.version" 'version' "$JNL" put "$j.version"
}

other_uuid()
{
	journal "$j.one"
	journal "$j.two"
	cp "$(log_of "$j.two")" "$(log_of "$j.one")"
	refused "$j.one" 'uuid|another journal|different journal|other journal' "$JNL" ls "$j.one"
	refused "$j.one" 'uuid|another journal|different journal|other journal' "$JNL" put "$j.one"
	refused "$j.one" 'uuid|another journal|different journal|other journal' "$JNL" check "$j.one"
}

markers_of_another_journal()
{
	journal "$j.three" --marker "sim:$scratch/three"
	journal "$j.four" --marker "sim:$scratch/four"
	cp "$scratch/four" "$scratch/three"
	refused "$j.three" "$scratch/three.*uuid" "$JNL" ls "$j.three"
	refused "$j.three" "$scratch/three.*uuid" "$JNL" put "$j.three"
}

wrong_configuration()
{
	journal "$j.conf"
	cp "$j.conf/journal.conf" "$scratch/conf"
	for text in "" "garbage" "$(head -c 3000 /dev/urandom | base64)"; do
		echo "$text" >"$j.conf/journal.conf"
		refused "$j.conf" 'journal.conf' "$JNL" ls "$j.conf"
		refused "$j.conf" 'journal.conf' "$JNL" put "$j.conf"
	done
	cp "$scratch/conf" "$j.conf/journal.conf"
	expect 0 "$JNL" check "$j.conf"
}

below_the_required_class()
{
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || wrong "/dev/shm is no tmpfs"
	goes "/dev/shm/jnl.$$.class"
	mkdir "/dev/shm/jnl.$$.class"
	for class in "" "--require power" "--require os"; do
		# shellcheck disable=SC2086
		refused "/dev/shm/jnl.$$.class" 'tmpfs' "$JNL" format "/dev/shm/jnl.$$.class/j" \
			--size 16M $class
		grep -qx '(--require CLASS asks for less)' "$err"
	done
	expect 0 "$JNL" format "/dev/shm/jnl.$$.class/j" --size 16M --require process
	# a journal made for more elsewhere, whose medium is found to give less: every
	# command that opens it says so
	expect 0 "$JNL" format "$j.class" --size 16M --assume-log power --assume-marker power \
		--log "/dev/shm/jnl.$$.class"
	expect 0 "$JNL" put "$j.class" </dev/null
	id=$(ids_of "$j.class")
	for option in "" "assume-log = process" "assume-log = os"; do
		sed -i '/^assume-log/d' "$j.class/journal.conf"
		[ -z "$option" ] || echo "$option" >>"$j.class/journal.conf"
		for c in "put $j.class" "ls $j.class" "cat $j.class $id" "retire $j.class $id" \
			"info $j.class" "check $j.class"; do
			# shellcheck disable=SC2086
			refused "$j.class" "/dev/shm/.*survives only .*\"power\" is required" "$JNL" $c
		done
	done
}

markers_below_the_required_class()
{
	mkdir "$scratch/pmem"
	goes "/dev/shm/jnl.$$.weak"
	refused "$scratch/pmem" "pmem:/dev/shm/.*\"power\" is required: .*" "$JNL" format \
		"$scratch/pmem/j" --size 16M --assume-log power --marker "pmem:/dev/shm/jnl.$$.weak"
	[ ! -e "/dev/shm/jnl.$$.weak" ] || wrong "the markers are left behind"
	refused "$scratch/pmem" '"power" is required: so the user asserted' "$JNL" format \
		"$scratch/pmem/j" --size 16M --assume-log power --assume-marker os \
		--marker "pmem:/dev/shm/jnl.$$.weak"
}

# As root permissions do not count, so a file system that is mounted read-only.
not_writable()
{
	mkdir "$scratch/locked"
	if [ "$(id -u)" = 0 ]; then
		mount -t tmpfs none "$scratch/locked"
		trap 'umount "$scratch/locked"' EXIT
	fi
	journal "$scratch/locked/there"
	echo text | "$JNL" put "$scratch/locked/there" >"$scratch/id"
	if [ "$(id -u)" = 0 ]; then
		mount -o remount,ro "$scratch/locked"
		why="Read-only file system"
	else
		chmod -R a-w "$scratch/locked"
		trap 'chmod -R u+w "$scratch/locked"' EXIT
		why="Permission denied"
	fi
	refused "$scratch/locked" "locked/j: $why" "$JNL" format "$scratch/locked/j" \
		--require process
	refused "$scratch/locked" "locked/there.*: $why" "$JNL" format "$scratch/locked/there" \
		--require process --force
	refused "$scratch/locked" "locked/there.*: $why" "$JNL" put "$scratch/locked/there"
	refused "$scratch/locked" "locked/there.*: $why" "$JNL" retire "$scratch/locked/there" \
		"$(cat "$scratch/id")"
	# to read nothing need be written
	expect 0 "$JNL" cat "$scratch/locked/there" "$(cat "$scratch/id")"
	printed text
	for c in ls info check dump; do
		expect 0 "$JNL" $c "$scratch/locked/there"
	done
}

a_file_is_no_directory()
{
	mkdir "$scratch/plain"
	echo text >"$scratch/plain/text"
	for c in "format --require process" ls put info check dump; do
		# shellcheck disable=SC2086
		refused "$scratch/plain" "$scratch/plain/text" "$JNL" $c "$scratch/plain/text"
	done
}

disk_full_while_formatting()
{
	mkdir "$scratch/small"
	mount -t tmpfs -o size=8M none "$scratch/small"
	trap 'umount "$scratch/small"' EXIT
	expect 1 "$JNL" format "$scratch/small/j" --size 64M --require process
	says "$scratch/small/.*(No space left|does not fit|free)"
	# of no size that was given: a tenth of less than 90M is too little
	refused "$scratch/small" 'too little space is free: a tenth of it.* and the least is 9M$' \
		"$JNL" format "$scratch/small/d" --require process
	[ -z "$(find "$scratch/small" -mindepth 1)" ] || wrong "leaves behind $(find "$scratch/small")"
	have_marker pmem || return 0
	# nor where the markers have no room
	expect 1 "$JNL" format "$scratch/room" --size 16M --require process \
		--marker "pmem:$scratch/small/markers"
	says "$scratch/small/markers.*(No space left|does not fit|free)"
	[ -z "$(find "$scratch/small" "$scratch/room" -mindepth 1 2>/dev/null)" ] ||
		wrong "leaves behind $(find "$scratch/small" "$scratch/room")"
}

sizes_that_make_no_sense()
{
	mkdir "$scratch/sizes"
	for size in 0 1 4K 100K 9999999T 99999999999999999999; do
		refused "$scratch/sizes" 'sens|space|fit' "$JNL" format \
			"$scratch/sizes/j" --require process --size $size
	done
}

# What was asked for is named, and the least, in the same unit.
sizes_are_named()
{
	while read -r size named least; do
		expect 1 "$JNL" format "$scratch/sizes/j" --require process --size $size
		says "^jnl: a log of $named makes no sense: at least $least and at most 1024T\$"
	done <<-'END'
		1K 1K 9216K
		1000 1000.bytes 9437184.bytes
		4096 4K 9216K
		8M 8M 9M
		2000T 2000T 9M
	END
	mkdir "$scratch/l1" "$scratch/l2"
	expect 1 "$JNL" format "$scratch/sizes/j" --require process --size 10M --log "$scratch/l1" \
		--log "$scratch/l2"
	says 'a log of 10M makes no sense: at least 18M and at most 2048T'
	expect 0 "$JNL" format "$scratch/sizes/j" --require process --size 18M --log "$scratch/l1" \
		--log "$scratch/l2"
}

# Two logs at one place, however it is spelled, and whatever would be written over.
places_differ()
{
	mkdir -p "$scratch/p/a" "$scratch/p/b"
	ln -s a "$scratch/p/c"
	journal "$scratch/p/j"
	cp "$scratch/p/j/journal.conf" "$scratch/p/conf"
	while read -r why options; do
		# shellcheck disable=SC2086
		(cd "$scratch/p" && expect 1 "$JNL" format "$scratch/p/k" --require process \
			--size 32M $options)
		says "$(echo "$why" | tr _ ' ')"
		[ ! -e "$scratch/p/k" ] || wrong "$options: something is left"
		# shellcheck disable=SC2086
		(cd "$scratch/p" && expect 1 "$JNL" format "$scratch/p/j" --require process \
			--size 32M $options --force)
		same "$scratch/p/conf" "$scratch/p/j/journal.conf"
	done <<-END
		two_logs_cannot_be_at_one_place --log a --log a
		two_logs_cannot_be_at_one_place --log a --log b --log $scratch/p/../p/a/
		two_logs_cannot_be_at_one_place --log a --log c
		nor_beside_it --log a --mirror a
		nor_beside_it --log b --log a --mirror c/.
		gone:_No_such_file --log a --log gone
		gone:_No_such_file --log a --mirror gone
	END
	expect 1 "$JNL" format "$scratch/p/j" --require process --force --mirror "$scratch/p/j"
	says "nor beside it"
	# two disks, each with the mirror of the other
	expect 0 "$JNL" format "$scratch/p/k" --require process --size 32M --log "$scratch/p/a" \
		--mirror "$scratch/p/b" --log "$scratch/p/b" --mirror "$scratch/p/a"
	expect 0 "$JNL" check "$scratch/p/k"
}

already_there()
{
	journal "$j.there"
	echo text | "$JNL" put "$j.there" >"$scratch/id"
	refused "$j.there" 'already|exists' "$JNL" format "$j.there" --require process --size 16M
	grep -qx '(--force writes over it)' "$err"
	mkdir "$scratch/log"
	echo "something of value" >"$scratch/log/log"
	refused "$scratch/log" "log/log: File exists" "$JNL" format "$scratch/log" --size 16M \
		--require process
	grep -qx '(--force writes over it)' "$err"
	# other content where the markers should go
	echo "something of value" >"$scratch/value"
	mkdir "$scratch/valuable"
	refused "$scratch/valuable" "$scratch/value" "$JNL" format "$scratch/valuable/j" --size 16M \
		--require process --marker "sim:$scratch/value"
	grep -qx '(--force writes over it)' "$err"
	[ "$(cat "$scratch/value")" = "something of value" ]
	expect 0 "$JNL" format "$j.there" --require process --size 16M --force
	expect 0 "$JNL" ls "$j.there"
	printed ""
	# the journal before never comes back
	expect 1 "$JNL" cat "$j.there" "$(cat "$scratch/id")"
}

# What cannot be made is refused while the journal that was there is whole.
refused_by_force()
{
	local b=$scratch/force weak=/dev/shm/jnl.$$.force
	journal "$b"
	echo kept | "$JNL" put "$b" >"$scratch/id"
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || wrong "/dev/shm is no tmpfs"
	goes "$weak"
	touch "$scratch/plain_file"
	head -c 65536 /dev/urandom >"$scratch/few"
	cp "$scratch/few" "$scratch/few.before"
	while read -r why options; do
		# shellcheck disable=SC2086
		refused "$b" "$why" "$JNL" format "$b" --force $options
		[ ! -e "$weak" ] || wrong "$options: the markers are left behind"
	done <<-END
		a.log.of.1M.makes --size 1M
		a.log.of.1M.makes --size 1M --require process
		a.log.of.8M.makes --size 8M --require process
		a.log.of.1K.makes --size 1K --require process
		No.space.left --size 100T --require process
		foo:.*/x:.unknown.kind --size 16M --require process --marker foo:x
		no.marker.URI --size 16M --require process --marker x
		/nonexist/x:.No.such --size 16M --require process --marker pmem:/nonexist/x
		/nonexist/x:.No.such --size 16M --require process --marker file:/nonexist/x
		$b/lost/x:.No.such --size 16M --require process --marker sim:$b/lost/x
		$b:.Is.a.dir --size 16M --require process --marker file:$b
		makes.sense|too.few|room --size 16M --require process --marker sim:$scratch/few
		/proc/journal-.*: --size 16M --require process --log /proc
		/proc/journal-.*: --size 16M --require process --log $scratch --mirror /proc
		plain_file:.a.log.is --size 16M --require process --log $scratch/plain_file
		"power".is.required --size 16M --require power --assume-log power --marker pmem:$weak
		"power".is.required --size 16M --require power --marker pmem:$weak
		"power".is.required --size 16M --require power --assume-log process
		"power".is.required --size 16M --require power --assume-log power --assume-marker os
		"power".is.required --size 16M --require power --log /dev/shm
	END
	same "$scratch/few" "$scratch/few.before"
	expect 0 "$JNL" cat "$b" "$(cat "$scratch/id")"
	printed kept
	expect 0 "$JNL" check "$b"
	# and what can be made is
	expect 0 "$JNL" format "$b" --force --size 32M --require process
	expect 0 "$JNL" ls "$b"
	printed ""
	mkdir "$scratch/elsewhere"
	expect 0 "$JNL" format "$b" --force --size 16M --require process \
		--marker "sim:$scratch/elsewhere/m" --log "$scratch/elsewhere"
	[ ! -e "$b/log" ] || wrong "the log of the journal before is left"
	expect 0 "$JNL" format "$b" --force --size 16M --require process \
		--marker "sim:$scratch/elsewhere/m" --log "$scratch/elsewhere"
	[ "$(find "$scratch/elsewhere" -type f | wc -l)" = 2 ] || wrong "$(ls "$scratch/elsewhere")"
	expect 0 "$JNL" check "$b"
}

unknown_marker()
{
	mkdir "$scratch/uri"
	for uri in nosuch:x sim: pmem: "" /path; do
		refused "$scratch/uri" "marker|${uri:-.}" "$JNL" format "$scratch/uri/j" --size 16M \
			--require process --marker "$uri"
	done
}

unknown_ids()
{
	journal "$j.ids"
	local none="''"
	mapfile -t ids < <(printf 'a\nb\nc\n' | "$JNL" put "$j.ids" --as lines)
	expect 0 "$JNL" retire "$j.ids" "${ids[1]}"
	for c in cat retire; do
		for id in "${ids[1]}" nonsense "" - 0 "$(printf '%0100d' 1)"; do
			[ $c$id = retire- ] || keeps "$j.ids" "^jnl: ${id:-$none}: .*" "$JNL" $c "$j.ids" "$id"
		done
	done
	# the rest is done
	expect 1 "$JNL" cat "$j.ids" "${ids[0]}" "${ids[1]}" x "${ids[2]}"
	printed ac
	[ "$(wc -l <"$err")" = 2 ]
	expect 1 "$JNL" retire "$j.ids" "${ids[0]}" "${ids[1]}" "${ids[0]}"
	printed "${ids[0]}"
	says "${ids[1]}: no such transaction"
	says "${ids[0]}: no such transaction"
	[ "$(ids_of "$j.ids")" = "${ids[2]}" ]
	got=0
	printf 'x\n%s\n%s' "${ids[0]}" "${ids[2]}" | "$JNL" retire "$j.ids" - >"$out" 2>"$err" || got=$?
	[ $got = 1 ]
	printed "${ids[2]}"
	expect 0 "$JNL" retire "$j.ids" - </dev/null
}

over_the_limit()
{
	journal "$j.limit"
	{ echo small; head -c 70000000 /dev/zero; echo; echo never; } |
		{ "$JNL" put "$j.limit" --as lines >"$out" 2>"$err" || echo $? >"$scratch/got"; }
	[ "$(cat "$scratch/got")" = 1 ]
	says 'message 2, byte 6: the message is over the limit of 67108864 bytes'
	[ "$(ids_of "$j.limit")" = "$(cat "$out")" ]
	expect 0 "$JNL" cat "$j.limit" "$(cat "$out")"
	printed small
}

malformed_input()
{
	journal "$j.bad"
	printf 'MAIL FROM:<>\nRCPT TO:<a>\nDATA\n1\n.\nMAIL FROM:<>\nDATA\n' >"$scratch/bad"
	expect 1 "$JNL" put "$j.bad" --as bsmtp "$scratch/bad"
	says "$scratch/bad: message 2 \(from byte 34\), byte 47: DATA without RCPT"
	[ "$(ids_of "$j.bad")" = "$(cat "$out")" ] # the first one stays committed
	[ -n "$(cat "$out")" ]
	printf 'Subject: no mbox\n' >"$scratch/bad"
	keeps "$j.bad" 'message 1, byte 0: no mbox' "$JNL" put "$j.bad" --as mbox "$scratch/bad"
	keeps "$j.bad" "$scratch/none: No such file" "$JNL" put "$j.bad" "$scratch/none"
	keeps "$j.bad" "$scratch: .*Is a directory" "$JNL" put "$j.bad" "$scratch"
}

journal_full()
{
	journal "$j.full"
	head -c 1000000 /dev/urandom >"$scratch/million"
	: >"$scratch/ids"
	while "$JNL" put "$j.full" "$scratch/million" >>"$scratch/ids" 2>"$err"; do
		[ "$(wc -l <"$scratch/ids")" -lt 100 ] || wrong "100 MB go into 16M"
	done
	says 'message 1, .*full'
	[ "$(wc -l <"$scratch/ids")" -ge 5 ] || wrong "full after $(wc -l <"$scratch/ids")"
	ids_of "$j.full" >"$scratch/listed"
	same "$scratch/ids" "$scratch/listed"
	expect 0 "$JNL" check "$j.full"
	expect 0 "$JNL" cat "$j.full" "$(tail -n 1 "$scratch/ids")"
	same "$out" "$scratch/million"
	# full is no dead end
	"$JNL" retire "$j.full" - <"$scratch/ids" >"$out"
	same "$out" "$scratch/ids"
	expect 0 "$JNL" put "$j.full" "$scratch/million"
}

# The byte of the error is where the message starts: who resumes there loses none.
resumes_where_it_was_full()
{
	local as byte before
	head -c 600000 /dev/zero | tr '\0' x | fold -w 900 >"$scratch/body"
	for as in mbox lines bsmtp; do
		for n in {1..30}; do
			case $as in
			mbox) printf 'From a\n%s\n' "$n" && cat "$scratch/body" && echo && echo ;;
			lines) printf '%s ' "$n" && tr -d '\n' <"$scratch/body" && echo ;;
			bsmtp) printf 'NOOP\nMAIL FROM:<>\nRCPT TO:<a>\nDATA\n%s\n' "$n" &&
				cat "$scratch/body" && printf '\n.\n' ;;
			esac
		done >"$scratch/input"
		journal "$j.$as"
		: >"$scratch/numbers"
		byte=0
		while :; do
			before=$byte
			tail -c +$((byte + 1)) "$scratch/input" >"$scratch/rest"
			local got=0
			"$JNL" put "$j.$as" --as $as "$scratch/rest" >"$scratch/ids" 2>"$err" || got=$?
			while read -r id; do
				"$JNL" cat "$j.$as" "$id" | grep -oE '^[0-9]+( |$)' | tr -d ' ' >>"$scratch/numbers"
			done <"$scratch/ids"
			[ $got != 0 ] || break
			says "$scratch/rest: message [0-9]+, byte [0-9]+: .*full"
			byte=$((byte + $(sed 's/.*, byte \([0-9]*\): .*/\1/' "$err")))
			[ "$byte" -gt "$before" ] || wrong "$as: nothing was put from byte $before on"
			"$JNL" retire "$j.$as" - <"$scratch/ids" >"$out"
		done
		[ "$byte" != 0 ] || wrong "$as: 18 MB fit into 16M"
		[ "$(cat "$scratch/numbers")" = "$(seq 30)" ] || wrong "$as: $(cat "$scratch/numbers")"
	done
}

permissions_for_others()
{
	mkdir "$scratch/modes"
	for mode in 0666 0602 777; do
		refused "$scratch/modes" 'mode' "$JNL" format "$scratch/modes/j" --size 16M \
			--require process --mode $mode
	done
	refused "$scratch/modes" 'no such group' "$JNL" format "$scratch/modes/j" --group "no group"
}

it "no journal there" no_journal_there
it "refused by force, and all is as it was" refused_by_force
it "a long path does not hide the reason" long_paths
it "superblocks are there twice" superblocks_are_there_twice
it "wrong superblocks of the log" wrong_superblocks_of_the_log
it "wrong superblocks of the markers" wrong_superblocks_of_the_markers
it "wrong checkpoints" wrong_checkpoints
it "markers that hold nothing" markers_that_hold_nothing
it "truncated or missing media" truncated_media
it "other version" other_version
it "other uuid of log and markers" other_uuid
it "markers of another journal" markers_of_another_journal
it "wrong configuration" wrong_configuration
it "medium below the required class" below_the_required_class
if why=$(have_marker pmem); then
	it "markers below the required class" markers_below_the_required_class
else
	skip "markers below the required class" "$why"
fi
if [ "$(id -u)" != 0 ] || can_mount; then
	it "directory not writable" not_writable
else
	skip "directory not writable" "root, and mounting is not allowed here"
fi
it "a file is no directory" a_file_is_no_directory
if can_mount; then
	it "disk full while formatting" disk_full_while_formatting
else
	skip "disk full while formatting" "a small file system cannot be mounted here"
fi
it "sizes that make no sense" sizes_that_make_no_sense
it "sizes are named" sizes_are_named
it "places of logs differ" places_differ
it "journal or other content already there" already_there
it "unknown marker" unknown_marker
it "unknown ids" unknown_ids
it "message over the limit" over_the_limit
it "malformed input" malformed_input
it "journal full" journal_full
it "resumes where it was full" resumes_where_it_was_full
it "permissions for others" permissions_for_others
done_testing
