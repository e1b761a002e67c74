#!/usr/bin/perl
# Messages that another session has expunged while this one still counts them: commands by UID pass
# over them (RFC 3501 section 6.4.8), commands by number say NO and do the rest, or nothing at all
# (RFC 2180 section 4).  Only their content can still be had, unless somebody has unlinked the files.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my ($home, $c, $other);

# A mailbox of eight messages, two sessions in it; the other has expunged 3 and 4, or somebody has
# unlinked their files.
sub begin {
    my ($name, $unlinked) = @_;
    $_->logout for grep { $_ } $c, $other;
    $home = home($name, 'target');
    for (1 .. 8) {
        deliver("$home/Maildir", "Subject: $_\n\nbody $_\n");
        Time::HiRes::sleep(0.002);
    }
    ($c, $other) = map { imapd($home) } 1, 2;
    $c->ok('SELECT INBOX');
    $other->ok('SELECT INBOX');
    my @files = sort glob "'$home'/Maildir/cur/*";
    return unlink @files[2, 3] if $unlinked;
    $other->ok('STORE 3:4 +FLAGS.SILENT (\Deleted)');
    $other->ok('EXPUNGE');
}

sub told { my ($what) = @_; return join ' ', map { /^\* (\d+) $what/ } @{ $c->{untagged} } }

sub in_target {
    my $third = imapd($home);
    $third->ok('SELECT INBOX.target');
    my @found = map { /SEARCH ?(.*)/ } $third->ok('SEARCH ALL');
    $third->logout;
    return $found[0];
}

# ---- by UID ----
begin('uid-fetch');
$c->ok('UID FETCH 2:5 BODY.PEEK[TEXT]');
is told('FETCH'),   '2 3 4 5', 'UID FETCH: what was kept';
is told('EXPUNGE'), '3 3', '... and the expunges are told';
begin('uid-fetch-unlinked', 1);
like $c->command('UID FETCH 2:5 BODY.PEEK[TEXT]'), qr/^OK \[EXPUNGEISSUED\] /, 'UID FETCH: OK';
is told('FETCH'),   '2 5', '... of the others';
is told('EXPUNGE'), '3 3', '... and the expunges are told';
is_deeply [$c->ok('UID FETCH 3:4 BODY.PEEK[TEXT]')], [], 'then these UIDs are nobody\'s';

begin('uid-store');
like $c->command('UID STORE 2:5 +FLAGS (\Seen)'), qr/^OK \[EXPUNGEISSUED\] /, 'UID STORE: OK';
is told('FETCH'), '2 5', '... of the others';
begin('uid-store-one');
like $c->command('UID STORE 3 +FLAGS.SILENT (\Seen)'), qr/^OK /, 'UID STORE of nothing else: OK';

begin('uid-copy');
like $c->command('UID COPY 2:5 INBOX.target'), qr/^OK \[COPYUID \d+ 2,5 1:2\] /,
  'UID COPY copies the others';
is told('EXPUNGE'), '3 3', '... and the expunges are told';
is in_target(), '1 2', '... and they are there';
begin('uid-copy-one');
like $c->command('UID COPY 3:4 INBOX.target'), qr/^OK [^[]/, 'UID COPY of nothing else: OK';
is in_target(), '', '... and copies nothing';

begin('uid-move');
like $c->command('UID MOVE 2:5 INBOX.target'), qr/^OK /, 'UID MOVE moves the others';
my $all = join '', map { "$_\n" } @{ $c->{untagged} };
like $all, qr/^\* 3 EXPUNGE\n\* 3 EXPUNGE\n.*\* OK \[COPYUID \d+ 2,5 1:2\] .*\n\* 2 EXPUNGE\n\* 2 EXPUNGE\n/s,
  '... whose UIDs are told before their EXPUNGE, after that of the others';
is in_target(), '1 2', '... and they are there';
$c->ok('SEARCH ALL');
is_deeply [$c->untagged(qr/SEARCH/)], ['* SEARCH 1 2 3 4'], '... and here no longer';

# ---- by number ----
begin('fetch');
$c->ok('FETCH 2:5 BODY.PEEK[TEXT]');
is told('FETCH'),   '2 3 4 5', 'FETCH: what was kept';
is told('EXPUNGE'), '', '... and no expunge';
begin('fetch-unlinked', 1);
like $c->command('FETCH 2:5 BODY.PEEK[TEXT]'), qr/^NO \[EXPUNGEISSUED\] /, 'FETCH: NO';
is told('FETCH'),   '2 5', '... but the others are told';
is told('EXPUNGE'), '',    '... and no expunge, which would upset the numbers';
$c->ok('FETCH 3 UID');
is_deeply [$c->untagged(qr/FETCH/)], ['* 3 FETCH (UID 3)'], '... which still mean the same';
like $c->command('STORE 2:5 +FLAGS (\Seen)'), qr/^NO \[EXPUNGEISSUED\] /, 'STORE: NO';
is told('FETCH'), '2 5', '... but the others are changed';
like $c->command('COPY 2:5 INBOX.target'), qr/^NO \[EXPUNGEISSUED\] /, 'COPY: NO';
is in_target(), '', '... and nothing is copied';
is told('EXPUNGE'), '3 3', '... with the expunges, COPY being done';
begin('move');
like $c->command('MOVE 2:5 INBOX.target'), qr/^NO \[EXPUNGEISSUED\] /, 'MOVE: NO';
is in_target(), '', '... and nothing is moved';
begin('search', 1);
$c->ok('SEARCH NOT TEXT nothing');
is_deeply [$c->untagged(qr/SEARCH/)], ['* SEARCH 1 2 5 6 7 8'], 'SEARCH matches none that is gone';
begin('append');
$c->ok('APPEND INBOX ', ["Subject: 9\r\n\r\n"]);
is_deeply [$c->untagged(qr/EX/)], ['* 3 EXPUNGE', '* 3 EXPUNGE', '* 7 EXISTS'], 'APPEND tells all';

# ---- the mailbox itself ----
begin('close');
$other->ok('DELETE INBOX.target');
$other->ok('CREATE INBOX.target');
$c->ok('SELECT INBOX.target');
$other->ok('DELETE INBOX.target');
like $c->command('CLOSE'), qr/^OK /, 'CLOSE leaves a mailbox that is gone';
like $c->command('CHECK'), qr/^BAD /, '... for good';
like $c->command('SELECT INBOX'), qr/^OK /, '... and the session goes on';
$_->logout for $c, $other;
done_testing;
