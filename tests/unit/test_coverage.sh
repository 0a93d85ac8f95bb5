#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/coverage, on a small tree of its own where it is known what was reached.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh
tree=$(mktemp -d "${TMPDIR:-/tmp}/coverage.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
cc=${CC:-cc}
case $cc in
*clang*) echo "skip: coverage is measured with gcc"; exit 77 ;;
esac
mkdir -p "$tree/tests" "$tree/libjournal/format" "$tree/libjournal/txn"
cp tests/coverage "$tree/tests/"
cp -r tests/lib/coverage "$tree/tests/header"
cd "$tree" || exit 1

# object FOLDER/NAME: compiled anew, so that nothing is known of its runs
object()
{
	mkdir -p "build/obj/libjournal/${1%/*}"
	rm -f "build/obj/libjournal/$1".*
	"$cc" -O0 --coverage -Ilibjournal -c -o "build/obj/libjournal/$1.o" "libjournal/$1.c"
}

# program TEXT...: main(), which is not measured, is built and run
program()
{
	printf '%s\n' '#include <sys/wait.h>' '#include <unistd.h>' 'int a(int x), b(int x);' \
		'int main(void) {' "$@" 'return 0; }' >main.c
	"$cc" -Itests/header -c -o main.o main.c &&
		"$cc" --coverage -o main main.o build/obj/libjournal/*/*.o && ./main
}

measured() { tests/coverage "$@" >output 2>&1; }
said() { grep -qE -- "$1" output; }
missed() { grep -qF -- "$1" build/missed; }
not() { ! "$@"; }

cat >libjournal/format/h.h <<'END'
static inline int h(int x)
{
	if (x == 7)
		return 70;
	return x;
}
END
cat >libjournal/format/a.c <<'END'
#include "format/h.h"
#define JASSERT(condition) do { if (!(condition)) __builtin_trap(); } while (0)
int a(int x);
int a(int x)
{
	JASSERT(x >= 0 &&
		x < 100);
	if (x > 3 || x == 1)
		return 1;
	return h(x);
}
END
cat >libjournal/txn/b.c <<'END'
#include "format/h.h"
int b(int x);
int b(int x)
{
	return h(x) ? 1 : 2;
}
END
both() { object format/a && object txn/b; }

check "the tree builds" both
check "a program runs" program 'a(5);'
check "it is measured" measured build
# x > 3, x == 1, and the header's x == 7: 2 ways each
check "an assertion does not count, the rest does" said '^format +4 +9 .* 1 +6 +16\.7$'
check "what no test reaches counts" said '^txn +0 +2 .* 0 +2 +0\.0$'
check "the three folders come first" said '^libjournal/txn/b\.c '
check "lines that are not reached on all branches are listed" \
	missed 'libjournal/format/a.c:8: 1 of 4'
check "assertions are not" not missed 'a.c:6:'

printf 'format 16\ntxn 0\n' >floor
check "at the floor it passes" measured -f floor build
echo 'format 16.7' >floor
check "below it fails" not measured -f floor build
check "and says where" said '^format: 16\.67 % of the branches are taken, and were 16\.7$'
echo 'fromat 1' >floor
check "a floor of no folder fails" not measured -f floor build

both
check "both users of a header" program 'a(7); b(7);'
check "one took one branch of it, alone" measured build
check "so it says" missed 'libjournal/format/h.h:3: 1 of 2'
check "the other takes the other one" program 'b(1);'
check "what ran before is kept" measured build
check "a branch is taken if it is in one of them" not missed 'h.h'

both
check "a child that leaves by _exit()" \
	program 'if (!fork()) { a(1); _exit(0); }' 'wait(0);'
check "its run" measured build
check "counts" missed 'libjournal/format/a.c:8: 2 of 4'

sed -i 's|^\tif (x > 3|\t/* unreached: x is\n\t * always large */\n&|' libjournal/format/a.c
both
program 'a(5); b(7); b(1);'
echo 'format 100' >floor
check "a reason excuses branches that are not taken" measured -f floor build
check "which are counted apart" said '^format .* 3 +3 +100\.0 +3$'
program 'a(2); a(1);'
check "a reason for a line that is reached fails" not measured build
check "and says so" said '^libjournal/format/a\.c:10: every branch is taken, '
sed -i 's|^int b(int x)$|/* unreached: nothing is here */\n&|' libjournal/txn/b.c
object txn/b
check "so does one for no branch" not measured build
check "(says so)" said '^libjournal/txn/b\.c:4: there is no branch, '
rm -r build
mkdir -p build/obj/libjournal
check "without coverage it fails" not measured build
check "(says so, too)" said '^nothing in build is compiled'

echo "1..$number"
exit $failed
