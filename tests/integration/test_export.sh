#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slow
# jnl export: what comes out goes in again, byte for byte; what cannot is named.
# SEED=N repeats what is random.
. "$(dirname "$0")/../lib/common.sh"

seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
echo "# SEED=$seed"
bytes=$((64 << 20)) # the largest payload

fresh() # fresh NAME [OPTION...]: an empty journal, its directory in $j
{
	j=$scratch/$1
	shift
	[ ! -e "$j" ] || "$JNL" destroy "$j" --yes
	journal "$j" "$@"
}

# The same with markers in memory, if that goes, so that a commit waits for no disk.
quick() # quick NAME [OPTION...]
{
	if have_marker pmem >/dev/null; then
		# shellcheck disable=SC2046
		fresh "$@" $(marker_option pmem "$1")
	else
		fresh "$@"
	fi
}

# checksums of all payloads, by another way than export
payloads() # payloads DIR
{
	"$JNL" ls "$1" >"$scratch/listed"
	cut -d ' ' -f 1 "$scratch/listed" | xargs -r "$JNL" cat "$1" | perl -MDigest::SHA=sha256_hex -e '
		open(my $list, "<", $ARGV[0]) or die;
		while (<$list>) {
			my $bytes = (split)[1];
			read(STDIN, my $payload, $bytes) == $bytes or die "short\n";
			print sha256_hex($payload), "\n";
		}' "$scratch/listed" | sort
}

# what is in $j comes through export and put, and the second one's export is the same
goes_through() # goes_through FORM
{
	local form=$1 first=$j
	quick second
	expect 0 "$JNL" export "$first" --as "$form" --output "$scratch/backup"
	printed ""
	[ ! -s "$err" ] || wrong "$(cat "$err")"
	"$JNL" export "$first" --as "$form" >"$scratch/piped"
	same "$scratch/backup" "$scratch/piped"
	expect 0 "$JNL" put "$j" --as "$form" "$scratch/backup"
	payloads "$first" >"$scratch/wanted"
	payloads "$j" >"$scratch/got"
	same "$scratch/got" "$scratch/wanted"
	j=$first
}

