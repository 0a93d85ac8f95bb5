#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Mail comes out as another reader of mboxrd, written apart, says it should.
# SEED=N repeats the random mailboxes.
. "$(dirname "$0")/../lib/common.sh"

seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
echo "# SEED=$seed"

agree() # agree MBOX
{
	local n=0 count
	rm -rf "$scratch/j" "$scratch/messages"
	mkdir "$scratch/messages"
	count=$(perl "$lib/mbox-split.pl" "$1" "$scratch/messages")
	expect 0 "$JNL" format "$scratch/j" --size 64M --require process
	expect 0 "$JNL" put "$scratch/j" --as mbox "$1"
	[ "$(wc -l <"$out")" = "$count" ] || wrong "$(wc -l <"$out") messages, not $count"
	cp "$out" "$scratch/ids"
	for ((n = 1; n <= count; n++)); do cat "$scratch/messages/$n"; done >"$scratch/wanted"
	xargs "$JNL" cat "$scratch/j" <"$scratch/ids" >"$scratch/got"
	same "$scratch/got" "$scratch/wanted"
	"$JNL" ls "$scratch/j" | awk '{ print $2 }' >"$scratch/sizes"
	for ((n = 1; n <= count; n++)); do stat -c %s "$scratch/messages/$n"; done >"$scratch/wanted"
	same "$scratch/sizes" "$scratch/wanted"
}

random_mailboxes()
{
	local i
	for i in 1 2 3; do
		perl "$lib/random-mbox.pl" $((seed + i)) >"$scratch/mbox"
		agree "$scratch/mbox"
	done
}

it "the sample mails" agree "$lib/sample.mbox"
it "random mailboxes, SEED=$seed" random_mailboxes
done_testing
