#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl set-marker and jnl rescue: from a file to NVRAM and back, what is refused, what a
# log without markers still has.
. "$(dirname "$0")/../lib/common.sh"

j=$scratch/j
nvram=/dev/shm/jnl.$$.nvram
goes "$nvram"
goes "$nvram.2"
head -c 300000 /dev/urandom >"$scratch/large"

fill() # fill DIR: ids in $scratch/ids, the second one retired
{
	for i in 1 2 3 4; do echo "message $i" | "$JNL" put "$1"; done >"$scratch/ids"
	"$JNL" put "$1" "$scratch/large" >>"$scratch/ids"
	"$JNL" retire "$1" "$(id 2)" >/dev/null
}

id() { sed -n "$1p" "$scratch/ids"; }

there() # there DIR: exactly that
{
	"$JNL" ls "$1" | cut -d ' ' -f 1 >"$scratch/there"
	sed 2d "$scratch/ids" >"$scratch/wanted"
	same "$scratch/there" "$scratch/wanted"
	[ "$("$JNL" cat "$1" "$(id 4)")" = "message 4" ]
	"$JNL" cat "$1" "$(id 5)" | cmp - "$scratch/large"
	expect 0 "$JNL" check "$1"
}

anew()
{
	rm -rf "$j" "$nvram" "$nvram.2"
	journal "$j" --size 32M "$@"
	fill "$j"
}

to_nvram_and_back()
{
	anew
	chmod 640 "$j/journal.conf"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	printed "$j: the markers are at pmem:$nvram"
	there "$j"
	[ ! -e "$j/markers" ] || wrong "the file before is there"
	[ "$(stat -c %a "$nvram" "$j/journal.conf" | sort -u)" = 640 ]
	"$JNL" info "$j" | grep -q "pmem:$nvram"
	ln "$nvram" "$nvram.2"
	echo secret | "$JNL" put "$j" >"$scratch/secret"
	grep -q secret "$nvram" || wrong "it is not staged"
	expect 0 "$JNL" set-marker "$j" "file:$j/markers"
	[ ! -e "$nvram" ] || wrong "NVRAM's file is there"
	! grep -q secret "$nvram.2" || wrong "NVRAM was not overwritten"
	[ "$("$JNL" cat "$j" "$(cat "$scratch/secret")")" = secret ]
	"$JNL" retire "$j" "$(cat "$scratch/secret")"
	there "$j"
	"$JNL" retire "$j" - <"$scratch/wanted" >/dev/null
	[ -z "$("$JNL" ls "$j")" ]
	expect 0 "$JNL" check "$j"
}

from_where_it_is() # paths that do not begin at the root
{
	anew
	(
		cd "$scratch"
		expect 0 "$JNL" set-marker j file:j/here
		printed "j: the markers are at file:$scratch/j/here"
		there j
	)
	grep -qx "marker = file:here" "$j/journal.conf"
	grep -qx "log = log" "$j/journal.conf"
	(
		cd "$j"
		rm here
		expect 0 "$JNL" rescue . --yes --marker file:again
		there .
	)
	mv "$j" "$scratch/moved"
	there "$scratch/moved"
	rm -r "$scratch/moved"
}

other_content_stays()
{
	anew
	echo precious >"$nvram"
	cp "$j/journal.conf" "$scratch/conf"
	expect 1 "$JNL" set-marker "$j" "pmem:$nvram"
	grep -q "content" "$err"
	grep -q -- --force "$err"
	[ "$(cat "$nvram")" = precious ]
	same "$scratch/conf" "$j/journal.conf"
	there "$j"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram" --force --size 4M
	there "$j"
}

