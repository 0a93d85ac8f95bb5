#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The volatile disk, served by nbdkit to libnbd (volatile.py), and to programs as they are.
# diskless
set -eu
cd "$(dirname "$0")/../.."
plugin=$BUILD/nbdkit-volatile-plugin.so

[ -e "$plugin" ] || { echo "skip: nbdkit-plugin.h is missing (nbdkit-plugin-dev)"; exit 77; }
command -v nbdkit >/dev/null || { echo "skip: nbdkit is not installed"; exit 77; }
python=""
for p in python3 /usr/bin/python3; do # the first may be one that Debian's packages do not know
	[ -n "$python" ] || ! "$p" -c 'import nbd' 2>/dev/null || python=$p
done
[ -n "$python" ] || { echo "skip: python3-libnbd is not installed"; exit 77; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/volatile.XXXXXX")
trap 'rm -rf "$folder"' EXIT
status=0
PYTHONDONTWRITEBYTECODE=1 "$python" tests/rig/volatile.py "$plugin" "$folder" || status=1
exit $status
