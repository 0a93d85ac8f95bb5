#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced: file systems of each kind, over an image each, for tests to work on.
#
# Who mounts is in a mount namespace of his own (mounts_alone).  So nobody else sees
# what he mounts, and when the last of his processes has gone, be it killed, the
# kernel unmounts it, and the loop device goes with it.

file_systems="ext4 xfs btrfs tmpfs"

# Into a namespace of one's own: the script "$@" from its beginning, with
# MOUNTS_ALONE set.  Returns 1, with the reason in $why, where that cannot be.
mounts_alone() # mounts_alone SCRIPT ARGUMENTS...
{
	[ -z "${MOUNTS_ALONE:-}" ] || return 0
	why="only root may mount"
	[ "$(id -u)" = 0 ] || return 1
	why="no mount namespace can be had here"
	unshare -m --propagation private true 2>/dev/null || return 1
	MOUNTS_ALONE=1 exec unshare -m --propagation private "$BASH" "$@"
}

# Room for what is asked, and no less than its mkfs wants.
mounts_mib() # mounts_mib FS MIB
{
	local least
	case $1 in
	xfs) least=300 ;;
	btrfs) least=256 ;;
	*) least=1 ;;
	esac
	echo $(($2 > least ? $2 : least))
}

# A new file system at the folder AT, made here; IMAGE must not be there yet.  Returns
# 1 with the reason in $why.
mounts_make() # mounts_make FS MIB IMAGE AT [OPTIONS]
{
	local fs=$1 mib image=$3 at=$4 options=${5:+,$5} text
	mib=$(mounts_mib "$fs" "$2")
	mkdir -p "$at" "${image%/*}"
	if [ "$fs" = tmpfs ]; then
		why="tmpfs cannot be mounted here"
		mount -t tmpfs -o "size=${mib}M$options" none "$at" 2>/dev/null
		return
	fi
	case " $file_systems " in
	*" $fs "*) ;;
	*) why="a file system that is not known: $fs"; return 1 ;;
	esac
	why="mkfs.$fs is not installed"
	command -v "mkfs.$fs" >/dev/null || return 1
	why="no room for the image $image"
	truncate -s "${mib}M" "$image" || return 1
	case $fs in
	# without what mkfs leaves to be written later: a test is not slowed by it
	ext4) text=$(mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$image" 2>&1) ;;
	*) text=$("mkfs.$fs" -q "$image" 2>&1) ;;
	esac || { why="mkfs.$fs: ${text//$'\n'/ }"; rm -f "$image"; return 1; }
	text=$(mount -t "$fs" -o "loop$options" "$image" "$at" 2>&1) && return 0
	why="$fs cannot be mounted here: ${text//$'\n'/ }"
	rm -f "$image"
	return 1
}

# The file system and its image go, also where somebody holds on to it.
mounts_end() # mounts_end IMAGE AT
{
	umount "$2" 2>/dev/null || umount -l "$2" 2>/dev/null || true
	rm -f "$1"
	rmdir "$2" 2>/dev/null || true
}
