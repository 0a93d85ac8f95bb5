/* SPDX-License-Identifier: BSD-3-Clause */
/* What test_install.sh compiles against the installed library. */
#include <journal.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct journal_format_options options = {
		.log_bytes = 64 << 20,
		.require = JOURNAL_CLASS_PROCESS,
	};
	struct journal_open_options open = { .require = JOURNAL_CLASS_UNSET };
	struct journal_receipt receipt;
	struct journal *journal;
	char text[512], id[JOURNAL_ID_CHARS];

	if (argc != 2 || journal_format(argv[1], &options, text, sizeof(text))) {
		fprintf(stderr, "ten_lines: %s\n", text);
		return 1;
	}
	if (journal_open(argv[1], &open, &journal) ||
	    journal_put(journal, "hello", strlen("hello"), &receipt)) {
		fprintf(stderr, "ten_lines: %s\n", journal_error(journal));
		return 1;
	}
	journal_id_print(receipt.id, id);
	puts(id);
	return journal_close(journal) ? 1 : 0;
}
