/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * journal_mirror() on a journal that nobody else has open: whoever comes meanwhile is served,
 * while a leg is copied, and while both copies of what lives are looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"

#define BYTES 9000u
#define PUTS  12u

static void leg_of(struct bed *bed, unsigned int log, unsigned int leg, char path[PATH_MAX])
{
	char pattern[PATH_MAX + 8];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s/*", leg ? bed->mirrors[log] :
		       bed->logs[log]);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	(void)snprintf(path, PATH_MAX, "%s", found.gl_pathv[0]);
	globfree(&found);
}

/* Another process's: what it puts, it is told, and adds to the model. */
struct meanwhile {
	struct bed *bed;
	struct model *model;
	unsigned int puts, wanted, repaired, lines, damage;
	bool spoilt;
};

/* Return: the id; 0: it was refused */
static uint64_t put_as_child(const char *dir, uint64_t seed)
{
	struct journal_receipt receipt = { .id = 0 };
	uint8_t *payload = bed_payload(BYTES, seed);
	struct journal_txn *txn;
	struct journal *j;
	int error = journal_open(dir, NULL, &j);

	if (!error)
		error = journal_begin(j, NULL, &txn);
	if (!error)
		error = journal_append(txn, payload, BYTES);
	if (!error)
		error = journal_commit(txn, &receipt);
	if (error)
		fprintf(stderr, "# put: %s\n", journal_error(j));
	if (journal_close(j))
		error = -EIO;
	free(payload);
	return error ? 0 : receipt.id;
}

/*
 * The other process is there from the start: what is forked by one that has threads may
 * make none under ThreadSanitizer, and who writes two legs does.
 */
struct wish {
	uint64_t seed;
	char dir[PATH_MAX - 64]; /* all of it is one piece in a pipe */
};

static int wishes[2], ids[2];

static void puts_what_is_wished(void)
{
	struct wish wish;
	uint64_t id;

	while (read(wishes[0], &wish, sizeof(wish)) == sizeof(wish)) {
		id = put_as_child(wish.dir, wish.seed);
		if (write(ids[1], &id, sizeof(id)) != sizeof(id))
			break;
	}
	child_exit(0);
}

static void put_meanwhile(struct meanwhile *m)
{
	struct wish wish = { .seed = 100 + m->puts };
	uint64_t id = 0;

	if (m->puts == m->wanted)
		return;
	m->puts++;
	memcpy(wish.dir, m->bed->dir, sizeof(wish.dir) - 1);
	assert_string_equal(wish.dir, m->bed->dir);
	assert_int_equal(write(wishes[1], &wish, sizeof(wish)), sizeof(wish));
	assert_int_equal(read(ids[0], &id, sizeof(id)), sizeof(id));
	assert_true(id);
	model_add(m->model, id, BYTES, wish.seed);
}

static void copied(void *context, uint64_t done, uint64_t total)
{
	if (done < total)
		put_meanwhile(context);
}

/* Return: how many are in one line */
static unsigned int places(const char *text)
{
	const char *at = strstr(text, ": segment ");
	unsigned int count;

	return at && sscanf(at, ": segment %*u, %u places between ", &count) == 1 ? count : 1;
}

static void told(void *context, const struct journal_finding *finding)
{
	struct meanwhile *m = context;

	m->damage += finding->damage != 0;
	if (!strstr(finding->text, "is repaired from"))
		return;
	m->repaired += places(finding->text);
	m->lines++;
	put_meanwhile(m);
}

static void mirror(struct meanwhile *m)
{
	struct journal_mirror_options options = {
		.found = told, .context = m, .progress = { copied, m },
	};
	char text[512];

	if (journal_mirror(m->bed->dir, &options, text, sizeof(text)))
		fail_msg("%s", text);
}

static void begin(struct bed *bed, struct model *model)
{
	uint64_t i;

	model_make(model);
	for (i = 0; i < PUTS; i++)
		assert_int_equal(bed_put(bed, model, i == 3 ? 3000000 : BYTES, i,
					 i & 1 && bed_has_nvram(bed) ? JOURNAL_PATH_DIRECT :
								       JOURNAL_PATH_SYNCED, NULL),
				 0);
	bed_close(bed);
}

/* All is on @leg alone. */
static void only(struct bed *bed, struct model *model, unsigned int leg)
{
	char path[PATH_MAX];

	leg_of(bed, 0, !leg, path);
	assert_int_equal(unlink(path), 0);
	bed_open(bed, NULL);
	model_verify(model, bed->j);
	bed_remove(bed);
	model_free(model);
}

static void puts_go_on_while_a_leg_is_copied(enum bed_medium medium)
{
	struct bed bed;
	struct model model;
	struct meanwhile m = { .bed = &bed, .model = &model, .wanted = 3 };
	char path[PATH_MAX];

	bed_make_mirrored(&bed, medium);
	begin(&bed, &model);
	leg_of(&bed, 0, 1, path);
	assert_int_equal(unlink(path), 0);
	mirror(&m);
	assert_int_equal(m.puts, 3);
	bed_check(&bed, 0);
	only(&bed, &model, 1);
}

/* Return: whether it is on that log */
static bool spoil_on(struct bed *bed, unsigned int log, unsigned int leg, uint64_t seed,
		     uint64_t bytes)
{
	uint8_t *payload = bed_payload(bytes, seed), *all, *at;
	char path[PATH_MAX];
	struct stat st;
	int fd;

	leg_of(bed, log, leg, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	all = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
	at = memmem(all, (size_t)st.st_size, payload, 4000);
	if (at) {
		at[2000] ^= 1;
		assert_int_equal(pwrite(fd, at + 2000, 1, at + 2000 - all), 1);
		assert_int_equal(fsync(fd), 0);
	}
	close(fd);
	free(all);
	free(payload);
	return at;
}

static void spoil(struct bed *bed, unsigned int leg, uint64_t seed, uint64_t bytes)
{
	assert_true(spoil_on(bed, 0, leg, seed, bytes));
}

static void spoil_some(struct bed *bed)
{
	spoil(bed, 0, 1, BYTES);
	spoil(bed, 1, 2, BYTES);
	spoil(bed, 1, 3, 3000000);
	spoil(bed, 0, PUTS - 1, BYTES);
}

static void spoil_then(void *context, uint64_t done, uint64_t total)
{
	struct meanwhile *m = context;
	unsigned int i;

	(void)done;
	(void)total;
	for (i = 0; i < PUTS && !m->spoilt; i++)
		if (i != 3)
			m->spoilt = spoil_on(m->bed, 1, 1, i, BYTES);
}

/* Of two logs one is copied; of the other one a copy is damaged by then, so it is recovery
 * that does not find it. */
static void puts_go_on_while_copies_are_looked_at(enum bed_medium medium)
{
	struct bed bed;
	struct model model;
	struct meanwhile m = { .bed = &bed, .model = &model, .wanted = 1 };
	struct journal_mirror_options options = {
		.found = told, .context = &m, .progress = { spoil_then, &m },
	};
	char path[PATH_MAX], text[512];

	assert_int_equal(setenv("BED_MIRROR", "1", 0), 0);
	bed_make_logs(&bed, medium, 2, 32ull << 20, 0);
	begin(&bed, &model);
	leg_of(&bed, 0, 1, path);
	assert_int_equal(unlink(path), 0);
	if (journal_mirror(bed.dir, &options, text, sizeof(text)))
		fail_msg("%s", text);
	assert_true(m.spoilt);
	assert_int_equal(m.repaired, 1);
	assert_int_equal(m.puts, 1);
	assert_int_equal(m.damage, 0);
	bed_check(&bed, 0);
	only(&bed, &model, 1);
}

static void copies_are_repaired(enum bed_medium medium)
{
	struct bed bed;
	struct model model;
	struct meanwhile m = { .bed = &bed, .model = &model };

	bed_make_mirrored(&bed, medium);
	begin(&bed, &model);
	spoil_some(&bed);
	bed_check(&bed, -EUCLEAN);
	mirror(&m);
	assert_int_equal(m.repaired, 4);
	assert_int_equal(m.damage, 0);
	bed_check(&bed, 0);
	only(&bed, &model, 0);
}

/* However many there are, of a segment that is damaged a line is enough. */
static void many_repairs_are_few_lines(enum bed_medium medium)
{
	struct bed bed;
	struct model model;
	struct meanwhile m = { .bed = &bed, .model = &model };
	unsigned int i;

	bed_make_mirrored(&bed, medium);
	begin(&bed, &model);
	for (i = 0; i < PUTS; i++)
		if (i != 3)
			spoil(&bed, 1, i, BYTES);
	mirror(&m);
	assert_int_equal(m.repaired, PUTS - 1);
	/* small ones, and one large one in their midst */
	assert_in_range(m.lines, 1, 5);
	assert_int_equal(m.damage, 0);
	bed_check(&bed, 0);
	only(&bed, &model, 1);
}

/* Of a journal in use, too: what was damaged since somebody opened it. */
static void copies_are_repaired_while_others_have_it(enum bed_medium medium)
{
	struct bed bed;
	struct model model;
	struct meanwhile m = { .bed = &bed, .model = &model };

	bed_make_mirrored(&bed, medium);
	begin(&bed, &model);
	bed_open(&bed, NULL);
	spoil_some(&bed);
	mirror(&m);
	assert_int_equal(m.repaired, 4);
	assert_int_equal(m.damage, 0);
	bed_close(&bed);
	bed_check(&bed, 0);
	only(&bed, &model, 1);
}

/* What is bad on both is told once, by id, whoever's recovery it was. */
static void what_no_copy_has_is_told(enum bed_medium medium)
{
	struct bed bed;
	struct model model;
	struct meanwhile m = { .bed = &bed, .model = &model };
	struct journal_mirror_options options = { .found = told, .context = &m };
	unsigned int open;

	for (open = 0; open < 2; open++) {
		bed_make_mirrored(&bed, medium);
		begin(&bed, &model);
		if (open)
			bed_open(&bed, NULL);
		spoil(&bed, 0, 2, BYTES);
		spoil(&bed, 1, 2, BYTES);
		m.damage = 0;
		assert_int_equal(journal_mirror(bed.dir, &options, NULL, 0), -EUCLEAN);
		assert_int_equal(m.damage, 1);
		if (!open)
			bed_open(&bed, NULL);
		bed_remove(&bed);
		model_free(&model);
	}
}

#define MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "puts_go_on_while_a_leg_is_copied", puts_go_on_while_a_leg_is_copied, MEDIA },
		{ "puts_go_on_while_copies_are_looked_at", puts_go_on_while_copies_are_looked_at,
		  MEDIA },
		{ "copies_are_repaired", copies_are_repaired, MEDIA },
		{ "many_repairs_are_few_lines", many_repairs_are_few_lines, MEDIA },
		{ "copies_are_repaired_while_others_have_it",
		  copies_are_repaired_while_others_have_it, MEDIA },
		{ "what_no_copy_has_is_told", what_no_copy_has_is_told, MEDIA },
	};

	if (pipe(wishes) || pipe(ids))
		return 1;
	if (!child_fork())
		puts_what_is_wished();
	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