what_cannot_be_is_refused() # and changes nothing
{
	anew
	cp "$j/journal.conf" "$scratch/conf"
	expect 2 "$JNL" set-marker "$j"
	expect 2 "$JNL" set-marker
	expect 2 "$JNL" set-marker "$j" "pmem:$nvram" more
	for size in 0 9E; do
		expect 1 "$JNL" set-marker "$j" "pmem:$nvram" --size $size
		says "--size $size: not sensible"
		expect 1 "$JNL" rescue "$j" --force --yes --size $size
		says "--size $size: not sensible"
	done
	expect 2 "$JNL" set-marker "$j" "pmem:$nvram" --size x
	expect 2 "$JNL" set-marker "$j" "pmem:$nvram" --assume-marker x
	expect 1 "$JNL" set-marker "$j" nothing
	expect 1 "$JNL" set-marker "$j" "what:$nvram"
	expect 1 "$JNL" set-marker "$j" "pmem:/dev/shm"
	expect 1 "$JNL" set-marker "$j" "pmem:/nowhere/at/all"
	for size in 1K 4K 1023K; do
		expect 1 "$JNL" set-marker "$j" "pmem:$nvram" --size $size
		says "pmem:$nvram: .*too few for markers: at least 1M"
	done
	expect 1 "$JNL" set-marker "$j" "file:$j/markers"
	grep -q already "$err"
	ln -s markers "$j/alias"
	expect 1 "$JNL" set-marker "$j" "file:$j/alias"
	grep -q already "$err"
	rm "$j/alias"
	expect 1 "$JNL" set-marker "$scratch/nothing" "pmem:$nvram"
	[ ! -e "$scratch/nothing" ]
	[ ! -e "$nvram" ] || wrong "something was left"
	same "$scratch/conf" "$j/journal.conf"
	there "$j"
}

a_class_below_is_refused()
{
	rm -rf "$j" "$nvram"
	"$JNL" format "$j" --size 32M --require power --assume-marker power --assume-log power
	fill "$j"
	expect 1 "$JNL" set-marker "$j" "pmem:$nvram"
	grep -q '"power" is required' "$err"
	[ ! -e "$nvram" ]
	there "$j"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram" --assume-marker power
	there "$j"
	# the word was about the medium before
	grep -q "assume-marker = power" "$j/journal.conf"
}

served()
{
	"$JNL" serve "$j" & ends $!
	serve=$!
	for _ in $(seq 200); do
		"$JNL" info "$j" --json | grep -q '"members": 1' && break
		sleep 0.05
	done
}

# who rescues needs it alone, and so does a device
in_use_is_refused()
{
	anew
	served
	expect 1 "$JNL" set-marker "$j" "pmem:/dev/null"
	grep -q "in use by pid $serve" "$err"
	grep -q "a device takes no journal" "$err"
	expect 1 "$JNL" set-marker "$j" "sim:$nvram"
	grep -q "can be moved to" "$err"
	[ ! -e "$nvram" ]
	expect 1 "$JNL" rescue "$j" --yes
	grep -q "in use by pid" "$err"
	expect 1 "$JNL" rescue "$j" -n
	grep -q "in use by pid" "$err"
	kill "$serve"
	wait "$serve"
	there "$j"
}

staged() # staged FILE: what is put lies there alone
{
	echo "secret $1" | "$JNL" put "$j" >"$scratch/secret"
	grep -q "secret $1" "$1" || wrong "not staged in $1"
	"$JNL" retire "$j" "$(cat "$scratch/secret")" >"$out"
}

# opened on a file, it goes on on NVRAM, and back
in_use_on_a_file_goes_on()
{
	anew
	served
	# no other size than the index that is in use is for
	expect 1 "$JNL" set-marker "$j" "pmem:$nvram" --size 3M
	says "in use by pid $serve, .* bytes then: --size is for when nobody"
	[ ! -e "$nvram" ] || wrong "it was made"
	grep -q "^marker = file:" "$j/journal.conf" || wrong "it was moved"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	printed "$j: the markers are at pmem:$nvram"
	grep -q "^marker = pmem:$nvram" "$j/journal.conf"
	[ ! -e "$j/markers" ] || wrong "the file before is there"
	"$JNL" info "$j" | grep -q "pmem:$nvram"
	"$JNL" info "$j" --json | grep -q '"abandoned": 0'
	staged "$nvram"
	there "$j"
	echo "kept in $nvram" | "$JNL" put "$j" >"$scratch/kept"
	[ "$("$JNL" cat "$j" "$(cat "$scratch/kept")")" = "kept in $nvram" ]
	# it is the size that it has
	expect 1 "$JNL" set-marker "$j" "pmem:$nvram.2" --size 3M
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram.2" --size "$(stat -c %s "$nvram")"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	expect 0 "$JNL" set-marker "$j" "file:$j/here"
	grep -q "^marker = file:here" "$j/journal.conf"
	[ ! -e "$nvram" ] || wrong "NVRAM's file is there"
	[ "$("$JNL" cat "$j" "$(cat "$scratch/kept")")" = "kept in $nvram" ]
	"$JNL" retire "$j" "$(cat "$scratch/kept")" >"$out"
	there "$j"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	staged "$nvram"
	kill "$serve"
	wait "$serve"
	there "$j"
	staged "$nvram"
}

