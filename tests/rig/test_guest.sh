#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serial
# slow
# diskless
# The rig has to notice what it is for: a program without its fsync.  What else it has to
# notice is in test_guest_told.sh.
set -eu
. "$(dirname "$0")/guests.sh"

needs_guests

what_was_synced_is_there()
{
	forgetful 0 fsync --cuts 1 --seed 1
	has '^1 cuts in '
	has ' 0 lost, 0 back'
	# the guest's flushes came to the disk
	has '^disk: [0-9]+ writes, [1-9][0-9]* flushes'
	lacks LIED
}

a_missing_fsync_is_noticed()
{
	forgetful 1 none --cuts 20 --seed 2
	has '^boot [0-9]+: lost: [0-9]+ was acknowledged, and is not there$'
	has '^again: --seed 2; logs are in '
	goes "$(sed -n 's/^again: .* logs are in //p' "$out")"
}

it "what was synced is there" what_was_synced_is_there
it "a missing fsync is noticed" a_missing_fsync_is_noticed
done_testing
