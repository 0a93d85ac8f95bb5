#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two copies of a journal's directory, with the log elsewhere: it is one log.  Who has the
# older markers is refused, and writes nothing.
. "$(dirname "$0")/../lib/common.sh"

# DIR, and DIR.copy of the moment before the second of three messages
copied() # copied DIR KIND
{
	local option
	mkdir "$1.log"
	option=$(marker_option "$2" copied)
	# shellcheck disable=SC2086
	journal "$1" --log "$1.log" $option
	put "$1" 1
	cp -r "$1" "$1.copy"
	if [ "$2" != file ]; then
		option=${option#*:}
		goes "$option.copy"
		cp "$option" "$option.copy"
		sed -i "s:^marker = .*:&.copy:" "$1.copy/journal.conf"
	fi
	put "$1" 2
	put "$1" 3
}

# more than is staged
put() { { echo "message $2"; head -c 100000 /dev/zero; } | "$JNL" put "$1" >>"$1.ids"; }

sum_of() { cat "$1.log"/* | sha256sum; }

the_older_one_is_refused() # the_older_one_is_refused KIND
{
	local d=$scratch/d.$1 before
	copied "$d" "$1"
	before=$(sum_of "$d")
	expect 1 "$JNL" put "$d.copy" "$d.ids"
	says "is older than the log: its incarnation is 1, the log has 3"
	[ "$1" != file ] || says "another copy of the directory has written it"
	expect 1 "$JNL" retire "$d.copy" "$(head -n 1 "$d.ids")"
	[ "$(sum_of "$d")" = "$before" ] || wrong "the log was written"
	put "$d" 4
	[ "$("$JNL" ls "$d" | cut -d ' ' -f 1)" = "$(cat "$d.ids")" ] || wrong "$("$JNL" ls "$d")"
	expect 0 "$JNL" check "$d"
}

# a checkpoint that was damaged is not taken for that
a_damaged_one()
{
	local d=$scratch/damaged n slot
	mkdir "$d.log"
	journal "$d" --log "$d.log"
	put "$d" 1
	cp "$d/markers" "$d.before"
	put "$d" 2
	# what the last opening has written: of each slot the last byte that changed
	slot=$((($(stat -c %s "$d/markers") - 4096) / 3))
	cmp -l "$d.before" "$d/markers" | awk -v s=$slot \
		'{ last[int(($1 - 4097) / s)] = $1 } END { for (i in last) print last[i] - 1 }' \
		>"$d.changed"
	[ "$(wc -l <"$d.changed")" = 2 ] || wrong "$(cat "$d.changed")"
	while read -r n; do
		printf X | dd of="$d/markers" bs=1 seek="$n" conv=notrunc status=none
	done <"$d.changed"
	"$JNL" check "$d" >"$out" && wrong "no damage: $(cat "$out")"
	grep -q "the newest checkpoint is damaged" "$out" || wrong "$(cat "$out")"
	put "$d" 3
	[ "$("$JNL" ls "$d" | wc -l)" = 3 ] || wrong "$("$JNL" ls "$d")"
}

for kind in file pmem; do
	if why=$(have_marker "$kind"); then
		it "$kind: the older one is refused" the_older_one_is_refused "$kind"
	else
		skip "$kind" "$why"
	fi
done
it "a damaged checkpoint is not a copy" a_damaged_one
done_testing