# from one file to another
in_use_it_gets_another_file()
{
	anew
	served
	ln -s markers "$j/alias"
	expect 1 "$JNL" set-marker "$j" "file:$j/alias"
	grep -q already "$err"
	rm "$j/alias"
	expect 0 "$JNL" set-marker "$j" "file:$j/here"
	[ ! -e "$j/markers" ] || wrong "the file before is there"
	there "$j"
	kill -9 "$serve"
	wait "$serve" || true
	there "$j"
	grep -q "^marker = file:here" "$j/journal.conf"
}

# ... nobody has to close it for that
in_use_goes_on()
{
	anew --marker "pmem:$nvram"
	served
	echo "old secret" | "$JNL" put "$j" >"$scratch/secret"
	"$JNL" retire "$j" "$(cat "$scratch/secret")" >"$out"
	ln "$nvram" "$nvram.2"
	grep -q "old secret" "$nvram.2"
	expect 0 "$JNL" set-marker "$j" "file:$j/markers"
	printed "$j: the markers are at file:$j/markers"
	grep -q "^marker = file:markers" "$j/journal.conf"
	! grep -q return-to "$j/journal.conf" || wrong "it is gone back to"
	[ ! -e "$nvram" ] || wrong "NVRAM's file is there"
	! grep -q "old secret" "$nvram.2" || wrong "NVRAM was not overwritten"
	rm "$nvram.2"
	there "$j"
	echo "by the log" | "$JNL" put "$j" >"$scratch/by-log"
	expect 1 "$JNL" set-marker "$j" "file:$j/markers"
	grep -q already "$err"
	echo something >"$nvram"
	expect 1 "$JNL" set-marker "$j" "pmem:$nvram"
	grep -q "content already" "$err"
	rm "$nvram"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	printed "$j: the markers are at pmem:$nvram"
	[ ! -e "$j/markers" ] || wrong "the file before is there"
	staged "$nvram"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram.2"
	[ ! -e "$nvram" ] || wrong "the NVRAM before is there"
	staged "$nvram.2"
	"$JNL" retire "$j" "$(cat "$scratch/by-log")" >"$out"
	there "$j"
	# the file that has its place anyway
	expect 0 "$JNL" set-marker "$j" "file:$j/stand-in"
	there "$j"
	expect 0 "$JNL" set-marker "$j" "file:$j/markers"
	there "$j"
	expect 0 "$JNL" set-marker "$j" "pmem:$nvram"
	# nobody leaves it in order
	kill -9 "$serve"
	wait "$serve" || true
	there "$j"
	grep -q "^marker = pmem:$nvram$" "$j/journal.conf"
	expect 0 "$JNL" set-marker "$j" "file:$j/markers"
	there "$j"
}

refused() # refused URI TEXT: NVRAM goes on as it was
{
	expect 1 "$JNL" set-marker "$j" "$1"
	says "$2"
	! grep -q "\.return-\|set aside" "$err" || wrong "a name that is nobody's: $(cat "$err")"
	same "$scratch/conf" "$j/journal.conf"
	"$JNL" info "$j" --json | grep -q '"abandoned": 0' || wrong "$1: NVRAM was given up"
	[ -z "$(find "$j" -newer "$scratch/conf" -name 'x*')" ]
	[ -z "$(find /dev/shm -name "jnl.$$.nvram.2*")" ] || wrong "something is left"
}

# what is asked for is looked at before NVRAM is given up
in_use_refused_it_stays()
{
	anew --marker "pmem:$nvram"
	served
	cp "$j/journal.conf" "$scratch/conf"
	refused "pmem:/dev/shm/jnl.$$.no/x" "/dev/shm/jnl.$$.no/x: No such file or directory"
	refused pmem:/proc/x "/proc/x: "
	# tmpfs is the same kind as /dev/shm
	[ "$(stat -f -c %T "$j")" = tmpfs ] ||
		refused "pmem:$j/x" "pmem:$j/x: it is another kind of memory than the one before"
	refused "sim:$nvram.2" "sim:$nvram.2: it is no memory .* can be moved to"
	refused "file:$j/no/x" "$j/no/x: No such file or directory"
	refused "file:/dev/shm/jnl.$$.x" "that is on another file system"
	staged "$nvram"
	if [ "${1-}" = mounts ]; then
		mkdir "$scratch/small"
		mount -t tmpfs -o size=64k none "$scratch/small"
		trap 'umount -l "$scratch/small"' EXIT
		refused "pmem:$scratch/small/x" "$scratch/small/x: .*No space left"
		[ -z "$(ls "$scratch/small")" ] || wrong "something is left"
		umount "$scratch/small"
		trap - EXIT
	fi
	kill "$serve"
	wait "$serve"
	there "$j"
}

