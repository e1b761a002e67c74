#!/usr/bin/perl
# Two sessions on one folder, and a stranger who delivers to it: each sees what the others do, in
# IDLE without asking and with NOOP.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home    = home('ann', 'other');
my $maildir = "$home/Maildir";
deliver($maildir, "Subject: $_\n\nbody\n") for 1 .. 4;

my ($a, $b) = map { imapd($home) } 1, 2;
like($a->{greeting}, qr/^\* PREAUTH /, 'greeted as already known');
is(($a->ok('SELECT INBOX'))[0] // '', ($b->ok('SELECT INBOX'))[0] // '', 'both select INBOX');
ok($a->untagged(qr/^\* 4 EXISTS/), 'four messages');

# ---- in IDLE ----

$b->idle;
deliver($maildir, "Subject: five\n\nbody\n");
is($b->wait_for(qr/ EXISTS$/), '* 5 EXISTS', 'IDLE: a delivery by another program');
$a->ok('STORE 2 +FLAGS (\Flagged $Work)');
like($b->wait_for(qr/^\* 2 FETCH/) // '', qr/FLAGS \((?=.*\\Flagged)(?=.*\$Work)/,
    'IDLE: flags and keywords set in another session');
$a->ok('STORE 1,3 +FLAGS.SILENT (\Deleted)');
$a->ok('EXPUNGE');
# Messages 1 and 3, in either order: each EXPUNGE counts what is left (RFC 3501 section 7.4.1).
my $one_and_three = qr/^\* (?:1 EXPUNGE,\* 2|3 EXPUNGE,\* 1) EXPUNGE$/;
like(join(',', $a->untagged(qr/EXPUNGE/)), $one_and_three, 'EXPUNGE removes two messages');
like(join(',', map { $b->wait_for(qr/ EXPUNGE$/) // '' } 1, 2), $one_and_three, 'IDLE: both');
$a->ok('APPEND INBOX (\Seen) ', ["Subject: six\r\n\r\nbody\r\n"]);
is($b->wait_for(qr/ EXISTS$/), '* 4 EXISTS', 'IDLE: an APPEND in another session');
$a->ok('COPY 1 INBOX');
is($b->wait_for(qr/ EXISTS$/), '* 5 EXISTS', 'IDLE: a COPY');
$a->ok('MOVE 1 INBOX.other');
is($b->wait_for(qr/ EXPUNGE$/), '* 1 EXPUNGE', 'IDLE: a MOVE away');
my ($file) = glob "'$maildir'/cur/*:2,";
rename $file, "${file}FS" or die $!;
like($b->wait_for(qr/ FETCH /) // '', qr/(?=.*\\Flagged)(?=.*\\Seen)/,
    'IDLE: flags set by another program');
($file) = glob "'$maildir'/cur/*:2,FS";
unlink $file or die $!;
like($b->wait_for(qr/ EXPUNGE$/) // '', qr/^\* \d+ EXPUNGE/, 'IDLE: a removal by another program');
$b->done;

# ---- with NOOP, and what both have in the end ----

deliver($maildir, "Subject: seven\n\nbody\n");
$a->ok('NOOP');
ok($a->untagged(qr/^\* 4 EXISTS/), 'NOOP: a delivery by another program') or diag(@{ $a->{untagged} });
$a->ok('STORE 1 FLAGS (\Answered)');
$b->ok('NOOP');
ok($b->untagged(qr/^\* 1 FETCH .*\\Answered/), 'NOOP: flags') or diag(@{ $b->{untagged} });
my $state = sub {
    my ($c) = @_;
    return join "\n", sort map { s/ ?\\Recent//r } $c->ok('FETCH 1:* (UID FLAGS)');
};
$a->ok('NOOP');
is($state->($a), $state->($b), 'both sessions have the same');

# No EXPUNGE while numbers are in use (RFC 3501 section 7.4.1).
$a->ok('STORE 1 +FLAGS (\Deleted)');
$a->ok('EXPUNGE');
$b->ok('FETCH 1:* (UID)');
ok(!$b->untagged(qr/EXPUNGE/), 'no EXPUNGE in answer to a FETCH');
$b->ok('STORE 2 +FLAGS.SILENT (\Seen)');
ok(!$b->untagged(qr/EXPUNGE/), 'nor to a STORE');
$b->ok('SEARCH ALL');
ok(!$b->untagged(qr/EXPUNGE/), 'nor to a SEARCH');
my $gone = $b->command('FETCH 1 (BODY.PEEK[])') // 'end of file';
like($gone, qr/^(?:NO|OK)/, 'the content of what is gone is refused or empty');
$b->ok('NOOP');
ok($b->untagged(qr/^\* 1 EXPUNGE/), 'but to a NOOP');

# A folder that another session removes.
$b->ok('SELECT INBOX.other');
$a->ok('DELETE INBOX.other');
my $answer = $b->command('NOOP');
ok(!defined $answer || $answer =~ /^(?:OK|NO|BAD)/, 'a folder deleted while selected: an answer');

is($a->logout, 0, 'the first session ends well');
$b->logout;
done_testing;
