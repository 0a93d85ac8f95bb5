#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/fs: a command on a file system of each kind, of which nothing is left however it ends.
set -u
cd "$(dirname "$0")/../.." || exit 1
tree=$(mktemp -d "${TMPDIR:-/tmp}/fs.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/build" "$tree/tmp"
failed=0

check() # check WHAT CONDITION...
{
	local what=$1
	shift
	if "$@"; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/    /' "$tree/output"
		failed=1
	fi
}

on() # on FS COMMAND...; its status, and the output in $tree/output
{
	TMPDIR=$tree/tmp tests/fs -d "$tree/build" -s 64 "$@" >"$tree/output" 2>&1
}

exits() # exits STATUS COMMAND...
{
	local wanted=$1
	shift
	"$@"
	[ $? = "$wanted" ]
}

said() { grep -q -- "$1" "$tree/output"; }
image_in_use() { losetup -a | grep -q "$tree/build"; }
nothing_left()
{
	! grep -q "$tree" /proc/mounts && ! image_in_use &&
		[ -z "$(find "$tree/build" "$tree/tmp" -mindepth 1)" ]
}

# it runs until it is told to end; its pid is in $pid, that of its command in $sleeper
begin() # begin FS
{
	rm -f "$tree/pid"
	TMPDIR=$tree/tmp tests/fs -d "$tree/build" -s 64 "$1" \
		sh -c "echo \$\$ >$tree/pid.new; mv $tree/pid.new $tree/pid; exec sleep 1000" \
		>"$tree/output" 2>&1 &
	pid=$!
	until [ -e "$tree/pid" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
	read -r sleeper <"$tree/pid"
}

alone() { [ "$(readlink "/proc/$sleeper/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }

check "what is not known is skipped" exits 77 on ntfs true
check "and it is said why" said '^skip: ntfs: a file system that is not known'
if ! on tmpfs true; then
	cat "$tree/output"
	exit 77
fi
check "who is not root is told" exits 77 env setpriv --reuid 65534 --clear-groups \
	bash -c '. tests/lib/mounts.sh; mounts_alone || { echo "$why"; exit 77; }'
for fs in ext4 xfs btrfs tmpfs; do
	on $fs true
	if [ $? = 77 ]; then
		echo "ok - $fs # skip"
		cat "$tree/output"
		continue
	fi
	check "$fs: the status is the command's" exits 7 on $fs sh -c 'exit 7'
	check "$fs: that is where it is" on $fs sh -c 'df --output=fstype "$TMPDIR"'
	check "$fs: of this kind" said "^$fs\$"
	check "$fs: nothing is left" nothing_left
	begin $fs
	check "$fs: nobody else sees it" alone
	kill $pid
	wait $pid
	check "$fs: nothing is left when it was ended" nothing_left
	check "$fs: nor of its command" exits 1 kill -0 "$sleeper" 2>/dev/null
	begin $fs
	kill -9 $pid
	wait $pid 2>/dev/null
	kill -9 "$sleeper"
	# the kernel takes it away, a moment after the last process
	while image_in_use; do sleep 0.01; done
	check "$fs: killed, nothing is mounted any more" exits 1 grep -q "$tree" /proc/mounts
	rmdir "$tree/tmp/"*
	check "$fs: after that" on $fs true
	check "$fs: the next one clears up" nothing_left
done
exit $failed
