#!/usr/bin/perl
# SEARCH: every key of RFC 3501 section 6.4.4, nests, charsets, limits.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

local $ENV{TZ} = 'UTC';
my $home  = home('user');
my @mails = (
    [   "Date: Mon, 7 Feb 1994 21:52:25 -0800\nFrom: Fred <fred\@example.com>\nTo: mooch\@example.com\n"
          . "Cc: carol\@example.net\nSubject: afternoon meeting\n\nHello Joe\n",
        '1994-02-08'
    ],
    [   "Date: Wed, 1 Jan 2020 12:00:00 +0000\nFrom: Smith <smith\@example.org>\nBcc: hidden\@example.org\n"
          . "Subject: =?utf-8?q?caf=C3=A9_cr=C3=A8me?=\nX-Mark: yes\n\n" . 'x' x 2000 . "\n",
        '2020-01-02'
    ],
    [   "From: joe\@example.org\nSubject: none\nContent-Type: text/plain; charset=iso-8859-1\n"
          . "Content-Transfer-Encoding: quoted-printable\n\nna=EFve needle\n",
        '2021-06-30'
    ],
    ["Subject:\n\nshort\n", '2022-03-04'],
);
for my $mail (@mails) {
    my ($text, $date) = @$mail;
    my $name = deliver("$home/Maildir", $text);
    my ($y, $m, $d) = split /-/, $date;
    my $time = POSIX::mktime(0, 0, 12, $d, $m - 1, $y - 1900);
    utime $time, $time, "$home/Maildir/new/$name";
    Time::HiRes::sleep(0.01);
}
my $c = imapd($home, IMAP_CHARSETD => "$BIN/charsetd");
$c->ok('SELECT INBOX');
$c->ok('STORE 1 FLAGS (\Answered \Seen)');
$c->ok('STORE 2 FLAGS (\Flagged \Deleted work)');
$c->ok('STORE 3 FLAGS (\Draft)');
deliver("$home/Maildir", "Subject: last\nDate: rubbish\n\nlast\n");
my $other = imapd($home);
$other->ok('SELECT INBOX');
$other->logout;    # takes \Recent of the last
$c->ok('NOOP');

sub finds {
    my ($keys, $want, $name, @more) = @_;
    my $text = $c->command("SEARCH $keys", @more);
    my ($found) = $c->untagged(qr/^\* SEARCH/);
    is defined $found ? $found : $text, $want eq '' ? '* SEARCH' : "* SEARCH $want", $name // $keys;
}

finds('ALL', '1 2 3 4 5');
finds('ANSWERED', '1');       finds('UNANSWERED', '2 3 4 5');
finds('DELETED', '2');        finds('UNDELETED', '1 3 4 5');
finds('DRAFT', '3');          finds('UNDRAFT', '1 2 4 5');
finds('FLAGGED', '2');        finds('UNFLAGGED', '1 3 4 5');
finds('SEEN', '1');           finds('UNSEEN', '2 3 4 5');
finds('RECENT', '1 2 3 4');   finds('OLD', '5');
finds('NEW', '2 3 4');
finds('KEYWORD work', '2');   finds('UNKEYWORD WORK', '1 3 4 5');
finds('KEYWORD unheard', ''); finds('UNKEYWORD unheard', '1 2 3 4 5');
finds('BEFORE 2-Jan-2020', '1');
finds('ON 2-Jan-2020', '2');
finds('ON "02-jan-2020"', '2');
finds('SINCE 2-Jan-2020', '2 3 4 5');
finds('SENTBEFORE 8-Feb-1994', '1', 'SENTBEFORE takes the date as written');
finds('SENTON 7-Feb-1994', '1');
finds('SENTSINCE 8-Feb-1994', '2');
finds('LARGER 1999', '2');    finds('SMALLER 1999', '1 3 4 5');
finds('FROM example.com', '1');
finds('FROM "SMITH"', '2');
finds('TO mooch', '1');       finds('CC carol', '1'); finds('BCC hidden', '2');
finds('SUBJECT Meeting', '1');
finds('SUBJECT ""', '1 2 3 4 5', 'an empty string: that there is such a field');
finds('HEADER X-Mark YES', '2');
finds('HEADER x-mark ""', '2');
finds('HEADER nothing ""', '');
finds('BODY hello', '1');     finds('BODY fred', '');
finds('TEXT fred', '1');      finds('TEXT needle', '3');
finds('BODY ""', '1 2 3 4 5');
finds('2:3', '2 3');          finds('*', '5'); finds('4,1', '1 4');
finds('UID 2:3', '2 3');      finds('UID 999:*', '5'); finds('UID 999', '');
finds('SUBJECT ', '1', 'a literal', ['afternoon']);

