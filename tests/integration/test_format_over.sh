#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl format --force over a journal: an error after all that can be looked at before leaves the
# old one whole, where there is room for both; else it says that it is gone.
. "$(dirname "$0")/../lib/common.sh"

# A file larger than 20M fails in the middle of being made.
short_of() # short_of COMMAND...
{
	(
		ulimit -c 0
		ulimit -f 20000
		exec "$@"
	)
}

# A journal over which another was being made, and killed with some of its log.  Who was
# done before the kill came begins again.
killed_over() # killed_over DIR [OPTION...]
{
	local pid status
	for _ in {1..50}; do
		rm -rf "$1"
		with_one "$@"
		"$JNL" format "$1" --require process --force --size 512M 2>"$err" &
		pid=$!
		ends $pid
		while [ ! -s "$1/log.new" ] && kill -0 $pid 2>/dev/null; do :; done
		kill -9 $pid 2>/dev/null || true
		status=0
		wait $pid || status=$?
		[ $status = 0 ] || [ $status = 137 ] || wrong "exits $status: $(cat "$err")"
		[ ! -e "$1/log.new" ] || return 0
	done
	wrong "it was never killed with a log in the making"
}

media_of() { find "$1" "$1".* -name '*log*' -o -name '*.new' | sort; }

with_one() # with_one DIR [OPTION...]
{
	journal "$@"
	echo kept | "$JNL" put "$1" >"$1.id"
	media_of "$1" >"$1.files"
}

is_whole() # is_whole DIR: with nothing left of another
{
	expect 0 "$JNL" cat "$1" "$(cat "$1.id")"
	printed kept
	expect 0 "$JNL" check "$1"
	media_of "$1" | cmp -s - "$1.files" || wrong "$(media_of "$1")"
}

is_another() # is_another DIR: and nothing else
{
	expect 0 "$JNL" ls "$1"
	printed ""
	expect 0 "$JNL" check "$1"
	[ -z "$(find "$1" -name '*.new')" ] || wrong "$(find "$1")"
	echo new | "$JNL" put "$1" >"$1.id"
	expect 0 "$JNL" cat "$1" "$(cat "$1.id")"
	printed new
}

an_error_costs_nothing() # with these options
{
	local d=$scratch/over.$#
	with_one "$d" "$@"
	expect 1 short_of "$JNL" format "$d" --require process --force --size 64M "$@"
	says "File too large"
	! grep -q "nothing is left" "$err" || wrong "$(cat "$err")"
	is_whole "$d"
	# and what can be made is
	expect 0 "$JNL" format "$d" --require process --force --size 18M "$@"
	is_another "$d"
}

several_logs()
{
	local d=$scratch/several
	mkdir "$d.a"
	with_one "$d" --log "$d.a"
	# the second one cannot be made
	expect 1 short_of "$JNL" format "$d" --require process --force --size 100M \
		--log "$d.a" --log "$scratch"
	says "File too large"
	is_whole "$d"
}

killed_in_the_middle()
{
	local d=$scratch/killed
	killed_over "$d"
	expect 0 "$JNL" cat "$d" "$(cat "$d.id")"
	printed kept
	expect 0 "$JNL" check "$d"
	expect 0 "$JNL" format "$d" --require process --force --size 18M
	is_another "$d"
}

# What it leaves goes with the next one, also where that makes nothing beside what is there.
left_by_the_killed()
{
	local d=$scratch/left
	mkdir "$d.a" "$d.b"
	killed_over "$d" --mirror "$d.a"
	touch "$d/markers.new" "$d/mirror.new"
	# one that fails leaves all as it is
	expect 1 "$JNL" format "$d" --require process --size 18M
	[ -e "$d/log.new" ] || wrong "$(ls "$d")"
	expect 0 "$JNL" format "$d" --require process --force --size 18M --log "$d.b" \
		--marker "file:$d.b/markers"
	is_another "$d"
	# without force, where there is a journal no more
	touch "$d/log.new" "$d/markers.new" "$d/mirror.new"
	rm "$d/journal.conf"
	rm -f "$d"/log "$d"/markers
	expect 0 "$JNL" format "$d" --require process --size 18M
	is_another "$d"
}

