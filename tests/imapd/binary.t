#!/usr/bin/perl
# BINARY (RFC 3516): FETCH BINARY, BINARY.PEEK and BINARY.SIZE, APPEND of a literal8.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $image = join '', map { chr } 0 .. 255, reverse 0 .. 255;
my $home  = home('user');
deliver("$home/Maildir", join "\n", 'Subject: parts', 'Content-Type: multipart/mixed; boundary=x',
  '', '--x', 'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: quoted-printable', '', 'caf=E9 =', 'au lait', 'and  ', 'tea',
  '--x', 'Content-Type: image/png', 'Content-Transfer-Encoding: base64', '',
  do { require MIME::Base64; MIME::Base64::encode_base64($image) } . '--x',
  'Content-Type: application/octet-stream', 'Content-Transfer-Encoding: x-uue', '', 'begin', '--x',
  'Content-Type: message/rfc822', '', 'Subject: in', '', 'inner', '--x--', '');
deliver("$home/Maildir", "Subject: plain\n\none\ntwo\n");
deliver("$home/Maildir", "Subject: nul\n\na\0b\n");
my $c = imapd($home);
$c->ok('SELECT INBOX');

sub fetched {
    my ($command) = @_;
    $c->ok($command);
    my @fetched = $c->untagged(qr/ FETCH /);
    return @fetched == 1 && $fetched[0] =~ /^\* \d+ FETCH \((.*)\)$/s ? $1 : "@fetched";
}

