#!/usr/bin/perl
# SORT (RFC 5256, RFC 5957, RFC 5267 section 3): every key, what is wrong, what remains of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

local $ENV{TZ} = 'UTC';
my $home = home('user');

my $c    = imapd($home);

# Arrives on that day of 2020.
sub arrives {
    my ($day, $text) = @_;
    $text =~ s/\n/\r\n/g;
    $c->ok(sprintf "APPEND INBOX \" %d-Jan-2020 12:00:00 +0000\" {%d+}\r\n%s", $day, length $text, $text);
}
arrives(5, "Date: 31 Dec 2000 16:01:33 -0800\nFrom: Zoe <b\@x>\nTo: =?iso-8859-1?q?=D6zg=FCr?= <q\@x>\n"
      . "Cc: n\@x\nSubject: Re: banana\n\n" . "x" x 400 . "\n");
arrives(2, "Date: 1 Jan 2001 00:01:32 +0000\nFrom: A\@x\nTo: r\@x\nSubject: [list] Apple (fwd)\n\n" . "x" x 500
      . "\n");
arrives(9, "From: \"\" <c\@y>\nSubject: =?utf-8?b?w6RwcGxl?=\nCc: =?utf-8?q?M=C3=A4x?= <m\@x>, a\@x\n\nx\n");
arrives(1, "Date: rubbish\nSubject: banana\nTo: Pat <s\@x>\n\n" . "x" x 300 . "\n");
arrives(7, "Date: 1 Jan 2001\nFrom: =?utf-8?q?=C3=A5sa?= <d\@x>\n\n" . "x" x 600 . "\n");

$c->ok('SELECT INBOX');

sub sorts {
    my ($command, $want, $name) = @_;
    my $text    = $c->command($command);
    my ($found) = $c->untagged(qr/^\* (?:SORT|ESEARCH)/);
    is defined $found ? $found : $text, $want, $name // $command;
    like $text, qr/^OK /, '... OK' if defined $found;
}

sorts('SORT (ARRIVAL) UTF-8 ALL', '* SORT 4 2 1 5 3');
sorts('SORT (DATE) UTF-8 ALL',    '* SORT 5 2 1 4 3',
    'DATE: in UTC; without time midnight; without a date that can be read, as arrived');
sorts('SORT (SIZE) UTF-8 ALL',    '* SORT 3 4 1 2 5');
sorts('SORT (FROM) UTF-8 ALL',    '* SORT 4 2 1 3 5', 'FROM: mailboxes; none comes first; case does not count');
sorts('SORT (TO) UTF-8 ALL',      '* SORT 3 5 1 2 4', 'TO: none twice, in the order of the mailbox');
sorts('SORT (CC) UTF-8 ALL',      '* SORT 2 4 5 3 1', 'CC: the first address only');
sorts('SORT (SUBJECT) UTF-8 ALL', '* SORT 5 2 3 1 4', 'SUBJECT: base subjects, titlecased, decomposed (RFC 5051)');
sorts('SORT (DISPLAYFROM) UTF-8 ALL', '* SORT 4 2 5 3 1', 'RFC 5957: names, else addresses');
sorts('SORT (DISPLAYTO) UTF-8 ALL',   '* SORT 3 5 1 4 2', 'RFC 5957: encoded names decoded');
sorts('SORT (REVERSE SUBJECT) UTF-8 ALL', '* SORT 1 4 3 2 5', 'RFC 5256: REVERSE leaves the order of equals');
sorts('SORT (SUBJECT REVERSE DATE) UTF-8 ALL', '* SORT 5 2 3 4 1', 'several: the first counts most');
sorts('SORT (reverse subject subject) us-ascii all', '* SORT 1 4 3 2 5', 'words in any case');
sorts('UID SORT (REVERSE ARRIVAL) UTF-8 UID 2:5', '* SORT 3 5 2 4', 'UID SORT');
sorts('SORT (SUBJECT) UTF-8 SUBJECT banana', '* SORT 1 4', 'of those that match');
sorts('SORT (SUBJECT) US-ASCII TEXT "not in mailbox"', '* SORT', 'RFC 5256: of none');
sorts('SORT (SUBJECT) UTF-8 SUBJECT {6+}' . "\r\n\xc3\xa4pple", '* SORT 3', 'strings in the charset');
sorts('SORT (DATE) iso-8859-1 SUBJECT {5+}' . "\r\n\xe4pple", '* SORT 3', 'in another');

