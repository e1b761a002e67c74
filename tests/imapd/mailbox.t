#!/usr/bin/perl
# Mailboxes as a whole: CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE LIST LSUB STATUS, in Courier's
# namespace and in the flat one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my ($home, $c);

sub list {
    my ($command) = @_;
    return [$c->ok($command)];
}

sub denied {
    my ($command, $pattern) = @_;
    like $c->command($command), qr/^NO $pattern/, "NO: $command";
}

# ---- Courier's namespace ----
$home = home('courier');
$c    = imapd($home);
is_deeply list('LIST "" *'), ['* LIST (\Unmarked \HasNoChildren) "." "INBOX"'], 'INBOX alone';
is_deeply list('LIST "" ""'), ['* LIST (\Noselect) "." ""'], 'the separator (RFC 3501 6.3.8)';
is_deeply list('LIST INBOX. ""'), ['* LIST (\Noselect) "." "INBOX."'], '... and the root';

$c->ok('CREATE INBOX.foo');
ok -d "$home/Maildir/.foo/cur", 'CREATE makes a Maildir++ folder';
$c->ok('CREATE inbox.bar.baz');
$c->ok('CREATE "INBOX.slashed."');
is_deeply list('LIST "" *'),
  [
    '* LIST (\Unmarked \HasChildren) "." "INBOX"',
    '* LIST (\Noselect \HasChildren) "." "INBOX.bar"',
    '* LIST (\Unmarked \HasNoChildren) "." "INBOX.bar.baz"',
    '* LIST (\Unmarked \HasNoChildren) "." "INBOX.foo"',
    '* LIST (\Unmarked \HasNoChildren) "." "INBOX.slashed"',
  ],
  'LIST *';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" %') }], ['INBOX'], 'LIST % of the top';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" INBOX.%') }],
  [qw(INBOX.bar INBOX.foo INBOX.slashed)], 'LIST % of a level';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST INBOX. %') }],
  [qw(INBOX.bar INBOX.foo INBOX.slashed)], 'a reference is put before';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST INBOX. b%z') }],       [], '% stays in its level';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST INBOX. b*z') }], ['INBOX.bar.baz'], '* does not';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" inbox') }],   ['INBOX'], 'INBOX in any case';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" inBox.f%') }], ['INBOX.foo'], '... as a prefix';
is_deeply list('LIST "" nothing'), [], 'what does not exist is not listed';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" ' . '*%' x 400 . 'foo') }], ['INBOX.foo'],
  'many wildcards';
is_deeply list('LIST "" ' . 'x' x 1000), [], 'a long pattern matches nothing';
deliver("$home/Maildir/.foo", "Subject: x\n\n");
is_deeply list('LIST "" INBOX.foo'), ['* LIST (\Marked \HasNoChildren) "." "INBOX.foo"'],
  '\Marked when there is new mail';

denied('CREATE INBOX',     '\[ALREADYEXISTS\]');
denied('CREATE inbox.',    '\[ALREADYEXISTS\]|\[CANNOT\]');
denied('CREATE INBOX.foo', '\[ALREADYEXISTS\]');
denied('CREATE foo',       '\[CANNOT\]');
denied("CREATE $_", '\[CANNOT\]')
  for 'INBOX..x', 'INBOX.x..y', '"INBOX.a/b"', 'INBOX.' . 'x' x 300, 'INBOX.a&b', 'INBOX.&AOk',
  'INBOX...', '""';
like $c->command('CREATE ', ["INBOX.caf\xe9"]), qr/^NO \[CANNOT\]/, 'NO: 8-bit names';
$c->ok('CREATE INBOX.caf&AOk-');
ok -d "$home/Maildir/.caf&AOk-", 'modified UTF-7 names';
$c->ok('CREATE "INBOX.with blank"');
is_deeply list('LIST "" "INBOX.with blank"'),
  ['* LIST (\Unmarked \HasNoChildren) "." "INBOX.with blank"'], 'names with blanks';

denied('DELETE INBOX',         '\[CANNOT\]');
denied('DELETE INBOX.nothing', '\[NONEXISTENT\]');
denied('DELETE nothing',       '\[NONEXISTENT\]');
denied('SELECT nothing',       '\[NONEXISTENT\]');
denied('EXAMINE INBOX.none',   '\[NONEXISTENT\]');
denied('STATUS INBOX.none (MESSAGES)', '\[NONEXISTENT\]');
$c->ok('DELETE "INBOX.with blank"');
ok !-e "$home/Maildir/.with blank", 'DELETE removes the folder';
$c->ok('CREATE INBOX.bar');
$c->ok('DELETE INBOX.bar');
is_deeply list('LIST "" INBOX.bar*'),
  [
    '* LIST (\Noselect \HasChildren) "." "INBOX.bar"',
    '* LIST (\Unmarked \HasNoChildren) "." "INBOX.bar.baz"'
  ],
  'but not those below it (RFC 3501 6.3.4)';
like $c->command('DELETE INBOX.bar'), qr/^NO /, 'NO: a level with folders below it';

# ---- STATUS ----
$c->ok('STATUS INBOX.foo (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)');
my ($status) = $c->untagged(qr/STATUS/);
like $status, qr/^\* STATUS INBOX\.foo \(MESSAGES 1 RECENT 1 UIDNEXT \d+ UIDVALIDITY \d+ UNSEEN 1\)$/,
  'STATUS';
