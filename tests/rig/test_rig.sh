#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# The rig as far as it needs no guest.
set -eu
. "$(dirname "$0")/guests.sh"

wrong_uses_are_told()
{
	local use
	for use in "" "dance" "run" "run --workload true" "run --fs vfat --workload a --verify b" \
		"run --device pmem7 --workload a --verify b" "run --lines 5 --workload a --verify b" \
		"run --lines 5-4 --workload a --verify b" "run --at ( --workload a --verify b" \
		"run --bus scsi --workload a --verify b" "shell there" "doctor all" \
		"run --device fsdax=big --workload a --verify b" \
		"run --device fsdax,fsdax --workload a --verify b" \
		"run --device pmr=3M --workload a --verify b" "run --kernel x --colour"; do
		# shellcheck disable=SC2086
		expect 2 $rig $use
		grep -q '^journal-rig: ' "$err" || wrong "$use: no word of it: $(cat "$err")"
	done
	expect 0 $rig --help
	has '^usage: journal-rig run'
}

the_doctor_says_what_is_missing()
{
	expect 1 env PATH="$scratch/empty" "$(command -v perl)" $rig doctor
	has '^missing +qemu-system-x86_64: apt-get install qemu-system-x86$'
	has '^missing +nbdkit: '
	has '^missing +busybox: '
}

it "wrong uses are told" wrong_uses_are_told
it "the doctor says what is missing" the_doctor_says_what_is_missing
done_testing
