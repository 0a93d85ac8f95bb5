#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# jnl serve under what the hardened unit imposes, as far as that goes without a service
# manager: a user of its own, no privileges, and nothing to write but the journal.
. "$(dirname "$0")/../lib/common.sh"

unit=$lib/../../libjournal/tools/libjournal-serve-hardened@.service.in
user=65534 group=65534
said=$scratch/said
# TMPDIR may be a folder that no other user reaches
work=$(mktemp -d /tmp/jnl.XXXXXX)
goes "$work"

# what of the unit is imposed here, and what is for the service manager alone
imposed="User Group UMask RuntimeDirectory ProtectSystem ReadWritePaths PrivateNetwork
	NoNewPrivileges CapabilityBoundingSet AmbientCapabilities"
manager="Type ExecStart Restart RestartSec"

settings() # of [Service]; those that are "no" impose nothing
{
	sed -n '/^\[Service\]/,/^\[Install\]/s/^\([A-Za-z]*\)=\(.*\)/\1 \2/p' "$unit" |
		awk '$2 != "no" { print $1 }' | sort -u
}

not_imposed()
{
	# shellcheck disable=SC2086
	settings | grep -vxF "$(printf '%s\n' $imposed $manager)" | paste -sd' '
}

# all that is mounted is read-only, but for what is under /dev, /proc and /sys (as with
# ProtectSystem=strict), and the folders that are given, up to "--"
cat >"$scratch/confine" <<'END'
set -eu
for writable; do
	[ "$writable" = -- ] && break
	mount --bind "$writable" "$writable"
	written="${written:-}|$writable"
	shift
done
shift
cut -d ' ' -f 5 /proc/self/mountinfo | grep -vE "^(/dev|/proc|/sys)(/|\$)" |
	while read -r at; do
		case "$written|" in
		*"|$at|"*) ;;
		*) mount -o remount,bind,ro "$(printf '%b' "$at")" ;;
		esac
	done
umask 0027
exec "$@"
END

confined() # confined FOLDER... -- COMMAND...: in this very process
{
	local folders=()
	while [ "$1" != -- ]; do
		folders+=("$1")
		shift
	done
	shift
	exec unshare --mount --net --propagation private sh "$scratch/confine" "${folders[@]}" -- \
		setpriv --reuid $user --regid $group --clear-groups --no-new-privs \
		--bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
}

possible() # else says why not
{
	local tool
	for tool in unshare setpriv mount; do
		command -v $tool >/dev/null || { echo "there is no $tool"; return 1; }
	done
	[ "$(id -u)" = 0 ] || { echo "only root can become another user"; return 1; }
	chmod 711 "$work"
	mkdir -p "$work/try"
	(confined "$work/try" -- true) 2>/dev/null ||
		{ echo "no mount namespace, or not all can be made read-only"; return 1; }
	(confined "$work/try" -- test -x "$work/try") ||
		{ echo "another user does not reach /tmp"; return 1; }
	(confined "$work/try" -- "$JNL" --version) >/dev/null 2>&1 ||
		{ echo "another user cannot run $JNL"; return 1; }
}

make() # make DIR RUN: the journal of the group, and the runtime folder of the user
{
	journal "$1" --group $group
	mkdir -m 750 "$2"
	chown $user:$group "$2"
}

serve() # serve FOLDER... -- OPTION...: sets $pid
{
	local folders=()
	while [ "$1" != -- ]; do
		folders+=("$1")
		shift
	done
	shift
	(confined "${folders[@]}" -- "$JNL" serve --interval 5 --age 1 "$@") 2>"$said" &
	pid=$!
	ends "$pid"
}

await() # await COMMAND...: the process must not have ended by itself
{
	until_or_end "$pid" "$@"
	kill -0 "$pid" 2>/dev/null || wrong "it ended: $(cat "$said")"
}

status_is() # status_is FIELD VALUE
{
	[ "$(awk -v field="$1:" '$1 == field { print $2 }' "/proc/$pid/status")" = "$2" ] ||
		wrong "$(grep "^$1:" "/proc/$pid/status"), not $2"
}

is_now() # is_now FIELD VALUE DIR
{
	[ "$("$JNL" info --json "$3" | jq "[.. | objects | .$1? // empty][0]")" = "$2" ]
}

metric_is() # metric_is NAME VALUE FILE
{
	[ "$(awk -v name="libjournal_$1{" 'index($0, name) == 1 { print $NF }' "$3")" = "$2" ]
}

put_some() # put_some DIR FIRST
{
	seq "$2" $(($2 + 99)) | expect 0 "$JNL" put "$1" --as lines
}

it_is_confined()
{
	(confined "$work/try" -- sh -c ": >$work/try/x") 2>/dev/null &&
		wrong "another user's folder can be written"
	chown $user "$work/try"
	mkdir -m 777 "$work/other"
	(confined "$work/try" -- sh -c ": >$work/try/x") || wrong "its own cannot"
	(confined "$work/try" -- sh -c ": >$work/other/x") 2>/dev/null &&
		wrong "what is not named can be written"
	return 0
}

through_another_marker_and_back()
{
	local dir=$work/journal run=$work/run
	local metrics=$run/metrics.prom marker=/dev/shm/jnl.$$.confined
	make "$dir" "$run"
	goes "$marker"
	serve "$dir" "$run" -- --metrics "$metrics" "$dir"
	await [ -s "$metrics" ]
	status_is Uid $user
	status_is Gid $group
	status_is NoNewPrivs 1
	status_is CapEff 0000000000000000
	status_is CapBnd 0000000000000000
	put_some "$dir" 1
	await metric_is live_transactions 100 "$metrics"
	expect 0 "$JNL" set-marker "$dir" "pmem:$marker"
	put_some "$dir" 101
	# it is what destages here: nobody else is left
	await metric_is live_transactions 200 "$metrics"
	await is_now staged_live 0 "$dir"
	expect 0 "$JNL" set-marker "$dir" "file:$dir/markers"
	put_some "$dir" 201
	await metric_is live_transactions 300 "$metrics"
	kill -TERM "$pid"
	wait "$pid" || wrong "it exits $?: $(cat "$said")"
	expect 0 "$JNL" check "$dir"
	[ "$(ids_of "$dir" | wc -l)" = 300 ] || wrong "not all are there"
}

if why=$(possible); then
	it "it is confined" it_is_confined
	if why=$(have_marker pmem); then
		it "through another marker and back" through_another_marker_and_back
	else
		skip "through another marker and back" "$why"
	fi
	echo "not imposed, without a service manager: $(not_imposed)"
else
	skip "confined" "$why"
fi
done_testing