ok glob("$home/Maildir/.foo/new/*"), 'STATUS moves nothing';
my ($uidvalidity) = $status =~ /UIDVALIDITY (\d+)/;

# ---- RENAME ----
$c->ok('CREATE INBOX.foo.below');
$c->ok('RENAME INBOX.foo INBOX.new.place');
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" INBOX.new*') }],
  [qw(INBOX.new INBOX.new.place INBOX.new.place.below)], 'RENAME, with what is below';
$c->ok('STATUS INBOX.new.place (MESSAGES)');
is_deeply [$c->untagged(qr/STATUS/)], ['* STATUS INBOX.new.place (MESSAGES 1)'], '... and its mail';
denied('RENAME INBOX.foo INBOX.x',               '\[NONEXISTENT\]');
denied('RENAME INBOX.new.place INBOX.slashed',   '\[ALREADYEXISTS\]');
denied('RENAME INBOX.new.place inbox',           '\[ALREADYEXISTS\]');
denied('RENAME INBOX.new.place elsewhere',       '\[CANNOT\]');
$c->ok('CREATE INBOX.foo');
$c->ok('STATUS INBOX.foo (UIDVALIDITY)');
my ($again) = ($c->untagged(qr/STATUS/))[0] =~ /UIDVALIDITY (\d+)/;
isnt $again, $uidvalidity, 'a name given again has another UIDVALIDITY';
deliver("$home/Maildir", "Subject: in the inbox\n\n");
$c->ok('RENAME INBOX INBOX.old-mail');
$c->ok('STATUS INBOX (MESSAGES)');
is_deeply [$c->untagged(qr/STATUS/)], ['* STATUS INBOX (MESSAGES 0)'], 'RENAME INBOX empties it';
$c->ok('STATUS INBOX.old-mail (MESSAGES)');
is_deeply [$c->untagged(qr/STATUS/)], ['* STATUS INBOX.old-mail (MESSAGES 1)'],
  '... into a new folder';

# ---- subscriptions ----
$c->ok("SUBSCRIBE $_") for qw(INBOX inbox.foo INBOX.a.b.c INBOX.a.d INBOX.gone);
is_deeply list('LSUB "" *'),
  [map { qq(* LSUB () "." "$_") } qw(INBOX INBOX.a.b.c INBOX.a.d INBOX.foo INBOX.gone)], 'LSUB *';
is_deeply list('LSUB "" INBOX.%'),
  [
    '* LSUB (\Noselect) "." "INBOX.a"',
    '* LSUB () "." "INBOX.foo"',
    '* LSUB () "." "INBOX.gone"'
  ],
  'LSUB % tells the level above, once (RFC 3501 6.3.9)';
like slurp("$home/Maildir/courierimapsubscribed"), qr/^INBOX\.foo$/m, "in Courier's file";
$c->ok('UNSUBSCRIBE INBOX.gone');
is_deeply list('LSUB "" INBOX.g*'), [], 'UNSUBSCRIBE';
denied('SUBSCRIBE elsewhere', '\[CANNOT\]');
denied('SUBSCRIBE INBOX.a&b', '\[CANNOT\]');
$c->ok('SUBSCRIBE INBOX.level.');
is_deeply list('LSUB "" INBOX.l*'), ['* LSUB () "." "INBOX.level"'],
  'a trailing separator is no part of the name';

# ---- the selected mailbox ----
$c->ok('SELECT INBOX.foo');
$c->ok('DELETE INBOX.foo');
like $c->command('FETCH 1 FLAGS'), qr/^BAD No mailbox/, 'who deletes the selected has none';
$c->ok('SELECT INBOX.new.place');
$c->ok('RENAME INBOX.new.place INBOX.moved');
like $c->command('FETCH 1 FLAGS'), qr/^BAD No mailbox/, 'so has who renames it';
$c->ok('SELECT INBOX.moved');
ok scalar $c->untagged(qr/^\* 1 EXISTS/), 'but finds it again';
$c->logout;

# ---- the flat namespace ----
$home = home('flat');
$c    = imapd($home, IMAP_NAMESPACE => 'flat');
$c->ok('NAMESPACE');
is_deeply [$c->untagged(qr/NAMESPACE/)], ['* NAMESPACE (("" "/")) NIL NIL'], 'flat NAMESPACE';
$c->ok('CREATE Archive/2025');
ok -d "$home/Maildir/.Archive.2025/cur", 'levels on disk are dots';
$c->ok('CREATE inbox/sub');
is_deeply list('LIST "" *'),
  [
    '* LIST (\Unmarked \HasChildren) "/" "INBOX"',
    '* LIST (\Noselect \HasChildren) "/" "Archive"',
    '* LIST (\Unmarked \HasNoChildren) "/" "Archive/2025"',
    '* LIST (\Unmarked \HasNoChildren) "/" "INBOX/sub"',
  ],
  'flat LIST';
is_deeply [map { /"([^"]*)"$/ } @{ list('LIST "" %') }], [qw(INBOX Archive)], 'flat LIST %';
denied('CREATE with.dot', '\[CANNOT\]');
denied('SELECT with.dot', '\[NONEXISTENT\]');
$c->ok('SUBSCRIBE Archive/2025');
is_deeply list('LSUB "" *'), ['* LSUB () "/" "Archive/2025"'], 'flat LSUB';
like slurp("$home/Maildir/courierimapsubscribed"), qr/^INBOX\.Archive\.2025$/m,
  "... by Courier's names on disk";
$c->ok('SELECT Archive/2025');
$c->logout;
done_testing;
