#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl destroy: what it wipes and removes, what it leaves, whom it asks.
. "$(dirname "$0")/../lib/common.sh"

j=$scratch/j

empty() { [ -z "$(ls -A "$1")" ] || wrong "in $1: $(ls -A "$1")"; }

only() # only FILE OCTAL: every byte of it is that
{
	[ -z "$(tr -d "\\$2" <"$1" | head -c 1)" ] || wrong "$1 has not only \\$2"
}

all_of_it_goes() # in a directory that format made, and in two more for the logs
{
	mkdir "$scratch/a" "$scratch/b"
	journal "$j" --log "$scratch/a" --log "$scratch/b" --size 32M
	echo secret | "$JNL" put "$j" >/dev/null
	expect 0 "$JNL" destroy "$j" --yes
	printed ""
	[ ! -e "$j" ] || wrong "$j is there"
	empty "$scratch/a"
	empty "$scratch/b"
	expect 1 "$JNL" ls "$j"
}

nvram_is_wiped()
{
	local marker=/dev/shm/jnl.$$.wiped
	goes "$marker"
	goes "$marker.2"
	journal "$j" --marker "pmem:$marker"
	echo secret | "$JNL" put "$j" >/dev/null
	ln "$marker" "$marker.2"
	grep -q secret "$marker.2" || wrong "it was not staged"
	expect 0 "$JNL" destroy "$j" -y
	[ ! -e "$marker" ] || wrong "$marker is there"
	only "$marker.2" 377
}

nvram_that_was_given_up_is_wiped()
{
	local marker=/dev/shm/jnl.$$.given_up serve
	goes "$marker"
	goes "$marker.2"
	journal "$j" --marker "pmem:$marker"
	ln "$marker" "$marker.2"
	echo secret | "$JNL" put "$j" >/dev/null
	"$JNL" serve "$j" --interval 50 & ends $!
	serve=$!
	for _ in $(seq 200); do
		"$JNL" info "$j" --json | grep -q '"members": 1' && break
		sleep 0.05
	done
	rm "$marker" "$marker.2" # it notices that
	for _ in $(seq 200); do
		grep -q return-to "$j/journal.conf" && break
		sleep 0.05
	done
	kill "$serve"
	wait "$serve"
	grep -q "^return-to = pmem:$marker$" "$j/journal.conf"
	[ "$("$JNL" ls "$j" | wc -l)" = 1 ]
	# another one of this journal comes in its place
	expect 0 "$JNL" put "$j" </dev/null
	cp -r "$j" "$scratch/as"
	head -c 4M /dev/zero >"$marker"
	expect 0 "$JNL" put "$j" </dev/null
	ln "$marker" "$marker.2"
	! grep -q return-to "$j/journal.conf" || wrong "it did not go back"
	cp "$scratch/as/journal.conf" "$j/journal.conf"
	expect 0 "$JNL" destroy "$j" --yes
	[ ! -e "$marker" ] || wrong "$marker is there"
	only "$marker.2" 377
}

devices_are_wiped_and_stay()
{
	journal "$j" --log "$device" --size 32M
	echo secret | "$JNL" put "$j" >/dev/null
	grep -q secret "$device" || wrong "it is not in the log"
	printf x | dd of="$device" bs=1 seek=$((32 << 20)) conv=notrunc status=none
	expect 0 "$JNL" destroy -n "$j"
	grep -qx "wipe: $device" "$out" || wrong "$(cat "$out")"
	expect 0 "$JNL" destroy "$j" --yes
	head -c 32M "$device" >"$scratch/head"
	[ "$(dd if="$device" bs=1 skip=$((32 << 20)) count=1 status=none)" = x ] ||
		wrong "what was not the log's is overwritten"
	only "$scratch/head" 000
	[ ! -e "$j" ]
}

what_others_put_there_stays()
{
	journal "$j"
	touch "$j/mine"
	expect 0 "$JNL" destroy "$j" --yes
	[ "$(ls -A "$j")" = mine ] || wrong "$(ls -A "$j")"
	rm -r "$j"
}

a_dry_run_changes_nothing()
{
	journal "$j"
	find "$j" -type f | sort | xargs sha256sum >"$scratch/before"
	expect 0 "$JNL" destroy "$j" --dry-run
	printf 'remove: %s\n' "$j/markers" "$j/log" "$j: if it is empty then" >"$scratch/wanted"
	same "$out" "$scratch/wanted"
	find "$j" -type f | sort | xargs sha256sum >"$scratch/after"
	same "$scratch/before" "$scratch/after"
	rm -r "$j"
}

