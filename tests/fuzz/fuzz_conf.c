/* SPDX-License-Identifier: BSD-3-Clause */
/* journal.conf: lines that make sense, and whatever else a file may hold. */
#include <errno.h>

#include "fuzz.h"

#include "txn/conf.h"

static const char *const words[] = {
	"format = 0\n", "uuid = 01234567-89ab-cdef-0123-456789abcdef\n", "marker = file:markers\n",
	"log = log\n", "require = power\n", "assume-marker = os\n", "assume-log = process\n",
	"=", "\n", "#", " ", "format", "marker = pmem:/dev/dax0.0\n", "log = /", ":", "-",
};

static struct conf conf;

/* a byte below the number of words stands for the word, others for themselves */
static size_t expand(const uint8_t *data, size_t bytes, char *text, size_t room)
{
	size_t i, at = 0, length;

	for (i = 0; i < bytes; i++) {
		const char *word = data[i] < 16 ? words[data[i]] : (const char *)&data[i];

		length = data[i] < 16 ? strlen(word) : 1;
		if (at + length >= room)
			break;
		memcpy(text + at, word, length);
		at += length;
	}
	text[at] = 0;
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct message message = { "" };
	char text[8192];
	int error;

	expand(data, bytes, text, sizeof(text));
	error = conf_parse(text, "/dir", &conf, &message);
	FUZZ_CHECK(!error || error == -EUCLEAN || error == -EPROTO || error == -ENAMETOOLONG);
	FUZZ_CHECK(!error || message.text[0]);
	if (error)
		return 0;
	FUZZ_CHECK(conf.log_count && conf.log_count <= JOURNAL_LOGS_MAX);
	FUZZ_CHECK(strchr(conf.marker, ':') && conf_logs(&conf));
	FUZZ_CHECK(conf.require >= JOURNAL_CLASS_PROCESS && conf.require <= JOURNAL_CLASS_POWER);
	return 0;
}