# RFC 5267 section 3, RFC 9394.
for my $row (
    ['RETURN () (ARRIVAL)', 'ALL 4,2,1,5,3',               'ALL, in the order; falling ranges are none'],
    ['RETURN (ALL) (FROM)', 'ALL 4,2,1,3,5',               'ALL said'],
    ['RETURN (ALL) (CC)',   'ALL 2,4:5,3,1',               'rising ranges are'],
    ['RETURN (MIN MAX) (ARRIVAL)', 'MIN 4 MAX 3',          'MIN and MAX: the first and the last'],
    ['RETURN (COUNT) (ARRIVAL)',   'COUNT 5',              'COUNT'],
    ['RETURN (PARTIAL 2:3) (ARRIVAL)', 'PARTIAL (2:3 2,1)',   'PARTIAL counts in the order'],
    ['RETURN (PARTIAL -1:-2) (ARRIVAL)', 'PARTIAL (-1:-2 5,3)', 'from the end too'],
    ['RETURN (PARTIAL 6:9 COUNT) (ARRIVAL)', 'COUNT 5 PARTIAL (6:9 NIL)', 'beyond it'],
  )
{
    my ($text, $want, $name) = @$row;
    $c->ok("SORT $text UTF-8 ALL");
    my ($found) = $c->untagged(qr/^\* ESEARCH/);
    like $found, qr/^\* ESEARCH \(TAG "\w+"\) \Q$want\E$/, "ESORT: $name";
}
$c->ok('UID SORT RETURN (SAVE PARTIAL 1:2) (ARRIVAL) UTF-8 ALL');
sorts('SORT (SIZE) UTF-8 $', '* SORT 4 2', 'the result is saved, and sorted again');

for my $wrong (
    'SORT', 'SORT (DATE)', 'SORT (DATE) UTF-8', 'SORT () UTF-8 ALL', 'SORT (DATE SENT) UTF-8 ALL',
    'SORT (REVERSE) UTF-8 ALL', 'SORT (REVERSE REVERSE DATE) UTF-8 ALL', 'SORT DATE UTF-8 ALL',
    'SORT (DATE) UTF-8 NONSENSE', 'SORT (DATE)  UTF-8 ALL', 'SORT RETURN (DATE) UTF-8 ALL',
    'SORT RETURN (UPDATE) (DATE) UTF-8 ALL', 'SORT RETRN () (DATE) UTF-8 ALL',
    'SORT (' . join(' ', ('DATE') x 33) . ') UTF-8 ALL',
  )
{
    like $c->command($wrong), qr/^BAD /, substr("BAD: $wrong", 0, 60);
}
like $c->command('SORT (DATE) x-nonsense ALL'), qr/^NO \[BADCHARSET/, 'NO: a charset nobody knows';
like $c->command('CAPABILITY') && join(' ', $c->untagged(qr/^\* CAPABILITY/)),
  qr/ ESORT .* SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS /, 'CAPABILITY';

# Section 3: no EXPUNGE during SORT, but during UID SORT.
my $other = imapd($home);
$other->ok('SELECT INBOX');
$other->ok('STORE 1 +FLAGS.SILENT (\Deleted)');
$other->ok('EXPUNGE');
$c->ok('SORT (DATE) UTF-8 ALL');
is scalar(my @e = $c->untagged(qr/EXPUNGE/)), 0, 'SORT tells of no expunge';
$c->ok('UID SORT (DATE) UTF-8 ALL');
is scalar(@e = $c->untagged(qr/^\* 1 EXPUNGE/)), 1, 'UID SORT does';
$c->ok('UNSELECT');
like $c->command('SORT (DATE) UTF-8 ALL'), qr/^BAD /, 'without a mailbox';
$c->ok('EXAMINE INBOX');
sorts('SORT (DATE) UTF-8 ALL', '* SORT 4 1 3 2', 'read-only');
$_->logout for $c, $other;
done_testing;