it_does_not_go_unasked()
{
	journal "$j"
	expect 1 "$JNL" destroy "$j" </dev/null
	says 'nobody is there to be asked'
	expect 0 "$JNL" check "$j"
	rm -r "$j"
}

answer() # answer STATUS TEXT: on a terminal
{
	local got=0
	printf '%s\n' "$2" |
		script -qec "'$JNL' destroy '$j' 2>'$err'" /dev/null >"$out" || got=$?
	[ $got = "$1" ] || wrong "'$2' exits $got, not $1: $(cat "$err" "$out")"
}

on_a_terminal_it_asks()
{
	journal "$j"
	echo x | "$JNL" put "$j" >/dev/null
	answer 1 no
	grep -q '^1 live transactions of 2 bytes are in it' "$err" || wrong "$(cat "$err")"
	grep -q "^remove: $j/log$" "$err" || wrong "$(cat "$err")"
	answer 1 ""
	answer 1 j2
	expect 0 "$JNL" check "$j"
	answer 0 j
	[ ! -e "$j" ]
	journal "$j"
	answer 0 "$j"
	journal "$j"
	answer 0 yes
	[ ! -e "$j" ]
}

refused_while_in_use()
{
	local pid in
	journal "$j"
	mkfifo "$scratch/fifo"
	: >"$scratch/ids"
	"$JNL" put "$j" --as lines <"$scratch/fifo" >"$scratch/ids" &
	pid=$!
	ends $pid
	exec {in}>"$scratch/fifo"
	echo a >&"$in"
	until_or_end $pid lines_at_least 1 "$scratch/ids"
	expect 1 "$JNL" destroy "$j" --yes
	says "in use by pid $pid"
	expect 1 "$JNL" destroy "$j" -n
	says "in use by pid $pid"
	exec {in}>&-
	wait $pid
	expect 0 "$JNL" check "$j"
	expect 0 "$JNL" destroy "$j" --yes
}

# what processes shared holds payload, and nobody else removes it when all were killed
shared_memory_of_the_killed_goes()
{
	local pid in shared
	journal "$j"
	mkfifo "$scratch/fifo2"
	: >"$scratch/ids2"
	"$JNL" put "$j" --as lines <"$scratch/fifo2" >"$scratch/ids2" &
	pid=$!
	ends $pid
	exec {in}>"$scratch/fifo2"
	echo a >&"$in"
	until_or_end $pid lines_at_least 1 "$scratch/ids2"
	kill -9 $pid
	wait $pid || true
	exec {in}>&-
	shared=$(sed -n 's/^file=//p' "$j/index")
	[ -e "$shared" ] || wrong "no shared memory was left"
	expect 0 "$JNL" destroy "$j" --yes
	[ ! -e "$shared" ] || wrong "$shared is there"
}

# by who may not write where it is, or as here
a_directory_that_cannot_go()
{
	local d=$scratch/mounted
	mkdir "$d"
	mount -t tmpfs none "$d"
	trap 'umount "$scratch/mounted"' EXIT
	journal "$d"
	expect 0 "$JNL" destroy "$d" --yes
	says "$d: what was in it is gone, and it cannot be removed itself: "
	empty "$d"
	umount "$d"
	trap - EXIT
}

mounts()
{
	[ "$(id -u)" = 0 ] && mkdir "$scratch/try" && mount -t tmpfs none "$scratch/try" 2>/dev/null &&
		umount "$scratch/try"
}

what_is_no_journal_is_refused()
{
	mkdir "$scratch/none"
	expect 1 "$JNL" destroy "$scratch/none" --yes
	says 'no journal there'
	empty "$scratch/none"
	expect 1 "$JNL" destroy "$scratch/nowhere" --yes
	says 'No such file'
	echo nonsense >"$scratch/none/journal.conf"
	expect 1 "$JNL" destroy "$scratch/none" --yes
	says 'line 1 makes no sense'
	[ "$(ls -A "$scratch/none")" = journal.conf ] || wrong "$(ls -A "$scratch/none")"
}

media_of_other_journals_stay()
{
	journal "$j"
	journal "$scratch/other"
	echo x | "$JNL" put "$scratch/other" >/dev/null
	sed -i "s|^log = .*|log = $scratch/other/log|; s|^marker = .*|marker = file:$scratch/other/markers|" \
		"$j/journal.conf"
	expect 0 "$JNL" destroy "$j" -n
	[ "$(grep -c '^leave: ' "$out")" = 2 ] || wrong "$(cat "$out")"
	expect 0 "$JNL" destroy "$j" --yes
	says "$scratch/other/log: left as it is"
	expect 0 "$JNL" check "$scratch/other"
	[ "$(ids_of "$scratch/other" | wc -l)" = 1 ]
	rm -rf "$j"
}

