#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# A short run, with a fixed seed, of every fuzz target: what comes from a medium, a file or
# a command line must never do more than be refused.  Longer, with another seed:
#
#   make fuzz SECONDS=600 SEED=7
#
# slow
set -u
cd "$(dirname "$0")/../.." || exit 1
JOBS=2 tests/fuzz/run -q -t -b "${BUILD:-build}" -s "${FUZZ_SECONDS:-1}" -S 1