# A link, a directory, or a medium that is in use by that name is none of it.
other_things_of_that_name()
{
	local d=$scratch/things
	journal "$d" --marker "file:$d/markers.new"
	mkdir "$d/mirror.new"
	ln -s /dev/null "$d/log.new"
	expect 0 "$JNL" format "$d" --require process --force --size 18M \
		--marker "file:$d/markers.new"
	expect 0 "$JNL" check "$d"
	[ -e "$d/markers.new" ] && [ -L "$d/log.new" ] && [ -d "$d/mirror.new" ] ||
		wrong "$(ls "$d")"
}

# What somebody has under the name that would be used is his.
somebody_elses_name()
{
	local d=$scratch/named
	mkdir "$d.m"
	with_one "$d" --marker "file:$d.m/markers"
	echo his >"$d.m/markers.new"
	expect 0 "$JNL" format "$d" --require process --force --size 18M \
		--marker "file:$d.m/markers"
	[ "$(cat "$d.m/markers.new")" = his ] || wrong "it was written over"
	expect 0 "$JNL" check "$d"
}

# What another journal knows by its name is no place for markers, there or not.
another_journals_files()
{
	local o=$scratch/other d=$scratch/mine f
	with_one "$o"
	for f in journal.conf journal.conf.new lock index peers peers/0 peers/7 log; do
		ln -sfn "$o/$f" "$scratch/link"
		for path in "$o/$f" "$scratch/link"; do
			expect 1 "$JNL" format "$d" --size 9M --require process --force \
				--marker "file:$path"
			says "($path|$o/$f): (belongs to the journal in $o, as its|is a log of the journal) .*"
			[ ! -e "$d" ] || wrong "$path: $(ls "$d")"
			[ -e "$o/$f" ] || break # a link to nothing is refused as that
		done
		rm "$scratch/link"
	done
	is_whole "$o"
	# whatever has become of its configuration
	echo garbage >"$o/journal.conf"
	for f in journal.conf lock peers/0; do
		expect 1 "$JNL" format "$d" --size 9M --require process --force --marker "file:$o/$f"
		says "$o/$f: belongs to the journal in $o, as its"
	done
	[ "$(cat "$o/journal.conf")" = garbage ] || wrong "it was written over"
	journal "$d"
	expect 1 "$JNL" set-marker "$d" "sim:$o/lock" --force
	says "$o/lock: belongs to the journal in $o, as its lock"
	# markers are what force is for
	expect 0 "$JNL" format "$d" --size 9M --require process --force --marker "file:$o/markers"
	is_another "$d"
}

no_room_for_both()
{
	local d=$scratch/small/j
	mkdir "$scratch/small"
	mount -t tmpfs -o size=44M none "$scratch/small"
	trap 'umount "$scratch/small"' EXIT
	with_one "$d"
	expect 1 short_of "$JNL" format "$d" --require process --force --size 32M
	says "File too large"
	says "of the journal that was in $d nothing is left"
	expect 1 "$JNL" ls "$d"
	expect 0 "$JNL" format "$d" --require process --force --size 32M
	is_another "$d"
	umount "$scratch/small"
	trap - EXIT
}

mounts()
{
	[ "$(id -u)" = 0 ] && mkdir "$scratch/try" && mount -t tmpfs none "$scratch/try" 2>/dev/null &&
		umount "$scratch/try"
}

it "an error costs nothing" an_error_costs_nothing
it "an error costs nothing, with NVRAM" an_error_costs_nothing --marker "sim:$scratch/nv"
it "an error costs nothing, several logs" several_logs
it "killed in the middle" killed_in_the_middle
it "what the killed one left goes" left_by_the_killed
it "other things of that name stay" other_things_of_that_name
it "somebody else's name" somebody_elses_name
it "another journal's files" another_journals_files
if mounts; then
	it "no room for both" no_room_for_both
else
	skip "no room for both" "a tmpfs cannot be mounted here"
fi
done_testing
