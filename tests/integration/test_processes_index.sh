#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# DIR/index says where the processes of a journal share what they know.  When it is
# stale, of another boot, gone or garbage, the next to open recovers; but while
# others are there it is refused, with the reason (P17).
. "$(dirname "$0")/../lib/common.sh"

index_file() { sed -n 's/^file=//p' "$1/index"; }

# a journal that a killed process had open: its index is left behind
killed() # killed DIR KIND
{
	# shellcheck disable=SC2046
	journal "$1" $(marker_option "$2" "$(basename "$1")")
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	: >"$scratch/ids" # the writer does so only after it has opened its input
	"$JNL" put "$1" --as lines <"$scratch/fifo" >"$scratch/ids" 2>"$scratch/writer.err" &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
	echo kept >&"$in"
	until_or_end $writer lines_at_least 1 "$scratch/ids"
	[ -s "$1/index" ]
	file=$(index_file "$1")
	goes "$file"
	[ -e "$file" ]
}

dies()
{
	kill -9 "$writer"
	wait "$writer" || true
	exec {in}>&-
}

opens_as_it_was() # opens_as_it_was DIR: what was put is there, one more can be put
{
	expect 0 "$JNL" put "$1" <<<more
	[ "$(ids_of "$1" | wc -l)" = 2 ]
	expect 0 "$JNL" cat "$1" "$(cat "$scratch/ids")"
	printed kept
	expect 0 "$JNL" check "$1"
	[ ! -e "$1/index" ] || wrong "the last one leaves an index behind"
}

as_it_was() { :; }
of_another_boot()
{
	sed -i 's/^boot=.*/boot=00000000-0000-0000-0000-000000000000/' "$1/index"
}
without_its_file() { rm "$(index_file "$1")"; }
file_is_another() { rm "$(index_file "$1")"; head -c 100000 /dev/zero >"$file"; }
file_is_garbage() { head -c 100000 /dev/urandom | dd of="$(index_file "$1")" conv=notrunc; }
file_is_cut() { truncate -s 100 "$(index_file "$1")"; }
is_garbage() { head -c 300 /dev/urandom >"$1/index"; }
is_empty() { : >"$1/index"; }
is_long() { head -c 100000 /dev/zero | tr '\0' x >>"$1/index"; }
names_a_file_elsewhere()
{
	echo precious >"$scratch/precious"
	sed -i "s|^file=.*|file=/dev/shm/libjournal-/../../$scratch/precious|" "$1/index"
}
is_gone() { rm "$1/index"; }

all="as_it_was of_another_boot without_its_file file_is_another file_is_garbage file_is_cut is_garbage
	is_empty is_long names_a_file_elsewhere is_gone"

stale() # stale KIND WHAT
{
	local j=$scratch/s.$1.$2
	killed "$j" "$1"
	dies
	"$2" "$j"
	opens_as_it_was "$j"
	[ ! -e "$scratch/precious" ] || [ "$(cat "$scratch/precious")" = precious ]
	# what the index does not mean for certain may be somebody else's
	case $2 in
	as_it_was | file_is_garbage | file_is_cut)
		[ ! -e "$file" ] || wrong "what was shared is left behind" ;;
	file_is_another)
		[ -e "$file" ] || wrong "somebody else's file is removed" ;;
	esac
}

# those who are there are not harmed, and who comes is told why it cannot join
refused_with_members_alive() # refused_with_members_alive KIND WHAT
{
	local j=$scratch/r.$1.$2
	killed "$j" "$1"
	cp "$j/index" "$scratch/index"
	"$2" "$j"
	expect 1 "$JNL" put "$j" <<<refused
	says "others have it open, and what they share is not to be found here"
	echo again >&"$in"
	until_or_end $writer lines_at_least 2 "$scratch/ids"
	exec {in}>&-
	wait $writer || wrong "$(cat "$scratch/writer.err")"
	[ "$(ids_of "$j" | wc -l)" = 2 ]
	expect 0 "$JNL" check "$j"
}

another_dev_shm() # another_dev_shm KIND
{
	local j=$scratch/n.$1
	killed "$j" "$1"
	expect 1 unshare -m bash -c "mount -t tmpfs none /dev/shm && exec '$JNL' put '$j'" <<<hidden
	says "others have it open, and what they share is not to be found here"
	expect 0 "$JNL" put "$j" <<<seen
	dies
	[ "$(ids_of "$j" | wc -l)" = 2 ]
	expect 0 "$JNL" check "$j"
}

