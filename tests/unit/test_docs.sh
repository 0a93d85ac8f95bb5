#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What the documentation points at is there: files, functions, structs.
set -u
cd "$(dirname "$0")/../.." || exit 1
failed=0

verdict() # verdict NAME FOUND: FOUND says what is wrong
{
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$2" | head -n 20 | sed 's/^/    /'
		failed=1
	fi
}

pages()
{
	find docs tests bench README.md -name '*.md' 2>/dev/null
}

# a path in backquotes: a file, a directory, a pattern, or made by make
missing_files()
{
	pages | xargs grep -noE '`(docs|tests|bench|libjournal|driver|\.ci)/[A-Za-z0-9_./*-]+`' |
		while IFS=: read -r page line path; do
			path=${path//\`/}
			compgen -G "$path" >/dev/null || compgen -G "libjournal/$path" >/dev/null ||
				echo "$page:$line: there is no $path"
		done
}

missing_functions() # journal_xxx() is declared in journal.h
{
	pages | xargs grep -noE '\bjournal_[a-z_]+\(\)' | while IFS=: read -r page line name; do
		grep -q "\\b${name%()}(" libjournal/include/*.h ||
			echo "$page:$line: $name is not in journal.h"
	done
}

missing_rules() # P1 to P24 is what there is
{
	pages | xargs grep -nowE 'P[0-9]+' | while IFS=: read -r page line rule; do
		[ "${rule#P}" -ge 1 ] && [ "${rule#P}" -le 24 ] ||
			echo "$page:$line: there is no rule $rule"
	done
}

# every function of journal.h has a comment that names each parameter but those
# that the head of the file explains, says what it returns and, where it changes
# something, what is durable
incomplete_comments() # incomplete_comments HEADER
{
	perl -0777 -ne '
		while (m{/\*\*((?:(?!\*/).)*)\*/\s*((?:[a-z][^;{}/]*\([^;{}]*;\s*)+)}gs) {
			my ($comment, $declarations) = ($1, $2);
			for (split /;\s*/, $declarations) {
				my ($type, $name, $list) = /^(.*?)\b(journal_\w+)\((.*)\)$/s or next;
				$list =~ s/\(\*(\w+)\)\([^)]*\)/$1/g;
				$comment =~ /^ \* \Q$name\E\(\)/m or print "$name: no comment of its own\n";
				for (split /,/, $list) {
					my ($parameter) = /(\w+)(\[\w*\])?\s*$/;
					$parameter =~ /^(journal|txn|id)$/ or $comment =~ /\@$parameter\b/ or print "$name: lacks \@$parameter\n";
				}
				$type =~ /^void\s*$/ or $comment =~ /Return: / or print "$name: lacks Return\n";
				$list =~ /journal_txn \*|^struct journal \*(?!\w+$)/ &&
					$name =~ /begin|append|reserve|group|prepare|commit|abort|put|retire/ &&
					$comment !~ /Durable/ and print "$name: lacks Durable\n";
				$seen++;
			}
		}
		END { $seen > 20 or print "only $seen functions are seen\n" }' "$1"
}

header=$(mktemp "${TMPDIR:-/tmp}/header.XXXXXX") || exit 1
trap 'rm -f "$header"' EXIT
cat libjournal/include/*.h >"$header"
verdict "functions of journal.h are described" "$(incomplete_comments "$header")"
verdict "what lacks a line would be noticed" \
	"$(for line in 'Return: 0, -E2BIG' '@iov_count' 'Durable: the payload, un' 'journal_put() -' 'Return: 0 clean'; do
		sed "s/$line//" "$header" | incomplete_comments /dev/stdin |
			grep -q . || echo "$line"
	done)"
verdict "files that are named are there" "$(missing_files)"
verdict "functions that are named are public" "$(missing_functions)"
verdict "rules that are named exist" "$(missing_rules)"
verdict "decisions are numbered without a gap" "$(i=0
	for f in docs/decisions/*.md; do
		i=$((i + 1))
		[[ $(basename "$f") == "$(printf %04d "$i")"-* ]] || echo "$f"
	done)"
exit $failed
