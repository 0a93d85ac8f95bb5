#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# A short run, with a fixed seed, of every fuzz target: what comes from a medium
# or a file must never do more than be refused.  Longer, with another seed:
#
#   FUZZ_SECONDS=600 FUZZ_SEED=7 tests/run integration/test_fuzz
#
# slow
set -u
cd "$(dirname "$0")/../.." || exit 1
# one spelling: what make knows of an object goes by its name
BUILD=$(realpath -m "${BUILD:-build}")
seconds=${FUZZ_SECONDS:-3}
seed=${FUZZ_SEED:-1}

if ! command -v clang >/dev/null; then
	echo "skip: clang is not installed, and the fuzzer is part of it"
	exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/fuzz.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return !d && n; }' |
	clang -x c -fsanitize=fuzzer,address - -o "$work/probe" 2>"$work/probe.log"; then
	echo "skip: clang has no libFuzzer here: $(tail -n 1 "$work/probe.log")"
	exit 77
fi

# the library once more, by clang and with its checks
sanitize="-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined"
if ! env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u CPPFLAGS \
	make -s -j2 DEPS=no CC=clang OPT="-O1 -g" WERROR= \
	SANITIZE="$sanitize" BUILD="$BUILD/fuzz" "$BUILD/fuzz/obj/libinternal.a" \
	>"$work/make.log" 2>&1; then
	cat "$work/make.log"
	echo "not ok - the library builds with clang"
	exit 1
fi

build() # build TARGET
{
	# shellcheck disable=SC2086
	clang -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -fno-strict-aliasing \
		-fsanitize=address,undefined,fuzzer -fno-sanitize-recover=undefined \
		-Ilibjournal -Ilibjournal/include -Itests/fuzz "tests/fuzz/$1.c" \
		-o "$work/$1" "$BUILD/fuzz/obj/libinternal.a" -luring -lisal -pthread -ldl -lm
}

failed=0
for source in tests/fuzz/fuzz_*.c; do
	target=$(basename "$source" .c)
	mkdir "$work/$target.corpus"
	echo "# $target: seed $seed, $seconds s"
	if build "$target" >"$work/$target.log" 2>&1 &&
		TMPDIR=$work "$work/$target" -seed="$seed" -max_total_time="$seconds" -max_len=256 -len_control=0 \
			-rss_limit_mb=1024 -timeout=20 -artifact_prefix="$work/$target-" \
			"$work/$target.corpus" >>"$work/$target.log" 2>&1; then
		echo "ok - $target: $(sed -n 's/^Done \([0-9]* runs\).*/\1/p' "$work/$target.log")"
	else
		echo "not ok - $target"
		tail -n 40 "$work/$target.log"
		for input in "$work/$target"-*; do
			[ -e "$input" ] && echo "input: $(base64 -w0 "$input")"
		done
		failed=1
	fi
done
exit $failed
