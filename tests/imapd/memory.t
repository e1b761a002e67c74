#!/usr/bin/perl
# A session that waits holds what its mailbox needs, whatever it has been asked before.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Chainmail;

plan skip_all => 'sanitizers keep memory for themselves' if $ENV{SANITIZE};

my $home = home('user');
for my $i (1 .. 300) {
    my $to = join ', ', map { "=?utf-8?q?J=C3=B6rg_$_?= <u$_\@example.org>" } 1 .. $i % 17;
    deliver("$home/Maildir",
        "Subject: =?iso-8859-1?q?n=E9?= $i\nTo: $to\nContent-Type: multipart/mixed; boundary=b\n\n"
          . join('', map { "--b\n\npart $_\n" . 'text ' x ($i * 7) . "\n" } 1 .. $i % 5)
          . "--b--\n");
}

# Memory of its own, in KiB.
sub anonymous {
    my ($client) = @_;
    my ($kib) = slurp("/proc/$client->{pid}/smaps_rollup") =~ /^Anonymous:\s+(\d+)/m;
    return $kib;
}
my $c = imapd($home);
plan skip_all => 'no /proc/PID/smaps_rollup' unless -r "/proc/$c->{pid}/smaps_rollup";
$c->ok('SELECT INBOX');
$c->ok('FETCH 1 (FLAGS RFC822.SIZE ENVELOPE)');
Time::HiRes::sleep(0.5);    # quiet for long enough to have given its memory back
my $before = anonymous($c);
my $slack  = 8 * POSIX::sysconf(&POSIX::_SC_PAGESIZE) / 1024;
for my $command (
    'FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)',
    'FETCH 1:* BODY.PEEK[]',
    'FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT FROM TO)] BODY.PEEK[1]<0.100>)',
    'SEARCH TEXT nothing',
    'STORE 1:* +FLAGS (kept)',
    'LIST "" *',
  )
{
    $c->ok($command);
    # What is kept for the mailbox (sizes that are not yet written, keywords) comes to some pages.
    ok eventually { anonymous($c) <= $before + $slack }, "and is again after $command"
      or diag anonymous($c) . " KiB, $before before";
}
is $c->logout, 0, 'ends well';
done_testing;
