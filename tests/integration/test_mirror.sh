#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# Mirrored logs on the command line: damage, a leg that is missing, old, or new.
. "$(dirname "$0")/../lib/common.sh"

# mirrored DIR KIND: with legs in DIR.a and DIR.b, and messages 1 to 5, ids in DIR.ids
mirrored()
{
	local n
	mkdir "$1.a" "$1.b"
	# shellcheck disable=SC2046
	journal "$1" --log "$1.a" --mirror "$1.b" $(marker_option "$2" "${1##*/}")
	for n in 1 2 3 4 5; do
		# as long as is not staged
		{ echo "message $n"; head -c 40000 /dev/zero | tr '\0' "$n"; } >"$1.$n"
		"$JNL" put "$1" "$1.$n"
	done >"$1.ids"
}

all_there() # all_there DIR: of messages 1 to 5
{
	local n=0 id
	while read -r id; do
		n=$((n + 1))
		[ -e "$1.$n" ] || continue
		"$JNL" cat "$1" "$id" | cmp - "$1.$n" || wrong "$id is not as it was"
	done <"$1.ids"
}

# spoil FILE TEXT: a byte of what begins so is another one
spoil()
{
	local at
	at=$(grep -abo "$2" "$1" | head -n 1 | cut -d : -f 1)
	[ -n "$at" ] || wrong "$1 does not have '$2'"
	printf X | dd of="$1" bs=1 seek=$((at + 20)) conv=notrunc status=none
}

state_of() # state_of DIR LEG: as jnl info has it
{
	"$JNL" info --json "$1" | jq -r ".logs[0].legs[$2].state"
}

