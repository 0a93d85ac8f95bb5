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

# awk over many files: FNR and FILENAME tell where it is
each() # each PROGRAM: the files are on stdin
{
	xargs -r awk "$1"
}

top_level() # nothing else but dotfiles
{
	files | cut -d/ -f1 | sort -u | grep -vE '^\.|^(Kbuild|Makefile|README\.md|LICENSES)$' |
		grep -vE '^(driver|libjournal|firmware-sim|tests|bench|docs)$'
}

licence() # in the first three lines of all but prose, data and the licences
{
	existing | grep -vE '^LICENSES/|\.(md|txt|bin|img|gz|mbox|eml|bsmtp|json)$|(^|/)\.git' |
		each 'function end() { if (file && !found) print file ": no SPDX-License-Identifier" }
			FNR == 1 { end(); file = FILENAME; found = 0 }
			FNR <= 3 && /SPDX-License-Identifier: / { found = 1 }
			END { end() }'
}

file_length()
{
	sources | each 'FNR == 601 { print FILENAME ": over 600 lines" }'
}

line_length() # tabs are eight wide
{
	sources | each '{
		columns = 0
		n = split($0, piece, "\t")
		for (i = 1; i <= n; i++) {
			columns += length(piece[i])
			if (i < n)
				columns += 8 - columns % 8
		}
		if (columns > 100)
			print FILENAME ":" FNR ": " columns " columns, 100 are allowed"
	}'
}

function_length() # nine of ten are below 50 lines
{
	sources | grep '\.c$' | each '/^{/ { start = FNR }
		/^}/ && start { print FNR - start + 1, FILENAME ":" start; start = 0 }' |
		sort -rn | awk '$1 >= 50 { long++; text = text "\n" $2 ": " $1 " lines" }
		END { if (long * 10 > NR) print long " of " NR " functions have 50 lines or more:" text }'
}

conditional() # no #if but include guards, the C++ one, and in files for one architecture
{
	sources | grep -vE '_(x86|arm64|arch|generic|none)\.[ch]$' |
		xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)\b' |
		grep -vE ':#ifndef [A-Z0-9_]+_H$|:#ifdef __cplusplus$'
}

# what each layer may include of ours; "-" is a header of its own directory
may_include() # may_include FILE: sets $allowed
{
	case $1 in
	libjournal/include/*) allowed='^-$' ;;
	libjournal/util/*) allowed='^(util/|-)' ;;
	libjournal/format/*) allowed='^((util|format)/|journal\.h$|-)' ;;
	libjournal/store/*) allowed='^((util|format|store)/|journal\.h$|-)' ;;
	libjournal/marker/*) allowed='^((util|format|store|marker)/|journal\.h$|-)' ;;
	libjournal/log/*) allowed='^((util|format|store|log)/|journal\.h$|-)' ;;
	libjournal/txn/*) allowed='^((util|format|store|txn)/|(journal|backends)\.h$|-)' ;;
	libjournal/tools/*dump* | libjournal/tools/*check*)
		allowed='^((util|format|tools)/|journal\.h$|-)' ;;
	libjournal/tools/*) allowed='^(tools/|journal\.h$|-)' ;;
	bench/*) allowed='^((util|store|bench)/|(journal|backends)\.h$|-)' ;;
	tests/integration/*) allowed='^(lib/|journal\.h$|-)' ;;
	*) allowed=. ;;
	esac
}

include_direction() # util <- format <- store <- {marker, log}, store <- txn
{
	local file header allowed
	sources | each '/^#[[:space:]]*include "/ { split($0, part, "\""); print FILENAME, part[2] }' |
		while read -r file header; do
			may_include "$file"
			[[ $header != */* && -f ${file%/*}/$header ]] && header=-
			[[ $file == tests/* && -f tests/lib/$header ]] && header=lib/$header
			[[ $header =~ $allowed ]] || echo "$file includes \"$header\""
		done
}

concrete_backends() # only backends.c and the media themselves name a medium's opener
{
	sources | grep -E '^libjournal/' | grep -vE '^libjournal/(marker|log|backends\.)' |
		xargs -r grep -nE '#include "(marker|log)/'
}

library() # our sources that end up in a user's program
{
	sources | grep -E '^libjournal/' | grep -v '^libjournal/tools/'
}

prints_or_exits() # the library leaves both to its user
{
	library | xargs -r grep -nE '\b(printf|puts|putchar|perror|exit|_exit|warnx?|errx?)\(|\b(stdout|stderr)\b'
}

asserts_that_go_away() # JASSERT stays on
{
	sources | grep -E '^libjournal/' | xargs -r grep -nE 'NDEBUG|<assert\.h>'
}

struct_typedefs()
{
	sources | xargs -r grep -nE '^typedef (struct|union|enum)'
}

unfinished() # a note to oneself is no part of the project
{
	existing | grep -vE '^LICENSES/|\.(mbox|gz)$' | xargs -r grep -nwE 'TO''DO|FIX''ME|X''XX'
}

rules="top_level licence file_length line_length function_length conditional
	include_direction concrete_backends prints_or_exits asserts_that_go_away
	struct_typedefs unfinished"
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
	echo '#include <assert.h>'
	echo 'typedef struct bad { int worse; } bad_t; /* TO''DO */'
	echo 'void bad(void) { printf("bad"); }'
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
