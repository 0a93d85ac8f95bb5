#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl upgrade of the golden images: those of older versions become the newest, with all
# that is in them; those of this version have nothing to change.
. "$(dirname "$0")/../lib/common.sh"

golden=$lib/../layout/golden
newest=0 # FORMAT_VERSION

image() # image NAME: in $j
{
	rm -rf "$scratch/image"
	mkdir "$scratch/image"
	tar -C "$scratch/image" -xzf "$golden/$1.tar.gz"
	j=$(dirname "$(find "$scratch/image" -name journal.conf)")
}

image_is_brought_to_the_newest() # NAME
{
	local before changes version=${1#v}
	version=${version%%-*}
	image "$1"
	before=$("$JNL" ls "$j" | sha256sum)
	expect 0 "$JNL" upgrade "$j" --dry-run
	changes=$(wc -l <"$out")
	if [ "$version" = "$newest" ]; then
		printed "$j: has the newest format: nothing to change"
	else
		[ "$changes" -gt 1 ] || wrong "version $version, and nothing to change"
	fi
	expect 0 "$JNL" upgrade "$j"
	[ "$(wc -l <"$out")" = "$changes" ] || wrong "not what --dry-run said: $(cat "$out")"
	expect 0 "$JNL" upgrade "$j"
	printed "$j: has the newest format: nothing to change"
	[ "$("$JNL" ls "$j" | sha256sum)" = "$before" ] || wrong "its transactions are not the same"
	grep -q "^format = $newest\$" "$j/journal.conf" || wrong "$(cat "$j/journal.conf")"
}

it_refuses()
{
	expect 2 "$JNL" upgrade
	says "DIR is missing"
	expect 2 "$JNL" upgrade a b
	says "one argument too many"
	expect 1 "$JNL" upgrade "$scratch/nothing"
	says "nothing"
	mkdir "$scratch/empty"
	expect 1 "$JNL" upgrade "$scratch/empty"
	says "empty"
	[ -z "$(ls "$scratch/empty")" ] || wrong "it has made something: $(ls "$scratch/empty")"
	image v0-file
	sed -i 's/^format = .*/format = 1/' "$j/journal.conf"
	expect 1 "$JNL" upgrade "$j"
	says "version is not one that this library knows"
}

n=0
for image in "$golden"/*.tar.gz; do
	name=$(basename "$image" .tar.gz)
	it "$name is brought to the newest" image_is_brought_to_the_newest "$name"
	n=$((n + 1))
done
[ $n -ge 2 ] || { echo "not ok - only $n images"; failed=1; }
it "it refuses" it_refuses
done_testing