alike() # alike DIR: the logs on both legs are the same
{
	cmp -i 8192 "$1".a/* "$1".b/* || wrong "the legs differ"
}

a_damaged_copy() # a_damaged_copy KIND LEG: of the one leg, then the other
{
	local d=$scratch/damaged.$1.$2
	mirrored "$d" "$1"
	expect 0 "$JNL" check "$d"
	spoil "$d.$2"/* "message 2"
	expect 3 "$JNL" check "$d"
	grep -q "^damage: $d.$2/.* this copy is damaged, that on " "$out" || wrong "$(cat "$out")"
	[ "$(wc -l <"$out")" = 1 ] || wrong "more is damaged: $(cat "$out")"
	# who only reads repairs nothing
	all_there "$d"
	all_there "$d"
	expect 3 "$JNL" check "$d"
	expect 0 "$JNL" mirror "$d"
	grep -q "^mirror: $d.$2/.* was damaged, and is repaired from " "$out" ||
		wrong "$(cat "$out")"
	expect 0 "$JNL" check "$d"
	printed ""
	all_there "$d"
	expect 0 "$JNL" mirror "$d"
	printed ""
}

superblock_of_a_leg() # superblock_of_a_leg LEG COPY: from 0 on
{
	local d=$scratch/head.$1.$2 f
	mirrored "$d" file
	f=$(echo "$d.$1"/*)
	cp "$f" "$d.whole"
	dd if=/dev/zero of="$f" bs=4096 seek="$2" count=1 conv=notrunc status=none
	all_there "$d"
	expect 3 "$JNL" check "$d"
	grep -q "^damage: $f: superblock of the leg, copy $(($2 + 1)): is damaged" "$out" ||
		wrong "$(cat "$out")"
	[ "$(wc -l <"$out")" = 1 ] || wrong "more is damaged: $(cat "$out")"
	expect 0 "$JNL" mirror "$d"
	grep -q "^mirror: $f: superblock of the leg, copy $(($2 + 1)): was damaged, and is rep" \
		"$out" || wrong "$(cat "$out")"
	cmp -n 8192 "$f" "$d.whole"
	expect 0 "$JNL" check "$d"
	printed ""
	# so does who writes; one byte is enough
	printf X | dd of="$f" bs=1 seek=$(($2 * 4096 + 2000)) conv=notrunc status=none
	expect 3 "$JNL" check "$d"
	"$JNL" put "$d" "$d.5" >/dev/null
	cmp -n 8192 "$f" "$d.whole"
	expect 0 "$JNL" check "$d"
	printed ""
}

both_are_damaged()
{
	local d=$scratch/both
	mirrored "$d" file
	spoil "$d".a/* "message 2"
	spoil "$d".b/* "message 2"
	spoil "$d".b/* "message 3"
	expect 3 "$JNL" mirror "$d"
	expect 3 "$JNL" check "$d"
	grep -q "COMMITTED_BUT_LOST\|lost" "$out" || wrong "$(cat "$out")"
	expect 3 "$JNL" cat "$d" "$(sed -n 2p "$d.ids")"
	"$JNL" cat "$d" "$(sed -n 3p "$d.ids")" | cmp - "$d.3"
}

a_leg_is_missing() # a_leg_is_missing KIND GONE OTHER NUMBER
{
	local d=$scratch/missing.$1.$2
	mirrored "$d" "$1"
	mv "$d.$2" "$d.away"
	expect 3 "$JNL" check "$d"
	grep -q "$d.$2/.*: this leg is not in use: .*No such file" "$out" || wrong "$(cat "$out")"
	all_there "$d"
	[ "$(state_of "$d" "$4")" = missing ] || wrong "$("$JNL" info "$d")"
	echo more >"$d.6"
	cp "$d/journal.conf" "$d.conf"
	"$JNL" put "$d" "$d.6" >>"$d.ids"
	[ -f "$(echo "$d"/left-*-1-$(($4 + 1)))" ] || wrong "$(ls "$d")"
	# others replace that meanwhile, and must not lose it, nor lose what they write
	cmp "$d/journal.conf" "$d.conf"
	mv "$d.away" "$d.$2"
	# it is back, and old
	[ "$(state_of "$d" "$4")" = "out of date" ] || wrong "$("$JNL" info "$d")"
	[ "$("$JNL" info --json "$d" | jq .now.legs_out)" = 1 ]
	all_there "$d"
	all_there "$d"
	expect 3 "$JNL" check "$d"
	# alone it is nothing
	mv "$d.$3" "$d.away"
	expect 1 "$JNL" ls "$d"
	says "is out of date"
	expect 1 "$JNL" put "$d" "$d.6"
	mv "$d.away" "$d.$3"
	expect 0 "$JNL" mirror "$d"
	grep -q "^mirror: $d.$2/.*: is up to date" "$out" || wrong "$(cat "$out")"
	alike "$d"
	expect 0 "$JNL" check "$d"
	[ "$(state_of "$d" "$4")" = good ]
	[ -z "$(find "$d" -name 'left-*')" ] || wrong "$(ls "$d")"
	mv "$d.$3" "$d.away"
	all_there "$d"
}

a_new_disk()
{
	local d=$scratch/new new
	mirrored "$d" file
	chmod 640 "$d".a/*
	rm "$d".b/*
	expect 0 "$JNL" mirror "$d"
	alike "$d"
	[ "$(stat -c %a "$d".b/*)" = 640 ] || wrong "not the mode of the other leg"
	expect 0 "$JNL" check "$d"
	# elsewhere
	mkdir "$d.c"
	new=$d.c/log
	rm -r "$d.a"
	sed -i "s:^log = .*:log = $new:" "$d/journal.conf"
	expect 0 "$JNL" mirror "$d"
	cmp -i 8192 "$new" "$d".b/*
	all_there "$d"
	expect 0 "$JNL" check "$d"
	# what is there already is not ours to write over
	echo "somebody's" >"$d.c/other"
	sed -i "s:^log = .*:log = $d.c/other:" "$d/journal.conf"
	expect 1 "$JNL" mirror "$d"
	says "File exists"
	[ "$(cat "$d.c/other")" = "somebody's" ]
}

put_line() # put_line DIR TEXT: by the writer behind fd 3; waits for its id
{
	local i n
	n=$(wc -l <"$1.ids")
	echo "$2" >&3
	for ((i = 0; i < 500; i++)); do
		[ "$(wc -l <"$1.ids")" -gt "$n" ] && break
		sleep 0.02
	done
}

beside_a_writer() # he has the journal open all the time
{
	local d=$scratch/beside writer
	mirrored "$d" file
	mv "$d.b" "$d.away"
	mkfifo "$d.in"
	"$JNL" put --as lines "$d" "$d.in" >>"$d.ids" &
	writer=$!
	exec 3>"$d.in"
	put_line "$d" "while it is away"
	[ "$(state_of "$d" 1)" = missing ] || wrong "$("$JNL" info "$d")"
	expect 1 "$JNL" mirror "$d"
	says "No such file"
	# another disk in its place
	mkdir "$d.c"
	sed -i "s:^mirror = .*:mirror = $d.c/log:" "$d/journal.conf"
	expect 0 "$JNL" mirror "$d"
	grep -q "^mirror: $d.c/log: is up to date" "$out" || wrong "$(cat "$out")"
	[ "$(state_of "$d" 1)" = good ] || wrong "$("$JNL" info "$d")"
	[ -z "$(find "$d" -name 'left-*')" ] || wrong "$(ls "$d")"
	put_line "$d" "while it is back"
	grep -aq "while it is back" "$d.c/log" || wrong "it is not written"
	exec 3>&-
	wait "$writer"
	cmp -i 8192 "$d.c/log" "$d".a/*
	expect 0 "$JNL" check "$d"
	rm -r "$d.a"
	[ "$("$JNL" ls "$d" | wc -l)" = 7 ] || wrong "$("$JNL" ls "$d")"
	all_there "$d"
}

each_went_on_alone()
{
	local d=$scratch/split
	mirrored "$d" file
	echo one >"$d.6"
	mv "$d.b" "$d.away"
	"$JNL" put "$d" "$d.6" >>"$d.ids"
	mv "$d.away" "$d.b"
	# as an older copy of the directory would have it
	rm "$d"/left-*
	mv "$d.a" "$d.away"
	expect 0 "$JNL" put "$d" "$d.5"
	mv "$d.away" "$d.a"
	rm "$d"/left-*
	expect 1 "$JNL" ls "$d"
	says "each has gone on without the other one"
	expect 1 "$JNL" put "$d" "$d.1"
	expect 1 "$JNL" mirror "$d"
	expect 1 "$JNL" mirror --keep /nowhere "$d"
	says "no leg of a mirrored log"
	expect 0 "$JNL" mirror --keep "$(echo "$d".a/*)" "$d"
	alike "$d"
	[ -z "$(find "$d" -name 'left-*')" ] || wrong "$(ls "$d")"
	expect 0 "$JNL" check "$d"
	printed ""
	all_there "$d"
	[ "$("$JNL" ls "$d" | wc -l)" = 6 ]
}

# There is nothing to choose then, and what is damaged on the one is whole on the other.
nothing_to_choose()
{
	local d=$scratch/choose a b
	mirrored "$d" file
	a=$(echo "$d".a/*) b=$(echo "$d".b/*)
	spoil "$a" "message 2"
	spoil "$b" "message 3"
	cp "$a" "$d.old.a"
	cp "$b" "$d.old.b"
	for leg in "$a" "$b"; do
		expect 1 "$JNL" mirror --keep "$leg" "$d"
		says "both are up to date and in use"
		cmp "$a" "$d.old.a"
		cmp "$b" "$d.old.b"
	done
	expect 0 "$JNL" mirror "$d"
	all_there "$d"
	# one is out of date, by its head, or by the directory
	for say in head directory; do
		mv "$b" "$d.away"
		"$JNL" put "$d" "$d.5" >/dev/null
		[ $say = head ] && rm "$d"/left-*
		mv "$d.away" "$b"
		cp "$b" "$d.old.b"
		expect 1 "$JNL" mirror --keep "$b" "$d"
		says "is out of date, and $a has all"
		cmp "$b" "$d.old.b"
		expect 0 "$JNL" mirror --keep "$a" "$d"
		alike "$d"
	done
	[ -z "$(find "$d" -name 'left-*')" ] || wrong "$(ls "$d")"
	all_there "$d"
	expect 0 "$JNL" check "$d"
}

# as journal.conf has it, or by the directory that it is in
a_leg_is_called_by_its_name()
{
	local d=$scratch/named keep
	for keep in log "$d.b" "$d/../named/log"; do
		rm -rf "$d" "$d.b"
		mkdir "$d.b"
		journal "$d" --mirror "$d.b"
		echo one | "$JNL" put "$d" >"$d.id"
		mv "$d.b" "$d.away"
		echo two | "$JNL" put "$d" >>"$d.id"
		mv "$d.away" "$d.b"
		rm "$d"/left-*
		mv "$d/log" "$d/log.away"
		echo three | "$JNL" put "$d" >>"$d.id"
		mv "$d/log.away" "$d/log"
		rm "$d"/left-*
		expect 1 "$JNL" ls "$d"
		says "each has gone on without the other one"
		(cd / && expect 0 "$JNL" mirror --keep "$keep" "$d")
		expect 0 "$JNL" check "$d"
		if [ "$keep" = "$d.b" ]; then
			[ "$(ids_of "$d")" = "$(sed 2d "$d.id")" ] || wrong "$("$JNL" ls "$d")"
		else
			[ "$(ids_of "$d")" = "$(sed 3d "$d.id")" ] || wrong "$("$JNL" ls "$d")"
		fi
	done
	# nothing is guessed
	rm -rf "$d" "$d.b" "$d.c"
	mkdir "$d.b" "$d.c"
	journal "$d" --size 32M --log "$d.b" --mirror "$d.c" --log "$d.c" --mirror "$d.b"
	expect 1 "$JNL" mirror --keep "$d.c" "$d"
	says "may be any of 2 legs"
}

bytes_of() # bytes_of FILE...
{
	stat -c %s "$@" | sort -u
}

# by so many bytes, be it only of what nothing uses; or to so many
a_leg_is_short() # a_leg_is_short LEG OTHER CUT: an option of truncate
{
	local d=$scratch/short.$1$3 whole
	mirrored "$d" file
	whole=$(bytes_of "$d.$1"/*)
	truncate -s "$3" "$d.$1"/*
	all_there "$d"
	expect 3 "$JNL" check "$d"
	grep -q "^damage: $d.$1/.*: this leg is not in use: .* short\|no room" "$out" ||
		wrong "$(cat "$out")"
	[ "$(wc -l <"$out")" = 1 ] || wrong "more is damaged: $(cat "$out")"
	expect 0 "$JNL" mirror "$d"
	grep -q "^mirror: $d.$1/.*: is up to date" "$out" || wrong "$(cat "$out")"
	[ "$(bytes_of "$d".[ab]/*)" = "$whole" ] || wrong "$(ls -l "$d".[ab])"
	alike "$d"
	expect 0 "$JNL" check "$d"
	printed ""
	mv "$d.$2" "$d.away"
	all_there "$d"
	rm -r "$d" "$d".*
}

# What is not this leg is refused as it is, not made longer first.
something_else_is_there()
{
	local d=$scratch/else leg
	mirrored "$d" file
	mirrored "$d.other" file
	leg=$(echo "$d".b/*)
	head -c 20000 /dev/urandom >"$d.random"
	head -c 200000 "$d.other".b/* >"$d.others"
	# of this log, but the other leg of it
	head -c 200000 "$d".a/* >"$d.wrong"
	for other in random others wrong; do
		cp "$d.$other" "$leg"
		expect 1 "$JNL" mirror "$d"
		cmp "$d.$other" "$leg" || wrong "$other: $(ls -l "$leg")"
		all_there "$d"
	done
	rm -r "$d" "$d".*
}

short_and_out_of_date()
{
	local d=$scratch/short-out whole
	mirrored "$d" file
	expect 0 "$JNL" resize "$d" --size 32M
	whole=$(bytes_of "$d".b/*)
	truncate -s -1 "$d".b/*
	expect 3 "$JNL" mirror --keep "$(echo "$d".b/*)" "$d"
	says "too short"
	all_there "$d"
	"$JNL" put "$d" "$d.5" >/dev/null
	# it goes on without it, and says so
	expect 3 "$JNL" check "$d"
	grep -q "^damage: $d.b/.*: this leg is not in use" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" mirror --keep "$(echo "$d".a/*)" "$d"
	[ "$(bytes_of "$d".[ab]/*)" = "$whole" ] || wrong "$(ls -l "$d".[ab])"
	alike "$d"
	expect 0 "$JNL" check "$d"
	printed ""
	# somebody else's is not taken for what is left of it
	head -c 5000 /dev/urandom >"$d.stump"
	cp "$d.stump" "$(echo "$d".b/*)"
	expect 1 "$JNL" mirror "$d"
	cmp "$d.stump" "$d".b/*
	# both: nothing is opened, nothing ends the process
	truncate -s -1 "$d".a/*
	rm "$d".b/*
	expect 3 "$JNL" check "$d"
	grep -q "^damage: $d.a/.*: is too short, and is only read" "$out" || wrong "$(cat "$out")"
	expect 3 "$JNL" mirror "$d"
	says "too short"
	expect 1 "$JNL" put "$d" "$d.5"
	says "too short, and is only read: .*truncate -s $whole "
	truncate -s "$whole" "$d".a/*
	expect 0 "$JNL" mirror "$d"
	alike "$d"
}

no_leg_is_a_log()
{
	local d=$scratch/alone
	mirrored "$d" file
	# what an older version would see
	sed -i /mirror/d "$d/journal.conf"
	expect 1 "$JNL" ls "$d"
	says "no superblock"
	expect 1 "$JNL" put "$d" "$d.1"
	journal "$scratch/plain"
	expect 1 "$JNL" mirror "$scratch/plain"
	says "no log is mirrored"
}

resized() # resized KIND: longer, shorter, while a leg is away, with other logs
{
	local d=$scratch/resized.$1 long n
	mirrored "$d" "$1"
	expect 0 "$JNL" resize "$d" --size 64M
	[ "$(bytes_of "$d".a/* "$d".b/* | wc -l)" = 1 ] || wrong "$(ls -l "$d".?)"
	[ "$(bytes_of "$d".a/*)" -gt 60000000 ] || wrong "$(ls -l "$d".a)"
	expect 0 "$JNL" check "$d"
	all_there "$d"
	# so that there is something in what is new
	for n in 1 2 3 4 5 6 7 8; do
		head -c 6000000 /dev/zero | "$JNL" put "$d" >>"$d.big"
	done
	alike "$d"
	expect 1 "$JNL" resize "$d" --size 20M
	"$JNL" retire "$d" - <"$d.big" >/dev/null
	expect 0 "$JNL" resize "$d" --size 20M
	[ "$(bytes_of "$d".a/* "$d".b/* | wc -l)" = 1 ] || wrong "$(ls -l "$d".?)"
	[ "$(bytes_of "$d".a/*)" -lt 21000000 ] || wrong "$(ls -l "$d".a)"
	expect 0 "$JNL" check "$d"
	all_there "$d"
	# one leg is away, and has to become longer when it is back
	mv "$d.b" "$d.away"
	expect 0 "$JNL" resize "$d" --size 40M
	mv "$d.away" "$d.b"
	expect 3 "$JNL" check "$d"
	all_there "$d"
	long=$(bytes_of "$d".a/*)
	[ "$(bytes_of "$d".b/*)" -lt "$long" ] || wrong "$(ls -l "$d".?)"
	expect 0 "$JNL" mirror "$d"
	[ "$(bytes_of "$d".b/*)" = "$long" ] || wrong "$(ls -l "$d".?)"
	alike "$d"
	expect 0 "$JNL" check "$d"
	mv "$d.a" "$d.away"
	all_there "$d"
	mv "$d.away" "$d.a"
}

other_logs()
{
	local d=$scratch/others n
	mirrored "$d" file
	mkdir "$d.c" "$d.d" "$d.e"
	expect 2 "$JNL" resize "$d" --mirror "$d.d" --add-log "$d.c"
	expect 1 "$JNL" resize "$d" --add-log "$d.c" --mirror "$d.nowhere"
	[ -z "$(find "$d.c" -type f)" ] || wrong "something is left"
	expect 0 "$JNL" resize "$d" --add-log "$d.c" --mirror "$d.d" --add-log "$d.e"
	[ "$("$JNL" info --json "$d" | jq '[.logs[] | .legs | length]' -c)" = "[2,2,0]" ] ||
		wrong "$("$JNL" info "$d")"
	expect 0 "$JNL" check "$d"
	for n in 1 2 3; do
		"$JNL" put "$d" "$d.$n" >/dev/null
	done
	# the first one goes, both legs of it
	expect 0 "$JNL" resize "$d" --remove-log "$d.b" --remove-log "$d.e"
	[ -z "$(find "$d.a" "$d.b" "$d.e" -type f)" ] || wrong "something is left"
	all_there "$d"
	expect 0 "$JNL" check "$d"
	cmp -i 8192 "$d".c/* "$d".d/*
	rm "$d".c/*
	all_there "$d"
	expect 0 "$JNL" mirror "$d"
	expect 0 "$JNL" check "$d"
	[ "$("$JNL" ls "$d" | wc -l)" = 8 ] || wrong "$("$JNL" ls "$d")"
}

made_and_destroyed()
{
	local d=$scratch/made
	expect 1 "$JNL" format "$d" --require process --size 16M --mirror "$d.nowhere"
	[ ! -e "$d" ] || wrong "something is left"
	mkdir "$d.b" "$d.c" "$d.d"
	journal "$d" --mirror "$d.b"
	says "are on one disk, or file system"
	[ "$("$JNL" info --json "$d" | jq -c '[.logs[0].legs[].same_disk]')" = "[true,true]" ]
	"$JNL" info "$d" | grep -q "same_disk: the other leg" || wrong "$("$JNL" info "$d")"
	expect 0 "$JNL" check "$d"
	expect 0 "$JNL" dump "$d"
	grep -q "leg 2 of a log" "$out" || wrong "$(cat "$out")"
	expect 2 "$JNL" format "$d" --mirror "$d.b" --mirror "$d.c"
	# several, of which one is mirrored
	journal "$d" --force --log "$d.c" --mirror "$d.b" --log "$d.d" --size 32M
	[ -z "$(find "$d" -name mirror)" ] || wrong "the one before is left"
	[ "$(find "$d.b" -type f | wc -l)" = 1 ] || wrong "the one before is left"
	[ "$("$JNL" info --json "$d" | jq '[.logs[] | .legs | length]' -c)" = "[2,0]" ]
	expect 0 "$JNL" upgrade "$d"
	expect 0 "$JNL" destroy --yes "$d"
	[ -z "$(find "$d.b" "$d.c" "$d.d" -type f)" ] || wrong "something is left"
}

no_leg_that_was_left_outlives_its_journal()
{
	local d=$scratch/over
	mirrored "$d" file
	rm "$d".b/*
	"$JNL" put "$d" "$d.1" >/dev/null
	[ -f "$(echo "$d"/left-*-1-2)" ] || wrong "$(ls "$d")"
	journal "$d" --force --log "$d.a" --mirror "$d.b"
	[ -z "$(find "$d" -name 'left-*')" ] || wrong "$(ls "$d")"
	expect 0 "$JNL" check "$d"
	rm "$d".b/*
	"$JNL" put "$d" "$d.1" >/dev/null
	expect 0 "$JNL" destroy --yes "$d"
	[ ! -e "$d" ] || wrong "$(ls "$d")"
}

destaged() # destaged DIR: what was in NVRAM is in the log
{
	local server i
	"$JNL" serve --age 1 --fill 1 --interval 10 "$1" &
	server=$!
	for ((i = 0; i < 500; i++)); do
		grep -aq "message 5" "$1".a/* && break
		sleep 0.02
	done
	kill "$server"
	wait "$server"
}

# of two records in one block each is good on another leg
neighbours() # neighbours KIND
{
	local d=$scratch/near.$1 n
	mkdir "$d.a" "$d.b"
	# shellcheck disable=SC2046
	journal "$d" --log "$d.a" --mirror "$d.b" $(marker_option "$1" near)
	for n in 1 2 3 4 5; do
		echo "message $n, which is short enough to lie beside the next one" |
			tee "$d.$n"
	done | "$JNL" put --as lines "$d" >"$d.ids"
	for n in 1 2 3 4 5; do
		printf %s "$(cat "$d.$n")" >"$d.$n"
	done
	[ "$1" = file ] || destaged "$d"
	expect 0 "$JNL" check "$d"
	spoil "$d".a/* "message 2"
	spoil "$d".b/* "message 3"
	spoil "$d".a/* "message 4"
	expect 0 "$JNL" mirror "$d"
	expect 0 "$JNL" check "$d"
	printed ""
	all_there "$d"
}

for kind in $markers; do
	if ! why=$(have_marker "$kind"); then
		skip "$kind" "$why"
		continue
	fi
	it "$kind: a damaged copy on the first leg" a_damaged_copy "$kind" a
	it "$kind: a damaged copy on the second leg" a_damaged_copy "$kind" b
	it "$kind: the first leg is missing" a_leg_is_missing "$kind" a b 0
	it "$kind: the second leg is missing" a_leg_is_missing "$kind" b a 1
	it "$kind: longer and shorter" resized "$kind"
	it "$kind: neighbours, each good on another leg" neighbours "$kind"
done
it "other logs" other_logs
it "both copies are damaged" both_are_damaged
it "a new disk" a_new_disk
it "a new disk beside a writer" beside_a_writer
it "each went on alone" each_went_on_alone
it "nothing to choose" nothing_to_choose
it "a leg is called by its name" a_leg_is_called_by_its_name
for copy in 0 1; do
	it "superblock $copy of the first leg" superblock_of_a_leg a "$copy"
	it "superblock $copy of the second leg" superblock_of_a_leg b "$copy"
done
for cut in -1 -100 -4095 -1M 5000 4095 20 1 0; do
	it "the first leg is cut: $cut" a_leg_is_short a b "$cut"
	it "the second leg is cut: $cut" a_leg_is_short b a "$cut"
done
it "something else is where a leg is to be" something_else_is_there
it "a leg that is short, and out of date" short_and_out_of_date
it "no leg is a log" no_leg_is_a_log
it "made and destroyed" made_and_destroyed
it "no leg that was left outlives its journal" no_leg_that_was_left_outlives_its_journal
done_testing
