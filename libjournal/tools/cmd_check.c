/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl check: verify everything, change nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "jnl.h"
#include "json.h"
#include "output.h"
#include "progress.h"

struct check {
	struct json_object *findings; /* NULL: text */
};

static void check_text(const struct journal_finding *finding, const char *id)
{
	/* the text mostly begins with the id itself */
	bool named = !finding->id || !strncmp(finding->text, id, strlen(id));

	printf("%s: %s%s%s\n", finding->damage ? "damage" : "note", named ? "" : id,
	       named ? "" : ": ", finding->text);
}

static void check_found(void *context, const struct journal_finding *finding)
{
	struct check *check = context;
	char id[JOURNAL_ID_CHARS];
	struct json_object *object;

	journal_id_print(finding->id, id);
	if (!check->findings) {
		progress_end();
		check_text(finding, id);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "damage", json_object_new_boolean(finding->damage));
	json_object_object_add(object, "id", finding->id ? json_object_new_string(id) : NULL);
	json_object_object_add(object, "text", json_object_new_string(finding->text));
	json_object_array_add(check->findings, object);
}

static void check_json(struct json_object *findings, bool clean)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "clean", json_object_new_boolean(clean));
	json_object_object_add(object, "findings", findings);
	json_write(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
	putchar('\n');
}

static int check_status(int err)
{
	if (err == -EUCLEAN)
		return JNL_DAMAGE;
	return err ? JNL_REFUSED : JNL_DONE;
}

int cmd_check(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct check check = { 0 };
	struct progress progress;
	struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	char message[512] = "";
	int err, status;

	arguments_dir(argc, argv,
		      "Verify everything in the journal in DIR and change nothing."
		      "\vExits 0 when it is clean (whatever a crash may leave is clean), 3 when "
		      "there is damage.",
		      true, &arguments);
	if (arguments.json)
		check.findings = json_object_new_array();
	progress_start(&progress, "checking");
	options.progress = progress_callback(&progress);
	err = journal_check(arguments.dir, &options, check_found, &check, message,
			    sizeof(message));
	progress_end();
	status = check_status(err);
	/* damaged so that it does not open: there is nothing else to be found */
	if (arguments.json && status == JNL_DAMAGE && message[0])
		check_found(&check, &(struct journal_finding){ .damage = 1, .text = message });
	if (arguments.json && status != JNL_REFUSED)
		check_json(check.findings, !err);
	else
		json_object_put(check.findings);
	if (err && message[0])
		jnl_error("%s", message);
	else if (err)
		jnl_error("%s: damage found", arguments.dir);
	return output_flush() && status == JNL_DONE ? JNL_REFUSED : status;
}
