#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The good path of every command, and what every command does with a wrong line.
. "$(dirname "$0")/../lib/common.sh"

j=$scratch/j

format_put_ls_cat_retire()
{
	journal "$j"
	printed ""
	head -c 100000 /dev/urandom >"$scratch/in"
	expect 0 "$JNL" put "$j" "$scratch/in"
	id=$(cat "$out")
	[[ $id =~ ^[0-9a-f-]+$ ]] || wrong "no id: $id"
	expect 0 "$JNL" ls "$j"
	[[ $(cat "$out") =~ ^"$id"\ +100000\ 2[0-9-]*T[0-9:.]*Z\ live\ [a-z]+$ ]] || wrong "$(cat "$out")"
	expect 0 "$JNL" cat "$j" "$id"
	same "$out" "$scratch/in"
	expect 0 "$JNL" retire "$j" "$id"
	printed "$id"
	expect 0 "$JNL" ls "$j"
	printed ""
	expect 0 "$JNL" check "$j"
}

ids_are_in_order_and_never_come_twice()
{
	journal "$j.order"
	seq 1 300 >"$scratch/seq"
	"$JNL" put "$j.order" --as lines "$scratch/seq" >"$scratch/ids"
	[ "$(wc -l <"$scratch/ids")" = 300 ]
	ids_of "$j.order" >"$scratch/listed"
	same "$scratch/ids" "$scratch/listed"
	xargs -n 1 "$JNL" cat "$j.order" <"$scratch/ids" | tr -d '\n' >"$scratch/cat"
	tr -d '\n' <"$scratch/seq" >"$scratch/wanted"
	same "$scratch/cat" "$scratch/wanted"
	"$JNL" retire "$j.order" - <"$scratch/ids" >"$scratch/retired"
	same "$scratch/ids" "$scratch/retired"
	echo again | "$JNL" put "$j.order" >>"$scratch/ids"
	[ -z "$(sort "$scratch/ids" | uniq -d)" ]
}

several_ids_in_one_call()
{
	journal "$j.several"
	mapfile -t ids < <(printf 'one\ntwo\nthree\n' | "$JNL" put "$j.several" --as lines)
	expect 0 "$JNL" cat "$j.several" "${ids[2]}" "${ids[0]}" "${ids[2]}"
	printed threeonethree
	expect 0 "$JNL" cat -- "$j.several" "${ids[1]}"
	printed two
	expect 0 "$JNL" retire "$j.several" "${ids[@]}"
	printed "$(printf '%s\n' "${ids[@]}")"
}

each_form()
{
	local as
	journal "$j.forms"
	printf 'From a\nbody\n>From b\n\nFrom c\nlast\n' >"$scratch/mbox"
	printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<x>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n' >"$scratch/bsmtp"
	for as in raw lines mbox bsmtp; do
		"$JNL" put "$j.forms" --as $as "$scratch/mbox" >"$out" 2>"$err" || [ $as = bsmtp ]
		[ $as != raw ] || [ "$(wc -l <"$out")" = 1 ]
		[ $as != lines ] || [ "$(wc -l <"$out")" = 6 ]
		[ $as != mbox ] || [ "$(wc -l <"$out")" = 2 ]
	done
	says 'message 1, byte 0: no SMTP command: "From a"'
	id=$("$JNL" put --as=mbox "$j.forms" "$scratch/mbox" | head -n 1)
	expect 0 "$JNL" cat "$j.forms" "$id"
	printed "$(printf 'body\nFrom b\n')"
	id=$("$JNL" put "$j.forms" - --as bsmtp <"$scratch/bsmtp")
	expect 0 "$JNL" cat "$j.forms" "$id"
	printf 'MAIL FROM:<>\r\nRCPT TO:<x>\r\nDATA\r\nhi\r\n.\r\n' >"$scratch/wanted"
	same "$out" "$scratch/wanted"
}

