# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the shell tests.  A test is a function; `it NAME FUNCTION...` runs
# it in a shell of its own that ends at the first command that fails.
set -eu

: "${BUILD:?the build folder}"
JNL=$BUILD/jnl
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LD_LIBRARY_PATH=$BUILD${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LC_ALL=C

scratch=$(mktemp -d "${TMPDIR:-/tmp}/jnl.XXXXXX")
out=$scratch/.out err=$scratch/.err
failed=0

# whatever a test started and did not end is ended, by its own number
started=$scratch/.started
remove=$scratch/.remove
: >"$started" >"$remove"
# what a journal shares outlives a killed process, until the next open: here there is none
shared_goes()
{
	local index file
	while read -r index; do
		file=$(sed -n 's:^file=\(/dev/shm/libjournal-[0-9a-f]*\)$:\1:p' "$index")
		[ -z "$file" ] || rm -f "$file"
	done < <(find "$1" -name index -type f 2>/dev/null)
}

finish()
{
	local pid path
	while read -r pid; do
		kill -9 "$pid" 2>/dev/null || true
	done <"$started"
	while read -r path; do
		shared_goes "$path"
		rm -rf "$path"
	done <"$remove"
	shared_goes "$scratch"
	rm -rf "$scratch"
}
trap finish EXIT

# remember a process, or a path outside of the scratch folder, for finish
ends() { echo "$1" >>"$started"; }
goes() { echo "$1" >>"$remove"; }

it() # it NAME COMMAND...
{
	local name=$1 status
	shift
	set +e
	(
		set -e
		"$@"
	) >"$scratch/.log" 2>&1
	status=$?
	set -e
	if [ $status = 0 ]; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$scratch/.log"
		failed=1
	fi
}

skip() # skip NAME WHY
{
	echo "ok - $1 # skip"
	echo "skip: $2"
}

done_testing() { exit $failed; }

wrong() # say it and end the test
{
	echo "$*"
	exit 1
}

# expect STATUS COMMAND...: leaves what it printed in the files $out and $err
expect()
{
	local wanted=$1 got=0
	shift
	"$@" >"$out" 2>"$err" || got=$?
	[ $got = "$wanted" ] || wrong "'$*' exits $got, not $wanted: $(head -c 2000 "$out" "$err")"
}

# the last command told its error as it should: one line, `jnl: what: why`, and
# perhaps a hint in parentheses
says() # says PATTERN
{
	grep -Eq -- "$1" "$err" || wrong "stderr does not say '$1': $(cat "$err")"
	grep -Evq '^(jnl: .+: .+|Try .jnl.*|\(.+\)|)$' "$err" && wrong "no 'jnl: what: why': $(cat "$err")"
	return 0
}

printed() # printed TEXT
{
	[ "$(cat "$out")" = "$1" ] || wrong "stdout is not '$1': $(head -c 2000 "$out")"
}

same() # same FILE FILE
{
	cmp "$1" "$2" || wrong "$1 and $2 differ"
}

# A journal of 16M that asks for no more than the medium under test can give.
journal() # journal DIR [OPTION...]
{
	local dir=$1
	shift
	expect 0 "$JNL" format "$dir" --size 16M --require process "$@"
}

ids_of() # live ids, in order
{
	"$JNL" ls "$1" | cut -d ' ' -f 1
}

# Wait, as long as it takes, until a condition holds or process PID has ended.
until_or_end() # until_or_end PID COMMAND...
{
	local pid=$1
	shift
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.01
	done
}

lines_at_least() # lines_at_least COUNT FILE
{
	[ "$(wc -l <"$2")" -ge "$1" ]
}

# marker URIs to try everything on: "file" needs no option
markers="file pmem"
marker_option() # marker_option KIND NAME: options of format
{
	case $1 in
	file) ;;
	pmem)
		goes "/dev/shm/jnl.$$.$2"
		echo "--marker pmem:/dev/shm/jnl.$$.$2"
		;;
	esac
}

have_marker() # have_marker KIND: else says why not
{
	case $1 in
	pmem)
		[ -e "$BUILD/libjournal-pmem.so" ] || { echo "libjournal-pmem.so is not built"; return 1; }
		[ -d /dev/shm ] && [ -w /dev/shm ] || { echo "/dev/shm is not writable"; return 1; }
		;;
	esac
}
