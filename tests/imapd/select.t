#!/usr/bin/perl
# SELECT EXAMINE CLOSE UNSELECT CHECK, and what the client is told of others' doings.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user', 'empty');
deliver("$home/Maildir", "Subject: $_\n\nbody $_\n") for 1 .. 5;
my $c = imapd($home);

$c->ok('EXAMINE INBOX');
like $c->{text}, qr/^OK \[READ-ONLY\] /, 'EXAMINE is read-only';
my $all = join "\n", @{ $c->{untagged} };
like $all, qr/^\* FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft\)$/m, 'FLAGS';
like $all, qr/^\* OK \[PERMANENTFLAGS \(\)\] /m, 'no permanent flags';
like $all, qr/^\* 5 EXISTS$/m, 'EXISTS';
like $all, qr/^\* 5 RECENT$/m, 'RECENT';
like $all, qr/^\* OK \[UNSEEN 1\] /m, 'UNSEEN';
like $all, qr/^\* OK \[UIDVALIDITY \d+\] /m, 'UIDVALIDITY';
like $all, qr/^\* OK \[UIDNEXT \d+\] /m, 'UIDNEXT';
like $c->command($_), qr/^NO \[READ-ONLY\] /, "NO when examined: $_"
  for 'STORE 1 +FLAGS (\Seen)', 'EXPUNGE', 'UID EXPUNGE 1:*', 'MOVE 1 INBOX.empty';
$c->ok('FETCH 1 BODY[]');
unlike join("\n", $c->untagged(qr/FETCH/)), qr/\\Seen/, 'reading sets no \Seen when examined';
my @new = glob "$home/Maildir/new/*";
is scalar @new, 5, 'EXAMINE moves nothing';

$c->ok('SELECT INBOX');
like $c->{text}, qr/^OK \[READ-WRITE\] /, 'SELECT is read-write';
ok scalar $c->untagged(qr/^\* 5 RECENT$/), 'EXAMINE has left \Recent';
ok scalar $c->untagged(qr/PERMANENTFLAGS \(.*\\\*\)/), 'any keyword may be made';
my $second = imapd($home);
$second->ok('SELECT INBOX');
ok scalar $second->untagged(qr/^\* 0 RECENT$/), 'only one session has \Recent';
$c->ok('CHECK');

# ---- what others do ----
deliver("$home/Maildir", "Subject: 6\n\nbody 6\n");
$c->ok('NOOP');
is_deeply [$c->untagged(qr/./)], ['* 6 EXISTS', '* 6 RECENT'], 'a delivery is told';
$second->ok('NOOP');
$second->ok('STORE 2 +FLAGS (\Flagged $Work)');
ok scalar $second->untagged(qr/^\* FLAGS \(.*\$Work\)/), 'a new keyword is told to who made it';
$c->ok('NOOP');
my $told = join "\n", @{ $c->{untagged} };
like $told, qr/^\* FLAGS \(.*\$Work\)\n.*^\* 2 FETCH \(FLAGS \(\\Flagged \\Recent \$Work\)\)$/ms,
  'flags of another session are told, their keyword first';
$second->ok('STORE 3:4 +FLAGS.SILENT (\Deleted)');
$second->ok('EXPUNGE');
is_deeply [$second->untagged(qr/EXPUNGE/)], ['* 3 EXPUNGE', '* 3 EXPUNGE'], 'EXPUNGE answers';
$c->command($_) and is_deeply [$c->untagged(qr/EXPUNGE/)], [], "no EXPUNGE while answering $_"
  for 'FETCH 1 FLAGS', 'STORE 1 +FLAGS (\Seen)', 'SEARCH ALL';
$c->command('UID FETCH 1:* FLAGS');
is scalar($c->untagged(qr/EXPUNGE/)), 2, 'but while answering UID FETCH';
is_deeply [$c->ok('NOOP')], [], 'and not twice';
$c->ok('FETCH 4 UID');

unlink glob "$home/Maildir/cur/*" or die $!;
$c->ok('NOOP');
ok eventually { $c->ok('NOOP'); $c->command('FETCH 1 UID') =~ /^BAD/ }, 'messages removed by others';
$second->logout;

# ---- CLOSE, UNSELECT ----
deliver("$home/Maildir", "Subject: $_\n\nbody $_\n") for 7, 8;
$c->ok('SELECT INBOX');
$c->ok('STORE 1 +FLAGS (\Deleted)');
$c->ok('UNSELECT');
like $c->command('CHECK'), qr/^BAD/, 'UNSELECT leaves the selected state';
$c->ok('SELECT INBOX');
ok scalar $c->untagged(qr/^\* 2 EXISTS$/), 'and expunges nothing';
$c->ok('CLOSE');
is_deeply [$c->untagged(qr/./)], [], 'CLOSE says nothing';
like $c->command('CHECK'), qr/^BAD/, 'and leaves the selected state';
$c->ok('SELECT INBOX');
ok scalar $c->untagged(qr/^\* 1 EXISTS$/), 'having expunged';
$c->ok('STORE 1 +FLAGS (\Deleted)');
$c->ok('EXAMINE INBOX');
$c->ok('CLOSE');
$c->ok('EXAMINE INBOX');
ok scalar $c->untagged(qr/^\* 1 EXISTS$/), 'CLOSE after EXAMINE expunges nothing';

like $c->command('SELECT INBOX.nothing'), qr/^NO /, 'a SELECT that fails';
like $c->command('CHECK'), qr/^BAD/, '... leaves nothing selected';
$c->ok('SELECT INBOX.empty');
like $c->command($_), qr/^BAD /, "BAD of an empty mailbox: $_"
  for 'FETCH 1 FLAGS', 'FETCH 1:* FLAGS', 'FETCH * FLAGS', 'STORE * FLAGS ()', 'COPY 1:* INBOX';
is_deeply [$c->ok('UID FETCH 1:* FLAGS')], [], 'UID FETCH of an empty mailbox';
is_deeply [$c->ok('SEARCH 1:*')], ['* SEARCH'], 'SEARCH of an empty mailbox';

# ---- the selected mailbox goes away ----
$second = imapd($home);
$second->ok('DELETE INBOX.empty');
my $text = join "\n", $c->command('NOOP') // '', @{ $c->{untagged} }, $c->drain;
like $text, qr/\* BYE .*deleted/, 'BYE when another deletes the selected mailbox';
$c->vanish;
like slurp($c->{log}), qr/reason=mailbox-deleted/, '... and the log says so';
$second->logout;
done_testing;
