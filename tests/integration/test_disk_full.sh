#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A disk that is full: what it is that has no room is said, and what was made can be used.
. "$(dirname "$0")/../lib/common.sh"

t=$scratch/t

small() # small BYTES: a file system of so many at $t, for the test that calls it
{
	mkdir -p "$t"
	mount -t tmpfs -o "size=$1" none "$t"
	trap 'umount "$t"' EXIT
}

fill()
{
	# what is set aside for what has yet to be written comes back
	for _ in {1..5}; do
		cat /dev/zero 2>/dev/null >>"$t/fill" || sync "$t/fill"
	done
	! echo more 2>/dev/null >"$t/more" || wrong "there is room in $(df "$t")"
	rm "$t/more"
}

no_room_for_the_lock()
{
	small 20M
	mkdir "$t/x"
	journal "$t/j" --size 9M
	: >"$t/j/lock"
	fill
	expect 1 "$JNL" format "$t/x" --size 9M --require process
	says "^jnl: $t/x/lock: No space left on device\$"
	[ -z "$(ls "$t/x")" ] || wrong "$(ls "$t/x")"
	expect 1 "$JNL" put "$t/j" </dev/null
	says "^jnl: $t/j/lock: No space left on device\$"
	expect 0 "$JNL" ls "$t/j"
}

goes_on() # goes_on JOURNAL: made while there was room, and there is none any more
{
	! mkdir "$t/more" 2>/dev/null || wrong "there is room in $(df "$t")"
	expect 0 "$JNL" put "$1" <<<"text"
	id=$(cat "$out")
	expect 0 "$JNL" cat "$1" "$id"
	printed text
	expect 0 "$JNL" retire "$1" "$id"
	printed "$id"
	expect 0 "$JNL" ls "$1"
	printed ""
	expect 0 "$JNL" check "$1"
}

no_room_after_format()
{
	local n=0
	small 20M,nr_inodes=20
	journal "$t/j" --size 9M
	fill
	while : 2>/dev/null >"$t/$n"; do
		n=$((n + 1))
	done
	goes_on "$t/j"
	# who makes it says whose it is
	[ "$(stat -c %a "$t/j/peers" "$t/j/peers/0" | xargs)" = "700 600" ] ||
		wrong "$(ls -la "$t/j" "$t/j/peers")"
	rm "$t"/[0-9]* "$t/fill"
	journal "$t/g" --mode 0660 --size 9M --log "$scratch"
	[ "$(stat -c %a "$t/g/peers" "$t/g/peers/0" | xargs)" = "770 660" ] ||
		wrong "$(ls -la "$t/g" "$t/g/peers")"
}

# A limit of the size of files, by whoever started it: no death, and nothing is left.
a_limit_for_files()
{
	local d=$scratch/limit
	expect 1 bash -c 'ulimit -c 0; ulimit -f 1000; exec "$@"' - "$JNL" format "$d" --size 9M \
		--require process
	says "^jnl: $d/log: .*File too large"
	[ ! -e "$d" ] || wrong "$(ls -l "$d")"
}

mounts()
{
	[ "$(id -u)" = 0 ] && mkdir "$scratch/try" && mount -t tmpfs none "$scratch/try" 2>/dev/null &&
		umount "$scratch/try"
}

it "a limit for files" a_limit_for_files
if mounts; then
	it "no room for the lock" no_room_for_the_lock
	it "no room after format" no_room_after_format
else
	skip "no room for the lock" "a small file system cannot be mounted here"
fi
done_testing
