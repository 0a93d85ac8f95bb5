#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# usage: generate.pl SEED FIRST
#        generate.pl SEED LS ACKED <PAYLOADS
#
# First form: lines without end that say their own number, of random length and
# content; line n of a seed is always the same.
# Second form: PAYLOADS are those of the transactions that `jnl ls` printed into
# LS, one behind the other; ACKED has lines "ID NUMBER".  Says what is wrong.
use strict;
use warnings;

sub message
{
	my ($seed, $n) = @_;
	srand($seed * 1000003 + $n);
	# mostly small, some larger than the stage takes
	my $bytes = rand() < 0.95 ? int(rand(600)) : int(rand(40000));
	my $unit = join('', map { chr(33 + int(rand(90))) } 1 .. 50);
	return "$n:" . substr($unit x (1 + $bytes / 50), 0, $bytes);
}

sub generate
{
	my ($seed, $n) = @_;
	local $SIG{PIPE} = 'DEFAULT';
	$| = 1;
	print message($seed, $n++), "\n" while 1;
}

sub verify
{
	my ($seed, $ls, $acked) = @_;
	my (%number, %seen);
	open(my $in, '<', $acked) or die "$acked: $!\n";
	while (<$in>) {
		my ($id, $n) = split;
		$number{$id} = $n;
	}
	open($in, '<', $ls) or die "$ls: $!\n";
	binmode(STDIN);
	while (<$in>) {
		my ($id, $bytes) = split;
		my $got = '';
		die "$id: the payloads end\n" if read(STDIN, $got, $bytes) != $bytes;
		my ($n) = $got =~ /^([0-9]+):/ or die "$id holds no message: $got\n";
		die "$id: message $n is not as it was sent\n" if $got ne message($seed, $n);
		die "$id was message $number{$id} and is $n\n"
			if exists($number{$id}) && $number{$id} != $n;
		die "message $n is there twice\n" if $seen{$n}++;
	}
	die "more payloads than transactions\n" if read(STDIN, my $more, 1);
}

@ARGV == 2 ? generate(@ARGV) : verify(@ARGV);
