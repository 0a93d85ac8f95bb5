#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# usage: random-mbox.pl SEED
# An mbox out of the pieces that readers disagree on.
use strict;
use warnings;

srand($ARGV[0]);
my @pieces = ("From ", "From a\n", ">From ", ">>From ", ">", "\n", "\n\n", "\r\n", "From", " From ",
	      "text", "text\n", "\0", "\xff\n", "\nFrom x\n", ">" x 9, "fRom ", "\n>From y\n",
	      "long " x 40000);
print "From first\n";
print $pieces[int(rand(rand() < 0.98 ? $#pieces : @pieces))] for 1 .. 2000;
