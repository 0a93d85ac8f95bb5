# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the tests of the rig.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/lib/common.sh
rig=tests/rig/rig
export JOURNAL_RIG_CACHE=${JOURNAL_RIG_CACHE:-$BUILD/rig-cache}
export JOURNAL_RIG_PLUGIN=$BUILD/nbdkit-volatile-plugin.so

script() # script NAME: a program for the guest, from stdin
{
	{
		echo '#!/bin/sh'
		cat
	} >"$scratch/$1"
	chmod +x "$scratch/$1"
}

has() # has PATTERN: in what it printed
{
	grep -Eq -- "$1" "$out" || wrong "it does not say '$1': $(cat "$out" "$err")"
}

lacks()
{
	! grep -Eq -- "$1" "$out" || wrong "it says '$1': $(cat "$out" "$err")"
}

no_guests() # prints why there can be none
{
	case ${SANITIZE:-} in
	*[![:space:]]*) echo "programs under a sanitizer are too slow in a guest"; return ;;
	esac
	[ "${JNL_BINARY:-$JNL}" = "$JNL" ] || { echo "not under valgrind"; return; }
	[ "$(uname -m)" = x86_64 ] || { echo "the guest is an x86_64"; return; }
	$rig doctor >"$scratch/.doctor" || { sed -n 's/^missing *//p' "$scratch/.doctor" | head -n 1; return; }
	# a mirror that does not answer is not worth the test's time
	timeout 200 $rig fetch >"$scratch/.fetch" 2>&1 ||
		echo "no kernel: $(tail -n 1 "$scratch/.fetch")"
}

needs_guests() # needs_guests: or the test ends here, and says why
{
	local why
	why=$(no_guests)
	[ -z "$why" ] || { skip "guests whose power is cut" "$why"; done_testing; }
}

forgetful() # forgetful STATUS HOW OPTION...
{
	local status=$1 how=$2
	shift 2
	expect "$status" $rig run --workload "$BUILD/tests/rig/forgetful $how \$RIG_DIR/file" \
		--verify "$BUILD/tests/rig/forgetful verify \$RIG_DIR/file" --lines 5-60 \
		--fate drop "$@"
	cat "$out"
}

our_journal() # our_journal KIND FS CUTS SEED
{
	expect 0 tests/rig/journal "$1" --fs "$2" --cuts "$3" --seed "$4" --lines 1-800
	cat "$out"
	has "^$3 cuts in "
	has ' 0 lost, 0 back'
}
