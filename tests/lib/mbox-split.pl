#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# usage: mbox-split.pl MBOX DIR
# Takes an mbox apart, as mboxrd, into DIR/1, DIR/2, ... and prints how many.
# Written without looking at mbox.c: the two check each other.
use strict;
use warnings;

my ($mbox, $dir) = @ARGV;
open(my $in, '<:raw', $mbox) or die "$mbox: $!\n";
my $all = do { local $/; <$in> } // '';
my @messages = split(/^From [^\n]*(?:\n|\z)/m, $all, -1);
die "$mbox: does not begin with From_\n" if @messages && shift(@messages) =~ /[^\r\n]/;
my $n = 0;
for my $message (@messages) {
	$message =~ s/(\A|\n)\r?\n\z/$1/;
	$message =~ s/^>(>*From )/$1/mg;
	open(my $file, '>:raw', "$dir/" . ++$n) or die "$dir/$n: $!\n";
	print {$file} $message or die "$dir/$n: $!\n";
	close($file) or die "$dir/$n: $!\n";
}
print "$n\n";