# ---- lists ----
finds('UNSEEN FLAGGED', '2', 'all of a list');
finds('OR ANSWERED FLAGGED', '1 2');
finds('OR (SEEN ANSWERED) (DRAFT)', '1 3');
finds('NOT SEEN', '2 3 4 5');
finds('NOT (OR SEEN FLAGGED)', '3 4 5');
finds('NOT NOT SEEN', '1');
finds('OR OR 1 2 OR 3 4', '1 2 3 4');
finds('BODY x TEXT x LARGER 10 FLAGGED', '2', 'costly keys before cheap ones');
finds('CC carol 1', '1', 'a first key that begins with C');
finds('1:3 (UNDELETED (NOT DRAFT))', '1');
finds('(' x 90 . 'SEEN' . ')' x 90, '1', '90 levels of parentheses');
finds('NOT ' x 90 . 'SEEN', '1', '90 times NOT');

# ---- charsets ----
finds('CHARSET US-ASCII SUBJECT meeting', '1');
finds('CHARSET UTF-8 SUBJECT ', '2', 'UTF-8', ["CAF\xc3\x89"]);
finds('SUBJECT ', '2', 'UTF-8 without CHARSET', ["caf\xc3\xa9"]);
finds('CHARSET ISO-8859-1 SUBJECT ', '2', 'ISO-8859-1', ["caf\xe9"]);
finds('CHARSET utf-8 BODY ', '3', 'quoted-printable is decoded', ["na\xc3\xafve"]);
finds('CHARSET KOI8-R SUBJECT ', '', 'a charset of the helper', ["\xc1"]);
my $refusal = $c->command('SEARCH CHARSET x-klingon SUBJECT a');
my ($charsets) = $refusal =~ /^NO \[BADCHARSET \(([^)]*)\)\] /;
like " $charsets ", qr/ US-ASCII UTF-8 .* ISO-8859-15 .* KOI8-R /, 'an unknown charset: others are named';
finds("CHARSET $_ SUBJECT meeting", '1', "... and known: $_") for split / /, $charsets;
like $c->command('SEARCH CHARSET x-klingon NOTHING'), qr/^BAD /, '... and wrong keys';
like $c->command('SEARCH SUBJECT ', ["\xff\xfe"]), qr/^BAD /, 'bytes that are no UTF-8';

# ---- UID SEARCH, numbers ----
$c->ok('STORE 1 +FLAGS.SILENT (\Deleted)');
$c->ok('UID EXPUNGE 1');
$c->ok('UID SEARCH ALL');
is_deeply [$c->untagged(qr/SEARCH/)], ['* SEARCH 2 3 4 5'], 'UID SEARCH tells UIDs';
finds('ALL', '1 2 3 4');
$c->ok('UID SEARCH 1 UID 2:3');
is_deeply [$c->untagged(qr/SEARCH/)], ['* SEARCH 2'], 'numbers are numbers in UID SEARCH, too';

# ---- limits ----
like $c->command('SEARCH ' . '(' x 10000 . 'ALL' . ')' x 10000), qr/^BAD .*deep/, '10,000 levels';
like $c->command('SEARCH ' . 'NOT ' x 10000 . 'ALL'), qr/^BAD .*deep/, '10,000 times NOT';
like $c->command('SEARCH ' . 'OR ' x 10000 . 'ALL'), qr/^BAD .*deep/, '10,000 times OR';
like $c->command('SEARCH' . ' ALL' x 20000), qr/^BAD .*many/, '20,000 keys';
like $c->command('SEARCH SUBJECT ' . 'x' x 20000), qr/^BAD .*long/, 'a string of 20,000 bytes';
finds('ALL', '1 2 3 4', 'and all is well');
is $c->logout, 0, 'ends well';

# ---- without charsetd(8) ----
$c = imapd($home, IMAP_CHARSETD => "$home/none");
$c->ok('SELECT INBOX');
like $c->command('SEARCH CHARSET KOI8-R SUBJECT a'),
  qr/^NO \[BADCHARSET \(US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252\)\] /,
  'what is known without charsetd';
is scalar(grep { /charsetd|none/ } split /\n/, slurp($c->{log})), 1, '... which one line says';
$c->logout;
done_testing;
