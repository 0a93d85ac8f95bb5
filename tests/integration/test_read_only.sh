#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A file system that becomes read-only under two processes that use a journal on it: by an
# error of its own, shut down, or because the disk under it takes no more writes.  All are
# told, and why; nothing that was acknowledged is lost when it is back, nor is anything back
# that was retired.  On one file system (tests/run -f) with each kind of markers.
. "$(dirname "$0")/../lib/mounts.sh"
mounts_alone "$0" "$@" || alone=$why
. "$(dirname "$0")/../lib/common.sh"

t=$scratch/t
# a disk that is thin: its image has blocks as they are written, as long as there are any
disk=$scratch/disk
memory=/dev/shm/jnl-ro.$$
goes "$memory"

gone() # whoever still writes ends first
{
	local pid
	for pid in ${writers:-}; do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait
	mounts_end "$disk/image" "$t"
	umount -l "$disk" 2>/dev/null || true
	rm -f "$memory/nvram"
}

small() # small FS: a file system at $t, for the test that calls it
{
	trap gone EXIT
	mkdir -p "$disk" "$memory"
	mount -t tmpfs -o size=400M none "$disk" || wrong "a tmpfs cannot be mounted here"
	case $1 in
	ext4) options=errors=remount-ro ;;
	*) options="" ;;
	esac
	mounts_make "$1" 160 "$disk/image" "$t" $options || wrong "$why"
}

made() # made KIND
{
	case $1 in
	file) journal "$t/j" ;;
	pmem) journal "$t/j" --size 64M --marker "pmem:$memory/nvram" ;;
	mapped) journal "$t/j" --marker "pmem:$t/j/nvram" ;;
	esac
}

again() # mounted again, as after a reboot
{
	# the kernel ends the reads and writes of the dead in its own time
	until umount "$t" 2>/dev/null; do sleep 0.01; done
	mount -t "$1" -o "loop${options:+,$options}" "$disk/image" "$t"
}

texts() # texts COUNT
{
	perl -e 'printf("text %d\n", $_) for 1 .. shift' "$1"
}

# Two who have the journal open: one puts all the time, the other one has put once.  Some
# was retired.
begin_two()
{
	expect 0 "$JNL" put --as=lines "$t/j" <<<$'gone\ngone too'
	cp "$out" "$scratch/retired"
	expect 0 "$JNL" retire "$t/j" - <"$scratch/retired"
	rm -f "$scratch"/{busy,idle}.*
	mkfifo "$scratch/idle.in"
	texts 2000000 | "$JNL" put --as=lines "$t/j" >"$scratch/busy.ids" 2>"$scratch/busy.err" &
	busy=$!
	"$JNL" put --as=lines "$t/j" "$scratch/idle.in" >"$scratch/idle.ids" 2>"$scratch/idle.err" &
	idle=$!
	writers="$busy $idle"
	exec 7>"$scratch/idle.in"
	echo "idle" >&7
	until_or_end $idle lines_at_least 1 "$scratch/idle.ids"
	until_or_end $busy lines_at_least 100 "$scratch/busy.ids"
}

# A store to a mapping of a file is all that a process can do about it: where the file
# system does not take it any more, that is SIGBUS.
died_of_it() # died_of_it KIND STATUS
{
	[ "$1" = mapped ] && [ "$2" = 135 ]
}

# Both have an error that gives the reason.
all_are_told() # all_are_told KIND REASON
{
	local status=0
	wait $busy 2>/dev/null || status=$?
	[ $status = 1 ] || died_of_it "$1" $status ||
		wrong "who puts exits $status: $(cat "$scratch/busy.err")"
	trap '' PIPE
	echo "too late" >&7 || true
	exec 7>&-
	status=0
	wait $idle 2>/dev/null || status=$?
	[ $status = 1 ] || died_of_it "$1" $status ||
		wrong "who was idle exits $status: $(cat "$scratch/idle.err")"
	writers=""
	lines_at_least 1 "$scratch/idle.ids" && ! lines_at_least 2 "$scratch/idle.ids" ||
		wrong "a put of later was acknowledged"
	for err in "$scratch/busy.err" "$scratch/idle.err"; do
		[ "$1" = mapped ] && [ ! -s "$err" ] && continue
		says "^jnl: .*: message [0-9]+, byte [0-9]+: .*(log /|markers |a medium).*: failed \\($2\\)"
	done
	err=$scratch/.err
}

