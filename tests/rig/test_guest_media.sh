#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serial
# slow
# diskless
# Our journal on the other media and file systems, and on a disk that lies.  Many guests: only
# for make check-rig.
set -eu
. "$(dirname "$0")/guests.sh"

[ -n "${CHECK_RIG:-}" ] || {
	skip "our journal on more media" "more guests: make check-rig"
	done_testing
}
needs_guests

our_journal_on_a_disk_that_lies()
{
	expect 1 tests/rig/journal file --lie both --fate drop --cuts 20 --seed 6 --lines 50-400 \
		--output "$scratch/ours"
	cat "$out"
	has '^disk: it LIED [1-9][0-9]* times'
	# what was acknowledged, or all of the journal
	has '^boot [0-9]+: (lost: |the check ended with status)'
}

it "our journal, markers in a file, btrfs" our_journal file btrfs 1 4
it "our journal, fsdax, ext4" our_journal fsdax ext4 2 6
it "our journal, devdax, xfs" our_journal devdax xfs 1 5
it "our journal on a disk that lies" our_journal_on_a_disk_that_lies
done_testing
