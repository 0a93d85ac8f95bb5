# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the tests of the build's own programs, which run in a folder $tree, and leave what
# the last of them has said in $tree/output.
# shellcheck disable=SC2034
number=0 failed=0

check() # check WHAT CONDITION...
{
	local what=$1
	shift
	if "$@"; then
		echo "ok $((++number)) - $what"
	else
		echo "not ok $((++number)) - $what"
		sed 's/^/    /' "$tree/output"
		failed=1
	fi
}
