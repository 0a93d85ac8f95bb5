/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_subject.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib_dir.h"

pid_t subject_start(struct subject *subject, subject_body body, uint32_t who)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	body(subject, who);
	_exit(0);
}

int subject_retire_all(const struct subject *subject)
{
	struct journal_entry entry = { 0 };
	struct journal *j;
	int error = journal_open(subject->dir, NULL, &j);

	while (!error && !journal_next(j, 0, &entry))
		error = journal_retire(j, entry.id);
	return journal_close(j) || error ? -EIO : 0;
}

static int subject_make(struct subject *subject, bool embedded, struct message *why)
{
	const struct bench_options *o = &subject->env->options;
	struct journal_info info;
	struct journal *j;
	int error;

	subject->marker_name = embedded ? "file" : "nvram";
	path_join(subject->dir, sizeof(subject->dir), subject->env->dir, subject->marker_name);
	error = env_make_journal(subject->dir, embedded ? NULL : subject->env->marker,
				 o->log_bytes / 4, o->marker_bytes, &j, why);
	if (error)
		return error;
	(void)journal_info(j, &info);
	subject->survives = embedded ? info.logs[0].survives : info.marker.survives;
	subject->path = embedded ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO;
	return journal_close(j);
}

void subjects_measure(struct bench_env *env, struct json_object *rows, const char *title,
		      size_t shared_bytes,
		      int (*measure)(struct subject *subject, struct json_object *rows))
{
	void *shared = mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int embedded, error;

	if (shared == MAP_FAILED) {
		fprintf(stderr, "bench: %s: %s\n", title, strerror(errno));
		return;
	}
	for (embedded = 0; embedded < 2; embedded++) {
		struct subject subject = { .env = env, .shared = shared };
		struct message why = { "" };

		memset(shared, 0, shared_bytes);
		error = subject_make(&subject, embedded, &why);
		if (!error)
			error = measure(&subject, rows);
		if (error)
			fprintf(stderr, "bench: %s, %s: left out: %s\n", title,
				subject.marker_name,
				why.text[0] ? why.text : strerror(-error));
		dir_remove(subject.dir);
	}
	(void)munmap(shared, shared_bytes);
}
