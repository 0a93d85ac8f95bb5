#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# The text form of Prometheus, version 0.0.4, strictly: each family once, with HELP and
# TYPE before its samples; no sample twice; counters end in _total and are not negative;
# of a histogram: buckets rise with le, the last is +Inf and as large as _count, and there
# is a _sum.
use strict;
use warnings;

my ($help, $type, $family) = ('', '', '');
my (%families, %samples, %histograms);
my $count = 0;

sub bad { die "$ARGV:$.: $_[0]: $_\n" }

while (<>) {
	chomp;
	if (/^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/) {
		bad("a family again") if $families{$1}++;
		bad("HELP without text") if $2 eq '';
		($family, $help, $type) = ($1, $2, '');
	} elsif (/^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/) {
		bad("TYPE is not of the HELP before") if $1 ne $family || $type;
		$type = $2;
	} elsif (/^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (\S+)$/) {
		my ($name, $labels, $value) = ($1, $2, $3);
		my %label;
		my $rest = $labels;
		while ($rest =~ s/^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)//) {
			bad("a label twice") if exists $label{$1};
			$label{$1} = $2;
		}
		bad("labels") if $rest ne '';
		bad("a sample twice") if $samples{"$name\{$labels}"}++;
		bad("no number") if $value !~ /^[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)$|^NaN$/;
		bad("no TYPE") if !$type;
		$count++;
		if ($type ne 'histogram') {
			bad("not of its family") if $name ne $family;
			bad("a counter") if $type eq 'counter' && ($name !~ /_total$/ || $value < 0);
			next;
		}
		bad("not of its family") if $name !~ /^\Q$family\E_(bucket|sum|count)$/;
		my ($part, $le) = ($1, delete $label{le});
		bad("le") if defined $le != ($part eq 'bucket');
		my $series = $family . join(',', map { "$_=$label{$_}" } sort keys %label);
		my $h = $histograms{$series} //= { line => $., last => 0, le => 0 };
		if ($part eq 'bucket') {
			bad("after +Inf") if $h->{inf};
			bad("buckets fall") if $value < $h->{last};
			bad("le does not rise") if $le ne '+Inf' && $le <= $h->{le};
			$h->{le} = $le;
			$h->{last} = $value;
			$h->{inf} = $le eq '+Inf';
		} else {
			bad("twice") if exists $h->{$part};
			$h->{$part} = $value;
		}
	} else {
		bad("form");
	}
}
for my $series (sort keys %histograms) {
	my $h = $histograms{$series};
	die "$series: no +Inf\n" if !$h->{inf};
	die "$series: _count is not +Inf's\n" if !defined $h->{count} || $h->{count} != $h->{last};
	die "$series: no _sum\n" if !defined $h->{sum};
	die "$series: calls, and no time\n" if $h->{count} > 0 && $h->{sum} <= 0;
}
die "$count samples only\n" if $count < 30;
die "no histograms\n" if !%histograms;
