#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What it is for, in under a minute: mail goes into a journal, the writer is
# killed in the middle, everything acknowledged is there again.
#
# `make demo` runs it.  DEMO_DIR is where the journal is made (default: in the
# build folder, so that it lies on the disk that the sources lie on).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
BUILD=${BUILD:-$root/build}
JNL=$BUILD/jnl
export LD_LIBRARY_PATH=$BUILD${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} LC_ALL=C.UTF-8

work=$(mktemp -d "${DEMO_DIR:-$BUILD}/demo.XXXXXX")
dram=""
writer="" feeder=""
finish()
{
	local pid
	for pid in $writer $feeder; do
		kill -9 "$pid" 2>/dev/null || true
	done
	rm -rf "$work" ${dram:+"$dram"}
}
trap finish EXIT

step() { printf '\n== %s\n' "$*"; }
fail()
{
	echo "demo: $*" >&2
	exit 1
}

# A journal that survives loss of power where the disk does; else as much as it
# can, and that is said.
format() # format DIR OPTION...
{
	if "$JNL" format "$@" 2>"$work/refused"; then
		return
	fi
	sed 's/^/   /' "$work/refused"
	echo "   so this demonstration asks for less: --require process"
	"$JNL" format "$@" --require process
}

real_mail() # real_mail FILE: the history of the project, or the samples
{
	local top
	: >"$1"
	top=$(git -C "$root" rev-parse --show-toplevel 2>/dev/null || true)
	if [ "$top" = "$root" ]; then
		git -C "$root" format-patch --stdout --root --max-count=300 HEAD >"$1" 2>/dev/null ||
			true
	fi
	if [ "$(grep -c '^From ' "$1" || true)" -ge 20 ]; then
		source="the history of this repository, by git format-patch"
		return
	fi
	cp "$root/tests/lib/sample.mbox" "$1"
	source="the sample mails in tests/lib/sample.mbox"
}

step "An mbox of real mail"
real_mail "$work/mbox"
mkdir "$work/messages"
total=$(perl "$root/tests/lib/mbox-split.pl" "$work/mbox" "$work/messages")
[ "$total" -ge 10 ] || fail "only $total messages in $source"
echo "   $total messages, $(stat -c %s "$work/mbox") bytes: $source"

step "An embedded journal"
echo "   \$ jnl format journal --size 256M"
format "$work/journal" --size 256M
"$JNL" info "$work/journal" | grep -E '^(log|marker):|  (class|evidence):' |
	sed "s|$work/||; s/^/   /"

step "A writer puts the mail into it, and is killed with SIGKILL in the middle"
half=$((total / 2))
mkfifo "$work/pipe"
: >"$work/ids"
"$JNL" put "$work/journal" --as mbox "$work/pipe" >"$work/ids" 2>"$work/put.err" &
writer=$!
# In 256 pieces over half a second, as mail comes, so that the middle can be met;
# then the pipe stays open: the writer cannot be done before it is killed.
perl -e '$| = 1; $/ = \(1 + int((-s $ARGV[0]) / 256));
	while (<>) { print; select(undef, undef, undef, 0.002) }
	sleep 3600' "$work/mbox" >"$work/pipe" &
feeder=$!
while [ "$(wc -l <"$work/ids")" -lt "$half" ]; do
	kill -0 "$writer" 2>/dev/null || fail "the writer ended: $(cat "$work/put.err")"
	sleep 0.005
done
# the shell need not say what it was told to do
{ kill -9 "$writer" && wait "$writer"; } 2>/dev/null || true
kill "$feeder" 2>/dev/null || true
wait "$feeder" 2>/dev/null || true
writer="" feeder=""
acked=$(wc -l <"$work/ids")
echo "   $acked of $total were acknowledged when it died"

step "Recovery"
"$JNL" check "$work/journal"
"$JNL" ls "$work/journal" >"$work/ls"
cut -d ' ' -f 1 "$work/ls" >"$work/live"
"$JNL" info --json "$work/journal" >"$work/info"
live=$(wc -l <"$work/live")
echo "   $live transactions are there, found in $(perl -ne \
	'printf("%.1f", $1 / 1e6) if /"recovery_ns": *(\d+)/' "$work/info") ms"

step "Each acknowledged message, byte for byte against the input"
n=0
while read -r id; do
	n=$((n + 1))
	"$JNL" cat "$work/journal" "$id" | cmp - "$work/messages/$n" ||
		fail "message $n, $id, is not what went in"
done <"$work/ids"
echo "   $n of $n are the same"
flight=$(comm -23 <(sort "$work/live") <(sort "$work/ids"))
if [ -n "$flight" ]; then
	for id in $flight; do
		n=$((n + 1))
		"$JNL" cat "$work/journal" "$id" | cmp - "$work/messages/$n" ||
			fail "$id was in flight, and is not the next message"
	done
	echo "   and $((n - acked)) more whose commit was in flight: whole, as it must be"
fi

step "The others follow, from where it stopped"
for ((i = n + 1; i <= total; i++)); do
	cat "$work/messages/$i" >"$work/next"
	"$JNL" put "$work/journal" "$work/next"
done >"$work/rest"
echo "   $(wc -l <"$work/rest") more; live now: $("$JNL" ls "$work/journal" | wc -l) of $total"
[ "$("$JNL" ls "$work/journal" | wc -l)" = "$total" ] || fail "not all of them are there"

step "All are delivered: retired, never to come back"
"$JNL" ls "$work/journal" | cut -d ' ' -f 1 | "$JNL" retire "$work/journal" - >"$work/retired"
echo "   $(wc -l <"$work/retired") retired; live now: $("$JNL" ls "$work/journal" | wc -l)"
[ -z "$("$JNL" ls "$work/journal")" ] || fail "some are still there"
"$JNL" check "$work/journal"

step "What a durable commit costs here"
if [ -w /dev/shm ] && [ -e "$BUILD/libjournal-pmem.so" ]; then
	dram=$(mktemp -d /dev/shm/jnl-demo.XXXXXX)
	format "$work/synced" --size 64M
	"$JNL" format "$work/staged" --size 64M --require process --marker "pmem:$dram/markers"
	"$BUILD/tests/integration/cost" "$work/file" "$work/synced" "$work/staged"
	echo "   The staged path is shown on plain DRAM, which survives the death of the process"
	echo "   alone; on NVRAM it survives loss of power at much the same cost."
else
	echo "   left out: it needs /dev/shm and libjournal-pmem.so (libpmem-dev)"
fi
echo
echo "demo: done"