the_empty_message_is_one()
{
	journal "$j.empty"
	id=$("$JNL" put "$j.empty" </dev/null)
	expect 0 "$JNL" cat "$j.empty" "$id"
	printed ""
	expect 0 "$JNL" put "$j.empty" --as lines </dev/null
	printed ""
	[ "$("$JNL" ls "$j.empty" --json | jq '.[0].bytes')" = 0 ]
	expect 0 "$JNL" retire "$j.empty" "$id"
}

json_is_json()
{
	journal "$j.json"
	expect 0 "$JNL" ls "$j.json" --json
	[ "$(jq -c . "$out")" = "[]" ]
	printf 'a\nbb\n' | "$JNL" put "$j.json" --as lines >"$scratch/ids"
	expect 0 "$JNL" ls --json "$j.json"
	[ "$(jq -r '.[].id' "$out")" = "$(cat "$scratch/ids")" ]
	[ "$(jq -c '[.[].bytes]' "$out")" = "[1,2]" ]
	jq -e 'all(.state == "live" and (.time | test("^2.*Z$")) and (.path | length > 0))' "$out"
	expect 0 "$JNL" check --json "$j.json"
	jq -e '.clean and (.findings | type == "array")' "$out"
	expect 0 "$JNL" info --json "$j.json"
	jq -e '.now.live == 2 and .now.live_bytes == 3 and .now.lost == 0' "$out"
	jq -e '.require == "process" and (.marker.evidence | length > 0)' "$out"
	jq -e '(.logs | length) == 1 and (.logs[0].routine | length > 0)' "$out"
	jq -e '(.uuid | length) == 36 and .in_use_pid == null' "$out"
}

info_and_dump_for_people()
{
	journal "$j.info"
	expect 0 "$JNL" dump "$j.info"
	# no copies of digests in a new log: no word of them
	[ "$(grep -c 'second cop' "$out")" = 0 ] || wrong "$(cat "$out")"
	echo x | "$JNL" put "$j.info" >"$scratch/id"
	expect 0 "$JNL" info "$j.info"
	grep -q '^uuid: ' "$out"
	grep -q '^  evidence: .' "$out"
	grep -q '^  live: 1$' "$out"
	grep -Eqx 'recovery: [0-9]+\.[0-9] ms' "$out"
	grep -Eqx 'format_version: [0-9]+' "$out"
	[ "$(grep -c recovery_ns "$out")" = 0 ] || wrong "nanoseconds are not for people"
	"$JNL" info --json "$j.info" | jq -e 'has("format_version") and .recovery.recovery_ns > 0'
	expect 0 "$JNL" dump "$j.info"
	grep -q 'superblock 0: version' "$out"
	grep -q 'superblock 1: version' "$out"
	grep -Eq 'segment [0-9]+: (stream|extents)' "$out"
	grep -q ' data ' "$out"
	grep -q 'second copy of the digest of segment' "$out"
}

# An id is told when its message is durable, not when the input ends.
ids_come_at_once()
{
	local in
	journal "$j.once"
	mkfifo "$scratch/fifo"
	: >"$scratch/ids"
	"$JNL" put "$j.once" --as lines <"$scratch/fifo" >"$scratch/ids" &
	ends $!
	exec {in}>"$scratch/fifo"
	echo first >&"$in"
	until_or_end $! lines_at_least 1 "$scratch/ids"
	expect 0 "$JNL" cat "$j.once" "$(head -n 1 "$scratch/ids")"
	printed first
	echo second >&"$in"
	exec {in}>&-
	wait $!
	[ "$(wc -l <"$scratch/ids")" = 2 ]
}