mail_as_mbox()
{
	quick mbox
	expect 0 "$JNL" put "$j" --as mbox "$lib/sample.mbox"
	{ perl "$lib/random-mbox.pl" "$seed"; echo; } | "$JNL" put "$j" --as mbox >/dev/null
	printf '' | "$JNL" put "$j" >/dev/null
	printf '\n' | "$JNL" put "$j" >/dev/null
	printf 'From a\n>From b\n\n\n' | "$JNL" put "$j" >/dev/null
	printf 'a\r\n\r\n' | "$JNL" put "$j" >/dev/null
	printf 'a\0\377\n' | "$JNL" put "$j" >/dev/null
	goes_through mbox
	# and another reader of mboxrd sees the same
	mkdir "$scratch/split"
	perl "$lib/mbox-split.pl" "$scratch/backup" "$scratch/split" >/dev/null
	sha256sum "$scratch/split"/* | cut -d ' ' -f 1 | sort >"$scratch/got"
	same "$scratch/got" "$scratch/wanted"
	grep -aEq '^From MAILER-DAEMON [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} 20[0-9]{2}$' \
		"$scratch/backup"
}

mbox_cannot_keep_all()
{
	fresh open
	printf 'whole\n' | "$JNL" put "$j" >/dev/null
	id=$(printf '>From open' | "$JNL" put "$j")
	echo before >"$scratch/kept"
	expect 1 "$JNL" export "$j" --as mbox -o "$scratch/kept"
	says "^jnl: $id: .*newline"
	[ "$(cat "$scratch/kept")" = before ] || wrong "a refused backup replaced the one before"
	[ "$(echo "$scratch"/kept*)" = "$scratch/kept" ] || wrong "left: $(echo "$scratch"/kept*)"
	expect 1 "$JNL" export "$j" --as mbox
	[ "$(grep -c '^From ' "$out")" = 1 ]
	expect 1 "$JNL" export "$j" --as mbox --dry-run
	printed ""
	expect 0 "$JNL" export "$j" --as mbox --inexact -o "$scratch/kept"
	fresh closed
	"$JNL" put "$j" --as mbox "$scratch/kept" >"$scratch/ids"
	expect 0 "$JNL" cat "$j" "$(tail -n 1 "$scratch/ids")"
	[ "$(od -c <"$out")" = "$(printf '>From open\n' | od -c)" ]
}

sessions() # sessions SEED: random batch SMTP
{
	perl -e 'srand($ARGV[0]);
		my @words = ("text", "..", ".x", "\0", "\xff", "From a", "MAIL FROM:<x>", "", "y" x 70000);
		for (1 .. 40) {
			my $end = rand() < 0.5 ? "\n" : "\r\n";
			print rand() < 0.3 ? "RSET$end" : "", rand() < 0.3 ? "EHLO a$end" : "";
			print "MAIL FROM:<a\@b>$end", rand() < 0.2 ? "NOOP$end" : "";
			print "rcpt to:<c\@d>$end" for 0 .. rand(3);
			print "DATA$end";
			print $words[rand(rand() < 0.97 ? $#words : @words)], $end for 0 .. rand(30);
			print ".$end";
		}
		print "QUIT\n";' "$1"
}

sessions_as_bsmtp()
{
	quick bsmtp
	sessions "$seed" >"$scratch/sessions"
	"$JNL" put "$j" --as bsmtp "$scratch/sessions" >"$scratch/ids"
	[ "$(wc -l <"$scratch/ids")" = 40 ]
	goes_through bsmtp
}

bsmtp_takes_bsmtp_alone()
{
	local m='MAIL FROM:<>\nRCPT TO:<x>\nDATA\nhi\n.\n' text ids=()
	fresh mixed
	# shellcheck disable=SC2059
	printf "$m" | "$JNL" put "$j" >/dev/null
	for text in '' 'text\n' "RSET\n$m" "$m$m" "${m}QUIT\n" 'MAIL FROM:<>\nRCPT TO:<x>\nDATA\nhi\n' \
		"MAIL FROM:<>\nRSET\n$m" 'MAIL FROM:<>\nDATA\n.\n'; do
		# shellcheck disable=SC2059
		ids+=("$(printf "$text" | "$JNL" put "$j")")
	done
	expect 1 "$JNL" export "$j" --as bsmtp
	# shellcheck disable=SC2059
	printf "$m" | cmp - "$out"
	sed -n 's/^jnl: \([0-9a-f-]*\): it is no batch SMTP.*/\1/p' "$err" >"$scratch/named"
	[ "$(cat "$scratch/named")" = "$(printf '%s\n' "${ids[@]}")" ] || wrong "$(cat "$err")"
	expect 1 "$JNL" export "$j" --as bsmtp --inexact --output "$scratch/none"
	[ ! -e "$scratch/none" ]
}