mounts()
{
	[ "$(command id -u)" = 0 ] && mkdir "$scratch/try" && mount -t tmpfs none "$scratch/try" 2>/dev/null &&
		umount "$scratch/try"
}

# ---- rescue -------------------------------------------------------------------

# what was never in the log is gone, the rest is there, for whoever knows to sort out
moved_to_the_log() { "$JNL" set-marker "$1" "pmem:$nvram.2" && mv "$nvram.2" "$nvram" &&
	sed -i "s|$nvram.2|$nvram|" "$1/journal.conf"; }

missing_nvram_is_refused_by_name()
{
	anew --marker "pmem:$nvram"
	mv "$nvram" "$nvram.2"
	for c in ls check info serve; do
		expect 1 "$JNL" $c "$j"
		grep -q "jnl rescue" "$err" || wrong "$c: $(cat "$err")"
	done
	[ ! -e "$nvram" ]
	mv "$nvram.2" "$nvram"
	there "$j"
}

rescue_lists_then_does_it()
{
	anew --marker "pmem:$nvram"
	moved_to_the_log "$j"
	echo staged only | "$JNL" put "$j" >/dev/null
	rm "$nvram"
	find "$j" -type f | sort | xargs sha256sum >"$scratch/before"
	expect 0 "$JNL" rescue "$j" --dry-run
	cp "$out" "$scratch/list"
	cut -d ' ' -f 1,2 "$out" >"$scratch/doubts"
	{ printf '%s retired?\n' "$(id 1)" "$(id 3)" "$(id 4)"; echo "$(id 5) committed?"; } \
		>"$scratch/doubted"
	same "$scratch/doubts" "$scratch/doubted"
	expect 1 "$JNL" rescue "$j" </dev/null
	grep -q "nobody is there to be asked" "$err"
	find "$j" -type f | sort | xargs sha256sum >"$scratch/after"
	same "$scratch/before" "$scratch/after"
	expect 0 "$JNL" rescue "$j" --yes
	same "$out" "$scratch/list"
	there "$j"
	"$JNL" retire "$j" "$(id 5)" >/dev/null
	sed -i 5d "$scratch/ids"
	"$JNL" ls "$j" | cut -d ' ' -f 1 >"$scratch/there"
	sed 2d "$scratch/ids" >"$scratch/wanted"
	same "$scratch/there" "$scratch/wanted"
	expect 1 "$JNL" rescue "$j" --yes
	grep -q "opens as it is" "$err"
}

rescue_in_json()
{
	anew --marker "pmem:$nvram"
	moved_to_the_log "$j"
	rm "$nvram"
	expect 0 "$JNL" rescue "$j" --json -n
	[ "$(jq -r '.[] | [.id, .doubt, (.bytes | tostring)] | join(" ")' "$out" | tail -n 1)" = \
		"$(id 5) committed? 300000" ] || wrong "$(cat "$out")"
}

replaced_nvram_is_left_alone() # of another journal, or blank, or garbage
{
	anew --marker "pmem:$nvram"
	moved_to_the_log "$j"
	cp -r "$j" "$scratch/as"
	for what in another ones zeros garbage short; do
		rm -rf "$j" "$nvram" "$scratch/k"
		cp -r "$scratch/as" "$j"
		case $what in
		another) journal "$scratch/k" --size 32M --marker "pmem:$nvram" ;;
		ones) head -c 4M /dev/zero | tr '\0' '\377' >"$nvram" ;;
		zeros) head -c 4M /dev/zero >"$nvram" ;;
		garbage) head -c 4M /dev/urandom >"$nvram" ;;
		short) echo x >"$nvram" ;;
		esac
		sha256sum "$nvram" >"$scratch/sum"
		expect 1 "$JNL" ls "$j"
		grep -q "jnl rescue" "$err" || wrong "$what: $(cat "$err")"
		expect 0 "$JNL" rescue "$j" --yes
		there "$j"
		sha256sum --quiet -c "$scratch/sum" || wrong "$what was written to"
	done
}

