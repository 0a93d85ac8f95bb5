#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# docs/format.md says what the code does: each byte table is turned into static
# asserts and compiled against the headers.  Rows must follow one another
# without a gap up to the struct's end, so no field can be left out; and each
# struct of what is on media must have a table.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/format-doc.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
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

# asserts DOC: C on stdout
asserts()
{
	cat <<-'C'
	#include <stddef.h>
	#include "format/checkpoint.h"
	#include "format/features.h"
	#include "format/leg.h"
	#include "format/log.h"
	#include "format/marker.h"
	#include "format/stage.h"
	#include "format/summary.h"
	C
	awk -F ' *\\| *' '
	function done() {
		if (name != "" && at != bytes)
			printf "_Static_assert(0, \"%s: rows end at %d of %d\");\n", name, at, bytes
		name = ""
	}
	/^#/ { done(); values = 0 }
	/^### `struct [a-z_]+`, [0-9]+ bytes$/ {
		split($0, part, /[`, ]+/)
		name = part[3]; bytes = part[4]; at = 0
		printf "_Static_assert(sizeof(struct %s) == %d, \"%s: size\");\n", name, bytes, name
	}
	/^## Values$/ { values = 1 }
	name != "" && $2 ~ /^[0-9]+$/ {
		gsub(/`/, "", $4)
		if ($2 != at)
			printf "_Static_assert(0, \"%s.%s: the row before ends at %d\");\n", name, $4, at
		printf "_Static_assert(offsetof(struct %s, %s) == %d && sizeof(((struct %s *)0)->%s) == %d, \"%s.%s\");\n",
			name, $4, $2, name, $4, $3, name, $4
		at = $2 + $3
	}
	values && $2 ~ /^`/ {
		gsub(/`/, "", $2)
		printf "_Static_assert((%s) == (%sull), \"%s\");\n", $2, $3, $2
	}
	END { done() }' "$1"
}

# compile DOC: what the compiler has against it
compile()
{
	asserts "$1" >"$work/asserts.c"
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -Ilibjournal -Ilibjournal/include -fsyntax-only \
		"$work/asserts.c" 2>&1 | grep -E 'error|fatal'
}

verdict "the byte tables are what the code has" "$(compile docs/format.md)"
count=$(asserts docs/format.md | grep -c _Static_assert)
verdict "all tables are understood" "$([ "$count" -gt 150 ] || echo "only $count rows")"

# on media is every struct with an __le field
on_media()
{
	awk '/^struct [a-z_]+ \{/ { name = $2 } /^\t__le/ && name != "" { print name; name = "" }
		/^\}/ { name = "" }' libjournal/format/*.h | grep -v super_common | sort
}
verdict "every struct on media has a table" "$(comm -23 <(on_media) \
	<(sed -n 's/^### `struct \([a-z_]*\)`.*/\1/p' docs/format.md | sort))"
verdict "every struct on media is looked for" \
	"$([ "$(on_media | wc -l)" -ge 12 ] || on_media)"
verdict "the manual page names them all" "$(on_media | while read -r name; do
	grep -qw "$name" docs/man/journal-format.5 || echo "$name"; done)"

# ---- and would it notice? --------------------------------------------------

notices() # notices WHAT SED-EXPRESSION
{
	sed -E "$2" docs/format.md >"$work/wrong.md"
	if cmp -s docs/format.md "$work/wrong.md"; then
		echo "not ok - $1: the change changes nothing"
		failed=1
	elif [ -z "$(compile "$work/wrong.md")" ]; then
		echo "not ok - $1: not noticed"
		failed=1
	else
		echo "ok - notices $1"
	fi
}
notices "a wrong offset" 's/^\| 28 \| 4 \| `bytes` /| 32 | 4 | `bytes` /'
notices "a wrong size" 's/^\| 22 \| 2 \| `moves`/| 22 | 4 | `moves`/'
notices "a field renamed" 's/`payload_crc` \| of/`body_crc` | of/'
notices "a row left out" '/^\| 56 \| 8 \| `tag`/d'
notices "the last row left out" '/^\| 56 \| 8 \| `last_record_seq`/d'
notices "two fields exchanged" \
	's/^(\| 48 \| 8 \| )`tag`/\1`reference_`/;s/^(\| 56 \| 8 \| )`reference`/\1`tag`/'
notices "a wrong struct size" 's/`struct log_retire`, 24/`struct log_retire`, 32/'
notices "a wrong value" 's/^\| `LOG_RETIRE` \| 3/| `LOG_RETIRE` | 4/'
exit $failed
