#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Disks that are full, to the last block: ext4, xfs, btrfs and tmpfs.  What has no room says
# what it is, what was acknowledged stays, a journal that was made while there was room goes
# on, and one that needed room goes on when there is some.  On one of them (tests/run -f): with
# each kind of markers.
. "$(dirname "$0")/../lib/mounts.sh"
mounts_alone "$0" "$@" || alone=$why
. "$(dirname "$0")/../lib/common.sh"

t=$scratch/t
# in memory: these disks are filled often, and their class is not what is asked here
images=/dev/shm/jnl-full.$$
goes "$images"

small() # small FS [OPTIONS]: a file system at $t, for the test that calls it
{
	trap 'mounts_end "$images/image" "$t"; rm -f "$images/nvram"' EXIT
	mounts_make "$1" 160 "$images/image" "$t" ${2+"$2"} || wrong "$why"
}

fill() # others take all that there is
{
	local n=0
	while fallocate -l 16M "$t/fill.$n" 2>/dev/null; do
		n=$((n + 1))
	done
	# what is set aside for what has yet to be written comes back
	for n in {1..5}; do
		cat /dev/zero 2>/dev/null >>"$t/fill.last" || sync "$t/fill.last"
	done
	! head -c 4096 /dev/zero 2>/dev/null >"$t/more" || wrong "there is room in $(df "$t")"
	rm -f "$t/more"
}

made() # made KIND [OPTION...]: a journal at $t/j; its markers in a file, in memory, or mapped
{
	local kind=$1
	shift
	case $kind in
	file) journal "$t/j" "$@" ;;
	pmem) journal "$t/j" --marker "pmem:$images/nvram" "$@" ;;
	mapped) journal "$t/j" --marker "pmem:$t/j/nvram" "$@" ;;
	esac
}

there() # there IDS TEXTS: these are live, and no others, with these payloads
{
	cmp <(ids_of "$t/j") "$1" || wrong "other transactions are there than in $1"
	[ ! -s "$1" ] || { "$JNL" cat "$t/j" $(cat "$1") >"$scratch/found" && same "$scratch/found" "$2"; }
}

goes_on() # nothing is in it, and it works
{
	expect 0 "$JNL" put "$t/j" <<<"text"
	id=$(cat "$out")
	expect 0 "$JNL" cat "$t/j" "$id"
	printed text
	expect 0 "$JNL" retire "$t/j" "$id"
	printed "$id"
	expect 0 "$JNL" ls "$t/j"
	printed ""
	expect 0 "$JNL" check "$t/j"
}

texts() # texts COUNT: lines of 20,000
{
	perl -e 'printf("%-20000d\n", $_) for 1 .. shift' "$1"
}

too_small() # too_small FS: what was begun goes again
{
	local d=$t/d
	small "$1"
	mkdir "$d" "$scratch/log.$1"
	expect 1 "$JNL" format "$d/j" --size 900M --require process
	says "^jnl: $d/j/log: making a log of [0-9]+ bytes: No space left on device\$"
	[ -z "$(ls -A "$d")" ] || wrong "left: $(find "$d")"
	# room for the log, too little for markers
	fill
	rm "$t/fill.0"
	expect 1 "$JNL" format "$d/j" --size 9M --require process --marker "pmem:$d/m" \
		--log "$scratch/log.$1"
	says "^jnl: $d/m: cannot allocate 67108864 bytes: No space left on device\$"
	fill
	expect 1 "$JNL" format "$scratch/j.$1" --size 9M --require process --log "$d"
	says "^jnl: $d/journal-[-0-9a-f]+\.log: .*: No space left on device\$"
	[ -z "$(find "$d" "$scratch/log.$1" "$scratch/j.$1" -type f 2>"$out")" ] ||
		wrong "left: $(find "$d" "$scratch/log.$1")"
	rm "$t"/fill.*
	made file
	goes_on
}

put_until_full() # put_until_full FS KIND: of the log, and then of the disk
{
	local count
	small "$1"
	made "$2"
	texts 1500 >"$scratch/in"
	expect 1 "$JNL" put --as=lines "$t/j" "$scratch/in"
	says '^jnl: .*: message [0-9]+, byte [0-9]+: log: full: .* not retired'
	cp "$out" "$scratch/ids"
	count=$(wc -l <"$scratch/ids")
	[ "$count" -ge 300 ] || wrong "only $count are in it"
	head -n "$count" "$scratch/in" | tr -d '\n' >"$scratch/texts"
	there "$scratch/ids" "$scratch/texts"
	fill
	there "$scratch/ids" "$scratch/texts"
	expect 1 "$JNL" put --as=lines "$t/j" "$scratch/in"
	says '^jnl: .*: log: full: '
	# as many again, when half of them are gone
	head -n $((count / 2)) "$scratch/ids" >"$scratch/first"
	expect 0 "$JNL" retire "$t/j" - <"$scratch/first"
	same "$out" "$scratch/first"
	head -n $((count / 3)) "$scratch/in" >"$scratch/more"
	expect 0 "$JNL" put --as=lines "$t/j" "$scratch/more"
	{ tail -n +$((count / 2 + 1)) "$scratch/ids"; cat "$out"; } >"$scratch/all"
	{ tail -c +$((20000 * (count / 2) + 1)) "$scratch/texts"
		tr -d '\n' <"$scratch/more"; } >"$scratch/texts.all"
	there "$scratch/all" "$scratch/texts.all"
	expect 0 "$JNL" retire "$t/j" - <"$scratch/all"
	goes_on
}

