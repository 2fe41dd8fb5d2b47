# SPDX-License-Identifier: Apache-2.0
# An interpreter whose exceptions are longjmp.
use strict;
my $caught = 0;
for my $i (1 .. 6) {
  eval {
    my @words = map { "word $_" x 10 } 1 .. 200;
    local $SIG{ALRM} = sub { die "alarm\n" };
    die { words => scalar @words };
  };
  $caught++ if ref $@ && $@->{words} == 200;
}
my $child = fork() // die;
exit 4 if $child == 0;
waitpid $child, 0;
printf "%d caught, %d child\n", $caught, ($? >> 8) == 4;
