/* SPDX-License-Identifier: BSD-3-Clause */
#include "json.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Return: the bytes of the character that begins at @text, 0 if none does */
static size_t utf8_bytes(const uint8_t *text)
{
	/* the least that a sequence of so many bytes may say: no other is the shortest */
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t lead = text[0];
	size_t bytes = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 :
		       lead < 0xf8 ? 4 : 0;
	uint32_t value;

	if (bytes < 2)
		return bytes;
	value = lead & (0x7fu >> bytes);
	/* the NUL at the end is no continuation */
	for (size_t i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3fu);
	}
	if (value < least[bytes] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return bytes;
}

void json_write(struct json_object *object, int flags)
{
	const char *text = json_object_to_json_string_ext(object, flags);

	while (text && *text) {
		size_t bytes = utf8_bytes((const uint8_t *)text);

		if (bytes)
			(void)fwrite(text, 1, bytes, stdout);
		else
			fputs("\xef\xbf\xbd", stdout);
		text += bytes ? bytes : 1;
	}
	json_object_put(object);
}
