#!/usr/bin/perl
# FETCH PREVIEW (RFC 8970), with and without LAZY.  What a preview is made of: tests/message/preview.c.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user');
deliver("$home/Maildir", "Subject: one\n\nPreview text!\n");
deliver("$home/Maildir", "Subject: two\nContent-Type: image/png\n\npng\n");
deliver("$home/Maildir",
  "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
  . "<p>caf=E9 &amp; tea\n");
deliver("$home/Maildir", "Subject: four\n\nfourth\n");
my $c = imapd($home);
$c->ok('SELECT INBOX');

sub fetched {
    my ($command) = @_;
    $c->ok($command);
    return join '|', map { /^\* \d+ FETCH \((.*)\)$/s ? $1 : '?' } $c->untagged(qr/ FETCH /);
}

is fetched('FETCH 1:2 (PREVIEW (LAZY))'), 'PREVIEW NIL|PREVIEW NIL',
  'section 4.1: LAZY makes none';
is fetched('FETCH 1 (PREVIEW)'), 'PREVIEW "Preview text!"', 'section 3.2';
is fetched('FETCH 2 PREVIEW'), 'PREVIEW ""', 'nothing to be shown is empty, never NIL';
my $cafe = "{11}\r\ncaf\xc3\xa9 & tea";
is fetched('FETCH 3 preview'), "PREVIEW $cafe", 'UTF-8, as a literal';
is fetched('FETCH 1:4 PREVIEW (LAZY)'),
  qq{PREVIEW "Preview text!"|PREVIEW ""|PREVIEW $cafe|PREVIEW NIL},
  'LAZY tells what has been made';
like fetched('FETCH 3:4 (PREVIEW (LAZY) RFC822.SIZE)'),
  qr/^PREVIEW \{11\}\r\n.* RFC822\.SIZE \d+\|PREVIEW NIL RFC822\.SIZE \d+$/s,
  'with other items behind';
like fetched('FETCH 1 (UID PREVIEW FLAGS)'), qr/^UID \d+ PREVIEW "Preview text!" FLAGS \(\S*\)$/,
  '... and without LAZY';
is fetched('FETCH 4 (PREVIEW (LAZY LAZY) PREVIEW)'), 'PREVIEW "fourth"',
  'asked for with and without, it is told once, as without';
is fetched('FETCH 4 PREVIEW (LAZY LAZY)'), 'PREVIEW "fourth"',
  'section 6: the modifier twice, outside a list';
is fetched('UID FETCH 1:* PREVIEW (LAZY) (PARTIAL 1:1)'), 'UID 1 PREVIEW "Preview text!"',
  'before a modifier of FETCH';
is fetched('UID FETCH 1:* PREVIEW (PARTIAL 4:4)'), 'UID 4 PREVIEW "fourth"', '... or without LAZY';
unlike fetched('FETCH 1:4 FLAGS'), qr/Seen/, 'nothing sets \Seen';
for my $items ('PREVIEW (LAZY', 'PREVIEW ()', 'PREVIEW (BUSY)', 'PREVIEW LAZY', 'PREVIEW ',
    '(PREVIEW )', '(PREVIEW (LAZY)FLAGS)', '(PREVIEW) (LAZY)', 'FLAGS (LAZY)', 'PREVIEW[1]',
    'PREVIEW (LAZY )', '(PREVIEW', 'PREVIEW (LAZY) (LAZY)', 'PREVIEW (LAZY FLAGS)') {
    like $c->command("FETCH 1 $items"), qr/^BAD/, "$items";
}
is $c->logout, 0, 'ends well';
like slurp($c->{log}), qr/ logout .* previews=6 reason=logout$/m,
  'section 8: the log tells how many, and whose';

# ---- what is kept ----
for my $file (grep { slurp($_) =~ /Preview text/ } glob "$home/Maildir/cur/* $home/Maildir/new/*") {
    chmod 0, $file or die $!;
}
$c = imapd($home);
$c->ok('SELECT INBOX');
is fetched('FETCH 1:4 (PREVIEW (LAZY))'),
  qq{PREVIEW "Preview text!"|PREVIEW ""|PREVIEW $cafe|PREVIEW "fourth"},
  'the next session has them, and reads no message';
deliver("$home/Maildir", "Subject: five\n\nfifth\n");
$c->ok('NOOP');
is fetched('FETCH 5 (PREVIEW (LAZY))'), 'PREVIEW NIL', 'a new message has none yet';
like fetched('FETCH 5 (ENVELOPE PREVIEW)'), qr/ PREVIEW "fifth"$/, '... until it is asked for';
deliver("$home/Maildir", "Subject: FOO\nContent-Type: text/plain; charset=utf-8\n\n" . "\xc3\xa9" x 300);
$c->ok('NOOP');
my $long = "{400}\r\n" . "\xc3\xa9" x 200;
is fetched('FETCH 6 (PREVIEW)'), "PREVIEW $long", 'section 3.3: 200 characters, not bytes';
$c->ok('SEARCH RETURN (SAVE) SUBJECT "FOO"');
like fetched('FETCH $ (UID PREVIEW (LAZY))'), qr/^UID \d+ PREVIEW \Q$long\E$/, 'section 5, example 3';
is $c->logout, 0, 'ends well';
$c = imapd($home);
$c->ok('CAPABILITY');
like +($c->untagged(qr/^\* CAPABILITY /))[0], qr/ PREVIEW( |$)/, 'section 6: the capability';
$c->ok('EXAMINE INBOX');
is fetched('FETCH 1 PREVIEW'), 'PREVIEW "Preview text!"', 'a mailbox that is open for reading only';
unlike fetched('FETCH 1 ALL') . fetched('FETCH 1 FULL') . fetched('FETCH 1 FAST'), qr/PREVIEW/,
  'it is in no macro';
is $c->logout, 0, 'ends well';
unlike slurp($c->{log}), qr/previews=[^1]/, 'LAZY ones do not count';

# ---- charsets ----
deliver("$home/Maildir", "Content-Type: text/plain; charset=koi8-r\n\n\xf0\xd2\xc9\xd7\xc5\xd4\n");
$c = imapd($home, IMAP_CHARSETD => "$T/none");
$c->ok('SELECT INBOX');
like fetched('FETCH 7 PREVIEW'), qr/^PREVIEW \{12\}/, 'without charsetd a guess';
is fetched('FETCH 7 PREVIEW (LAZY)'), 'PREVIEW NIL', '... which is not kept';
is $c->logout, 0, 'ends well';
$c = imapd($home, IMAP_CHARSETD => "$BIN/charsetd");
$c->ok('SELECT INBOX');
my $russian = "{12}\r\n\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82";
SKIP: {
    skip 'no koi8-r on this system', 2 if run_command('iconv', '-f', 'koi8-r', '/dev/null');
    is fetched('FETCH 7 PREVIEW'), "PREVIEW $russian", 'with it the text';
    is fetched('FETCH 7 PREVIEW (LAZY)'), "PREVIEW $russian", '... which is';
}
is $c->logout, 0, 'ends well';

# ---- where nothing can be kept ----
my $reader = home('reader');
deliver("$reader/Maildir", "Subject: one\n\nread only\n");
$c = imapd($reader);
$c->ok('SELECT INBOX');
unlink glob "$reader/Maildir/chainmail/cache*";
chmod 0500, "$reader/Maildir/chainmail" or die $!;
is fetched('FETCH 1 PREVIEW'), 'PREVIEW "read only"', 'it is made each time';
chmod 0700, "$reader/Maildir/chainmail";
is $c->logout, 0, 'ends well';
done_testing;
