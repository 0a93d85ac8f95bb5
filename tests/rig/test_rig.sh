#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serial
# slow
# diskless
# The rig: guests whose power is cut.  What it has to notice it is given: a program without
# its fsync, a disk that lies, a kernel that complains, things that are lost or come back.
set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
rig=tests/rig/rig
export JOURNAL_RIG_CACHE=${JOURNAL_RIG_CACHE:-$BUILD/rig-cache}
export JOURNAL_RIG_PLUGIN=$BUILD/nbdkit-volatile-plugin.so

script() # script NAME: a program for the guest, from stdin
{
	{
		echo '#!/bin/sh'
		cat
	} >"$scratch/$1"
	chmod +x "$scratch/$1"
}

has() # has PATTERN: in what it printed
{
	grep -Eq -- "$1" "$out" || wrong "it does not say '$1': $(cat "$out" "$err")"
}

lacks()
{
	! grep -Eq -- "$1" "$out" || wrong "it says '$1': $(cat "$out" "$err")"
}

# ---- without a guest ---------------------------------------------------------

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

# ---- with guests ---------------------------------------------------------------

no_guests() # prints why there can be none
{
	[ -n "${CHECK_RIG:-}" ] || { echo "booting guests takes minutes: make check-rig"; return; }
	case ${SANITIZE:-} in
	*[![:space:]]*) echo "programs under a sanitizer are too slow in a guest"; return ;;
	esac
	[ "${JNL_BINARY:-$JNL}" = "$JNL" ] || { echo "not under valgrind"; return; }
	[ "$(uname -m)" = x86_64 ] || { echo "the guest is an x86_64"; return; }
	$rig doctor >"$scratch/.doctor" || { sed -n 's/^missing *//p' "$scratch/.doctor" | head -n 1; return; }
	$rig fetch >"$scratch/.fetch" 2>&1 || tail -n 1 "$scratch/.fetch"
}

why=$(no_guests)
if [ -n "$why" ]; then
	skip "guests whose power is cut" "$why"
	done_testing
fi

forgetful() # forgetful STATUS HOW OPTION...
{
	local status=$1 how=$2
	shift 2
	expect "$status" $rig run --workload "$BUILD/tests/rig/forgetful $how \$RIG_DIR/file" \
		--verify "$BUILD/tests/rig/forgetful verify \$RIG_DIR/file" --lines 5-60 \
		--fate drop "$@"
	cat "$out"
}

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

our_journal() # our_journal KIND FS CUTS SEED
{
	expect 0 tests/rig/journal "$1" --fs "$2" --cuts "$3" --seed "$4" --lines 1-800
	cat "$out"
	has "^$3 cuts in "
	has ' 0 lost, 0 back'
}

our_journal_on_a_disk_that_lies()
{
	expect 1 tests/rig/journal file --lie both --fate drop --cuts 20 --seed 6 --lines 50-400 \
		--output "$scratch/ours"
	cat "$out"
	has '^disk: it LIED [1-9][0-9]* times'
	# what was acknowledged, or all of the journal
	has '^boot [0-9]+: (lost: |the check ended with status)'
}

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

it "what was synced is there" what_was_synced_is_there
it "a missing fsync is noticed" a_missing_fsync_is_noticed
it "a disk that lies is noticed, and named" a_disk_that_lies_is_noticed_and_named
it "what is lost, comes back or is there twice is told" \
	what_is_lost_comes_back_or_is_there_twice_is_told
it "a kernel that complains is noticed" a_kernel_that_complains_is_noticed
it "a guest that ends by itself is noticed" a_guest_that_ends_by_itself_is_noticed
it "a medium that cannot be used any more is noticed" \
	a_medium_that_cannot_be_used_any_more_is_noticed
it "our journal, markers in a file, btrfs" our_journal file btrfs 1 4
it "our journal, fsdax, ext4" our_journal fsdax ext4 2 5
it "our journal, devdax, xfs" our_journal devdax xfs 1 5
it "our journal on a disk that lies" our_journal_on_a_disk_that_lies
it "p12: without a flush what was acknowledged is lost" \
	p12_without_a_flush_what_was_acknowledged_is_lost
done_testing