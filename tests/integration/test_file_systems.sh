#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# On ext4, xfs, btrfs and tmpfs, some of what `make check-fs` runs there: processes that
# are killed and recovered from, and what a journal's files are.
set -u
cd "$(dirname "$0")/../.." || exit 1

some="integration/test_exec integration/test_copied.sh integration/test_processes_kill"
export KILL_SECONDS=1
# beside the logs of check-fs
export ON_LOGS=some
# not $BUILD: under valgrind that is a folder of links
build=$(dirname "${JNL_BINARY:-${BUILD:-build}/jnl}")
# shellcheck disable=SC2086
tests/run -b "$build" -f ext4,xfs,btrfs,tmpfs $some |
	awk '/^ok / || /^FAIL / || /^skip / {
		split($0, part, / +[0-9]+ passed/)
		sub(/^[A-Za-z]+ +/, "", part[1])
	}
	/^ok / { print "ok - " part[1] }
	/^FAIL / { print "not ok - " part[1] }
	/^skip / { print "ok - " part[1] " # skip" }
	/^ *skip: / { sub(/^ */, "") }
	/^skip: [a-z0-9]+: / { print "ok - " $2 " # skip" }
	{ print }
	END { exit !NR }'
status=("${PIPESTATUS[@]}")
exit $((status[0] | status[1]))
