/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "util/math.h"

static void unknown_names(void **state)
{
	static const struct {
		const char *uri;
		int error;
	} names[] = { { "nvram:/x", -ENOTSUP }, { "fil:/x", -ENOTSUP }, { "files:/x", -ENOTSUP },
		      { ":/x", -ENOTSUP },      { "/x", -EINVAL },      { "", -EINVAL },
		      { "file:", -EINVAL },     { "pmem:", -EINVAL },   { "sim:", -EINVAL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct marker_store *store = NULL;
		struct message message = { { 0 } };

		assert_int_equal(backend_open_marker(names[i].uri, 0, 0, &store, &message),
				 names[i].error);
		assert_null(store);
		assert_non_null(strstr(message.text, names[i].uri));
		if (names[i].error == -ENOTSUP)
			assert_non_null(strstr(message.text, "file:, pmem:, sim:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
