#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# No command writes something else over a file of the journal's own, by whatever name, with
# force or without.
. "$(dirname "$0")/../lib/common.sh"

j=$scratch/j
logs=$scratch/logs
nvram=/dev/shm/jnl.$$.own
goes "$nvram"
goes "$nvram.new"

# A journal with a log and its mirror outside DIR; links to what is in it
anew() # anew [OPTION...]
{
	rm -rf "$j" "$logs" "$nvram"
	mkdir -p "$logs/a" "$logs/b"
	journal "$j" --log "$logs/a" --mirror "$logs/b" "$@"
	echo kept | "$JNL" put "$j" >"$scratch/id"
	log=$(echo "$logs"/a/*)
	mirror=$(echo "$logs"/b/*)
	ln -s "$log" "$logs/link"
	ln "$log" "$logs/hard"
	ln -s "$j" "$logs/dir"
}

# Of the lock only which file, and of the logs, which are large, its beginning, too: `jnl check`
# reads the rest.
all_of()
{
	(cd "$scratch" && cat j/journal.conf && ls -A j logs logs/a logs/b)
	stat -c '%n %i' "$j/journal.conf" "$j/lock"
	stat -c '%n %i %s' "$log" "$mirror"
	head -qc 8192 "$log" "$mirror" | sha256sum
}

kept() # kept WHAT COMMAND...: exit 1, says whose it is; all of it is there
{
	local what=$1
	shift
	all_of >"$scratch/before"
	expect 1 "$@"
	says "belongs to the journal in .*, as its $what: "
	all_of >"$scratch/after"
	same "$scratch/before" "$scratch/after"
	[ "$("$JNL" cat "$j" "$(cat "$scratch/id")")" = kept ] || wrong "$*: the message is gone"
}

own() # own SCHEME FUNCTION...: of all files that are no markers
{
	local scheme=$1
	shift
	kept configuration "$@" "$scheme$j/journal.conf"
	kept configuration "$@" "$scheme$logs/dir/journal.conf"
	kept configuration "$@" "$scheme$j/journal.conf.new"
	kept lock "$@" "$scheme$j/lock"
	kept index "$@" "$scheme$j/index"
	kept processes "$@" "$scheme$j/peers/1"
	kept log "$@" "$scheme$log"
	kept log "$@" "$scheme$logs/link"
	kept log "$@" "$scheme$logs/hard"
	kept mirror "$@" "$scheme$mirror"
}

markers_own()
{
	kept log "$JNL" set-marker "$j" "$1$log"
	own "$1" "$JNL" set-marker -f "$j"
	own "$1" "$JNL" rescue -f -y "$j" --marker
	kept log "$JNL" rescue -f -n "$j" --marker "$1$log"
	expect 0 "$JNL" check "$j"
}

markers()
{
	anew
	markers_own file:
	own sim: "$JNL" set-marker -f "$j"
}

markers_in_nvram()
{
	have_marker pmem || return 0
	anew --marker "pmem:$nvram"
	markers_own pmem:
	# but for others' files force is good
	{ echo theirs; head -c 8M /dev/zero; } >"$nvram.new"
	expect 1 "$JNL" set-marker "$j" "pmem:$nvram.new"
	expect 0 "$JNL" set-marker -f "$j" "pmem:$nvram.new"
	expect 0 "$JNL" set-marker "$j" "file:$j/markers"
	expect 0 "$JNL" check "$j"
}

# beside one who has it open: its mapping, too
while_open()
{
	have_marker pmem || return 0
	anew --marker "pmem:$nvram"
	"$JNL" serve "$j" --interval 50 2>"$scratch/served" &
	pid=$!
	ends "$pid"
	local memory=
	for _ in {1..200}; do
		[ ! -s "$j/index" ] || memory=$(sed -n 's/^file=//p' "$j/index")
		[ -z "$memory" ] || break
		sleep 0.05
	done
	[ -e "$memory" ] || wrong "nothing is shared: $(cat "$scratch/served")"
	kept log "$JNL" set-marker -f "$j" "file:$log"
	own pmem: "$JNL" set-marker -f "$j"
	kept "index in memory" "$JNL" set-marker -f "$j" "pmem:$memory"
	kept "index in memory" "$JNL" export "$j" --as tar --output "$memory"
	kept "index in memory" "$JNL" serve "$j" --metrics "$memory"
	kill "$pid"
	wait "$pid" || wrong "serve ends with $?: $(cat "$scratch/served")"
	expect 0 "$JNL" check "$j"
}

# Of a journal that is closed, by force; also where only one of its superblocks is left.
others_log()
{
	local other=$scratch/other uri
	rm -rf "$other" "$other".[abm]
	mkdir "$other.a" "$other.b" "$other.m"
	anew
	journal "$other" --size 20M --log "$other.a" --mirror "$other.m" --log "$other.b"
	dd if=/dev/urandom of="$(echo "$other.b"/*)" bs=4096 count=1 conv=notrunc status=none
	for uri in "$(echo "$other.a"/*)" "$(echo "$other.b"/*)" "$(echo "$other.m"/*)"; do
		uri=$1$uri
		head -qc 8192 "$other".[abm]/* | sha256sum >"$scratch/sum"
		for command in "set-marker -f $j $uri" "rescue -f -y $j --marker $uri" \
			"format $scratch/new --size 16M --require process -f --marker $uri"; do
			# shellcheck disable=SC2086
			expect 1 "$JNL" $command
			says "is a log of the journal with the uuid $(sed -n 's/^uuid = //p' "$other/journal.conf")"
		done
		head -qc 8192 "$other".[abm]/* | sha256sum >"$scratch/now"
		same "$scratch/sum" "$scratch/now"
	done
	expect 0 "$JNL" check "$j"
}

new_ones()
{
	anew
	for name in journal.conf lock index log; do
		expect 1 "$JNL" format "$scratch/new" --size 16M --require process -f \
			--marker "file:$scratch/new/$name"
		says "new/$name: belongs to the journal"
		[ ! -e "$scratch/new" ] || wrong "something is left"
	done
}

outputs()
{
	anew
	own "" timeout 20 "$JNL" serve "$j" --metrics
	kept "marker medium" timeout 20 "$JNL" serve "$j" --metrics "$j/markers"
	for file in "$log" "$logs/link" "$logs/hard"; do
		kept log "$JNL" export "$j" --as tar --output "$file"
	done
	kept mirror "$JNL" export "$j" --as tar --output "$mirror"
	anew --marker "sim:$logs/markers"
	kept "marker medium" "$JNL" export "$j" --as mbox --output "$logs/markers"
	kept "marker medium" timeout 20 "$JNL" serve "$j" --metrics "$logs/markers"
	expect 0 "$JNL" export "$j" --as tar --output "$logs/a/backup"
	expect 0 "$JNL" check "$j"
}

it "markers do not go over another file of the journal" markers
it "nor from NVRAM" markers_in_nvram
it "nor while it is open" while_open
it "nor over the log of another one" others_log file:
it "nor over the log of another one, in memory" others_log sim:
it "nor in a new journal" new_ones
it "outputs do not go over its files" outputs
done_testing
