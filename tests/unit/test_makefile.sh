#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Makefile, on a small tree of its own: what it rebuilds, what it picks, and
# that it installs no package when told not to.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh
tree=$(mktemp -d "${TMPDIR:-/tmp}/makefile.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/libjournal/util" "$tree/libjournal/marker" "$tree/tests"
cp Makefile "$tree/"
cp -r libjournal/include libjournal/libjournal.map "$tree/libjournal/"
cp tests/deps tests/run "$tree/tests/"
cd "$tree" || exit 1
# what the outer make was told is not meant for this one
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES BUILD OPT CFLAGS CPPFLAGS LDFLAGS LDLIBS \
	HARDEN WERROR V DEPS TESTS JOBS SANITIZE COVERAGE WRAP TEST_SHARE

run() # run ARGUMENTS...; the output is in $tree/output
{
	make CC="${CC:-cc}" "$@" >"$tree/output" 2>&1
}

said() { grep -qF -- "$1" "$tree/output"; }
not() { ! "$@"; }
has() { nm build/obj/libinternal.a 2>/dev/null | grep -qw "$1"; }
build() { run "$@" all build/obj/libinternal.a; }

echo '#include "util/a.h"
int a(void) { return A; }' >libjournal/util/a.c
printf '#define A 1\nint a(void);\n' >libjournal/util/a.h
echo 'int b(void); int b(void) { return 2; }' >libjournal/util/b.c

check "builds" build
check "and then has nothing to do" build
check "which is silent" not said "CC "
touch libjournal/util/a.h
check "a header" build
check "rebuilds what includes it" said libjournal/util/a.c
check "and nothing else" not said libjournal/util/b.c
check "flags" build CFLAGS=-DX
check "rebuild everything" said libjournal/util/b.c
check "so do they when they go" build
check "(all of it)" said libjournal/util/b.c
rm libjournal/util/b.c
check "a source that goes" build
check "goes out of the library" not has b
check "V=1" build V=1 OPT=-O0
check "shows the commands" said "-std=gnu11"
check "warnings are no errors" build CFLAGS=-Wno-unused OPT=-O1
echo 'int unused(void); int unused(void) { int x; return 0; }' >libjournal/util/w.c
check "unless WERROR=1" not build WERROR=1
rm libjournal/util/w.c

echo '#include <no_such_library.h>' >libjournal/util/c.c
echo 'int c_none(void); int c_none(void) { return 0; }' >libjournal/util/c_none.c
check "a missing library" build
check "is stood in for by x_none.c" has c_none
echo 'int c(void); int c(void) { return 0; }' >libjournal/util/c.c
check "one that is there" build
check "is used" has c
check "and nothing stands in for it" not has c_none
for arch in x86 arm64 generic; do
	echo "int on_$arch(void); int on_$arch(void) { return 0; }" >libjournal/marker/persist_$arch.c
done
check "an architecture" build
check "has one persist file" [ "$(nm build/obj/libinternal.a | grep -c ' on_')" = 1 ]

# a machine where one package is missing, and apt-get would tell of itself
mkdir bin
printf '#!/bin/sh\ncase "$*" in *libcmocka-dev*) exit 1;; *) printf installed;; esac\n' >bin/dpkg-query
printf '#!/bin/sh\necho "apt-get was run: $*"\n' >bin/apt-get
chmod +x bin/*
export PATH=$tree/bin:$PATH
check "DEPS=no stops" not run check DEPS=no
check "and prints the line" said "apt-get install -y --no-install-recommends libcmocka-dev"
check "and does not run it" not said "apt-get was run"
printf '#!/bin/sh\necho 1000\n' >bin/id
chmod +x bin/id
check "so it does for a user" not run check
check "who gets the line too" said "apt-get install -y --no-install-recommends libcmocka-dev"
printf '#!/bin/sh\necho 0\n' >bin/id
run check
check "for root it is run" said "apt-get was run: install -y --no-install-recommends libcmocka-dev"
printf '#!/bin/sh\nprintf installed\n' >bin/dpkg-query
run check DEPS=no
check "with nothing missing DEPS=no goes on" said " passed, "
exit $failed
