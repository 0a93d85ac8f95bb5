#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serial
# slow
# diskless
# Our journal in a guest whose power is cut: nothing that was acknowledged is lost, nothing
# that was retired is back.  And the truth of that: without a flush there is a loss.
set -eu
. "$(dirname "$0")/guests.sh"

needs_guests

# P12: a write that is complete is durable without a flush only on a disk without a volatile
# cache.  Here the kernel is told that there is none.
p12_without_a_flush_what_was_acknowledged_is_lost()
{
	script believer <<-'END'
		echo "write through" >/sys/block/vda/queue/write_cache
		exec load work "$RIG_DIR/journal"
	END
	expect 1 $rig run --program "$JNL" --program "$BUILD/tests/rig/load" \
		--setup "tests/rig/load-setup file" --workload "$scratch/believer" \
		--verify "$BUILD/tests/rig/load verify \$RIG_DIR/journal" --fate drop --cuts 20 --seed 8 --lines 50-400 \
		--output "$scratch/p12"
	cat "$out"
	has '^boot [0-9]+: (lost: |the check ended with status)'
	lacks LIED
}

it "our journal, fsdax, ext4" our_journal fsdax ext4 1 5
it "p12: without a flush what was acknowledged is lost" \
	p12_without_a_flush_what_was_acknowledged_is_lost
done_testing
