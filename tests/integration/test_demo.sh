#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# The demonstration comes to its end and shows what it promises; it fails by
# itself when a message is not what went in.
. "$(dirname "$0")/../lib/common.sh"

the_demonstration()
{
	mkdir "$scratch/demo"
	DEMO_DIR=$scratch/demo expect 0 bash "$lib/../integration/demo.sh"
	cat "$out"
	for line in '[1-9][0-9]* messages, [1-9][0-9]* bytes' 'evidence: .' \
		'[1-9][0-9]* of [1-9][0-9]* were acknowledged when it died' \
		'[1-9][0-9]* transactions are there, found in ' \
		'([1-9][0-9]*) of \1 are the same' 'live now: ([1-9][0-9]*) of \1$' \
		'retired; live now: 0$' '^demo: done$'; do
		grep -Eq "$line" "$out" || wrong "it does not say '$line'"
	done
	if have_marker pmem; then
		for row in 'append and fsync' 'synced path' 'staged path, on plain DRAM'; do
			grep -Eq "^ *$row +[0-9.]+ +[0-9.]+ +(process|os|power)$" "$out" ||
				wrong "no row for $row"
		done
		grep -Eq '^ *staged path.* process$' "$out" || wrong "DRAM survives a process"
	fi
	[ -z "$(ls "$scratch/demo")" ] || wrong "it leaves behind $(ls "$scratch/demo")"
}

it "the demonstration" the_demonstration
done_testing