random_payloads_as_tar()
{
	local i
	quick tar
	for i in $(seq 60); do
		perl -e 'srand($ARGV[0]); print pack("C", rand(256)) for 1 .. rand(rand() < 0.1 ? 200000 : 2000)' \
			$((seed + i)) | "$JNL" put "$j" >/dev/null
	done
	"$JNL" put "$j" </dev/null >/dev/null
	head -c 512 /dev/zero | "$JNL" put "$j" >/dev/null
	head -c 10240 /dev/zero | "$JNL" put "$j" >/dev/null
	goes_through tar
	# and tar(1) sees them, with names and times
	mkdir "$scratch/untar"
	tar -C "$scratch/untar" -xf "$scratch/backup"
	ls "$scratch/untar" | sort >"$scratch/names"
	ids_of "$j" | sort | cmp - "$scratch/names"
	sha256sum "$scratch/untar"/* | cut -d ' ' -f 1 | sort >"$scratch/got"
	same "$scratch/got" "$scratch/wanted"
	"$JNL" ls "$j" | awk '{ print $1, $3 }' | tr -d TZ- | sort >"$scratch/wanted"
	(cd "$scratch/untar" && TZ=UTC stat -c '%n %y' -- *) |
		sed 's/ +0000//; s/ /#/; s/ //; s/#/ /' | tr -d TZ- | sort >"$scratch/got"
	same "$scratch/got" "$scratch/wanted"
}

the_largest_and_the_empty()
{
	local form
	quick large --size 256M
	# as text, so that mbox takes it: lines, and quotes in them
	yes ">From the largest that there may be, and not a byte more" | head -c $((bytes - 1)) >"$scratch/big"
	echo >>"$scratch/big"
	"$JNL" put "$j" "$scratch/big" >/dev/null
	"$JNL" put "$j" </dev/null >/dev/null
	for form in mbox tar; do
		"$JNL" export "$j" --as $form | expect 0 "$JNL" put "$j" --as $form
		[ "$(wc -l <"$out")" = 2 ]
		cp "$out" "$scratch/ids"
		xargs "$JNL" cat "$j" <"$scratch/ids" | cmp - "$scratch/big"
		"$JNL" retire "$j" - <"$scratch/ids" >/dev/null
	done
	"$JNL" destroy "$j" --yes
	rm "$scratch/big"
	quick nothing
	for form in mbox bsmtp tar; do
		goes_through $form
	done
}

thousands_of_small_ones()
{
	quick small
	seq -w 3000 | "$JNL" put "$j" --as lines >/dev/null
	expect 0 "$JNL" export "$j" --as tar -o "$scratch/backup"
	quick again
	expect 0 "$JNL" put "$j" --as tar "$scratch/backup"
	# in the order of ids, which is that of lanes where a writer changed processors
	"$JNL" cat "$j" $(cat "$out") | fold -w 4 | sort >"$scratch/got"
	seq -w 3000 >"$scratch/wanted"
	same "$scratch/got" "$scratch/wanted"
}

# ---- tar from elsewhere, and what is wrong with it --------------------------------

any_tar_is_read()
{
	local format
	mkdir -p "$scratch/dir/new"
	echo one >"$scratch/dir/new/1"
	echo two >"$scratch/dir/new/$(printf 'long%.0s' $(seq 50))"
	for format in ustar gnu pax v7; do
		[ $format != ustar ] && [ $format != v7 ] || rm -f "$scratch"/dir/new/long*
		fresh any
		echo two >"$scratch/dir/new/2"
		tar -C "$scratch" --format=$format -cf "$scratch/any.tar" dir
		expect 0 "$JNL" put "$j" --as tar "$scratch/any.tar"
		tar -xOf "$scratch/any.tar" >"$scratch/wanted"
		"$JNL" cat "$j" $(cat "$out") >"$scratch/got"
		same "$scratch/got" "$scratch/wanted"
	done
	ln -s 1 "$scratch/dir/new/link"
	tar -C "$scratch" -cf "$scratch/any.tar" dir/new/1 dir/new/link
	expect 1 "$JNL" put "$j" --as tar "$scratch/any.tar"
	says 'message 2, byte 1024: dir/new/link: neither a file nor a directory'
	ln "$scratch/dir/new/1" "$scratch/dir/new/3"
	tar -C "$scratch" -cf "$scratch/any.tar" dir/new/1 dir/new/3
	expect 1 "$JNL" put "$j" --as tar "$scratch/any.tar"
	says 'message 2, byte 1024: dir/new/3: a link to another file'
	truncate -s $((bytes + 1)) "$scratch/large"
	tar -C "$scratch" -cf - large | expect 1 "$JNL" put "$j" --as tar
	says 'message 1, byte 0: the message is over the limit'
	rm "$scratch/large"
}

what_is_no_tar_is_refused()
{
	fresh junk
	expect 1 "$JNL" put "$j" --as tar </dev/null
	says 'message 1, byte 0: Unrecognized archive format'
	expect 1 "$JNL" put "$j" --as tar "$lib/sample.mbox"
	expect 1 "$JNL" put "$j" --as tar "$scratch"
	says 'Is a directory'
	[ -z "$(ids_of "$j")" ]
}

# what would help is said
a_compressed_tar_is_called_so()
{
	local with
	fresh packed
	echo text >"$scratch/packed.txt"
	tar -C "$scratch" -cf "$scratch/packed.tar" packed.txt
	for with in gzip bzip2 xz zstd; do
		command -v $with >"$scratch/none" || { echo "skip: $with is not installed"; continue; }
		$with -c "$scratch/packed.tar" >"$scratch/packed.tar.z"
		expect 1 "$JNL" put "$j" --as tar "$scratch/packed.tar.z"
		says "message 1, byte 0: it is compressed: \"$with -dc FILE"
		$with -dc "$scratch/packed.tar.z" | expect 0 "$JNL" put "$j" --as tar
	done
}

# Wherever it is cut, it is said, and what was put is whole.
a_cut_tar_is_no_whole_one()
{
	local size at n
	fresh source
	for n in 600 0 512 1; do
		head -c $n /dev/zero | tr '\0' x | "$JNL" put "$j" >/dev/null
	done
	expect 0 "$JNL" export "$j" --as tar -o "$scratch/whole.tar"
	size=$(tar -tRf "$scratch/whole.tar" | sed -n 's/^block \([0-9]*\): \*\* Block of NULs.*/\1/p')
	# tar counts the blocks from 0, and so is this one's beginning
	size=$((size * 512))
	quick cut
	for ((at = 0; at <= size; at += 256)); do
		head -c $at "$scratch/whole.tar" >"$scratch/cut.tar"
		expect 1 "$JNL" put "$j" --as tar "$scratch/cut.tar"
		says 'message [1-5], byte [0-9]{1,4}:'
		! grep -q memory "$err" || wrong "$(cat "$err")"
	done
	"$JNL" ls "$j" | awk '{ print $2 }' | sort -nu >"$scratch/sizes"
	[ "$(echo $(cat "$scratch/sizes"))" = "0 1 512 600" ] || wrong "$(cat "$scratch/sizes")"
	# who goes on where it was cut loses nothing
	fresh resumed
	head -c 3000 "$scratch/whole.tar" >"$scratch/cut.tar"
	expect 1 "$JNL" put "$j" --as tar "$scratch/cut.tar"
	at=$(sed -n 's/.*byte \([0-9]*\):.*/\1/p' "$err")
	tail -c +$((at + 1)) "$scratch/whole.tar" | expect 0 "$JNL" put "$j" --as tar
	[ "$(echo $("$JNL" ls "$j" | awk '{ print $2 }'))" = "600 0 512 1" ]
}

