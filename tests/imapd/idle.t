#!/usr/bin/perl
# IDLE (RFC 2177): what comes while a client waits, with and without the kernel's help.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user');
deliver("$home/Maildir", "Subject: $_\n\nbody\n") for 1 .. 3;
my ($waiting, $acting) = map { imapd($home) } 1 .. 2;
$waiting->idle;
is_deeply [$waiting->done], [], 'IDLE without a mailbox';
$_->ok('SELECT INBOX') for $waiting, $acting;

$waiting->idle;
deliver("$home/Maildir", "Subject: 4\n\nbody\n");
like $waiting->wait_for(qr/EXISTS/), qr/^\* 4 EXISTS$/, 'a delivery';
my $envelopes = "$home/Maildir/chainmail/cache.envelope";
ok eventually { -e $envelopes && slurp($envelopes) =~ /"1".*"2".*"3".*"4"/s }, '... is in the cache before anybody asks';
$acting->ok('NOOP');
$acting->ok('STORE 2 +FLAGS (\Flagged)');
like $waiting->wait_for(qr/FETCH/), qr/^\* 2 FETCH \(FLAGS \(\\Flagged/, "another session's flags";
$acting->ok('STORE 1 +FLAGS.SILENT (\Deleted)');
$acting->ok('EXPUNGE');
like $waiting->wait_for(qr/EXPUNGE/), qr/^\* 1 EXPUNGE$/, '... and its expunges';
$acting->ok('APPEND INBOX ', ["Subject: 5\r\n\r\nbody\r\n"]);
like $waiting->wait_for(qr/EXISTS/), qr/^\* 4 EXISTS$/, '... and its messages';
my ($file) = glob "$home/Maildir/cur/*:2,F";
(my $renamed = $file) =~ s/,F$/,FS/;
rename $file, $renamed or die $!;
like $waiting->wait_for(qr/FETCH/), qr/^\* 1 FETCH \(FLAGS \(\\Flagged \\Seen/, "a stranger's rename";
$waiting->done;
is_deeply [$waiting->ok('NOOP')], [], 'DONE, and nothing is left to tell';

$waiting->idle;
is_deeply [$waiting->done], [], 'IDLE again';
$waiting->send("i1 IDLE\r\nDONE\r\ni2 NOOP\r\n");
$waiting->until_tag('i1');
like $waiting->until_tag('i1'), qr/^OK/, 'DONE sent in advance';
like $waiting->until_tag('i2'), qr/^OK/, '... and a command behind it';
$waiting->send("i3 IDLE\r\n");
$waiting->until_tag('i3');
$waiting->send("STOP\r\n");
like $waiting->until_tag('i3'), qr/^BAD/, 'anything but DONE';
like $waiting->command('NOOP'), qr/^OK/, '... is the end of it';
$waiting->idle;
is $waiting->vanish, 0, 'a client that vanishes while it idles';

my $short = imapd($home, IMAP_TIMEOUT => 1);
$short->ok('SELECT INBOX');
$short->idle;
like $short->wait_for(qr/BYE/), qr/^\* BYE .*utologout/i, 'IDLE is no protection against autologout';
is $acting->logout, 0, 'ends well';
done_testing;
