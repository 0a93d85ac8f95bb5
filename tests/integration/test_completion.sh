#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# The completion for bash knows the commands and options that --help names, and
# completes what it should.
. "$(dirname "$0")/../lib/common.sh"

completion=$lib/../../libjournal/tools/jnl.bash-completion
# shellcheck disable=SC1090
. "$completion"
commands=$("$JNL" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')

commands_are_those_of_help()
{
	[ "$(echo $commands)" = "$(echo $(_jnl_commands))" ] ||
		wrong "help: $(echo $commands); completion: $(_jnl_commands)"
}

options_are_those_of_help()
{
	for c in $commands; do
		[ "$c" != help ] || continue
		"$JNL" "$c" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' |
			sort >"$scratch/help"
		# shellcheck disable=SC2046
		printf '%s\n' $(_jnl_options "$c") | sort >"$scratch/completion"
		same "$scratch/help" "$scratch/completion"
	done
}

completes() # completes WANTED WORD...: the last word is the one to complete
{
	local wanted=$1
	shift
	COMP_WORDS=("$JNL" "$@")
	COMP_CWORD=$#
	_jnl
	[ "${COMPREPLY[*]}" = "$wanted" ] || wrong "'$*' completes to '${COMPREPLY[*]}', not '$wanted'"
}

it_completes()
{
	completes "cat check" c
	completes "--json" ls --j
	completes "--assume-marker --assume-log" format d --assume
	completes "raw" put d --as r
	completes "process power" format --require p
	completes "process power" format -r p
	completes "raw" put d -a r
	completes "mbox" put -a m
	completes "file: pmem: sim:" format -m ""
	# by default bash parts words at "=" and ":"
	completes "mbox" put d --as = m
	completes "raw lines mbox bsmtp tar" put d --as =
	completes "mbox bsmtp tar" export d --as ""
	completes "--output" export d --o
	completes "--as=mbox" put d --as=m
	completes "--require=process --require=power" format --require=p
	completes "" format --size 6
	# -m takes no value where it is no option
	completes "" put d f -m ""
	completes "dump destroy" help d
	completes "--yes" destroy --y
	completes "--metrics" serve d --m
	completes "" serve d --fill 5
	completes "retire resize rescue" help re
	completes "retire resize rescue" --help re
	mkdir "$scratch/some where"
	completes "$scratch/some where" ls "$scratch/some"
	# values of options are no DIR
	completes "$scratch/some where" format --size 64M "$scratch/some"
	completes "$scratch/some where" format --require power "$scratch/some"
	completes "$scratch/some where" format -s 64M -r power --mode 0660 -f "$scratch/some"
	completes "$scratch/some where" format --size = 64M --marker file : x "$scratch/some"
	completes "$scratch/some where" format --size=64M "$scratch/some"
	completes "$scratch/some where" put -a mbox "$scratch/some"
	touch "$scratch/a file"
	completes "$scratch/a file" export d -o "$scratch/a f"
	completes "$scratch/some where" export --as tar --output x "$scratch/some"
	completes "$scratch/a file" put "$scratch" "$scratch/a f"
	journal "$scratch/j"
	printf 'a\nb\n' | "$JNL" put "$scratch/j" --as lines >"$scratch/ids"
	completes "$(echo $(cat "$scratch/ids"))" retire "$scratch/j" ""
	completes "$(tail -n 1 "$scratch/ids")" cat "$scratch/j" "$(tail -n 1 "$scratch/ids")"
}

it "commands are those of --help" commands_are_those_of_help
it "options are those of --help" options_are_those_of_help
it "it completes" it_completes
done_testing