# ---- beside others, and with damage -------------------------------------------------

# The export stands still while most of what it has listed is retired, and its place
# in the log used again several times over.
retired_while_exporting() # retired_while_exporting KIND [shared]: beside one who writes
{
	local n pid in writer=0 held status=0
	# shellcheck disable=SC2046
	fresh "beside.$1" $(marker_option "$1" export)
	if [ -n "${2-}" ]; then
		rm -f "$scratch/fifo"
		mkfifo "$scratch/fifo"
		: >"$scratch/held"
		"$JNL" put "$j" --as lines <"$scratch/fifo" >"$scratch/held" &
		writer=$!
		ends $writer
		exec {held}>"$scratch/fifo"
		echo held >&"$held"
		until_or_end $writer lines_at_least 1 "$scratch/held"
		"$JNL" retire "$j" - <"$scratch/held"
	fi
	for n in $(seq 60); do
		head -c 100000 /dev/zero | tr '\0' "$(printf '\\%o' $((64 + n)))" >"$scratch/p$n"
		"$JNL" put "$j" "$scratch/p$n"
	done >"$scratch/ids"
	rm -f "$scratch/pipe"
	mkfifo "$scratch/pipe"
	"$JNL" export "$j" --as tar >"$scratch/pipe" 2>"$scratch/exported" &
	pid=$!
	ends $pid
	exec {in}<"$scratch/pipe"
	head -c 1 <&"$in" >"$scratch/backup" # it has begun
	awk 'NR % 20' "$scratch/ids" | "$JNL" retire "$j" - >/dev/null
	for n in $(seq 12); do
		head -c 1000000 /dev/urandom | "$JNL" put "$j" | "$JNL" retire "$j" - >/dev/null
		head -c 2000000 /dev/urandom | "$JNL" put "$j" | "$JNL" retire "$j" - >/dev/null
	done
	cat <&"$in" >>"$scratch/backup"
	exec {in}<&-
	wait $pid || status=$?
	[ $status = 0 ] || wrong "exits $status: $(cat "$scratch/exported")"
	rm -rf "$scratch/untar"
	mkdir "$scratch/untar"
	tar -C "$scratch/untar" -xf "$scratch/backup"
	n=0
	while read -r id; do
		n=$((n + 1))
		[ -e "$scratch/untar/$id" ] || [ $((n % 20)) != 0 ] || wrong "$id is missing"
		[ ! -e "$scratch/untar/$id" ] || same "$scratch/untar/$id" "$scratch/p$n"
	done <"$scratch/ids"
	[ "$(ls "$scratch/untar" | wc -l)" -lt 60 ] || wrong "nothing was used again"
	[ $writer != 0 ] || return 0
	# seen at once: 3 stay, 20 had been asked for (2 MiB, tools/fetch.h), and some were in
	# the pipe and in buffers
	[ "$(ls "$scratch/untar" | wc -l)" -le 30 ] || wrong "$(ls "$scratch/untar")"
	exec {held}>&-
	wait $writer
}

