#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# What was built, installed: some of what `make check-installed` runs against it, and that a
# test which needs more than that is noticed.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath "${BUILD:-build}")

if [[ ${SANITIZE:-} =~ [^[:space:]] ]] || [ "$build/jnl" != "${JNL_BINARY:-$build/jnl}" ]; then
	echo "skip: under a tool it is not what is delivered"
	exit 77
fi
some="integration/test_exec integration/test_tags
	integration/test_txn_groups integration/test_copied.sh integration/test_memory"
# shellcheck disable=SC2086
tests/installed -b "$build" $some >"$build/as_installed.log" 2>&1
status=$?
sed -nE 's/^ok +([^ ]+) .*/ok - \1/p; s/^FAIL +([^ ]+) .*/not ok - \1/p' "$build/as_installed.log"
cat "$build/as_installed.log"
[ $status = 0 ] || exit 1
tail -n 1 "$build/as_installed.log" | grep -q '^[1-9][0-9]* passed, 0 failed' || exit 1
[ -f "$build/installed/as/tests/integration/test_exec" ] || exit 1
if grep -q '^left out: integration/test_memory.c: it replaces malloc' "$build/as_installed.log"; then
	echo "ok - what cannot be is left out, and said"
else
	echo "not ok - what cannot be is left out, and said"
	exit 1
fi
