#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/run counts what passes, fails and is skipped, and is not fooled.
set -u
cd "$(dirname "$0")/../.." || exit 1
tree=$(mktemp -d "${TMPDIR:-/tmp}/run.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/tests/unit" "$tree/tests/lib" "$tree/build/tests/unit"
cp tests/run tests/fs "$tree/tests/"
cp tests/lib/mounts.sh "$tree/tests/lib/"
number=0 failed=0

# a test of the tree that is made of these shell lines
is() # is NAME.sh|NAME.c LINES
{
	case $1 in
	*.sh) printf '%s\n' "$2" >"$tree/tests/unit/test_$1" ;;
	*.c)
		: >"$tree/tests/unit/test_$1"
		printf '#!/bin/bash\n%s\n' "$2" >"$tree/build/tests/unit/test_${1%.c}"
		chmod +x "$tree/build/tests/unit/test_${1%.c}"
		;;
	esac
}

expect() # expect WHAT SUMMARY STATUS [SELECTION...]
{
	local what=$1 summary=$2 status=$3 got got_status
	shift 3
	got=$(HANG_S=${HANG_S:-60} TMPDIR=$tree "$tree/tests/run" -b "$tree/build" "$@")
	got_status=$?
	if [ "$(echo "$got" | tail -n 1)" = "$summary" ] && [ $got_status = "$status" ]; then
		echo "ok $((++number)) - $what"
	else
		echo "not ok $((++number)) - $what: expected \"$summary\", status $status; got $got_status:"
		printf '%s\n' "$got" | sed 's/^/    /;s/    [0-9]* passed, .*/[&]/'
		failed=1
	fi
	rm -f "$tree"/tests/unit/* "$tree"/build/tests/unit/*
}

expect "no test at all is a failure" "0 passed, 1 failed, 0 skipped" 1
is a.sh 'exit 0'
is b.sh 'exit 1'
is c.sh 'echo "skip: no disk"; exit 77'
expect "scripts by their exit status" "1 passed, 1 failed, 1 skipped" 1
is a.sh 'exit 77'
expect "a skip without a reason is a failure" "0 passed, 1 failed, 1 skipped" 1
is a.c 'echo 1..3; echo ok 1 - x; echo ok 2 - y; echo "skip: why"; echo "not ok 3 # SKIP z"'
expect "a program by its tests" "2 passed, 0 failed, 1 skipped" 0
is a.c 'echo 1..2; echo ok 1 - x; echo not ok 2 - y; exit 1'
expect "a failed test once" "1 passed, 1 failed, 0 skipped" 1
is a.c 'echo 1..2; echo ok 1 - x; kill -SEGV $$'
expect "a crash between two tests" "1 passed, 1 failed, 0 skipped" 1
is a.c 'echo 1..2; echo ok 1 - x'
expect "a program that leaves early with status 0" "1 passed, 1 failed, 0 skipped" 1
is a.c 'exit 0'
expect "a program that runs nothing" "0 passed, 1 failed, 0 skipped" 1
is a.c 'echo 1..1; echo ok 1 - x; exit 1'
expect "a leak that is found at exit" "1 passed, 1 failed, 0 skipped" 1
: >"$tree/tests/unit/test_a.c"
expect "a program that does not build" "0 passed, 1 failed, 0 skipped" 1
full='echo "x: No space left on device"; exit 1'
is a.sh "[ ! -e $tree/once ] || exit 0; : >$tree/once; $full"
expect "who found the disk full is run once more" "1 passed, 0 failed, 0 skipped" 0
is a.sh "echo >>$tree/times; $full"
expect "and no more than once" "0 passed, 1 failed, 0 skipped" 1
[ "$(wc -l <"$tree/times")" = 2 ] || { echo "not ok $((++number)) - run twice" && failed=1; }
is a.sh "echo >>$tree/failures; exit 1"
expect "who failed for another reason is not" "0 passed, 1 failed, 0 skipped" 1
[ "$(wc -l <"$tree/failures")" = 1 ] || { echo "not ok $((++number)) - run once" && failed=1; }
is a.sh 'exit 0'
ROOM_MIB=999999999 ROOM_S=1 expect "nobody waits for room for ever" "1 passed, 0 failed, 0 skipped" 0
is a.sh 'sleep 60'
HANG_S=1 expect "a test that hangs is ended" "0 passed, 1 failed, 0 skipped" 1
is a.sh 'exit 0'
is b.sh $'# slow\nexit 1'
expect "quick leaves the slow ones out" "1 passed, 0 failed, 0 skipped" 0 quick
is a.sh 'exit 0'
is b.sh 'exit 1'
expect "a selection by name" "1 passed, 0 failed, 0 skipped" 0 'unit/test_a*'
is a.sh "exit 0"
is a.c "exit 1"
expect "of a script and a program of one name, the script" "1 passed, 0 failed, 0 skipped" 0 unit/test_a.sh
lock='mkdir "$BUILD/lock" || exit 1; sleep 0.1; rmdir "$BUILD/lock"'
for n in a b c; do is $n.sh $'# serial\n'"$lock"; done
is d.sh 'sleep 0.1'
expect "serial tests run one at a time" "4 passed, 0 failed, 0 skipped" 0

# on a file system of its own, and on one that there is not
if "$tree/tests/fs" -d "$tree/build" tmpfs true >"$tree/why"; then
	is a.sh '[ "$(stat -f -c %T "$TMPDIR")" = tmpfs ] && : >"$TMPDIR/stays"'
	is b.sh 'exit 1'
	expect "on file systems" "1 passed, 1 failed, 1 skipped" 1 -f tmpfs,nosuch 'unit/*'
else
	cat "$tree/why"
	echo "ok $((++number)) - on file systems # skip"
fi
mkdir "$tree/tests/integration"
printf '# diskless\nexit 1\n' >"$tree/tests/integration/test_a.sh"
printf 'exit 0\n' >"$tree/tests/integration/test_b.sh"
is a.sh 'exit 1'
expect "what is meant for a file system" "1 passed, 0 failed, 0 skipped" 0 disk
rm -r "$tree/tests/integration"

mkdir "$tree/tests/model"
printf '#!/bin/bash\ncat "$1"\n' >"$tree/tests/model/run"
chmod +x "$tree/tests/model/run"
printf 'ok - it holds\nok - and fails when broken\n' >"$tree/tests/model/a.pml"
# this may itself run under a sanitizer, or valgrind
unset SANITIZE WRAP
expect "a model by its lines" "2 passed, 0 failed, 0 skipped" 0 'model/a'
is a.sh 'exit 0'
SANITIZE=-fsanitize=any expect "no models under a sanitizer" "1 passed, 0 failed, 0 skipped" 0
printf 'not ok - it does not hold\n' >"$tree/tests/model/a.pml"
expect "a model that fails" "0 passed, 1 failed, 0 skipped" 1
exit $failed
