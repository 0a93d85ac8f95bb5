#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# What leaves the libraries is what journal.h declares, and the library brings
# no other than the few libraries it may.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
failed=0

verdict() # verdict NAME FOUND: FOUND says what is wrong
{
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$2" | sed 's/^/    /'
		failed=1
	fi
}

declared=$("${CC:-cc}" -E -P libjournal/include/journal.h |
	grep -oE '\bjournal_[a-z0-9_]+[[:space:]]*\(' | tr -d '( ' | sort -u)
[ "$(echo "$declared" | wc -l)" -gt 10 ] || { echo "not ok - journal.h is not understood"; exit 1; }

# version names (A) and what a sanitizer or gcov brings along are not ours
exported()
{
	nm "$@" | awk 'NF == 3 && $2 ~ /[A-Z]/ && $2 != "A" && $2 != "U" { print $3 }' |
		sed 's/@.*//' | grep -vE '^(__?(asan|ubsan|tsan|gcov|sancov|odr|start|stop)|mangle_path|_init$|_fini$)' |
		sort -u
}

for library in libjournal.so libjournal.a; do
	case $library in
	*.so) symbols=$(exported -D --defined-only "$BUILD/$library") ;;
	*.a) symbols=$(exported -g --defined-only "$BUILD/$library") ;;
	esac
	verdict "$library exports nothing that is not in journal.h" \
		"$(comm -13 <(echo "$declared") <(echo "$symbols") | grep .)"
	verdict "$library exports everything that is in journal.h" \
		"$(comm -23 <(echo "$declared") <(echo "$symbols") | grep .)"
done
for module in pmem nvme; do
	[ -e "$BUILD/libjournal-$module.so" ] || continue
	verdict "libjournal-$module.so exports its table alone" \
		"$(exported -D --defined-only "$BUILD/libjournal-$module.so" |
			grep -vx "journal_${module}_module")"
	verdict "libjournal-$module.so is what brings lib$module" \
		"$(ldd "$BUILD/libjournal-$module.so" | grep -q "lib$module\." || echo "it does not")"
done
verdict "the soname is libjournal.so.0" \
	"$(readelf -d "$BUILD/libjournal.so" | grep SONAME | grep -v '\[libjournal\.so\.0\]')"

needed()
{
	readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'
}

# libgcc_s, libasan and their like come with the compiler's own tools
base='libc|libm|libdl|libpthread|ld-linux.*|liburing|libisal|libgcc_s|lib(a|ub|t)san'
verdict "libjournal.so loads libc, io_uring and ISA-L at most" \
	"$(needed "$BUILD/libjournal.so" | grep -vE "^($base)\.so")"
# not so where it is wrapped in a script
if [ -e "$BUILD/jnl" ] && [ "$(head -c 4 "$BUILD/jnl" | tail -c 3)" = ELF ]; then
	verdict "jnl loads these and JSON at most" \
		"$(needed "$BUILD/jnl" | grep -vE "^($base|libjson-c)\.so")"
fi

# not even by what these bring along: the modules are for that
for library in libjournal.so jnl; do
	[ -e "$BUILD/$library" ] || continue
	verdict "$library loads neither libnvme nor libpmem" \
		"$(ldd "$BUILD/$library" | grep -E 'lib(nvme|pmem)')"
done

# C++ programs use it too; one that cannot be compiled here is said so
if command -v c++ >/dev/null; then
	verdict "journal.h is C++ as well" "$(echo '#include "journal.h"' |
		c++ -Wall -Wextra -Werror -fsyntax-only -Ilibjournal/include -x c++ - 2>&1)"
	verdict "so is its second part, alone" "$(echo '#include "journal_info.h"' |
		c++ -Wall -Wextra -Werror -fsyntax-only -Ilibjournal/include -x c++ - 2>&1)"
fi
exit $failed
