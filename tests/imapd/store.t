#!/usr/bin/perl
# STORE (RFC 3501 section 6.4.6): every form, keywords, silence, UIDs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user');
deliver("$home/Maildir", "Subject: $_\n\nbody\n") for 1 .. 4;
my $c = imapd($home);
$c->ok('SELECT INBOX');

sub told {
    my ($command) = @_;
    $c->ok($command);
    return join '; ', $c->untagged(qr/ FETCH /);
}

is told('STORE 1 FLAGS (\Answered \Draft)'), '* 1 FETCH (FLAGS (\Answered \Draft \Recent))',
  'FLAGS replaces';
is told('STORE 1 +FLAGS (\Flagged)'), '* 1 FETCH (FLAGS (\Answered \Flagged \Draft \Recent))',
  '+FLAGS adds';
is told('STORE 1 -FLAGS (\Answered \Deleted)'), '* 1 FETCH (FLAGS (\Flagged \Draft \Recent))',
  '-FLAGS removes';
is told('STORE 1 FLAGS ()'), '* 1 FETCH (FLAGS (\Recent))', 'all, by an empty list';
is told('STORE 1 +FLAGS \SEEN \flagged'), '* 1 FETCH (FLAGS (\Flagged \Seen \Recent))',
  'flags without parentheses, in any case';
ok -e (glob "$home/Maildir/cur/*:2,FS")[0], 'the file is named for them';
is told('STORE 1:2 +FLAGS.SILENT (\Deleted)'), '', '.SILENT tells nothing';
is told('FETCH 2 FLAGS'), '* 2 FETCH (FLAGS (\Deleted \Recent))', 'but stores';
is told('UID STORE 3:9999 -flags.silent (\Seen)'), '', 'UID STORE of UIDs that are none';
my $uid = told('FETCH 3 UID') =~ /UID (\d+)/ ? $1 : 0;
is told("UID STORE $uid FLAGS (\\Seen)"), "* 3 FETCH (UID $uid FLAGS (\\Seen \\Recent))",
  'UID STORE tells the UID';
is told('UID STORE 777:778 FLAGS (\Seen)'), '', 'no such UIDs is fine';

is told('STORE 4 +FLAGS ($Forwarded work $forwarded)'),
  '* 4 FETCH (FLAGS (\Recent $Forwarded work))', 'keywords';
ok scalar $c->untagged(qr/^\* FLAGS \(.* \$Forwarded work\)$/), 'new ones are announced';
ok scalar $c->untagged(qr/^\* OK \[PERMANENTFLAGS \(.* work \\\*\)\]/), '... as permanent, too';
is told('STORE 4 +FLAGS (WORK)'), '* 4 FETCH (FLAGS (\Recent $Forwarded work))',
  'a keyword in another case is the same';
is_deeply [$c->untagged(qr/^\* FLAGS/)], [], 'no news of old keywords';
is told('STORE 4 -FLAGS (work unheard)'), '* 4 FETCH (FLAGS (\Recent $Forwarded))',
  'removing one that is not there';
is_deeply [$c->untagged(qr/^\* FLAGS/)], [], '... makes none';
is told('STORE 1:4 FLAGS.SILENT (x)'), '', 'many at once';
like told('FETCH 1:4 FLAGS'), qr/^(?:\* \d FETCH \(FLAGS \(\\Recent x\)\)(?:; )?){4}$/, '... all';

like $c->command('STORE 1 +FLAGS (' . 'k' x 251 . ')'), qr/^NO \[LIMIT\]/, 'a keyword too long';
like $c->command('STORE 1 +FLAGS (' . join(' ', map { "k$_" } 1 .. 300) . ')'),
  qr/^NO \[LIMIT\]/, 'too many keywords';
is told('FETCH 1 FLAGS'), '* 1 FETCH (FLAGS (\Recent x))', '... and none of them is set';
like $c->command('STORE 1 +FLAGS (' . join(' ', map { "k$_" } 1 .. 600) . ')'), qr/^BAD/,
  'absurdly many';

$c->ok('UNSELECT');
$c->ok('SELECT INBOX');
ok scalar $c->untagged(qr/^\* FLAGS \(.* \$Forwarded.* x/), 'keywords stay';
like told('FETCH 1 FLAGS'), qr/\(x\)/, '... on their messages';

# ---- EXPUNGE ----
$c->ok('STORE 1,3 FLAGS (\Deleted)');
my ($uid1, $uid3) = map { told("FETCH $_ UID") =~ /UID (\d+)/ } 1, 3;
$c->ok("UID EXPUNGE $uid3:9999");
is_deeply [$c->untagged(qr/EXPUNGE/)], ['* 3 EXPUNGE'], 'UID EXPUNGE spares others (RFC 4315)';
$c->ok('UID EXPUNGE 5000:6000');
is_deeply [$c->untagged(qr/EXPUNGE/)], [], 'UID EXPUNGE of nothing';
$c->ok('STORE 2:3 +FLAGS (\Deleted)');
$c->ok('EXPUNGE');
is_deeply [$c->untagged(qr/EXPUNGE/)], [('* 1 EXPUNGE') x 3], 'EXPUNGE numbers as it goes';
is scalar(my @left = glob "$home/Maildir/cur/*"), 0, 'the files are gone';
is $c->logout, 0, 'ends well';
done_testing;
