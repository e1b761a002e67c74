#!/usr/bin/perl
# COPY and MOVE (RFC 3501 section 6.4.7, RFC 6851), with the UIDs they tell (RFC 4315).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user', 'target');
deliver("$home/Maildir", "Subject: $_\n\nbody $_\n") for 1 .. 6;
my $c = imapd($home);
$c->ok('STATUS INBOX.target (UIDVALIDITY)');
my ($uidvalidity) = join(' ', $c->untagged(qr/STATUS/)) =~ /UIDVALIDITY (\d+)/;
$c->ok('SELECT INBOX');
$c->ok('STORE 2 FLAGS (\Seen work)');

$c->ok('COPY 2:3 INBOX.target');
like $c->{text}, qr/^OK \[COPYUID $uidvalidity 2:3 1:2\] /, 'COPY tells UIDs';
$c->ok('UID COPY 5,1 inbox.target');
like $c->{text}, qr/^OK \[COPYUID $uidvalidity 1,5 3:4\] /, 'UID COPY, in rising order';
$c->ok('UID COPY 100:200 INBOX.target');
unlike $c->{text}, qr/COPYUID/, 'UID COPY of UIDs that are none';
$c->ok('COPY 6 INBOX');
like $c->{text}, qr/^OK \[COPYUID \d+ 6 7\] /, 'COPY into the selected mailbox';
is_deeply [$c->untagged(qr/EXISTS/)], ['* 7 EXISTS'], '... which grows';
like $c->command('COPY 1 INBOX.none'), qr/^NO \[TRYCREATE\] /, 'no such mailbox: TRYCREATE';
like $c->command('MOVE 1 INBOX.none'), qr/^NO \[TRYCREATE\] /, '... of MOVE too';
like $c->command('COPY 1 elsewhere'),  qr/^NO \[CANNOT\] /, 'a name that cannot be';
is_deeply [$c->ok('NOOP')], [], 'and nothing has changed';

$c->ok('MOVE 1:2 INBOX.target');
my @told = grep { /COPYUID|EXPUNGE/ } @{ $c->{untagged} };
like $told[0], qr/^\* OK \[COPYUID $uidvalidity 1:2 5:6\] /, 'MOVE tells UIDs first';
is_deeply [@told[1 .. $#told]], ['* 1 EXPUNGE', '* 1 EXPUNGE'], '... then the expunges';
$c->ok('UID MOVE 7,300 INBOX.target');
is_deeply [$c->untagged(qr/EXPUNGE/)], ['* 5 EXPUNGE'], 'UID MOVE';
$c->ok('UID MOVE 300 INBOX.target');
is_deeply [$c->untagged(qr/EXPUNGE|COPYUID/)], [], 'UID MOVE of nothing';

$c->ok('SELECT INBOX.target');
ok scalar $c->untagged(qr/^\* 7 EXISTS/), 'all are there';
$c->ok('FETCH 1,5:6 (FLAGS BODY.PEEK[TEXT])');
my ($one, $five, $six) = $c->untagged(qr/FETCH/);
like $one, qr/\\Seen.*work.*body 2/s, 'flags and keywords go along with COPY';
like $five, qr/body 1/, 'MOVE keeps the order';
like $six, qr/\\Seen.*work.*body 2/s, '... and the flags';
is $c->logout, 0, 'ends well';
done_testing;