an_old_image_is_not_believed()
{
	anew --marker "pmem:$nvram"
	cp "$nvram" "$nvram.2"
	# lines are used up, and the log knows
	seq 600 | "$JNL" put "$j" --as lines >"$scratch/more"
	"$JNL" retire "$j" - <"$scratch/more" >/dev/null
	seq 600 | "$JNL" put "$j" --as lines >"$scratch/more"
	head -c 200000 /dev/urandom | "$JNL" put "$j" >"$scratch/last"
	cp "$nvram.2" "$nvram"
	expect 1 "$JNL" ls "$j"
	grep -q "older than the log" "$err"
	grep -q "jnl rescue" "$err"
	expect 0 "$JNL" rescue "$j" --yes
	"$JNL" ls "$j" | grep -q "$(cat "$scratch/last")"
	expect 0 "$JNL" check "$j"
}

retire_records_are_known() # of a file: journal whose markers are gone
{
	anew
	rm "$j/markers"
	expect 1 "$JNL" ls "$j"
	grep -q "jnl rescue" "$err"
	expect 0 "$JNL" rescue "$j" --yes
	there "$j"
}

# its own file is no other content, and is not written over
rescue_replaces_its_own_file()
{
	local what
	for what in garbage text short nothing left; do
		anew
		rm -f "$j"/markers.*
		case $what in
		garbage) head -c "$(stat -c %s "$j/markers")" /dev/urandom >"$j/markers" ;;
		text) echo garbage >"$j/markers" ;;
		short) truncate -s 9000 "$j/markers" ;;
		nothing) : >"$j/markers" ;;
		left) # who rescued it was killed just before the end
			cp "$j/markers" "$j/markers.rescued"
			echo x >"$j/markers"
			ln "$j/markers" "$j/markers.damaged-1"
			;;
		esac
		cp "$j/markers" "$scratch/damaged"
		expect 0 "$JNL" rescue "$j" -n
		cp "$out" "$scratch/list"
		same "$j/markers" "$scratch/damaged"
		expect 0 "$JNL" rescue "$j" --yes
		same "$out" "$scratch/list"
		grep -q "markers: the one before is kept as .*markers.damaged-1" "$err" ||
			wrong "$what: $(cat "$err")"
		same "$j/markers.damaged-1" "$scratch/damaged"
		[ ! -e "$j/markers.damaged-2" ] || wrong "$what: it is kept twice"
		[ ! -e "$j/markers.rescued" ] || wrong "$what: something is left"
		expect 0 "$JNL" check "$j"
		there "$j"
		[ "$(stat -c %a "$j/markers")" = "$(stat -c %a "$j/journal.conf")" ]
	done
	# what was kept goes with the journal, and nothing else
	touch "$j/markers.damaged-" "$j/markers.damaged-1x"
	expect 0 "$JNL" destroy "$j" --yes
	[ "$(ls "$j")" = "$(printf 'markers.damaged-\nmarkers.damaged-1x')" ] || wrong "$(ls "$j")"
}

rescue_refuses_before_it_lists()
{
	anew
	journal "$scratch/k" --size 32M
	cp "$scratch/k/markers" "$j/markers" # another journal's, and whole
	cp "$j/journal.conf" "$scratch/conf"
	for n in -n --yes; do
		expect 1 "$JNL" rescue "$j" $n
		printed ""
		says "markers: there is content already"
	done
	same "$j/markers" "$scratch/k/markers"
	echo precious >"$scratch/precious"
	for n in -n --yes; do
		expect 1 "$JNL" rescue "$j" $n --marker "file:$scratch/precious"
		printed ""
		says "precious: there is content already"
	done
	[ "$(cat "$scratch/precious")" = precious ]
	same "$j/journal.conf" "$scratch/conf"
	expect 1 "$JNL" rescue "$j" --yes --marker "file:$scratch/no/such"
	printed ""
	[ "$(ls "$j")" = "$(printf 'journal.conf\nlock\nlog\nmarkers\npeers')" ] || wrong "$(ls "$j")"
	expect 0 "$JNL" rescue "$j" --yes --force
	there "$j"
	same "$j/markers.damaged-1" "$scratch/k/markers"
	rm -r "$scratch/k"
}