# without shared memory one writes, and others are told
no_dev_shm() # no_dev_shm: nothing can be made in it
{
	local j=$scratch/none
	journal "$j"
	expect 0 unshare -m bash -c "mount -t tmpfs -o ro none /dev/shm && exec '$JNL' put '$j'" <<<alone
	expect 0 "$JNL" put "$j" <<<together
	[ "$(ids_of "$j" | wc -l)" = 2 ]
}

fills() { dd if=/dev/zero bs=4k of="$1/filler" 2>/dev/null || true; }

# its log has room: who opens it alone can empty it
full_file_system()
{
	local j=$scratch/full/j i
	mkdir "$scratch/full"
	mount -t tmpfs -o size=64M none "$scratch/full"
	trap 'umount -l "$scratch/full"' EXIT
	journal "$j" --size 32M
	for i in 1 2 3; do echo "message $i"; done | "$JNL" put "$j" --as lines >"$scratch/ids"
	fills "$scratch/full"
	for i in 1 2 3; do
		expect 0 "$JNL" retire "$j" "$(sed -n "$i"p "$scratch/ids")"
		[ ! -e "$j/index" ] || wrong "a part of DIR/index is left"
	done
	expect 0 "$JNL" put "$j" <<<more
	expect 0 "$JNL" check "$j"
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	: >"$scratch/alone"
	"$JNL" put "$j" --as lines <"$scratch/fifo" >"$scratch/alone" &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
	echo kept >&"$in"
	until_or_end $writer lines_at_least 1 "$scratch/alone"
	expect 1 "$JNL" put "$j" <<<refused
	says "in use by pid $writer"
	"$JNL" info "$j" >"$out"
	grep -q "^index: private: .*no room for an index that is shared: .*j/index: No space left" \
		"$out" || wrong "$(cat "$out")"
	exec {in}>&-
	wait $writer
	rm "$scratch/full/filler"
	[ "$(ids_of "$j" | wc -l)" = 2 ]
	umount "$scratch/full"
	trap - EXIT
}

# wherever it ends: in the file itself, or in what is added to it later
full_dev_shm()
{
	local j=$scratch/shm size
	journal "$j" --size 32M
	for size in 4k 1M $(seq 1088 64 1536 | sed 's/$/k/') 2M 4M 16M; do
		expect 0 unshare -m bash -c "mount -t tmpfs -o size=$size none /dev/shm &&
			exec '$JNL' put '$j'" <<<"$size"
	done
	[ "$(ids_of "$j" | wc -l)" = 13 ]
	expect 0 "$JNL" check "$j"
}

# another /dev/shm can be mounted over this one, for one process; else says why not
can_hide_dev_shm()
{
	case $(realpath "$scratch")/ in
	/dev/shm/*) echo "the tests' own files are in /dev/shm: TMPDIR is $TMPDIR"; return 1 ;;
	esac
	unshare -m true 2>/dev/null || { echo "unshare -m is not allowed here"; return 1; }
}

for kind in $markers; do
	why=$(have_marker $kind) || { skip "a stale index, $kind" "$why"; continue; }
	for what in $all; do
		it "it is recovered: $what, $kind" stale $kind $what
	done
	for what in of_another_boot without_its_file is_garbage is_gone; do
		it "with members alive refused: $what, $kind" refused_with_members_alive $kind $what
	done
	if why=$(can_hide_dev_shm); then
		[ $kind = pmem ] || it "P17: another /dev/shm, $kind" another_dev_shm $kind
	else
		skip "P17: another /dev/shm, $kind" "$why"
	fi
done
if why=$(can_hide_dev_shm); then
	it "no shared memory" no_dev_shm
	it "a full /dev/shm" full_dev_shm
else
	skip "no shared memory" "$why"
	skip "a full /dev/shm" "$why"
fi
if [ "$(id -u)" = 0 ] && mkdir "$scratch/try" && mount -t tmpfs none "$scratch/try" 2>/dev/null; then
	umount "$scratch/try"
	it "a full file system" full_file_system
else
	skip "a full file system" "a tmpfs cannot be mounted here"
fi
done_testing
