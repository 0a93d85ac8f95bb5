#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The rules of docs/hacking.md that can be counted.  Each is a function that
# prints what breaks it; at the end each is given a tree that breaks it, to show
# that it would notice.
set -u
cd "$(dirname "$0")/../.." || exit 1

# every file of the tree that is ours and text
files()
{
	git ls-files -co --exclude-standard 2>/dev/null ||
		find . -path ./.git -prune -o -path './build*' -prune -o -type f -printf '%P\n'
}

existing()
{
	files | while read -r f; do [ -f "$f" ] && echo "$f"; done
}

sources()
{
	existing | grep -E '\.[ch]$'
}

top_level() # nothing else but dotfiles
{
	files | cut -d/ -f1 | sort -u | grep -vE '^\.|^(Kbuild|Makefile|README\.md|LICENSES)$' |
		grep -vE '^(driver|libjournal|firmware-sim|tests|bench|docs)$'
}

licence() # in the first three lines of all but prose, data and the licences
{
	existing | grep -vE '^LICENSES/|\.(md|txt|bin|img|gz|mbox|eml|bsmtp|json)$|(^|/)\.git' |
		while read -r f; do
			head -n 3 "$f" | grep -q 'SPDX-License-Identifier: ' ||
				echo "$f: no SPDX-License-Identifier"
		done
}

file_length()
{
	sources | while read -r f; do
		lines=$(wc -l <"$f")
		[ "$lines" -le 600 ] || echo "$f: $lines lines, 600 are allowed"
	done
}

line_length()
{
	sources | while read -r f; do
		expand -t 8 "$f" | awk -v f="$f" \
			'length > 100 { print f ":" NR ": " length " columns, 100 are allowed" }'
	done
}

function_length() # nine of ten are below 50 lines
{
	sources | grep '\.c$' | while read -r f; do
		awk -v f="$f" '/^{/ { start = NR } /^}/ && start { print NR - start + 1, f ":" start
			start = 0 }' "$f"
	done | sort -rn | awk '$1 >= 50 { long++; text = text "\n" $2 ": " $1 " lines" }
		END { if (long * 10 > NR) print long " of " NR " functions have 50 lines or more:" text }'
}

conditional() # no #if but include guards, the C++ one, and in files for one architecture
{
	sources | grep -vE '_(x86|arm64|arch|generic|none)\.[ch]$' | while read -r f; do
		grep -nE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)\b' "$f" |
			grep -vE '^[0-9]+:#ifndef [A-Z0-9_]+_H$|^[0-9]+:#ifdef __cplusplus$' |
			sed "s|^|$f:|"
	done
}

# what each layer may include of ours; "-" is a header of its own directory
may_include() # may_include FILE
{
	case $1 in
	libjournal/include/*) echo '^$' ;;
	libjournal/util/*) echo '^(util/|-)' ;;
	libjournal/format/*) echo '^((util|format)/|journal\.h$|-)' ;;
	libjournal/store/*) echo '^((util|format|store)/|journal\.h$|-)' ;;
	libjournal/marker/*) echo '^((util|format|store|marker)/|journal\.h$|-)' ;;
	libjournal/log/*) echo '^((util|format|store|log)/|journal\.h$|-)' ;;
	libjournal/txn/*) echo '^((util|format|store|txn)/|(journal|backends)\.h$|-)' ;;
	libjournal/backends.*) echo '.' ;;
	libjournal/tools/*dump* | libjournal/tools/*check*)
		echo '^((util|format|tools)/|journal\.h$|-)' ;;
	libjournal/tools/*) echo '^(tools/|journal\.h$|-)' ;;
	bench/*) echo '^((util|store|bench)/|(journal|backends)\.h$|-)' ;;
	tests/integration/*) echo '^(lib/|journal\.h$|-)' ;;
	*) echo '.' ;;
	esac
}

include_direction() # util <- format <- store <- {marker, log}, store <- txn
{
	sources | while read -r f; do
		allowed=$(may_include "$f")
		sed -n 's/^#[[:space:]]*include "\([^"]*\)".*/\1/p' "$f" | while read -r header; do
			[ -f "$(dirname "$f")/$header" ] && [[ $header != */* ]] && header=-
			[[ $f == tests/* && -f tests/lib/$header ]] && header=lib/$header
			[[ $header =~ $allowed ]] || echo "$f includes \"$header\""
		done
	done
}

concrete_backends() # only backends.c and the media themselves name a medium's opener
{
	sources | grep -E '^libjournal/' | grep -vE '^libjournal/(marker|log|backends\.)' |
		xargs -r grep -nE '#include "(marker|log)/'
}

rules="top_level licence file_length line_length function_length conditional
	include_direction concrete_backends"
failed=0
for rule in $rules; do
	found=$($rule)
	if [ -z "$found" ]; then
		echo "ok - $rule"
	else
		echo "not ok - $rule"
		echo "$found" | head -n 20 | sed 's/^/    /'
		failed=1
	fi
done

# ---- and would they notice? ------------------------------------------------

tree=$(mktemp -d "${TMPDIR:-/tmp}/tidy.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
mkdir -p libjournal/util libjournal/txn stray
{
	echo '#include "txn/other.h"'
	echo '#ifdef __linux__'
	printf '%0101d\n' 0
	printf '{\n%050d\n' 0 | tr 0 '\n'
	echo '}'
	yes '' | head -n 600
} >libjournal/util/bad.c
touch libjournal/txn/other.h stray/file
echo '#include "marker/pmem.h"' >libjournal/txn/bad.c
for rule in $rules; do
	if [ -n "$($rule)" ]; then
		echo "ok - $rule notices"
	else
		echo "not ok - $rule notices nothing"
		failed=1
	fi
done
exit $failed