rescue_of_nothing_says_so()
{
	rm -rf "$j"
	journal "$j"
	rm "$j/markers"
	expect 0 "$JNL" rescue "$j" -n
	printed ""
	says "no transaction that may live: the journal would be empty"
	expect 0 "$JNL" rescue "$j" --yes
	printed ""
	says "no transaction that may live: the journal is empty"
}

# what NVRAM had of segments that were sealed, besides: check says it once, who writes
# makes it anew
second_digests_are_made_anew() # second_digests_are_made_anew rescue|in-use
{
	local in writer
	anew --marker "pmem:$nvram"
	for _ in $(seq 20); do
		"$JNL" put "$j" "$scratch/large" >>"$scratch/larges"
	done
	if [ "$1" = rescue ]; then
		rm "$nvram"
		expect 0 "$JNL" rescue "$j" --yes
	else
		mkfifo "$scratch/go.on"
		"$JNL" put "$j" --as lines <"$scratch/go.on" >"$scratch/none" &
		writer=$!
		ends $writer
		exec {in}>"$scratch/go.on"
		until_or_end $writer in_use_by_one "$j"
		expect 0 "$JNL" set-marker "$j" "file:$j/markers"
		exec {in}>&-
		wait $writer
	fi
	expect 0 "$JNL" check "$j"
	[ "$(grep -c "^note: [0-9]* segments have one copy of their digest only" "$out")" = 1 ] ||
		wrong "$(cat "$out")"
	! grep -q "does not verify" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" put "$j" </dev/null
	expect 0 "$JNL" check "$j"
	! grep -q digest "$out" || wrong "$(cat "$out")"
	"$JNL" ls "$j" | cut -d ' ' -f 1 >"$scratch/there"
	[ "$(grep -cxFf "$scratch/larges" "$scratch/there")" = 20 ] || wrong "$(cat "$scratch/there")"
}

in_use_by_one() { "$JNL" info --json "$1" | jq -e '.now.members > 0' >/dev/null; }

rescue_onto_nvram()
{
	anew
	rm "$j/markers"
	expect 0 "$JNL" rescue "$j" --yes --marker "pmem:$nvram"
	there "$j"
	echo new | "$JNL" put "$j" >"$scratch/new"
	! grep -qx "$(cat "$scratch/new")" "$scratch/ids" || wrong "the id was there before"
}

without_the_log_there_is_nothing()
{
	anew
	rm "$j/markers" "$j/log"
	expect 1 "$JNL" rescue "$j" --yes
	[ ! -e "$j/markers" ]
	expect 1 "$JNL" rescue "$scratch/nothing" --yes
	expect 2 "$JNL" rescue
	expect 2 "$JNL" rescue "$j" "$j"
	expect 1 "$JNL" rescue "$j" --marker nothing --yes
	[ ! -e "$scratch/nothing" ]
}

it "to NVRAM and back" to_nvram_and_back
it "from where it is" from_where_it_is
it "other content stays" other_content_stays
it "what cannot be is refused" what_cannot_be_is_refused
it "a class below is refused" a_class_below_is_refused
it "in use, what needs it alone is refused" in_use_is_refused
it "in use, opened on a file, it goes on" in_use_on_a_file_goes_on
it "in use, it gets another file" in_use_it_gets_another_file
it "in use, opened on NVRAM, it goes on" in_use_goes_on
if mounts; then
	it "in use, what is refused leaves NVRAM in use" in_use_refused_it_stays mounts
else
	it "in use, what is refused leaves NVRAM in use" in_use_refused_it_stays
	skip "... also where there is no room" "a tmpfs cannot be mounted here"
fi
it "missing NVRAM is refused, and the text names jnl rescue" missing_nvram_is_refused_by_name
it "rescue lists, then does it" rescue_lists_then_does_it
it "rescue --json" rescue_in_json
it "replaced NVRAM is left alone" replaced_nvram_is_left_alone
it "an old image is not believed" an_old_image_is_not_believed
it "retire records are known" retire_records_are_known
it "rescue replaces its own file" rescue_replaces_its_own_file
it "rescue refuses before it lists" rescue_refuses_before_it_lists
it "rescue of nothing says so" rescue_of_nothing_says_so
it "second digests of NVRAM are made anew, after a rescue" second_digests_are_made_anew rescue
it "second digests of NVRAM are made anew, moved in use" second_digests_are_made_anew in-use
it "rescue onto NVRAM" rescue_onto_nvram
it "without the log there is nothing" without_the_log_there_is_nothing
done_testing
