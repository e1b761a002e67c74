#!/usr/bin/perl
# What a search can be asked for, and the saved result: RETURN (RFC 4731), PARTIAL (RFC 9394),
# SAVE and "$" (RFC 5182); and the keys of WITHIN (RFC 5032) and SAVEDATE (RFC 8514).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

local $ENV{TZ} = 'UTC';
my $start = time - 1;                       # stamps are from the last tick of the clock
my $home  = home('user', 'target');
my $count = 0;

# A message that was received so many seconds ago.
sub receive {
    my ($age, $text) = @_;
    my $name = deliver("$home/Maildir", "Subject: number " . ++$count . "\n\n" . ($text // '') . "\n");
    utime time - $age, time - $age, "$home/Maildir/new/$name";
    Time::HiRes::sleep(0.01);
    return "$home/Maildir/new/$name";
}
receive($_ * 1000, $_ % 2 ? 'odd' : 'even') for reverse 1 .. 12;
my $c = imapd($home);
$c->ok('SELECT INBOX');
$c->ok('STORE 3,5 FLAGS.SILENT (\Deleted)');
$c->ok('EXPUNGE');                          # 1 to 10 have the UIDs 1 2 4 6 7 8 9 10 11 12
$c->ok('STORE 2,5:7,10 FLAGS.SILENT (\Flagged)');

# The answer of a search, without what always stands before it.
sub answer {
    my ($command, $want, $name) = @_;
    my $text = $c->command($command);
    my @got = map { s/^\* ESEARCH \(TAG "[^"]*"\)//r } @{ $c->{untagged} };
    is join('|', @got, $text =~ /^OK / ? () : $text), $want, $name // $command;
}
sub finds { my ($keys, $want) = @_; return answer("SEARCH $keys", "* SEARCH$want") }

# ---- RFC 4731 section 3.1 ----
$c->send("A282 SEARCH RETURN (MIN COUNT) FLAGGED\r\n");
like $c->until_tag('A282'), qr/^OK /, 'a tag';
is_deeply $c->{untagged}, ['* ESEARCH (TAG "A282") MIN 2 COUNT 5'], '... is in the answer';
answer('SEARCH RETURN () FLAGGED',                  ' ALL 2,5:7,10');
answer('SEARCH RETURN (ALL) FLAGGED',               ' ALL 2,5:7,10');
answer('SEARCH RETURN (MIN) FLAGGED',               ' MIN 2');
answer('SEARCH RETURN (MAX) FLAGGED',               ' MAX 10');
answer('SEARCH RETURN (COUNT) FLAGGED',             ' COUNT 5');
answer('search return (max min) flagged',           ' MIN 2 MAX 10');
answer('SEARCH RETURN (ALL COUNT MAX MIN) FLAGGED', ' MIN 2 MAX 10 COUNT 5 ALL 2,5:7,10');
answer('UID SEARCH RETURN (MIN MAX) 1:5',           ' UID MIN 1 MAX 7', 'UID: all numbers are UIDs');
answer('UID SEARCH RETURN (ALL) FLAGGED',           ' UID ALL 2,7:9,12');
answer('UID SEARCH RETURN (ALL) 1:*',               ' UID ALL 1:2,4,6:12', '... of messages that are');
answer('SEARCH RETURN (MIN MAX COUNT ALL) SEEN',    ' COUNT 0', 'nothing found');
answer('SEARCH RETURN (MIN) SEEN',                  '',         '... of which COUNT says so');
answer('UID SEARCH RETURN () SEEN',                 ' UID');
answer('SEARCH RETURN (MIN) CHARSET UTF-8 BODY odd NOT 1', ' MIN 2', 'CHARSET comes after RETURN');
answer('SEARCH RETURN (MAX) BODY even',                     ' MAX 9', 'found from the end');
answer('SEARCH RECENT',                             '* SEARCH 1 2 3 4 5 6 7 8 9 10', 'a key that begins with R');

# ---- RFC 9394 section 3.1 ----
answer('SEARCH RETURN (PARTIAL 1:2) FLAGGED',          ' PARTIAL (1:2 2,5)');
answer('SEARCH RETURN (PARTIAL 2:1) FLAGGED',          ' PARTIAL (2:1 2,5)', 'either number first');
answer('SEARCH RETURN (PARTIAL 2:4) FLAGGED',          ' PARTIAL (2:4 5:7)');
answer('SEARCH RETURN (PARTIAL 4:500) FLAGGED',        ' PARTIAL (4:500 7,10)', 'over the end');
answer('SEARCH RETURN (PARTIAL 6:500) FLAGGED',        ' PARTIAL (6:500 NIL)',  'beyond it');
answer('SEARCH RETURN (PARTIAL 5:5) FLAGGED',          ' PARTIAL (5:5 10)');
answer('SEARCH RETURN (PARTIAL 1:5) SEEN',             ' PARTIAL (1:5 NIL)', 'nothing found');
answer('UID SEARCH RETURN (PARTIAL -1:-2) FLAGGED',    ' UID PARTIAL (-1:-2 9,12)', 'from the end');
answer('SEARCH RETURN (PARTIAL -3:-2) FLAGGED',        ' PARTIAL (-3:-2 6:7)');
answer('SEARCH RETURN (PARTIAL -4:-500) FLAGGED',      ' PARTIAL (-4:-500 2,5)', '... over the beginning');
answer('SEARCH RETURN (PARTIAL -6:-7) FLAGGED',        ' PARTIAL (-6:-7 NIL)',   '... before it');
answer('SEARCH RETURN (PARTIAL -1:-4294967295) 1:3',   ' PARTIAL (-1:-4294967295 1:3)');
answer('SEARCH RETURN (PARTIAL 1:4294967295) 1:3',     ' PARTIAL (1:4294967295 1:3)');
answer('SEARCH RETURN (COUNT PARTIAL 1:1 MAX MIN) FLAGGED', ' MIN 2 MAX 10 COUNT 5 PARTIAL (1:1 2)');

# Section 3.3.
sub fetched {
    my ($command) = @_;
    return join ' ', map { /^\* (\d+) FETCH/ } $c->ok($command);
}
is fetched('UID FETCH 1:12 FLAGS (PARTIAL 1:3)'),          '1 2 3',    'UID FETCH: the first';
is fetched('UID FETCH 1:12 (FLAGS) (PARTIAL -1:-3)'),      '8 9 10',   'the last';
is fetched('UID FETCH 1,4,8:9,12 (UID FLAGS) (PARTIAL 2:4)'), '3 6 7', '... of those that are named';
is fetched('UID FETCH 1,4,8:9,12 FLAGS (partial -4:-4)'),  '3',        'one';
is fetched('UID FETCH 1,3,5,12 FLAGS (PARTIAL 2:3)'),      '10',       '... and are there';
is fetched('UID FETCH 1:12 FLAGS (PARTIAL 11:12)'),        '',         'none';
is fetched('UID FETCH 1:12 FLAGS (PARTIAL -11:-9)'),       '1 2',      'over the beginning';
is fetched('UID FETCH 1:* FLAGS (PARTIAL 4294967295:1)'),  '1 2 3 4 5 6 7 8 9 10', 'all';
for my $wrong (
    'FETCH 1:3 FLAGS (PARTIAL 1:3)', 'UID FETCH 1:3 FLAGS (PARTIAL)', 'UID FETCH 1:3 FLAGS ()',
    'UID FETCH 1:3 FLAGS (PARTIAL 0:3)', 'UID FETCH 1:3 FLAGS (PARTIAL 1:3', 'UID FETCH 1:3 FLAGS(PARTIAL 1:3)',
    'UID FETCH 1:3 FLAGS (OTHER 1)', 'UID FETCH 1:3 FLAGS (PARTIAL 1:3 PARTIAL 1:3)', 'UID FETCH 1:3 FLAGS PARTIAL 1:3'
) {
    like $c->command($wrong), qr/^BAD /, "BAD: $wrong";
}

for my $wrong (
    'RETURN', 'RETURN ALL', 'RETURN ()', 'RETURN (', 'RETURN (MIN', 'RETURN (MIN)', 'RETURN (MIN)ALL',
    'RETURN ( MIN) ALL', 'RETURN (MIN ) ALL', 'RETURN (MIN  MAX) ALL', 'RETURN (OTHER) ALL', 'RETURN (MINI) ALL',
    'RETURN MIN ALL', 'RETURN(MIN) ALL', 'ALL RETURN (MIN)', 'CHARSET UTF-8 RETURN (MIN) ALL',
    'RETURN (MIN) RETURN (MAX) ALL', 'RETURN (PARTIAL) ALL', 'RETURN (PARTIAL 1) ALL',
    'RETURN (PARTIAL 0:1) ALL', 'RETURN (PARTIAL 1:*) ALL', 'RETURN (PARTIAL -1:2) ALL',
    'RETURN (PARTIAL 1:-2) ALL', 'RETURN (PARTIAL 1:4294967296) ALL', 'RETURN (PARTIAL 1:2,4) ALL',
    'RETURN (PARTIAL 1:2 ALL) ALL', 'RETURN (ALL PARTIAL 1:2) ALL',
    'RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL', 'RETURN (PARTIAL --1:--2) ALL',
    'OLDER', 'OLDER 0', 'OLDER -1', 'YOUNGER x', 'YOUNGER 4294967296', 'SAVEDON', 'SAVEDON yesterday',
    'SAVEDATESUPPORTED x'
) {
    like $c->command("SEARCH $wrong"), qr/^BAD /, "BAD: $wrong";
}

# ---- RFC 5182: "$" ----
finds('$', '');
is_deeply [$c->ok('FETCH $ FLAGS')], [], 'nothing is saved when a mailbox has been selected';
is_deeply [$c->ok('SEARCH RETURN (SAVE) FLAGGED')], [], 'SAVE alone gives no answer (section 1)';
finds('$', ' 2 5 6 7 10');
answer('UID SEARCH $',     '* SEARCH 2 7 8 9 12', '$ in UID SEARCH');
answer('UID SEARCH UID $', '* SEARCH 2 7 8 9 12', '... and as UIDs (example 3)');
finds('OR $ 1:2',       ' 1 2 5 6 7 10');
finds('NOT $',          ' 1 3 4 8 9');
finds('BODY odd (1:7 $)', ' 2 6');
is fetched('FETCH $ UID'),     '2 5 6 7 10', 'FETCH $';
is fetched('UID FETCH $ UID'), '2 5 6 7 10', 'UID FETCH $';
is fetched('STORE $ +FLAGS (\Answered)'),     '2 5 6 7 10', 'STORE $';
is fetched('UID STORE $ -FLAGS (\Answered)'), '2 5 6 7 10', 'UID STORE $';
like $c->command('COPY $ INBOX.target'), qr/^OK \[COPYUID \d+ 2,7:9,12 1:5\]/, 'COPY $';
like $c->command('UID COPY $ INBOX.target'), qr/^OK \[COPYUID \d+ 2,7:9,12 6:10\]/, 'UID COPY $';
for my $wrong ('FETCH $,1 UID', 'FETCH $:3 UID', 'FETCH 1,$ UID', 'SEARCH $ $$', 'SEARCH UID $$') {
    like $c->command($wrong), qr/^BAD /, "BAD: $wrong";
}

# Section 2.1: what leaves it as it is, and what empties it.
$c->command('SEARCH RETURN (SAVE) FLAGGED NONSENSE');
finds('$', ' 2 5 6 7 10');
$c->command('SEARCH CHARSET x-klingon SUBJECT a');
finds('$', ' 2 5 6 7 10');
$c->ok('SEARCH RETURN (ALL) 1:3');
$c->ok('SEARCH 1:3');
finds('$', ' 2 5 6 7 10');
$c->ok('SEARCH RETURN (SAVE) $ BODY odd');
finds('$', ' 2 6 10');
like $c->command('SEARCH RETURN (SAVE) CHARSET x-klingon SUBJECT a'), qr/^NO \[BADCHARSET /,
  'a SEARCH that is to be saved, and fails (example 5)';
finds('$', '');
answer('COPY $ INBOX.target', '', 'COPY of nothing (example 6)');
answer('MOVE $ INBOX.target', '', 'MOVE');
answer('STORE $ +FLAGS (\Seen)', '', 'STORE');
answer('UID EXPUNGE $',       '', 'UID EXPUNGE');
$c->ok('SEARCH RETURN (SAVE) ALL');
$c->ok('SEARCH RETURN (SAVE) SEEN');
finds('$', '');

# Section 2.4 and RFC 9394 section 3.2: what is saved of what is returned.
for my $case (
    ['MIN',                   ' MIN 2',                             '2'],
    ['MAX',                   ' MAX 10',                            '10'],
    ['MAX MIN',               ' MIN 2 MAX 10',                      '2 10'],
    ['COUNT',                 ' COUNT 5',                           '2 5 6 7 10'],
    ['ALL',                   ' ALL 2,5:7,10',                      '2 5 6 7 10'],
    ['MIN ALL',               ' MIN 2 ALL 2,5:7,10',                '2 5 6 7 10'],
    ['MAX MIN COUNT',         ' MIN 2 MAX 10 COUNT 5',              '2 5 6 7 10'],
    ['PARTIAL 2:3',           ' PARTIAL (2:3 5:6)',                 '5 6'],
    ['PARTIAL -1:-2',         ' PARTIAL (-1:-2 7,10)',              '7 10'],
    ['PARTIAL 7:9',           ' PARTIAL (7:9 NIL)',                 ''],
    ['PARTIAL 2:3 MIN',       ' MIN 2 PARTIAL (2:3 5:6)',           '2 5 6'],
    ['PARTIAL 1:2 MIN',       ' MIN 2 PARTIAL (1:2 2,5)',           '2 5'],
    ['PARTIAL 2:3 MAX',       ' MAX 10 PARTIAL (2:3 5:6)',          '5 6 10'],
    ['PARTIAL 2:3 MIN MAX',   ' MIN 2 MAX 10 PARTIAL (2:3 5:6)',    '2 5 6 10'],
    ['PARTIAL 2:3 COUNT',     ' COUNT 5 PARTIAL (2:3 5:6)',         '2 5 6 7 10'],
    ['PARTIAL 2:3 MIN COUNT', ' MIN 2 COUNT 5 PARTIAL (2:3 5:6)',   '2 5 6 7 10'],
  )
{
    my ($options, $want, $saved) = @$case;
    $c->ok('SEARCH RETURN (SAVE) SEEN');
    answer("SEARCH RETURN (SAVE $options) FLAGGED", $want);
    is fetched('FETCH $ FLAGS'), $saved, "... of which is saved: $saved";
}
answer('SEARCH RETURN (SAVE MIN) SEEN', '', 'nothing found');
finds('$', '');
answer('UID SEARCH RETURN (MAX SAVE) FLAGGED', ' UID MAX 12');
finds('$', ' 10');

# Messages that go, and messages that come.
$c->ok('SEARCH RETURN (SAVE) ALL');
receive(60);
$c->ok('NOOP');
finds('$', ' 1 2 3 4 5 6 7 8 9 10');
$c->ok('SEARCH RETURN (SAVE) FLAGGED');
my $other = imapd($home);
$other->ok('SELECT INBOX');
$other->ok('STORE 1,6 +FLAGS.SILENT (\Deleted)');
$other->ok('EXPUNGE');
is fetched('FETCH $ UID'), '2 5 6 7 10', 'expunged, but not yet told';
$c->ok('NOOP');
is fetched('FETCH $ UID'), '1 4 5 8', 'told: numbers are other ones';
$c->ok('STORE 1:3,8 +FLAGS.SILENT (\Deleted)');
$c->ok('UID EXPUNGE $');
is_deeply [$c->untagged(qr/EXPUNGE/)], ['* 1 EXPUNGE', '* 7 EXPUNGE'], 'UID EXPUNGE $: what is of both';
finds('DELETED', ' 1 2');
finds('$',       ' 3 4');
$c->ok('MOVE $ INBOX.target');
is_deeply [$c->untagged(qr/EXPUNGE/)], ['* 3 EXPUNGE', '* 3 EXPUNGE'], 'MOVE $';
finds('$', '');

# A mailbox that is selected anew.
$c->ok('SEARCH RETURN (SAVE) ALL');
$c->ok('EXAMINE INBOX');
finds('$', '');
$c->ok('SEARCH RETURN (SAVE) ALL');
$c->command('SELECT INBOX.none');
$c->ok('SELECT INBOX');
finds('$', '');
$c->ok('SEARCH RETURN (SAVE) ALL');
$c->ok('UNSELECT');
$c->ok('SELECT INBOX.target');
finds('$', '');

# Pipelined (section 2.3, example 7).
$c->send("F1 SEARCH RETURN (SAVE) 1:2\r\nF2 STORE \$ +FLAGS.SILENT (work)\r\nF3 SEARCH KEYWORD work\r\n");
$c->until_tag($_) for 'F1', 'F2', 'F3';
is_deeply [$c->untagged(qr/SEARCH/)], ['* SEARCH 1 2'], 'SEARCH and STORE $ sent together';

# ---- RFC 5032 ----
$home = home('ages');
receive($_) for 86400 * 4, 86400, 3600, 60;
$c = imapd($home);
$c->ok('SELECT INBOX');
finds('YOUNGER 259200',          ' 2 3 4');
finds('OLDER 259200',            ' 1');
finds('OLDER 1800 YOUNGER 7200', ' 3');
finds('OLDER 4294967295',        '');
finds('YOUNGER 4294967295',      ' 1 2 3 4');
$c->ok('APPEND INBOX "01-Jan-2100 00:00:00 +0000" {3+}' . "\r\na\r\n");
finds('YOUNGER 1', ' 5');
finds('NOT OLDER 1', ' 5');

# ---- RFC 8514 ----
sub saved {
    my ($uid) = @_;
    my ($text) = map { /SAVEDATE "([^"]*)"/ } $c->ok("UID FETCH $uid SAVEDATE");
    my ($day, $month, $year, $h, $m, $s) = $text =~ /^([ \d]\d)-(...)-(\d+) (\d+):(\d+):(\d+) \+0000$/
      or return $text;
    my $n = index('JanFebMarAprMayJunJulAugSepOctNovDec', $month) / 3;
    my $time = POSIX::mktime($s, $m, $h, $day, $n, $year - 1900);
    return $time >= $start && $time <= time ? 'now' : $text;
}
is saved(1), 'now', 'SAVEDATE of a delivery is not its INTERNALDATE';
is saved(5), 'now', 'nor that of APPEND';
my ($first) = $c->ok('FETCH 1 (SAVEDATE UID)');
like $first, qr/^\* 1 FETCH \(SAVEDATE "[^"]{26}" UID 1\)$/, 'SAVEDATE among others';
sub date {
    my ($time) = @_;
    return POSIX::strftime('%d-%b-%Y', gmtime $time);
}
my $yesterday = date($start - 86400);
my $tomorrow  = date(time + 86400);
finds("SAVEDSINCE $yesterday",     ' 1 2 3 4 5');
finds("SAVEDBEFORE $yesterday",    '');
finds("SAVEDBEFORE $tomorrow",     ' 1 2 3 4 5');
finds("SAVEDSINCE $tomorrow",      '');
finds("SAVEDON $tomorrow",         '');
finds("NOT SAVEDON $yesterday",    ' 1 2 3 4 5');
finds('SAVEDATESUPPORTED',         ' 1 2 3 4 5');
finds('NOT SAVEDATESUPPORTED',     '');
$c->ok('SEARCH SAVEDON ' . date($start));
my ($today) = $c->untagged(qr/SEARCH/);
$c->ok('SEARCH SAVEDON ' . date(time));
my ($later) = $c->untagged(qr/SEARCH/);
like "$today$later", qr/ 1 2 3 4 5$/m, 'SAVEDON the day of this test';
is $c->logout, 0, 'ends well';
done_testing;
