#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The list of mutants fits the sources; and tests/mutants/run, on a small tree of its
# own, tells those that are caught from those that are not.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh
tree=$(mktemp -d "${TMPDIR:-/tmp}/mutants.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
# what the outer run was told is not meant for this one
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES BUILD TESTS JOBS SEED SAMPLE FRESH HANG_S \
	MAKEARGS SANITIZE

# run STATUS LAST ARGUMENTS...: how it ends
run()
{
	local status=$1 last=$2
	shift 2
	tests/mutants/run "$@" >"$tree/output" 2>&1
	[ $? = "$status" ] && [ "$(tail -n 1 "$tree/output")" = "$last" ]
}

said() { grep -qxF -- "$1" "$tree/output"; }
not() { ! "$@"; }

check "every entry fits the sources" \
	run 0 "$(grep -ch '^mutant ' tests/mutants/*.txt | awk '{ n += $1 } END { print n }') mutants apply, $(
		grep -h '^equivalent ' tests/mutants/*.txt | wc -l) that are equivalent" -n

# a library that is a list of words, and a test that misses some of them
mkdir -p "$tree/tests/mutants" "$tree/tests/unit"
cp tests/run "$tree/tests/"
cp tests/mutants/run "$tree/tests/mutants/"
cd "$tree" || exit 1
printf '%s\n' flush fence check flush >library
cat >tests/unit/test_words.c <<'END'
#!/bin/bash
grep -q WAIT library && sleep 30
grep -q fence library && echo ok 1 - fence || echo not ok 1 - fence
END
sed 's/fence/nothing/' tests/unit/test_words.c >tests/unit/test_wrong.c
cat >Makefile <<'END'
build/tests/unit/test_%: tests/unit/test_%.c library
	@! grep SYNTAX library
	@echo >>$(MADE)
	@mkdir -p $(@D) && cp $< $@ && chmod +x $@
END
export MADE=$tree/made

entry() # entry NAME OLD NEW [TEST]
{
	printf 'mutant %s\nwhy Because.\ntest %s\nin library\n check\n-%s\n+%s\n' \
		"$1" "${4:-unit/test_words}" "$2" "$3" | sed "${5:-}"
	echo
}

old=$(printf 'fence\n check')
{
	printf 'mutant fence\nwhy Because.\ntest A=1 unit/test_words\nin library\n flush\n-fence\n\n'
	entry flush flush ''
} >tests/mutants/a.txt
check "one that survives" run 1 "mutants: 1 of 2 caught"
check "is told" said "SURVIVED flush"
check "from one that is caught" said "caught fence by A=1 unit/test_words"
check "the sources stay as they are" grep -q fence library
rm -f made
check "what is known" run 1 "mutants: 1 of 2 caught"
check "is told again" said "SURVIVED flush"
check "and not tried again" not test -e made
check "but when it is asked for" env FRESH=1 bash -c 'tests/mutants/run fence >output'
check "which tries it" test -e made
check "by its name" said "mutants: 1 of 1 caught"
check "a sample" env SAMPLE=1 SEED=3 bash -c 'tests/mutants/run >output; [ $? -le 1 ]'
check "is as large as that" grep -qE '^mutants: [01] of 1 caught$' output
echo 'echo ok 2 - more' >>tests/unit/test_words.c
rm -f made
check "other sources" run 1 "mutants: 1 of 2 caught"
check "are tried anew" test -e made
check "by two at a time, too" env JOBS=2 FRESH=1 bash -c 'tests/mutants/run >output; [ $? = 1 ]'
check "with the same result" said "mutants: 1 of 2 caught"

entry wait flush WAIT >tests/mutants/a.txt
export HANG_S=1
check "a test that hangs has caught nothing" run 1 "mutants: 0 of 1 caught"
entry wait flush WAIT 'hangs unit/test_words' >tests/mutants/a.txt
check "unless that is how" run 0 "mutants: 1 of 1 caught"
export HANG_S=60

entry syntax flush SYNTAX >tests/mutants/a.txt
check "what does not build is an error" run 2 "mutants: 0 of 1 caught"
entry syntax flush plain unit/test_wrong >tests/mutants/a.txt
check "so is a test that fails anyway" run 2 "mutants: 1 of 1 caught"
check "which is said" grep -q '^error unit/test_wrong fails without a mutant' output
sed -i 's/^ check$/ nothing/' tests/mutants/a.txt
check "so is a place that is not there" run 2 "" -n
check "which is said" grep -q 'syntax: 0 times in library, once is wanted' output
printf 'mutant flush\nwhy Because.\ntest unit/test_words\nin library\n-flush\n' >tests/mutants/a.txt
check "or is there twice" run 2 "" -n
check "which is said" grep -q 'flush: 2 times in library' output
entry same flush flush >tests/mutants/a.txt
check "or is not changed" not run 0 "" -n
entry name flush x | sed '/^test/d' >tests/mutants/a.txt
check "or has no test" not run 0 "" -n

{
	entry fence check check | sed 's/^-check/-flush/;s/^+check//;s/^ check/ check/'
	entry never flush wait | sed '/^test/d;s/^mutant/equivalent/;s/Because/Nobody looks/'
} >tests/mutants/a.txt
check "what nothing can see" run 1 "mutants: 0 of 1 caught"
check "is told with its reason" said "equivalent never: Nobody looks."
exit $failed