sub literal { my ($data, $tilde) = @_; return ($tilde // '') . '{' . length($data) . "}\r\n$data" }

# ---- FETCH (section 4.2, 4.3) ----
my $text = "caf\xe9 au lait\r\nand\r\ntea";
is fetched('FETCH 1 BINARY.PEEK[1]'), 'BINARY[1] ' . literal($text), 'quoted-printable, as a literal';
is fetched('FETCH 1 BINARY.PEEK[2]'), 'BINARY[2] ' . literal($image, '~'), 'NULs: a literal8';
is fetched('FETCH 1 binary.size[2]'), 'BINARY.SIZE[2] ' . length $image, 'BINARY.SIZE';
is fetched('FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1]<5.7>)'),
  'BINARY.SIZE[1] ' . length($text) . ' BINARY[1]<5> ' . literal(substr $text, 5, 7),
  'partials are of decoded bytes, sizes of all of them';
is fetched('FETCH 1 BINARY.PEEK[2]<1.255>'), 'BINARY[2]<1> ' . literal(substr $image, 1, 255),
  'a partial without NULs is no literal8';
is fetched('FETCH 1 BINARY.PEEK[2]<500.4294967295>'),
  'BINARY[2]<500> ' . literal(substr($image, 500), '~'), 'a partial to the end';
is fetched('FETCH 1 BINARY.PEEK[2]<512.1>'), "BINARY[2]<512> {0}\r\n", 'a partial from the end';
is fetched('FETCH 1 (BINARY.PEEK[9] BINARY.PEEK[9]<0.1> BINARY.SIZE[9])'),
  'BINARY[9] NIL BINARY[9]<0> NIL BINARY.SIZE[9] 0', 'no such part';
is fetched('FETCH 2 BINARY.PEEK[1]'), 'BINARY[1] ' . literal("one\r\ntwo\r\n"),
  'section 6: lines end in CRLF';
is fetched('FETCH 2 (BINARY.PEEK[] BINARY.SIZE[])'),
  'BINARY[] ' . literal("Subject: plain\r\n\r\none\r\ntwo\r\n") . ' BINARY.SIZE[] 28',
  'the whole message';
is fetched('FETCH 3 BINARY.PEEK[1]'), 'BINARY[1] ' . literal("a\0b\r\n", '~'), 'a NUL in 7bit text';
is fetched('FETCH 3 BODY.PEEK[1]'), 'BODY[1] ' . literal("a\x80b\r\n"), '... which BODY cannot tell';
is fetched('FETCH 1 BINARY.PEEK[4.1]'), 'BINARY[4.1] ' . literal('inner'), 'a part of a message within';
unlike fetched('FETCH 1 FLAGS'), qr/Seen/, 'nothing so far has set \Seen';
like fetched('FETCH 1 BINARY.SIZE[1]'), qr/^BINARY\.SIZE\[1\] \d+$/, 'nor does BINARY.SIZE';
is fetched('FETCH 1 BINARY[4.1]'), 'BINARY[4.1] ' . literal('inner') . ' FLAGS (\Seen \Recent)',
  'BINARY does';

# ---- what cannot be decoded ----
for my $item (qw(BINARY.PEEK[3] BINARY.SIZE[3] BINARY[3]<0.1>)) {
    like $c->command("FETCH 1 $item"), qr/^NO \[UNKNOWN-CTE\] /, "$item: an unknown encoding";
    is scalar($c->untagged(qr/BINARY/)), 0, '... nothing of it is told';
}
$c->ok('STORE 1 -FLAGS.SILENT (\Seen)');
like $c->command('FETCH 1 BINARY[3]'), qr/^NO \[UNKNOWN-CTE\] /, 'without PEEK';
like join('', $c->untagged(qr/FETCH/)), qr/^\* 1 FETCH \(FLAGS \(\\Seen/, '... that it has set \Seen is told';
like $c->command('FETCH 1 BINARY.PEEK[4]'), qr/^NO \[UNKNOWN-CTE\] /, 'no message/rfc822 as such';
like $c->command('FETCH 1:3 (UID BINARY.SIZE[3])'), qr/^NO \[UNKNOWN-CTE\] /, 'of several messages';
is_deeply [map { /^\* (\d)/ } $c->untagged(qr/FETCH/)], [2, 3], '... the others are told';
for my $item ('BINARY', 'BINARY[TEXT]', 'BINARY[1.MIME]', 'BINARY[0]', 'BINARY.SIZE[1]<0.1>',
    'BINARY.SIZE', 'BINARY.PEEK[1]<0.0>', 'BINARY[1', 'BINARY.NONE[1]') {
    like $c->command("FETCH 1 $item"), qr/^BAD/, $item;
}

# ---- APPEND (section 4.4) ----
sub append {
    my ($message, $plus) = @_;
    my $tag = $c->next_tag;
    $c->send("$tag APPEND INBOX ~{" . length($message) . "$plus}\r\n");
    if (!$plus) {
        like $c->until_tag($tag), qr/^\+ /, 'a synchronizing literal8 is asked for';
    }
    $c->send("$message\r\n");
    like $c->until_tag($tag), qr/^OK \[APPENDUID /, '... and taken';
}
my $binary = "Subject: bin\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n$image";
for my $plus ('', '+') {
    append($binary, $plus);
    is fetched('FETCH * BINARY.PEEK[1]'), 'BINARY[1] ' . literal($image, '~'), 'every byte comes back';
}
like fetched('FETCH * BODYSTRUCTURE'), qr/^BODYSTRUCTURE \("image" "png" NIL NIL NIL "base64" /,
  'section 6: BODYSTRUCTURE tells an encoding of the base specification';
like fetched('FETCH * BODY.PEEK[1]'), qr/^BODY\[1\] \{\d+\}\r\nAAECAwQF/, '... and BODY is in it';
like fetched('FETCH * BODY.PEEK[HEADER]'),
  qr/Subject: bin\r\nContent-Type: image\/png\r\nContent-Transfer-Encoding: base64\r\n\r\n$/,
  '... as the header says';
my $plain = "Subject: plain\r\n\r\nlines\r\nof text\r\n";
append($plain, '+');
is fetched('FETCH * BODY.PEEK[]'), 'BODY[] ' . literal($plain), 'what is not binary is not changed';
my ($file) = map { slurp($_) } grep { slurp($_) =~ /of text/ } glob "$home/Maildir/cur/*";
(my $kept = $plain) =~ s/\r//g;
is $file, $kept, '... and is kept as other messages are';
is scalar(() = glob "$home/Maildir/tmp/*"), 0, 'nothing is left in tmp';
is $c->logout, 0, 'ends well';

# ---- limits, and who vanishes ----
$c = imapd($home, IMAP_APPEND_MAX => 1000);
my $before = () = glob "'$home'/Maildir/{cur,new,tmp}/*";
like $c->command('APPEND INBOX ~{1001}'), qr/^NO \[TOOBIG\] /, 'too large: before it is asked for';
$c->send("b APPEND INBOX ~{1001+}\r\n" . "\0" x 1001 . "\r\n");
like $c->until_tag('b'), qr/^NO \[TOOBIG\] /, '... or after it has come';
like $c->command('NOOP'), qr/^OK/, '... and the next line is a command';
$c->send("v APPEND INBOX ~{900+}\r\n" . "\0" x 500);
is $c->vanish, 0, 'a client that vanishes in the middle';
is scalar(() = glob "'$home'/Maildir/{cur,new,tmp}/*"), $before, '... leaves nothing';
done_testing;
