#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# Install somewhere, compile and run a program against it by pkg-config, with
# the shared and with the static library, uninstall, look what is left.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/install.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
root=$work/root lib=$work/root/usr/lib
failed=0

check() # check WHAT COMMAND...
{
	local what=$1
	shift
	if "$@" >"$work/output" 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/    /' "$work/output"
		failed=1
	fi
}

# -o all: what was built is installed as it is, nothing is built here
make_here()
{
	MAKEFLAGS='' make -o all BUILD="$BUILD" CC="${CC:-cc}" DESTDIR="$root" PREFIX=/usr "$@"
}

# the library's own search path is not to help: only what was installed counts
unset LD_LIBRARY_PATH
flags() { PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$lib/pkgconfig pkg-config "$@" libjournal; }
is_link() { [ "$(readlink "$lib/$1")" = "$2" ]; }
nothing_left() { find "$root" ! -type d -print | { ! grep .; }; }
# the directory must be as it was for whoever else put files there
others_kept() { [ -f "$root/usr/share/man/man1/other.1" ]; }

compile() # compile PROGRAM FLAGS...
{
	local program=$1
	shift
	# shellcheck disable=SC2046,SC2086
	"${CC:-cc}" ${SANITIZE:-} -o "$work/$program" tests/integration/ten_lines.c \
		$(flags --cflags) "$@"
}

put() # put PROGRAM: prints an id
{
	"$work/$1" "$work/journal-$1" | grep -E '^[0-9a-f-]+$'
}

installed_jnl()
{
	"$root/usr/bin/jnl" ls "$work/journal-$1" | grep .
}

check "installs" make_here install
mkdir -p "$root/usr/share/man/man1"
touch "$root/usr/share/man/man1/other.1"
check "soname link" is_link libjournal.so.0 libjournal.so.0.1.0
check "development link" is_link libjournal.so libjournal.so.0
check "pkg-config knows the version" [ "$(flags --modversion)" = 0.1.0 ]
# shellcheck disable=SC2046
check "compiles" compile shared $(flags --libs) -Wl,-rpath,"$lib"
check "runs" put shared
# shellcheck disable=SC2046
check "compiles with the static library" compile static "$lib/libjournal.a" \
	$(flags --static --libs | tr ' ' '\n' | grep -v -- '-ljournal')
check "runs" put static
check "the installed jnl reads what it wrote" installed_jnl shared
for header in libjournal/include/*.h; do
	check "installs ${header##*/}" cmp "$header" "$root/usr/include/${header##*/}"
done
for page in docs/man/*.[1-8]; do
	check "installs ${page##*/}" [ -f "$root/usr/share/man/man${page##*.}/${page##*/}" ]
done
for unit in libjournal/tools/*.service.in; do
	name=$(basename "${unit%.in}")
	check "installs $name" grep -qx 'ExecStart=/usr/bin/jnl serve .*' "$root/usr/lib/systemd/system/$name"
	check "$name is complete" bash -c '! grep -q "@[A-Z]*@" "$1"' - "$root/usr/lib/systemd/system/$name"
done
if [ -e "$BUILD/nbdkit-volatile-plugin.so" ]; then
	check "installs journal-rig's disk" cmp "$BUILD/nbdkit-volatile-plugin.so" \
		"$lib/journal-rig/nbdkit-volatile-plugin.so"
fi
check "installs journal-rig's guest" cmp tests/rig/init "$lib/journal-rig/init"
# what it is told is what stands in its place, below the root that it was installed to
check "journal-rig looks there" grep -qx "my \$share = .*'/usr/lib/journal-rig';" "$root/usr/bin/journal-rig"
check "journal-rig runs" bash -c '"$1" --help | grep -q "^usage: journal-rig run"' - \
	"$root/usr/bin/journal-rig"
check "uninstalls" make_here uninstall
check "and leaves what others put there" others_kept
rm "$root/usr/share/man/man1/other.1"
check "and nothing of its own" nothing_left
exit $failed
