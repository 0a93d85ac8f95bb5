#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# usage: tests/layout/golden/make.sh DIRECTORY
#
# Makes golden images of the format that this library writes, in DIRECTORY:
# vN-KIND.tar.gz and vN-KIND.txt, for file: and for sim:, whose bytes are those
# of pmem:, "moved" for one that was moved from sim: to file: (P14), and "mirrored" for one
# whose log has a second leg, out of date since the second session.  The library must be
# built.  When the version changes, the images of older versions stay.
set -eu
out=$(realpath "$1")
cd "$(dirname "$0")/../../.."
build=$(realpath "${BUILD:-build}")
version=$(sed -n 's/^#define FORMAT_VERSION \([0-9]*\)u$/\1/p' libjournal/format/features.h)
work=$(mktemp -d "${TMPDIR:-/tmp}/golden.XXXXXX")
trap 'rm -rf "$work"' EXIT

# what the build sanitizes is linked with it
# shellcheck disable=SC2086
"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -g ${SANITIZE:-} -Ilibjournal -Ilibjournal/include \
	-Itests/layout tests/layout/make_golden.c -o "$work/make_golden" \
	"$build/obj/libinternal.a" $(pkg-config --libs liburing 2>/dev/null) -lisal -pthread -ldl -lm
cd "$work"
for kind in file sim moved mirrored; do
	name=v$version-$kind
	case $kind in
	moved) ./make_golden sim "$PWD" "$name" ;;
	mirrored) ./make_golden file "$PWD" "$name" second ;;
	*) ./make_golden "$kind" "$PWD" "$name" ;;
	esac
	[ "$kind" != moved ] || LD_LIBRARY_PATH=$build "$build/jnl" set-marker "$name" \
		"file:$PWD/$name/moved"
	mv "$name" full
	cp -r --sparse=always full "$name"
	rm -r full
	# reproducible but for what is random in it; zeros take no room
	tar -S --sort=name --owner=0 --group=0 --mtime=@0 -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
	mv "$name.txt" "$out/"
done