beside_a_busy_writer()
{
	local in writer n=0
	fresh busy
	echo stays | "$JNL" put "$j" >"$scratch/stays"
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	: >"$scratch/churn"
	"$BUILD/tests/integration/churn" "$j" 2000 <"$scratch/fifo" >"$scratch/churn" 2>&1 &
	writer=$!
	ends $writer
	exec {in}>"$scratch/fifo"
	until_or_end $writer lines_at_least 1 "$scratch/churn"
	while kill -0 $writer 2>/dev/null && [ $n -lt 5 ]; do
		expect 0 "$JNL" export "$j" --as tar -o "$scratch/backup"
		rm -rf "$scratch/untar"
		mkdir "$scratch/untar"
		tar -C "$scratch/untar" -xf "$scratch/backup"
		[ "$(cat "$scratch/untar/$(cat "$scratch/stays")")" = stays ]
		rm "$scratch/untar/$(cat "$scratch/stays")"
		perl -0777 -ne '/\A([0-9a-f]{8})(?:\1)*\z/ or die "torn: $ARGV\n"' "$scratch/untar"/* </dev/null
		n=$((n + 1))
	done
	exec {in}>&-
	wait $writer || wrong "$(cat "$scratch/churn")"
	[ $n = 5 ]
}

lost_ones_are_named()
{
	local log at n
	fresh lost
	for n in 1 2 3; do
		{ echo "payload-$n-of-three"; head -c 40000 /dev/zero; echo; } | "$JNL" put "$j"
	done >"$scratch/ids"
	mapfile -t ids <"$scratch/ids"
	log=$("$JNL" info --json "$j" | jq -r '.logs[0].name')
	for at in $(grep -abo payload-2-of-three "$log" | cut -d : -f 1); do
		printf XXXX | dd of="$log" bs=1 seek="$at" conv=notrunc status=none
	done
	rm -f "$scratch/backup"
	expect 3 "$JNL" export "$j" --as tar -o "$scratch/backup"
	says "^jnl: ${ids[1]}: COMMITTED_BUT_LOST"
	[ "$(wc -l <"$err")" = 1 ] || wrong "$(cat "$err")"
	tar -tf "$scratch/backup" >"$scratch/got"
	printf '%s\n' "${ids[0]}" "${ids[2]}" | cmp - "$scratch/got"
	expect 3 "$JNL" export "$j" --as mbox -n
	printed ""
}

# ---- where it goes ------------------------------------------------------------------

the_file_is_replaced_as_a_whole()
{
	fresh file
	echo x | "$JNL" put "$j" >/dev/null
	echo old >"$scratch/target"
	ln -s target "$scratch/link"
	expect 0 "$JNL" export "$j" --as mbox -o "$scratch/link"
	[ -L "$scratch/link" ] && [ "$(head -c 5 "$scratch/target")" = "From " ]
	[ "$(stat -c %a "$scratch/target")" = 600 ]
	(cd "$scratch" && expect 0 "$JNL" export "$j" --as mbox --output=here && [ -s here ])
	expect 0 "$JNL" export "$j" --as mbox -o -
	same "$out" "$scratch/target"
	expect 1 "$JNL" export "$j" --as mbox -o /dev/null
	says '/dev/null: is there, and is no file'
	[ -c /dev/null ]
	expect 1 "$JNL" export "$j" --as mbox -o "$scratch"
	expect 1 "$JNL" export "$j" --as mbox -o "$scratch/nowhere/file"
	says 'No such file'
	expect 1 "$JNL" export "$j" --as mbox -o "$j/log"
	says "does not belong into the journal's own directory"
	(cd "$j" && expect 1 "$JNL" export . --as mbox -o journal.conf)
	expect 0 "$JNL" check "$j"
	[ "$(find "$scratch" -maxdepth 1 -name '*.??????' -newer "$scratch/target" -type f)" = "" ]
}

what_cannot_be_written_is_said()
{
	local form
	fresh full
	echo x | "$JNL" put "$j" >/dev/null
	for form in mbox tar; do
		"$JNL" export "$j" --as $form >/dev/full 2>"$err" && wrong "$form: exits 0"
		says 'standard output: No space left on device'
		[ "$(wc -l <"$err")" = 1 ] || wrong "$(cat "$err")"
	done
}

a_terminal_gets_no_tar()
{
	local got=0
	fresh terminal
	script -qec "'$JNL' export '$j' --as tar" /dev/null >"$out" </dev/null || got=$?
	[ $got = 1 ] && grep -q 'a terminal shows no tar' "$out"
}

wrong_lines()
{
	expect 2 "$JNL" export
	says 'DIR is missing'
	expect 2 "$JNL" export "$scratch/x"
	says '--as FORM is missing: mbox, bsmtp or tar'
	expect 2 "$JNL" export "$scratch/x" --as raw
	says '--as raw: it is mbox, bsmtp or tar'
	expect 2 "$JNL" export "$scratch/x" --as tar --output=
	says '--output: no path'
	expect 2 "$JNL" export "$scratch/x" y --as tar
	says 'one argument too many: y'
	expect 2 "$JNL" export "$scratch/x" --as
	expect 2 "$JNL" export "$scratch/x" --as tar --force
	expect 1 "$JNL" export "$scratch/x" --as tar
	says 'No such file|no journal'
	expect 2 "$JNL" put "$scratch/x" --as zip
	says '--as zip: it is raw, lines, mbox, bsmtp or tar'
}

it "mail as mbox, SEED=$seed" mail_as_mbox
it "mbox cannot keep all" mbox_cannot_keep_all
it "sessions as bsmtp, SEED=$seed" sessions_as_bsmtp
it "bsmtp takes bsmtp alone" bsmtp_takes_bsmtp_alone
it "random payloads as tar, SEED=$seed" random_payloads_as_tar
it "the largest and the empty" the_largest_and_the_empty
it "thousands of small ones" thousands_of_small_ones
it "any tar is read" any_tar_is_read
it "what is no tar is refused" what_is_no_tar_is_refused
it "a compressed tar is called so" a_compressed_tar_is_called_so
it "a cut tar is no whole one" a_cut_tar_is_no_whole_one
for kind in $markers; do
	if why=$(have_marker $kind); then
		it "retired while exporting, $kind" retired_while_exporting $kind
		it "the same beside a writer, $kind" retired_while_exporting $kind shared
	else
		skip "retired while exporting, $kind" "$why"
	fi
done
it "beside a busy writer" beside_a_busy_writer
it "lost ones are named" lost_ones_are_named
it "the file is replaced as a whole" the_file_is_replaced_as_a_whole
it "what cannot be written is said" what_cannot_be_written_is_said
if command -v script >/dev/null; then
	it "a terminal gets no tar" a_terminal_gets_no_tar
else
	skip "a terminal gets no tar" "script(1) is not installed"
fi
it "wrong lines" wrong_lines
done_testing
