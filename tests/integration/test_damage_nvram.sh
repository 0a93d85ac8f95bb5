#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Damage to words of NVRAM: a line's epoch, records of a stage.  What else there is, is
# there all the same, what is not has a name, and nothing that was retired comes back.
. "$(dirname "$0")/../lib/common.sh"

nvram() { echo "/dev/shm/jnl.$$.$1"; }

u64() { od -A n -t u8 -j "$2" -N 8 "$1" | tr -d ' '; } # u64 FILE OFFSET
u32() { od -A n -t u4 -j "$2" -N 4 "$1" | tr -d ' '; }

# zeros FILE OFFSET BYTES; ones, the same
zeros() { head -c "$3" /dev/zero | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
ones() { head -c "$3" /dev/zero | tr '\0' '\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# A journal with 700 messages of BYTES each, every seventh of them retired.  Small ones
# are in the stage, large ones in the log.
seven_hundred() # seven_hundred DIR NAME BYTES
{
	goes "$(nvram "$2")"
	expect 0 "$JNL" format "$1" --size 64M --require process \
		--marker "pmem:$(nvram "$2")"
	seq 700 | perl -ne "chomp; print \$_, 'x' x ($3 - length), qq(\n)" >"$scratch/messages"
	"$JNL" put "$1" --as lines "$scratch/messages" >"$scratch/ids"
	sed -n '1~7p' "$scratch/ids" | "$JNL" retire "$1" - >"$scratch/retired"
	grep -vxFf "$scratch/retired" "$scratch/ids" >"$scratch/live"
	sed '1~7d' "$scratch/messages" >"$scratch/payloads"
}

all_is_there() # all_is_there DIR
{
	ids_of "$1" >"$scratch/now"
	same "$scratch/live" "$scratch/now"
	# shellcheck disable=SC2046
	"$JNL" cat "$1" $(cat "$scratch/live") >"$scratch/read"
	tr -d '\n' <"$scratch/payloads" >"$scratch/want"
	same "$scratch/want" "$scratch/read"
}

# the writer that comes next mends it, and goes on
goes_on() # goes_on DIR
{
	echo one more | "$JNL" put "$1" >"$scratch/more"
	! grep -qxF "$(cat "$scratch/more")" "$scratch/ids" || wrong "an id is issued again"
	# not always the highest: it goes on in a line that another processor began
	sort -o "$scratch/live" "$scratch/live" "$scratch/more"
	ids_of "$1" | sort >"$scratch/now"
	same "$scratch/live" "$scratch/now"
	expect 0 "$JNL" check "$1"
}

epochs() # epochs HOW AT BYTES NAME PAYLOAD: damage @BYTES at @AT in each line that is used
{
	local j=$scratch/$4 file lines line
	file=$(nvram "$4")
	seven_hundred "$j" "$4" "$5"
	lines=$(u64 "$file" 96)
	for line in 0 1; do
		[ "$(u64 "$file" $((lines + line * 192)))" != 18446744073709551615 ] ||
			wrong "line $line is not used"
		$1 "$file" $((lines + line * 192 + $2)) "$3"
	done
	expect 3 "$JNL" check "$j"
	[ "$(grep -c '^damage: .*line [01].*epoch' "$out")" = 2 ] || wrong "$(cat "$out")"
	[ "$(grep -c '^damage' "$out")" = 2 ] || wrong "$(cat "$out")"
	all_is_there "$j"
	expect 3 "$JNL" check "$j"
	goes_on "$j"
}

# A block of lines reads zeros, which is "all committed, all retired", or ones, which is "never
# used": nobody believes it.
lines_without_words() # lines_without_words zeros|ones BYTES
{
	local j=$scratch/$1 file
	file=$(nvram "$1")
	seven_hundred "$j" "$1" "$2"
	"$1" "$file" "$(u64 "$file" 96)" 384
	expect 3 "$JNL" check "$j"
	cp "$scratch/ids" "$scratch/live"
	cp "$scratch/messages" "$scratch/payloads"
	all_is_there "$j"
	goes_on "$j"
	rm -rf "$j" "$file"
}

# A page begins and ends somewhere within a line: of one it has the maps, of another one the
# epoch and one map.
a_page_of_zeros() # a_page_of_zeros PAGE BYTES
{
	local j=$scratch/page file
	file=$(nvram page)
	goes "$file"
	expect 0 "$JNL" format "$j" --size 24M --require process --marker "pmem:$file"
	seq 12000 | perl -ne "chomp; print 'x' x $2, \$_, qq(\n)" >"$scratch/messages"
	"$JNL" put "$j" --as lines "$scratch/messages" >"$scratch/ids"
	sed -n '1~7p' "$scratch/ids" | "$JNL" retire "$j" - >"$scratch/retired"
	grep -vxFf "$scratch/retired" "$scratch/ids" | sort >"$scratch/live"
	[ "$(u64 "$file" 96)" -lt $(($1 * 4096)) ] || wrong "no lines there"
	zeros "$file" $(($1 * 4096)) 4096
	expect 3 "$JNL" check "$j"
	! grep -q "LOST\|without a name" "$out" || wrong "$(cat "$out")"
	ids_of "$j" | sort >"$scratch/now"
	[ -z "$(comm -23 "$scratch/live" "$scratch/now")" ] || wrong "not all are there"
	[ -z "$(comm -13 <(sort "$scratch/ids") "$scratch/now")" ] || wrong "some were never put"
	# a writer mends it, and what is retired then stays so
	head -n 3000 "$scratch/live" | "$JNL" retire "$j" - >"$scratch/retired"
	expect 0 "$JNL" check "$j"
	ids_of "$j" | sort >"$scratch/now"
	[ -z "$(comm -23 <(tail -n +3001 "$scratch/live") "$scratch/now")" ] || wrong "not all are there"
	[ -z "$(comm -12 <(sort "$scratch/retired") "$scratch/now")" ] || wrong "some are back"
	rm -rf "$j" "$file"
}

# Nothing is left of the words, nor of the stage: no id is issued again.
all_but_the_superblocks()
{
	local j=$scratch/blank file
	file=$(nvram blank)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	seq 150 | "$JNL" put "$j" --as lines >"$scratch/ids"
	zeros "$file" 8192 $((1 << 20))
	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*stage.*lost, without a name" "$out" || wrong "$(cat "$out")"
	seq 150 >"$scratch/lines"
	expect 0 "$JNL" put "$j" --as lines "$scratch/lines"
	says "at least 1 more"
	! grep -qxFf "$scratch/ids" "$out" || wrong "ids are issued again"
}

# the one with what is staged, and what is not
a_line_of_ones_with_both()
{
	local j=$scratch/both file lines line
	file=$(nvram both)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	seq 300 | perl -ne 'chomp; print "$_ " x ($_ % 2 ? 1 : 9000), "\n"' >"$scratch/messages"
	"$JNL" put "$j" --as lines <"$scratch/messages" >"$scratch/ids"
	lines=$(u64 "$file" 96)
	for line in 0 1 2; do
		ones "$file" $((lines + line * 192)) 192
		expect 3 "$JNL" check "$j"
		# shellcheck disable=SC2046
		"$JNL" cat "$j" $(cat "$scratch/ids") >"$scratch/read"
		tr -d '\n' <"$scratch/messages" | cmp - "$scratch/read"
		[ "$(ids_of "$j" | wc -l)" = 300 ] || wrong "$(ids_of "$j")"
		[ "$("$JNL" ls "$j" | grep -c direct)" = 150 ] || wrong "$(ids_of "$j")"
	done
}

# A bit of a slot that nobody has used yet would retire what is put there.
bit_of_an_unused_slot()
{
	local j=$scratch/bit file
	file=$(nvram bit)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	seq 60 | taskset 1 "$JNL" put "$j" --as lines >"$scratch/ids"
	zeros "$file" $(($(u64 "$file" 96) + 128 + 8)) 1
	seq 60 | taskset 1 "$JNL" put "$j" --as lines >>"$scratch/ids"
	ids_of "$j" >"$scratch/now"
	sort "$scratch/ids" >"$scratch/live"
	same "$scratch/live" "$scratch/now"
}

# Nor is a word believed that says that slots are free in which something lives.
word_of_where_a_line_goes_on()
{
	local j=$scratch/clean file at lane
	file=$(nvram clean)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	seq 600 | taskset 1 "$JNL" put "$j" --as lines >"$scratch/ids"
	# the words of all lanes are those of the first, of a journal with three in it
	goes "$(nvram small)"
	journal "$scratch/small" --marker "pmem:$(nvram small)"
	seq 3 | taskset 1 "$JNL" put "$scratch/small" --as lines >"$scratch/none"
	for lane in $(seq 0 $(($(u32 "$file" 128) - 1))); do
		at=$(($(u64 "$file" 88) + lane * 64 + 8))
		for from in $(seq 0 $(($(u32 "$file" 128) - 1))); do
			dd if="$(nvram small)" bs=8 skip=$((($(u64 "$file" 88) + from * 64) / 8 + 1)) \
				count=1 of="$scratch/word" status=none
			[ "$(u64 "$scratch/word" 0)" = 18446744073709551615 ] || break
		done
		dd if="$scratch/word" of="$file" bs=8 seek=$((at / 8)) count=1 conv=notrunc status=none
	done
	seq 60 | taskset 1 "$JNL" put "$j" --as lines >>"$scratch/ids"
	sort "$scratch/ids" | uniq -d >"$scratch/twice"
	[ ! -s "$scratch/twice" ] || wrong "issued again: $(cat "$scratch/twice")"
	ids_of "$j" >"$scratch/now"
	sort "$scratch/ids" >"$scratch/live"
	same "$scratch/live" "$scratch/now"
}

# There are records of two epochs of one line, and others that live before them.
epoch_of_a_line_used_again()
{
	local j=$scratch/again file line lines n
	file=$(nvram again)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	: >"$scratch/ids"
	: >"$scratch/retired"
	for n in 600 936 700 100; do
		seq $n | "$JNL" put "$j" --as lines >"$scratch/new"
		cat "$scratch/new" >>"$scratch/ids"
		[ $n = 100 ] || head -n 512 "$scratch/new" | "$JNL" retire "$j" - >>"$scratch/retired"
	done
	grep -vxFf "$scratch/retired" "$scratch/ids" | sort >"$scratch/live"
	lines=$(u64 "$file" 96)
	for line in 0 1 2 3; do
		zeros "$file" $((lines + line * 192)) 16
	done
	expect 3 "$JNL" check "$j"
	ids_of "$j" | sort >"$scratch/now"
	same "$scratch/live" "$scratch/now"
	goes_on "$j"
}

# Its records may be on the log that is not there: nothing is decided, nor written over,
# before that is back.
epoch_while_a_log_is_away()
{
	local j=$scratch/away file lines
	file=$(nvram away)
	goes "$file"
	mkdir "$scratch/a" "$scratch/b"
	expect 0 "$JNL" format "$j" --size 64M --require process --marker "pmem:$file" \
		--log "$scratch/a" --log "$scratch/b"
	seq 300 | perl -ne "chomp; print \$_, 'x' x 20000, qq(\n)" |
		"$JNL" put "$j" --as lines | sort >"$scratch/live"
	cp "$scratch/live" "$scratch/ids"
	lines=$(u64 "$file" 96)
	zeros "$file" "$lines" 16
	mv "$scratch/b" "$scratch/b.away"
	expect 3 "$JNL" check "$j"
	grep -q '^damage: .*line 0.*cannot be decided' "$out" || wrong "$(cat "$out")"
	echo one more | "$JNL" put "$j" >"$scratch/more"
	cat "$scratch/more" >>"$scratch/ids"
	cat "$scratch/more" >>"$scratch/live"
	mv "$scratch/b.away" "$scratch/b"
	expect 3 "$JNL" check "$j"
	goes_on "$j"
}

# What is staged in such a line is served.  What a map said of the others, nobody knows when
# the log is back: it is told before.
a_line_of_ones_while_a_log_is_away()
{
	local j=$scratch/ones.away file
	file=$(nvram ones.away)
	goes "$file"
	mkdir "$scratch/c" "$scratch/d"
	expect 0 "$JNL" format "$j" --size 64M --require process --marker "pmem:$file" \
		--log "$scratch/c" --log "$scratch/d"
	seq 50 | taskset 1 "$JNL" put "$j" --as lines >"$scratch/staged"
	# the next one goes on in that line
	seq 50 | perl -ne "chomp; print \$_, 'x' x 20000, qq(\n)" |
		taskset 1 "$JNL" put "$j" --as lines >"$scratch/direct"
	ones "$file" "$(u64 "$file" 96)" 192
	mv "$scratch/d" "$scratch/d.away"
	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*line 0: what it committed on a log.*is lost, without a name" "$out" ||
		wrong "$(cat "$out")"
	ids_of "$j" | sort >"$scratch/now"
	[ -z "$(comm -23 <(sort "$scratch/staged") "$scratch/now")" ] || wrong "not all are there"
	echo one more | "$JNL" put "$j" >>"$scratch/staged"
	mv "$scratch/d.away" "$scratch/d"
	expect 0 "$JNL" check "$j"
	ids_of "$j" | sort >"$scratch/now"
	[ -z "$(comm -23 <(sort "$scratch/staged") "$scratch/now")" ] || wrong "not all are there"
	[ -z "$(comm -13 <(sort "$scratch/staged" "$scratch/direct") "$scratch/now")" ] ||
		wrong "some were never put"
}

# Nothing of it lives: there is no record to go by, and nothing to lose.
epoch_without_a_record()
{
	local j=$scratch/empty file lines lane at
	file=$(nvram empty)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	seq 600 | "$JNL" put "$j" --as lines >"$scratch/ids"
	"$JNL" retire "$j" - <"$scratch/ids" >"$scratch/none"
	lines=$(u64 "$file" 96)
	# the stage's records go, too, as if all had been destaged: each lane begins at its end
	for lane in $(seq 0 $(($(u32 "$file" 128) - 1))); do
		at=$(($(u64 "$file" 88) + lane * 64))
		dd if="$file" of="$file" bs=8 skip=$((at / 8 + 2)) seek=$((at / 8)) count=1 \
			conv=notrunc status=none
	done
	zeros "$file" "$lines" 16
	zeros "$file" "$(u64 "$file" 112)" $(($(u64 "$file" 120) * $(u32 "$file" 128)))
	expect 3 "$JNL" check "$j"
	expect 0 "$JNL" ls "$j"
	printed ""
	: >"$scratch/live"
	goes_on "$j"
}

# An image from before the log's last ones is no damage that may be mended.
old_images_are_refused()
{
	local j=$scratch/old file n
	file=$(nvram old)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	for n in 0 1 2; do
		cp "$file" "$scratch/image.$n"
		seq 600 | perl -ne 'chomp; print $_ x 2000, "\n"' | "$JNL" put "$j" --as lines >"$scratch/ids"
		"$JNL" retire "$j" - <"$scratch/ids" >"$scratch/none"
		echo lives | "$JNL" put "$j" >"$scratch/ids"
		head -c 50000 /dev/zero | "$JNL" put "$j" >>"$scratch/ids"
	done
	for n in 0 1 2; do
		cp "$scratch/image.$n" "$file"
		expect 1 "$JNL" ls "$j"
		says "is older than the log"
	done
}

# From the state line to the first lines: of an old image the incarnation would be there.
ones_are_no_old_image()
{
	local j=$scratch/page file from
	file=$(nvram page)
	goes "$file"
	journal "$j" --marker "pmem:$file"
	head -c 50000 /dev/zero | "$JNL" put "$j" >"$scratch/ids"
	from=$(u64 "$file" 80)
	ones "$file" "$from" $(($(u64 "$file" 96) + 4096 - from))
	expect 1 "$JNL" ls "$j"
	says "is damaged: its incarnation is, and line 0 "
	! grep -q "older" "$err" || wrong "$(cat "$err")"
}

staged_at() # staged_at NAME N: where the payload of message N of five is
{
	grep -abo -- "message-$2-of-five" "$(nvram "$1")" | tail -n 1 | cut -d : -f 1
}

last_staged() # last_staged NAME; puts five, sets $ids, $at: where the fifth's payload is
{
	goes "$(nvram "$1")"
	journal "$scratch/$1" --marker "pmem:$(nvram "$1")"
	mapfile -t ids < <(seq -f 'message-%.0f-of-five' 5 | "$JNL" put "$scratch/$1" --as lines)
	at=$(staged_at "$1" 5)
	[ -n "$at" ] || wrong "it is not in the stage"
}

are_there() # are_there DIR N...: of the five
{
	local n
	for n in "${@:2}"; do
		expect 0 "$JNL" cat "$1" "${ids[$((n - 1))]}"
		printed "message-$n-of-five"
	done
}

# It cannot be torn: nothing was in flight when the journal was closed.
last_payload_of_a_closed_stage()
{
	local j=$scratch/payload
	last_staged payload
	zeros "$(nvram payload)" "$at" 4
	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*${ids[4]}: COMMITTED_BUT_LOST" "$out" || wrong "$(cat "$out")"
	expect 3 "$JNL" cat "$j" "${ids[4]}"
	are_there "$j" 1 2 3 4
	# nor does the next writer forget it
	echo one more | "$JNL" put "$j" >"$scratch/more"
	expect 3 "$JNL" check "$j"
	expect 0 "$JNL" retire "$j" "${ids[4]}"
	are_there "$j" 1 2 3 4
}

# lost_is ID: it alone is; who writes next does not forget it, and it goes when it is retired
lost_is() # lost_is DIR ID
{
	expect 3 "$JNL" check "$1"
	grep -q "^damage: $2: COMMITTED_BUT_LOST" "$out" || wrong "$(cat "$out")"
	[ "$(grep -c COMMITTED_BUT_LOST "$out")" = 1 ] || wrong "$(cat "$out")"
	! grep -q "without a name" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" ls "$1"
	grep -q "^$2 .* lost" "$out" || wrong "$(cat "$out")"
	echo one more | "$JNL" put "$1" >"$scratch/more"
	! grep -qxF "$2" "$scratch/more" || wrong "an id is issued again"
	expect 3 "$JNL" check "$1"
	expect 3 "$JNL" cat "$1" "$2"
	expect 0 "$JNL" retire "$1" "$2"
	expect 0 "$JNL" check "$1"
}

# the lane has its name
last_header_of_a_closed_stage()
{
	local j=$scratch/header
	last_staged header
	zeros "$(nvram header)" $((at - 64)) 64
	lost_is "$j" "${ids[4]}"
	are_there "$j" 1 2 3 4
}

# the one that follows has it
header_of_another_one()
{
	local j=$scratch/another
	last_staged another
	at=$(staged_at another 2)
	zeros "$(nvram another)" $((at - 64)) 64
	lost_is "$j" "${ids[1]}"
	are_there "$j" 1 3 4 5
}

header_of_a_retired_one()
{
	local j=$scratch/gone
	last_staged gone
	expect 0 "$JNL" retire "$j" "${ids[1]}"
	at=$(staged_at gone 2)
	zeros "$(nvram gone)" $((at - 64)) 64
	expect 0 "$JNL" check "$j"
	grep -q "do not verify: nothing that lives was in them" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" ls "$j"
}

# The second names the one before it, and is itself without a name.
two_headers_in_a_row()
{
	local j=$scratch/two n
	last_staged two
	for n in 2 3; do
		at=$(staged_at two $n)
		zeros "$(nvram two)" $((at - 64)) 64
	done
	expect 3 "$JNL" check "$j"
	grep -q "^damage: ${ids[2]}: COMMITTED_BUT_LOST" "$out" || wrong "$(cat "$out")"
	[ "$(grep -c COMMITTED_BUT_LOST "$out")" = 1 ] || wrong "$(cat "$out")"
	[ "$(grep -c "without a name" "$out")" = 1 ] || wrong "$(cat "$out")"
}

# A writer opens, recovers five, and is killed before it stages anything itself.
last_record_that_was_recovered()
{
	local j=$scratch/recovered writer in
	last_staged recovered
	zeros "$(nvram recovered)" "$(($(u64 "$(nvram recovered)" 88) + 16))" 8
	mkfifo "$scratch/fifo"
	"$JNL" put "$j" --as lines <"$scratch/fifo" >"$scratch/none" &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
	until_or_end $writer in_use "$j"
	kill -9 $writer
	wait $writer || true
	exec {in}>&-
	zeros "$(nvram recovered)" "$at" 4
	expect 3 "$JNL" check "$j"
	grep -q "^damage: .*${ids[4]}: COMMITTED_BUT_LOST" "$out" || wrong "$(cat "$out")"
	are_there "$j" 1 2 3 4
}

# who has it open has recovered: before that there is no index to share
in_use()
{
	"$JNL" info --json "$1" | jq -e '.now.members > 0 and .index_shared' >/dev/null
}

if why=$(have_marker pmem); then
	it "one copy of an epoch, staged" epochs zeros 3 1 copy.staged 20
	it "the other copy of an epoch, staged" epochs zeros 11 1 other.staged 20
	it "one copy of an epoch, in the log" epochs zeros 3 1 copy.log 20000
	it "both copies of an epoch, staged" epochs zeros 0 16 both.staged 20
	it "both copies of an epoch, in the log" epochs zeros 0 16 both.log 20000
	it "both copies of an epoch read ones, staged" epochs ones 0 16 ones.staged 20
	for how in zeros ones; do
		it "lines that read $how, staged" lines_without_words $how 20
		it "lines that read $how, in the log" lines_without_words $how 20000
	done
	it "a page of zeros that begins and ends within a line" a_page_of_zeros 3 1
	it "nothing but the superblocks" all_but_the_superblocks
	it "a line of ones with what is staged, and what is not" a_line_of_ones_with_both
	it "both copies of an epoch read ones, in the log" epochs ones 0 16 ones.log 20000
	it "a bit of an unused slot" bit_of_an_unused_slot
	it "the word of where a line goes on" word_of_where_a_line_goes_on
	it "the epoch of a line that was used again" epoch_of_a_line_used_again
	it "an epoch while a log is away" epoch_while_a_log_is_away
	it "a line of ones while a log is away" a_line_of_ones_while_a_log_is_away
	it "the epoch of a line that no record names" epoch_without_a_record
	it "old images are refused" old_images_are_refused
	it "a page of ones is no old image" ones_are_no_old_image
	it "the last payload of a stage that was closed" last_payload_of_a_closed_stage
	it "the last header of a stage that was closed" last_header_of_a_closed_stage
	it "the header of one that others follow" header_of_another_one
	it "the header of one that is retired" header_of_a_retired_one
	it "two headers in a row" two_headers_in_a_row
	it "the last record of a stage that was recovered" last_record_that_was_recovered
else
	skip "damage to NVRAM" "$why"
fi
done_testing
