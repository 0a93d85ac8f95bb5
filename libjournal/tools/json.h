/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON on standard output. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <json-c/json.h>

/* Write @object and put it.  JSON is UTF-8, a path need not be: each byte that is none of it
 * becomes U+FFFD.  @flags: of json_object_to_json_string_ext() */
void json_write(struct json_object *object, int flags);

#endif
