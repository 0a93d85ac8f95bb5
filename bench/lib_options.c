/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib_env.h"

#define MIB (1ull << 20)

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "marker", required_argument, NULL, 'm' },
	{ "floor-marker", required_argument, NULL, 'f' },
	{ "json", required_argument, NULL, 'o' },
	{ "append", no_argument, NULL, 'a' },
	{ "only", required_argument, NULL, 'O' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "quick", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *file, const char *program)
{
	fprintf(file,
		"usage: %s [OPTION]...\n"
		"  --dir DIR           files and logs go to a directory made there\n"
		"                      (default build/bench-tmp)\n"
		"  --marker URI        NVRAM of the journal; a file is made and removed\n"
		"                      (default pmem: and a new file in /dev/shm)\n"
		"  --floor-marker URI  NVRAM of the floors, on the same medium\n"
		"                      (default: the marker's name with .floor)\n"
		"  --json FILE         where the rows go (default build/bench.json)\n"
		"  --append            add the rows to those in FILE\n"
		"  --only METHOD[,...] only these\n"
		"  --rounds N          slices of every row\n"
		"  --quick             a smoke test: few, short slices, small media\n",
		program);
}

static unsigned int parse_rounds(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || !n || n > 100000) {
		fprintf(stderr, "bench: --rounds %s: not a number from 1 to 100000\n", text);
		exit(2);
	}
	return (unsigned int)n;
}

static void quick(struct bench_options *options)
{
	options->quick = true;
	options->rounds = 2;
	options->slice_ns = 5000000;
	options->log_bytes = 128 * MIB;
	options->marker_bytes = 32 * MIB;
}

static void take(struct bench_options *options, int letter, const char *program)
{
	switch (letter) {
	case 'd': options->dir = optarg; break;
	case 'm': options->marker = optarg; break;
	case 'f': options->floor_marker = optarg; break;
	case 'o': options->json = optarg; break;
	case 'a': options->append = true; break;
	case 'O': options->only = optarg; break;
	case 'r': options->rounds = parse_rounds(optarg); break;
	case 'q': quick(options); break;
	case 'h': usage(stdout, program); exit(0);
	default: usage(stderr, program); exit(2);
	}
}

void bench_options_parse(struct bench_options *options, int argc, char **argv)
{
	int letter;

	*options = (struct bench_options){
		.dir = "build/bench-tmp",
		.json = "build/bench.json",
		.rounds = 200,
		.slice_ns = 25000000,
		.log_bytes = 1024 * MIB,
		.marker_bytes = 64 * MIB,
	};
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take(options, letter, argv[0]);
	if (optind < argc) {
		usage(stderr, argv[0]);
		exit(2);
	}
}
