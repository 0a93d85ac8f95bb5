#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# How large a log is when nobody says so.
. "$(dirname "$0")/../lib/common.sh"

devices=$scratch/.devices
: >"$devices"

detach()
{
	while read -r device; do
		losetup -d "$device"
	done <"$devices"
	: >"$devices"
}

device() # device NAME BYTES: a loop device of so many, of which the path is in $NAME
{
	local made
	rm -f "$scratch/$1.image"
	truncate -s "$2" "$scratch/$1.image"
	made=$(losetup -f --show "$scratch/$1.image")
	echo "$made" >>"$devices"
	printf -v "$1" %s "$made"
}

log_bytes() { "$JNL" info --json "$1" | jq -c '[.logs[].bytes]'; }

sized() # sized WANTED JOURNAL: that is what its logs have, and it works
{
	[ "$(log_bytes "$2")" = "$1" ] || wrong "$2: $(log_bytes "$2"), not $1"
	echo text | "$JNL" put "$2" >"$2.id"
	expect 0 "$JNL" cat "$2" "$(cat "$2.id")"
	printed text
	expect 0 "$JNL" check "$2"
}

all_of_a_device()
{
	local j=$scratch/j a b c
	trap detach EXIT
	device a 64M
	device b 48M
	device c 4M
	expect 0 "$JNL" format "$j" --log "$a" --require process
	sized "[$((64 << 20))]" "$j"
	# all logs are alike, and a mirrored one has a head more
	expect 0 "$JNL" format "$j" --log "$a" --log "$b" --require process --force
	sized "[$((48 << 20)),$((48 << 20))]" "$j"
	expect 0 "$JNL" format "$j" --log "$a" --mirror "$b" --require process --force
	sized "[$(((48 << 20) - 8192))]" "$j"
	expect 1 "$JNL" format "$scratch/k" --log "$c" --require process
	says "a log of 4M, which is what the device has, makes no sense: at least 9M"
}

a_gibibyte_of_a_large_one()
{
	local j=$scratch/large a
	trap detach EXIT
	device a 3G
	expect 0 "$JNL" format "$j" --log "$a" --require process
	sized "[$((1 << 30))]" "$j"
}

a_tenth_of_the_free_space()
{
	local t=$scratch/t
	mkdir "$t"
	mount -t tmpfs -o size=200M none "$t"
	trap 'umount "$scratch/t"' EXIT
	expect 0 "$JNL" format "$t/j" --require process
	# the directory and the lock have taken a little
	[ "$("$JNL" info --json "$t/j" | jq '.logs[0].bytes / 1048576 | ceil')" = 20 ] ||
		wrong "$(log_bytes "$t/j")"
	sized "$(log_bytes "$t/j")" "$t/j"
}

root_and() { [ "$(id -u)" = 0 ] && "$@" 2>/dev/null; }
mounts() { mkdir "$scratch/try" && mount -t tmpfs none "$scratch/try" && umount "$scratch/try"; }

truncate -s 4096 "$scratch/image"
if device=$(root_and losetup -f --show "$scratch/image"); then
	losetup -d "$device"
	it "all of a device" all_of_a_device
	it "a gibibyte of a large one" a_gibibyte_of_a_large_one
else
	skip "of a device" "no loop device can be had here"
fi
if root_and mounts; then
	it "a tenth of the free space" a_tenth_of_the_free_space
else
	skip "a tenth of the free space" "a tmpfs cannot be mounted here"
fi
done_testing
