#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# The fuzz targets are for AFL++, too: two of the small ones are built with afl-clang-fast and
# run for some seconds.  What they reach guides it: it finds inputs of interest.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
rm -rf "$build/fuzz/afl/found"
said=$(JOBS=2 tests/fuzz/afl -b "$build" -s 2 super log)
status=$?
echo "$said"
[ $status = 0 ] || exit $status
[ "$(grep -c '^ok - .*: [1-9][0-9]* executions, [1-9][0-9]* inputs of interest$' <<<"$said")" = 2 ]