# Exactly what was acknowledged, or in flight, is there.
nothing_is_lost()
{
	local count
	count=$(wc -l <"$scratch/busy.ids")
	expect 0 "$JNL" check "$t/j"
	ids_of "$t/j" | sort >"$scratch/live"
	sort "$scratch/busy.ids" "$scratch/idle.ids" >"$scratch/acknowledged"
	[ -z "$(comm -23 "$scratch/acknowledged" "$scratch/live")" ] ||
		wrong "lost: $(comm -23 "$scratch/acknowledged" "$scratch/live" | head)"
	# of each of the two one may have been in flight
	[ "$(comm -13 "$scratch/acknowledged" "$scratch/live" | wc -l)" -le 2 ] ||
		wrong "$(comm -13 "$scratch/acknowledged" "$scratch/live" | head)"
	[ -z "$(comm -12 <(sort "$scratch/retired") "$scratch/live")" ] || wrong "retired ones are back"
	"$JNL" cat "$t/j" $(head -n 1000 "$scratch/busy.ids") >"$scratch/found"
	same "$scratch/found" <(texts $((count < 1000 ? count : 1000)) | tr -d '\n')
	expect 0 "$JNL" retire "$t/j" - <"$scratch/live"
	expect 0 "$JNL" put "$t/j" <<<"again"
	expect 0 "$JNL" cat "$t/j" "$(cat "$out")"
	printed again
	expect 0 "$JNL" check "$t/j"
}

fails_by_itself() # fails_by_itself FS KIND: as a damaged file system does
{
	local device
	small "$1"
	made "$2"
	device=$(findmnt -n -o SOURCE "$t")
	begin_two
	case $1 in
	ext4)
		echo 1 >"/sys/fs/ext4/${device#/dev/}/trigger_fs_error"
		all_are_told "$2" "Read-only file system"
		expect 1 "$JNL" put "$t/j" <<<"more"
		says "^jnl: $t/j/lock: Read-only file system\$"
		expect 0 "$JNL" ls "$t/j"
		;;
	xfs)
		xfs_io -x -c shutdown "$t"
		all_are_told "$2" "Input/output error"
		expect 1 "$JNL" put "$t/j" <<<"more"
		says "^jnl: $t/j/.*: Input/output error\$"
		;;
	esac
	again "$1"
	nothing_is_lost
}

disk_takes_no_more() # disk_takes_no_more FS KIND
{
	small "$1"
	made "$2"
	# blocks of zeros are none
	umount "$t"
	fallocate -d "$disk/image"
	mount -t "$1" -o "loop${options:+,$options}" "$disk/image" "$t"
	begin_two
	# While nothing is written: of a write that has room for its beginning the loop device
	# says that all of it was done.
	fsfreeze -f "$t"
	fallocate -l "$(df -B1 --output=avail "$disk" | tail -n 1)" "$disk/full" 2>/dev/null || true
	! cat /dev/zero 2>/dev/null >>"$disk/full" || wrong "that disk has no end"
	fsfreeze -u "$t"
	# what is not there yet is asked for
	sync -f "$t" || true
	all_are_told "$2" ".*"
	rm "$disk/full"
	again "$1"
	nothing_is_lost
}

# As an administrator does it.  The kernel refuses while somebody has it open to write.
remounted() # remounted FS
{
	small "$1"
	made file
	begin_two
	! mount -o remount,ro "$t" 2>/dev/null || wrong "it is read-only under those who write"
	kill -9 $busy
	exec 7>&-
	wait $idle || wrong "$(cat "$scratch/idle.err")"
	wait $busy 2>/dev/null || true
	writers=""
	# the kernel ends the reads and writes of the dead in its own time
	until mount -o remount,ro "$t" 2>/dev/null; do sleep 0.01; done
	for command in "put $t/j" "retire $t/j $(head -n 1 "$scratch/busy.ids")"; do
		# shellcheck disable=SC2086
		expect 1 "$JNL" $command </dev/null
		says "^jnl: $t/j/lock: Read-only file system\$"
	done
	expect 0 "$JNL" cat "$t/j" "$(head -n 1 "$scratch/busy.ids")"
	printed "text 1"
	expect 0 "$JNL" check "$t/j"
	mount -o remount,rw "$t"
	nothing_is_lost
}

can_fail() # can_fail FS: by itself; else $why
{
	local file
	case $1 in
	ext4)
		why="this kernel's ext4 has no trigger_fs_error"
		for file in /sys/fs/ext4/*/trigger_fs_error; do
			[ ! -e "$file" ] || return 0
		done
		# there is one for each that is mounted
		(small ext4 && ls /sys/fs/ext4/*/trigger_fs_error) >/dev/null 2>&1
		;;
	xfs)
		why="xfs_io is not installed"
		command -v xfs_io >/dev/null
		;;
	btrfs)
		why="no command of btrfs makes it fail"
		return 1
		;;
	esac
}

if [ -n "${alone:-}" ]; then
	skip "read-only file systems" "$alone"
	done_testing
fi
kinds=file
[ -z "${ON_FS:-}" ] || ! have_marker pmem >/dev/null || kinds="file pmem mapped"
for fs in ${ON_FS:-$file_systems}; do
	if ! (small "$fs") >"$scratch/why"; then
		skip "$fs" "$(cat "$scratch/why")"
		continue
	fi
	it "$fs: remounted" remounted "$fs"
	# it has no disk, and nothing makes it fail
	[ "$fs" != tmpfs ] || continue
	for kind in $kinds; do
		if can_fail "$fs"; then
			it "$fs: fails by itself, $kind" fails_by_itself "$fs" $kind
		else
			skip "$fs: fails by itself, $kind" "$why"
		fi
		it "$fs: the disk takes no more, $kind" disk_takes_no_more "$fs" $kind
	done
done
done_testing
