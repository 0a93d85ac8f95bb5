#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# diskless
# The man pages are sound, and in step with --help and journal.h.
. "$(dirname "$0")/../lib/common.sh"

root=$lib/../..
man=$root/docs/man

lint()
{
	command -v mandoc >/dev/null || wrong "mandoc is missing"
	mandoc -T lint -W warning "$man"/*.[1-8]
}

plain() { mandoc -T ascii "$1" | col -b 2>/dev/null || mandoc -T ascii "$1" | sed 's/.\x08//g'; }

jnl_1_has_what_help_has()
{
	local page c o commands
	page=$(plain "$man/jnl.1")
	commands=$("$JNL" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
	for c in $commands; do
		grep -Eq "jnl $c( |\$)" <<<"$page" || wrong "jnl(1) lacks $c"
		[ "$c" != help ] || continue
		for o in $("$JNL" "$c" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
			grep -Fq -- "$o" <<<"$page" || wrong "jnl(1) lacks $o of $c"
		done
	done
	# and no option that there is not
	for o in $(grep -oE -- '--[a-z][a-z-]+' <<<"$page" | sort -u); do
		for c in "" ${commands/help/}; do
			# shellcheck disable=SC2086
			"$JNL" $c --help | grep -Fq -- "$o" && continue 2
		done
		wrong "jnl(1) has $o, and no --help"
	done
}

libjournal_3_has_what_the_header_has()
{
	local page name header=$scratch/headers
	cat "$root"/libjournal/include/*.h >"$header"
	page=$(plain "$man/libjournal.3")
	# functions, structs, enumerators, macros
	for name in $(grep -oE '^[a-z].*[ *](journal_[a-z_]+)\(' "$header" |
			grep -oE 'journal_[a-z_]+\($' | tr -d '(') \
		$(sed -n 's/^struct \(journal_[a-z_]*\) {.*/\1/p' "$header") \
		$(grep -oE '^	JOURNAL_[A-Z_]+ =|^#define JOURNAL_[A-Z_]+ ' \
			"$header" | grep -oE 'JOURNAL_[A-Z_]+'); do
		grep -Eq "\b$name\b" <<<"$page" || wrong "libjournal(3) lacks $name"
	done
	for name in $(grep -oE '\bjournal_[a-z_]+\b' <<<"$page" | sort -u); do
		grep -Eq "\b$name\b" "$header" ||
			wrong "libjournal(3) has $name, and journal.h has not"
	done
}

it "mandoc has nothing to say" lint
it "jnl(1) has what --help has" jnl_1_has_what_help_has
it "libjournal(3) has what the header has" libjournal_3_has_what_the_header_has
done_testing
