#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every crash of every two operations (explore --help): enough of them, each rule among them,
# and nothing that the promise forbids.  Under a tool: of every operation.
# ONLY="file:takeover/nvram:put+retire": of these alone; INSIDE=1: each recovery is cut.
#
# serial slow
set -u
cd "$(dirname "$0")/../.." || exit 1
explore=$(realpath "${BUILD:-build}")/tests/crash/explore
out=$(mktemp "${TMPDIR:-/tmp}/explore.XXXXXX") || exit 1
trap 'rm -f "$out"' EXIT
failed=0

is() # is NAME TEST...
{
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		failed=1
	fi
}

if [ -n "${ONLY:-}" ]; then
	# shellcheck disable=SC2086
	is "the promise holds" "$explore" $(printf -- "--only=%s " ${ONLY//\// }) \
		${INSIDE:+--inside=$INSIDE}
	exit $failed
fi

# first: who judges sees a disk that forgets
"$explore" --only=forgets:synced --only=forgets:direct,retire >"$out" 2>&1
is "a disk that forgets is noticed" [ $? = 1 ]
is "in both" grep -q '^crash: .* 2 violations$' "$out"

what=--check least=100000
[ "${TEST_SHARE:-1}" = 1 ] || what=--singles least=1000
"$explore" $what --jobs="${JOBS:-2}" >"$out" 2>&1
status=$?
sed 's/^/# /' "$out"
is "the promise holds" [ $status = 0 ]
images=$(sed -n 's/^crash: \([0-9]*\) images, .* 0 violations$/\1/p' "$out")
is "of at least $least images" [ "${images:-0}" -ge $least ]
# a part of the configurations meets a part of the rules
# shellcheck disable=SC2016
[ $what = --singles ] || is "each rule among them" \
	awk '/^P[0-9]+ / { seen++; if (!$(NF - 1)) none = 1 } END { exit none || seen < 17 }' "$out"
exit $failed
