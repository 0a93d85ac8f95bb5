#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serial
# slow
# diskless
# What a run of the rig has to notice: a disk that lies, a kernel that complains, things that
# are lost or come back.  Many guests: only for make check-rig.
set -eu
. "$(dirname "$0")/guests.sh"

[ -n "${CHECK_RIG:-}" ] || {
	skip "what a run has to notice" "more guests: make check-rig"
	done_testing
}
needs_guests

a_disk_that_lies_is_noticed_and_named()
{
	forgetful 1 fsync --cuts 20 --seed 3 --lie flush --output "$scratch/lie"
	has '^boot [0-9]+: (lost: |what was there cannot be used any more: mount )'
	has '^disk: it LIED [1-9][0-9]* times'
}

what_is_lost_comes_back_or_is_there_twice_is_told()
{
	# called as one of busybox's own
	script w <<-'END'
		echo "+a"; echo "+b"; echo "+c"; echo "~b"; echo "~c"; echo "-b"; echo now
		sleep 100
	END
	script verifier <<-'END'
		echo "=b"; echo "=d"; echo "=d"; echo "!e is damaged"
		# the region is BAR 4, as large as asked for; zones are of 16 MiB
		bar=$(sed -n 5p /sys/bus/pci/devices/$RIG_PMR/resource | cut -d " " -f 1,2)
		[ -d "$RIG_FSDAX" ] && [ -c "$RIG_DEVDAX" ] && [ -b "$RIG_DISK" ] &&
			[ $((${bar#* } - ${bar% *} + 1)) = 33554432 ] &&
			[ "$(cat /sys/block/${RIG_ZNS#/dev/}/queue/zoned)" = host-managed ] &&
			[ "$(cat /sys/block/${RIG_ZNS#/dev/}/queue/chunk_sectors)" = 32768 ] &&
			echo all media
	END
	expect 1 $rig run --device fsdax,devdax,pmr=32M,zns --workload "$scratch/w" \
		--verify "$scratch/verifier" --at '^now$' --cuts 3 --output "$scratch/told" \
		--fs none --judge 'grep -c "^[+]" "$1"; grep "^all media" "$2"; exit 7; #'
	cat "$out"
	has '^boot 1: lost: a was acknowledged'
	has '^boot 1: back: b had gone'
	has '^boot 1: twice: d$'
	has '^boot 1: the check says: !e is damaged$'
	has '^boot 1: the judge ended with status 7$'
	has '^3$'
	has '^all media$'
	lacks ': c |lost: d'
}

a_kernel_that_complains_is_noticed()
{
	script worker <<-'END'
		for what in "BUG: x" "WARNING: x" "Oops: 0002" "task x blocked for more than 120 seconds." \
			"Kernel panic - not syncing: x" "general protection fault" "Call Trace:" \
			"watchdog: BUG: soft lockup" "rcu: INFO: rcu_sched detected stall" \
			"Out of memory: Killed process 7"; do
			echo "<2>$what made up" >/dev/kmsg
		done
		echo "<2>nothing made up" >/dev/kmsg
		echo "+a"
		sleep 100
	END
	script verifier <<<'echo "=a"'
	expect 1 $rig run --disk none --workload "$scratch/worker" --verify "$scratch/verifier" \
		--cuts 1 --lines 1-1 --output "$scratch/complains"
	cat "$out"
	[ "$(grep -c '^boot 0: kernel: .* made up' "$out")" = 10 ] || wrong "these are not ten"
	lacks nothing
}

a_guest_that_ends_by_itself_is_noticed()
{
	script worker <<<'echo c >/proc/sysrq-trigger'
	expect 1 $rig run --disk none --workload "$scratch/worker" --verify "$scratch/worker" \
		--cuts 1 --output "$scratch/ends"
	grep -q 'the guest ended by itself: .*Kernel panic' "$err" || wrong "$(cat "$out" "$err")"
}

a_medium_that_cannot_be_used_any_more_is_noticed()
{
	script worker <<-'END'
		echo "+a"
		dd if=/dev/zero of=$RIG_DISK bs=64k count=1 conv=fsync 2>/dev/null
		echo now
		sleep 100
	END
	expect 1 $rig run --workload "$scratch/worker" --verify "$scratch/worker" --at '^now$' \
		--cuts 1 --output "$scratch/unusable"
	cat "$out"
	has '^boot 1: what was there cannot be used any more: mount -t ext4 /dev/vda$'
}

it "a disk that lies is noticed, and named" a_disk_that_lies_is_noticed_and_named
it "what is lost, comes back or is there twice is told" \
	what_is_lost_comes_back_or_is_there_twice_is_told
it "a kernel that complains is noticed" a_kernel_that_complains_is_noticed
it "a guest that ends by itself is noticed" a_guest_that_ends_by_itself_is_noticed
it "a medium that cannot be used any more is noticed" \
	a_medium_that_cannot_be_used_any_more_is_noticed
done_testing