what_is_missing_is_named()
{
	mkdir "$scratch/m.a" "$scratch/m.b"
	journal "$j" --size 24M --log "$scratch/m.a" --log "$scratch/m.b"
	mv "$scratch/m.b" "$scratch/m.unmounted"
	expect 0 "$JNL" destroy "$j" -n
	grep -q "^missing: $scratch/m.b/.*: what it holds stays where it is" "$out" ||
		wrong "$(cat "$out")"
	expect 0 "$JNL" destroy "$j" --yes
	says "$scratch/m.b/.*: is not there: what it holds stays where it is"
	[ -n "$(ls -A "$scratch/m.unmounted")" ]
	rm -rf "$j"
}

# what is begun is ended by another call: superblocks go last, journal.conf after all
what_a_crash_left_is_destroyed()
{
	local marker=/dev/shm/jnl.$$.crash begun
	goes "$marker"
	for begun in 8192 0; do
		journal "$j" --marker "pmem:$marker"
		head -c $((1 << 20)) /dev/zero | tr '\0' '\377' |
			dd of="$marker" bs=4096 seek=$((begun / 4096)) conv=notrunc status=none
		touch "$marker.return-2-3" "$j/journal.conf.return-2-3" "$j/journal.conf.resized"
		expect 0 "$JNL" destroy "$j" --yes
		printed ""
		[ ! -s "$err" ] || wrong "$(cat "$err")"
		[ ! -e "$marker" ] && [ ! -e "$marker.return-2-3" ] && [ ! -e "$j" ] || wrong "something is left"
	done
	journal "$j"
	touch "$j/log.new" "$j/markers.new" "$j/mirror.new"
	expect 0 "$JNL" destroy "$j" --yes
	[ ! -e "$j" ] || wrong "$(ls "$j")"
	journal "$j"
	rm "$j/log" "$j/markers"
	expect 0 "$JNL" destroy "$j" --yes
	[ ! -e "$j" ]
}

damage_does_not_keep_it()
{
	journal "$j"
	printf 'xxxx' | dd of="$j/log" bs=1 seek=100 conv=notrunc status=none
	head -c 64K /dev/zero | dd of="$j/markers" conv=notrunc status=none
	expect 1 "$JNL" ls "$j"
	expect 0 "$JNL" destroy "$j" --yes
	[ ! -e "$j" ]
}

wrong_lines()
{
	expect 2 "$JNL" destroy
	says 'DIR is missing'
	expect 2 "$JNL" destroy "$j" more
	says 'one argument too many: more'
	expect 2 "$JNL" destroy "$j" --force
	expect 2 "$JNL" destroy "$j" --yes=no
}

it "all of it goes" all_of_it_goes
if why=$(have_marker pmem); then
	it "NVRAM is wiped" nvram_is_wiped
	it "what a crash left is destroyed" what_a_crash_left_is_destroyed
else
	skip "NVRAM is wiped" "$why"
fi
truncate -s 33M "$scratch/image"
if device=$(losetup -f --show "$scratch/image" 2>"$err"); then
	it "devices are wiped and stay" devices_are_wiped_and_stay
	losetup -d "$device"
else
	skip "devices are wiped and stay" "no loop device: $(head -n 1 "$err")"
fi
it "NVRAM that was given up is wiped" nvram_that_was_given_up_is_wiped
it "what others put there stays" what_others_put_there_stays
it "a dry run changes nothing" a_dry_run_changes_nothing
it "it does not go unasked" it_does_not_go_unasked
if command -v script >/dev/null; then
	it "on a terminal it asks" on_a_terminal_it_asks
else
	skip "on a terminal it asks" "script(1) is not installed"
fi
it "refused while in use, with the pid" refused_while_in_use
it "shared memory of the killed goes" shared_memory_of_the_killed_goes
if mounts; then
	it "a directory that cannot go is told of" a_directory_that_cannot_go
else
	skip "a directory that cannot go is told of" "a tmpfs cannot be mounted here"
fi
it "what is no journal is refused" what_is_no_journal_is_refused
it "media of other journals stay" media_of_other_journals_stay
it "what is missing is named" what_is_missing_is_named
it "damage does not keep it" damage_does_not_keep_it
it "wrong lines" wrong_lines
done_testing