retiring_goes_with_what_is_there()
{
	local in
	journal "$j.there"
	mapfile -t ids < <(seq 1 100 | "$JNL" put "$j.there" --as lines)
	mkfifo "$scratch/there"
	: >"$scratch/retired"
	"$JNL" retire "$j.there" - <"$scratch/there" >"$scratch/retired" &
	ends $!
	exec {in}>"$scratch/there"
	printf '%s\n%s %s' "${ids[0]}" "${ids[1]}" "${ids[2]:0:3}" >&"$in"
	until_or_end $! lines_at_least 2 "$scratch/retired"
	printf '%s\n' "${ids[2]:3}" "${ids[@]:3:96}" >&"$in"
	printf '%s' "${ids[99]}" >&"$in"
	exec {in}>&-
	wait $!
	[ "$(cat "$scratch/retired")" = "$(printf '%s\n' "${ids[@]}")" ]
	[ -z "$(ids_of "$j.there")" ]
}

sizes_and_logs()
{
	mkdir "$scratch/l1" "$scratch/l2"
	expect 0 "$JNL" format "$j.logs" --size 32M --require process --log "$scratch/l1" \
		--log "$scratch/l2" --mode 0600
	seq 1 50 | "$JNL" put "$j.logs" --as lines >"$scratch/ids"
	[ "$(ids_of "$j.logs" | wc -l)" = 50 ]
	[ "$("$JNL" info --json "$j.logs" | jq '.logs | length')" = 2 ]
	expect 0 "$JNL" check "$j.logs"
	# formatted anew elsewhere, it leaves no logs that nobody names; other files stay
	cp "$scratch/l1"/*.log "$scratch/l1/mine.log"
	expect 0 "$JNL" format "$j.logs" --size 16M --require process --force
	[ "$(ls "$scratch/l1" "$scratch/l2" | grep -c 'log$')" = 1 ] ||
		wrong "left: $(ls "$scratch/l1" "$scratch/l2")"
}

# What a group may do is not left to the umask; nobody else may do anything.
# modes_are WANTED FORMAT DIR: of all files in it; the directory in it is open to the same
modes_are()
{
	[ "$(find "$3" -type f -exec stat -c "$2" {} + | sort -u)" = "$1" ] &&
		[ "$(stat -c "$2" "$3/peers")" = "$(stat -c "$2" "$3")" ] ||
		wrong "$3: $(find "$3" -exec stat -c '%n %a %G' {} +)"
}

group_and_mode()
{
	local group=daemon dir
	getent group $group >/dev/null || wrong "there is no group $group"
	[ "$(id -u)" = 0 ] || group=$(id -gn)
	for mask in 000 022 077; do
		dir=$j.group.$mask
		(umask $mask && "$JNL" format "$dir" --size 16M --require process --group "$group" \
			--mode 0660)
		[ "$(stat -c '%a %G' "$dir")" = "770 $group" ] || wrong "$(stat -c '%n %a %G' "$dir")"
		modes_are "660 $group" '%a %G' "$dir"
		(umask $mask && "$JNL" format "$dir.only" --size 16M --require process \
			--group "$group")
		modes_are "660 $group" '%a %G' "$dir.only"
		(umask $mask && "$JNL" format "$j.own.$mask" --size 16M --require process)
		[ "$(stat -c %a "$j.own.$mask")" = 700 ] || wrong "$(stat -c '%n %a' "$j.own.$mask")"
		modes_are 600 %a "$j.own.$mask"
	done
	"$JNL" format "$j.group.alone" --size 16M --require process --group "$group"
	modes_are 660 %a "$j.group.alone"
	[ "$(id -u)" = 0 ] || return 0
	# a script would lead to a folder that not everybody may enter
	[ "$(head -c 4 "$JNL" | tail -c 3)" = ELF ] || return 0
	dir=$(mktemp -d /tmp/jnl.XXXXXX)
	goes "$dir"
	chmod 711 "$dir"
	cp "$JNL" "$dir/jnl"
	(umask 077 && "$JNL" format "$dir/j" --size 16M --require process --group "$group" \
		--mode 0660)
	echo text | setpriv --reuid=65534 --regid="$group" --clear-groups "$dir/jnl" put "$dir/j" \
		>"$out" || wrong "who is in the group cannot use it"
	expect 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/jnl" ls "$dir/j"
	grep -q "$dir/j.*Permission denied" "$err" || wrong "$(cat "$err")"
}

# with no option but --require: 1G, or a tenth of what is free
the_default_is_embedded()
{
	local free
	free=$(df -B1 --output=avail "$scratch" | tail -n 1)
	expect 0 "$JNL" format "$j.plain" --require process
	"$JNL" info --json "$j.plain" >"$out"
	jq -e --argjson free "$free" '.logs[0].bytes <= 1073741824 and
		(.logs[0].bytes == 1073741824 or .logs[0].bytes < $free / 9)' "$out"
	jq -e '.marker.backend == "file" and (.logs | length) == 1' "$out"
	[ "$(cd "$j.plain" && echo *)" = "journal.conf lock log markers peers" ]
	# it holds no path of its own, and can be moved
	mv "$j.plain" "$j.moved"
	expect 0 "$JNL" put "$j.moved" </dev/null
	expect 0 "$JNL" check "$j.moved"
	rm -rf "$j.moved"
}

info_tells_what_is_free()
{
	local used
	journal "$j.free"
	expect 0 "$JNL" info --json "$j.free"
	jq -e '.now.segments_free == .geometry.segments' "$out"
	head -c 3000000 /dev/urandom | "$JNL" put "$j.free" >"$scratch/id"
	expect 0 "$JNL" info --json "$j.free"
	used=$(jq '.geometry.segments - .now.segments_free' "$out")
	[ "$used" -ge 3 ] && [ "$used" -le 5 ] || wrong "3 MB of segments of 1M: $used are in use"
	expect 0 "$JNL" retire "$j.free" "$(cat "$scratch/id")"
	expect 0 "$JNL" info --json "$j.free"
	jq -e '.geometry.segments - .now.segments_free <= 2' "$out" || wrong "$(cat "$out")"
}

# a pmem: file is made, 64M large; the persist routine is told
markers_in_memory()
{
	# shellcheck disable=SC2046
	journal "$j.pmem" $(marker_option pmem made)
	expect 0 "$JNL" info --json "$j.pmem"
	jq -e '.marker | .bytes == 67108864 and .backend == "pmem" and .class == "process" and
		(.evidence | test("tmpfs|memory")) and (.routine | length > 0)' "$out" ||
		wrong "$(cat "$out")"
	expect 0 "$JNL" info "$j.pmem"
	grep -Eq '^  routine: .' "$out"
}

# a class asserted by the user is stored, and shown as that
assertions_are_shown()
{
	expect 0 "$JNL" format "$j.assume" --size 16M --assume-log power --assume-marker power
	"$JNL" info --json "$j.assume" | jq -e '.logs[0].class == "power" and .logs[0].assumed'
	"$JNL" info --json "$j.assume" | jq -e '.require == "power"'
}

commands="format put ls cat retire check info dump"

help_everywhere()
{
	expect 0 "$JNL" --help
	cp "$out" "$scratch/help"
	expect 0 "$JNL" help
	same "$out" "$scratch/help"
	for c in $commands; do
		grep -q "^  $c " "$scratch/help" || wrong "--help does not know $c"
		expect 0 "$JNL" "$c" --help
		grep -q "^Usage: jnl $c " "$out" || wrong "$(cat "$out")"
		cp "$out" "$scratch/one"
		expect 0 "$JNL" help "$c"
		same "$out" "$scratch/one"
		expect 0 "$JNL" --help "$c"
		same "$out" "$scratch/one"
	done
	expect 0 "$JNL" --version
	grep -Eqx 'jnl [0-9]+\.[0-9]+' "$out"
}

wrong_lines_exit_2()
{
	journal "$j.lines"
	expect 2 "$JNL"
	expect 2 "$JNL" serve-me
	says 'serve-me: no such command'
	for help in help --help -h; do
		expect 2 "$JNL" $help serve-me
		says 'serve-me: no such command'
		expect 2 "$JNL" $help put more
	done
	for c in $commands; do
		expect 2 "$JNL" "$c"
		says "$c: DIR is missing"
		printed ""
		expect 2 "$JNL" "$c" --no-such "$j.lines"
		says "$c: unrecognized option '--no-such'"
	done
	for c in ls check info dump format; do
		expect 2 "$JNL" "$c" "$j.lines" more
		says "$c: one argument too many: more"
	done
	expect 2 "$JNL" put "$j.lines" a b
	expect 2 "$JNL" put "$j.lines" --as pdf
	says 'put: --as pdf: it is raw, lines, mbox, bsmtp or tar'
	expect 2 "$JNL" cat "$j.lines"
	says 'cat: ID is missing'
	expect 2 "$JNL" retire "$j.lines"
	expect 2 "$JNL" dump --json "$j.lines"
	expect 2 "$JNL" format "$j.lines" --require most
	says 'format: --require most: it is process, os or power'
	expect 2 "$JNL" format "$j.lines" --size big
	expect 2 "$JNL" format "$j.lines" --mode rw
	expect 2 "$JNL" format "$j.lines" --size
	expect 0 "$JNL" check "$j.lines"
}

output_that_is_lost_is_a_failure()
{
	[ -w /dev/full ] || wrong "there is no /dev/full"
	journal "$j.full"
	for c in "put $j.full" "--help" "put --help" "--version" "ls --json $j.full" "info $j.full" \
		"dump $j.full" "check --json $j.full"; do
		local got=0
		# shellcheck disable=SC2086
		echo text | "$JNL" $c >/dev/full 2>"$err" || got=$?
		[ $got = 1 ] || wrong "jnl $c >/dev/full exits $got"
		says 'standard output: No space left on device'
	done
	id=$(ids_of "$j.full" | head -n 1)
	[ -n "$id" ] # the message itself was committed
	for c in cat retire; do
		local got=0
		"$JNL" $c "$j.full" "$id" >/dev/full 2>"$err" || got=$?
		[ $got = 1 ]
		says 'standard output: No space left on device'
	done
	local got=0
	"$JNL" put "$j.full" --as lines <<<x >&- 2>"$err" || got=$?
	[ $got = 1 ] || wrong "a closed stdout: exits $got"
	says 'standard output: '
	set -o pipefail
	got=0
	{ yes | head -n 1000 | "$JNL" put "$j.full" --as lines 2>"$err" || echo $? >"$scratch/got"; } |
		head -n 1 >"$out"
	[ "$(cat "$scratch/got")" = 1 ]
	says 'standard output: Broken pipe'
}

it "format, put, ls, cat, retire, check" format_put_ls_cat_retire
it "ids are in order and never come twice" ids_are_in_order_and_never_come_twice
it "several ids in one call" several_ids_in_one_call
it "put takes raw, lines, mbox, bsmtp" each_form
it "the empty message is one" the_empty_message_is_one
it "--json is JSON" json_is_json
it "info and dump are for people" info_and_dump_for_people
it "ids come at once" ids_come_at_once
it "retiring goes with what is there" retiring_goes_with_what_is_there
it "sizes and logs" sizes_and_logs
it "group and mode" group_and_mode
it "the default is embedded" the_default_is_embedded
it "info tells what is free" info_tells_what_is_free
if why=$(have_marker pmem); then
	it "markers in memory" markers_in_memory
else
	skip "markers in memory" "$why"
fi
it "assertions are shown" assertions_are_shown
it "help everywhere" help_everywhere
it "wrong lines exit 2" wrong_lines_exit_2
it "output that is lost is a failure" output_that_is_lost_is_a_failure
done_testing