# Others fill the disk while a process commits and retires, three times what the log has;
# then it is killed, and who comes next recovers.
filled_by_others() # filled_by_others FS KIND
{
	local count=6000
	small "$1"
	made "$2"
	mkfifo "$scratch/stop.$1.$2"
	# btrfs looks for room in vain at each store to a page that was synced, before it
	# does without
	[ "$1.$2" != btrfs.mapped ] || count=100
	"$BUILD/tests/integration/churn" "$t/j" $count <"$scratch/stop.$1.$2" \
		>"$scratch/said" 2>"$scratch/churn.err" &
	churn=$!
	ends $churn
	exec 8>"$scratch/stop.$1.$2"
	until_or_end $churn grep -q begun "$scratch/said"
	# as many can join a journal on a full disk as once had it open together
	expect 0 "$JNL" put "$t/j" <<<two
	expect 0 "$JNL" retire "$t/j" "$(cat "$out")"
	fill
	until_or_end $churn grep -q enough "$scratch/said"
	grep -q enough "$scratch/said" || wrong "$(cat "$scratch/churn.err")"
	expect 0 "$JNL" put --as=lines "$t/j" <<<$'one\ntwo'
	cp "$out" "$scratch/ids"
	kill -9 $churn
	wait $churn || true
	exec 8>&-
	expect 0 "$JNL" cat "$t/j" $(cat "$scratch/ids")
	printed onetwo
	expect 0 "$JNL" check "$t/j"
	ids_of "$t/j" >"$scratch/live"
	# what it had acknowledged, and perhaps one more
	[[ "$(wc -l <"$scratch/live")" = 5[0-3] ]] || wrong "live: $(wc -l <"$scratch/live")"
	expect 0 "$JNL" retire "$t/j" - <"$scratch/live"
	goes_on
}

# What needs room is refused, and changes nothing; with room it is done.
refused_until_there_is_room() # refused_until_there_is_room FS
{
	small "$1"
	made file
	mkdir "$t/log2"
	fill
	expect 1 "$JNL" resize "$t/j" --size 32M
	says "^jnl: $t/j/log: making it [0-9]+ bytes long: No space left on device\$"
	fill
	expect 1 "$JNL" resize "$t/j" --add-log "$t/log2"
	says "^jnl: $t/log2/.*: No space left on device\$"
	expect 1 "$JNL" set-marker "$t/j" "pmem:$t/j/m"
	says "^jnl: $t/j/m: .*No space left on device\$"
	fill
	expect 1 "$JNL" set-marker "$t/j" "file:$t/j/m"
	says "^jnl: $t/j/m: .*No space left on device\$"
	[ -z "$(find "$t/log2" -type f)" ] && [ ! -e "$t/j/m" ] || wrong "left: $(ls "$t/j" "$t/log2")"
	goes_on
	rm "$t"/fill.*
	expect 0 "$JNL" resize "$t/j" --size 24M
	expect 0 "$JNL" set-marker "$t/j" "file:$t/j/m"
	goes_on
}

if [ -n "${alone:-}" ]; then
	skip "disks that are full" "$alone"
	done_testing
fi
kinds() # kinds FS: all, or those where most was found
{
	case ${ON_FS:+all}$1 in
	all*) echo "file pmem mapped" ;;
	btrfs) echo "file mapped" ;;
	*) echo "file" ;;
	esac
}

for fs in ${ON_FS:-$file_systems}; do
	if ! (small "$fs") >"$scratch/why"; then
		skip "$fs" "$(cat "$scratch/why")"
		continue
	fi
	it "$fs: too small for a journal" too_small "$fs"
	for kind in $(kinds "$fs"); do
		if [ $kind != file ] && ! why=$(have_marker pmem); then
			skip "$fs: $kind" "$why"
			continue
		fi
		it "$fs: put until it is full, $kind" put_until_full "$fs" $kind
		it "$fs: filled by others, $kind" filled_by_others "$fs" $kind
	done
	it "$fs: what needs room is refused until there is some" refused_until_there_is_room "$fs"
done
done_testing
