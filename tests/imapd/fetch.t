#!/usr/bin/perl
# FETCH: every item, every section, partial ones, and what they do to \Seen (RFC 3501 sections
# 6.4.5 and 7.4.2).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use POSIX ();
use Chainmail;

# The structure of the example in RFC 3501 section 6.4.5, in small.
my $inner = join '', map { "$_\n" } 'Subject: inner', 'From: in@example.org',
  'Content-Type: multipart/mixed; boundary=in', '', '--in', 'Content-Type: text/plain', '',
  'inner one', '--in', 'Content-Type: application/octet-stream', '', 'inner two', '--in--';
my $text = join '', map { "$_\n" } 'Date: Mon, 7 Feb 1994 21:52:25 -0800',
  'From: Fred Foobar <foobar@example.com>', 'Subject: afternoon', ' meeting',
  'To: mooch@example.com', 'Message-Id: <B27397@example.com>', 'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="out"', '', 'preamble', '--out',
  'Content-Type: text/plain; charset=us-ascii', '', 'part one', 'second line', '--out',
  'Content-Type: message/rfc822', '', $inner . '--out', 'Content-Type: text/html',
  'Content-Disposition: inline', '', '<p>three</p>', '--out--', '';
(my $wire = $text) =~ s/\n/\r\n/g;
(my $inner_wire = $inner) =~ s/\n/\r\n/g;
my ($header, $body) = $wire =~ /\A(.*?\r\n\r\n)(.*)\z/s;
my ($inner_header, $inner_body) = $inner_wire =~ /\A(.*?\r\n\r\n)(.*?)(?:\r\n)?\z/s;

local $ENV{TZ} = 'UTC';
my $home = home('user');
my $name = deliver("$home/Maildir", $text);
utime 823_000_000, 823_000_000, "$home/Maildir/new/$name";
deliver("$home/Maildir", "Subject: plain\n\nno MIME\n");
deliver("$home/Maildir", "Subject: crlf\r\n\r\nends\r\nin CRLF\r\n");
my $c = imapd($home);
$c->ok('SELECT INBOX');

# The one FETCH response to a command: what is inside the parentheses.
sub fetch {
    my ($items, $command) = @_;
    $c->ok(($command // 'FETCH 1') . " $items");
    my @fetched = $c->untagged(qr/ FETCH /);
    return @fetched == 1 && $fetched[0] =~ /^\* \d+ FETCH \((.*)\)$/s ? $1 : "@fetched";
}

sub literal { my ($data) = @_; return '{' . length($data) . "}\r\n$data" }

# ---- the items ----
like fetch('UID'),   qr/^UID \d+$/, 'UID';
like fetch('FLAGS'), qr/^FLAGS \(\\Recent\)$/, 'FLAGS';
is fetch('INTERNALDATE'), 'INTERNALDATE "30-Jan-1996 11:06:40 +0000"', 'INTERNALDATE';
is fetch('RFC822.SIZE'), 'RFC822.SIZE ' . length $wire, 'RFC822.SIZE counts CRLF';
is fetch('ENVELOPE'),
  'ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "afternoon meeting"'
  . ' (("Fred Foobar" NIL "foobar" "example.com")) (("Fred Foobar" NIL "foobar" "example.com"))'
  . ' (("Fred Foobar" NIL "foobar" "example.com")) ((NIL NIL "mooch" "example.com"))'
  . ' NIL NIL NIL "<B27397@example.com>")', 'ENVELOPE';
like fetch('BODY'), qr/^BODY \(\("text" "plain" \("charset" "us-ascii"\) .* "mixed"\)$/i, 'BODY';
like fetch('BODYSTRUCTURE'), qr/^BODYSTRUCTURE \(.*"inline".*"mixed" \("boundary" "out"\)/i,
  'BODYSTRUCTURE';
like fetch('FAST'), qr/^FLAGS \(\S*\) INTERNALDATE "[^"]*" RFC822\.SIZE \d+$/, 'FAST';
like fetch('all'),  qr/^FLAGS .* RFC822\.SIZE \d+ ENVELOPE \(.*\)$/, 'ALL, in any case';
like fetch('FULL'), qr/^FLAGS .* ENVELOPE \(.*\) BODY \(.*\)$/, 'FULL';
like fetch('(UID UID FLAGS uid)'), qr/^UID \d+ FLAGS \(\S*\)$/, 'an item twice is told once';
like fetch('FLAGS', 'UID FETCH 1'), qr/^UID 1 FLAGS/, 'UID FETCH tells the UID';
like fetch('(FLAGS UID)', 'UID FETCH 1'), qr/^UID 1 FLAGS \(\S*\)$/, '... once';

# ---- sections ----
my %sections = (
    ''                                => $wire,
    HEADER                            => $header,
    TEXT                              => $body,
    'HEADER.FIELDS (SUBJECT x-none)'  => "Subject: afternoon\r\n meeting\r\n\r\n",
    'HEADER.FIELDS (To From)'         =>
      "From: Fred Foobar <foobar\@example.com>\r\nTo: mooch\@example.com\r\n\r\n",
    'HEADER.FIELDS.NOT (Date From Subject To Message-Id MIME-Version)' =>
      "Content-Type: multipart/mixed; boundary=\"out\"\r\n\r\n",
    '1'        => "part one\r\nsecond line",
    '1.MIME'   => "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
    '2'        => $inner_header . $inner_body,
    '2.HEADER' => $inner_header,
    '2.TEXT'   => $inner_body,
    '2.HEADER.FIELDS (subject)' => "Subject: inner\r\n\r\n",
    '2.1'      => 'inner one',
    '2.2.MIME' => "Content-Type: application/octet-stream\r\n\r\n",
    '3'        => '<p>three</p>',
    '3.MIME'   => "Content-Type: text/html\r\nContent-Disposition: inline\r\n\r\n",
);
for my $section (sort keys %sections) {
    is fetch("BODY.PEEK[$section]"), "BODY[$section] " . literal($sections{$section}),
      "BODY[$section]";
}
is fetch("BODY.PEEK[$_]"), "BODY[$_] NIL", "no part $_" for '4', '1.2', '1.HEADER', '2.1.1', '2.3';
is fetch('BODY.PEEK[1]', 'FETCH 2'), 'BODY[1] ' . literal("no MIME\r\n"), 'part 1 without MIME';
is fetch('BODY.PEEK[]', 'FETCH 3'), 'BODY[] ' . literal("Subject: crlf\r\n\r\nends\r\nin CRLF\r\n"),
  'a file with CRLF';
is fetch('body.peek[header.fields ("Subject")]'),
  'BODY[HEADER.FIELDS (Subject)] ' . literal($sections{'HEADER.FIELDS (SUBJECT x-none)'}),
  'the section is told in capitals, the fields as given';
$c->ok('FETCH 1 BODY.PEEK[HEADER.FIELDS (', ['Subject'], ')]');
ok scalar $c->untagged(qr/BODY\[HEADER\.FIELDS \(Subject\)\]/), 'a field name as a literal';

# ---- parts of sections ----
for my $partial ([0, 10], [5, 20], [0, 100_000], [length($wire) - 1, 5]) {
    my ($offset, $count) = @$partial;
    is fetch("BODY.PEEK[]<$offset.$count>"),
      "BODY[]<$offset> " . literal(substr $wire, $offset, $count), "BODY[]<$offset.$count>";
}
is fetch('BODY.PEEK[]<' . length($wire) . '.1>'), 'BODY[]<' . length($wire) . "> {0}\r\n",
  'a partial from the end is empty';
is fetch('BODY.PEEK[]<4294967295.4294967295>'), "BODY[]<4294967295> {0}\r\n", '... or from beyond';
is fetch('BODY.PEEK[HEADER.FIELDS (Subject)]<9.4>'),
  'BODY[HEADER.FIELDS (Subject)]<9> ' . literal('afte'), 'a partial of header fields';
is fetch('BODY.PEEK[9]<0.1>'), 'BODY[9]<0> NIL', 'a partial of nothing';
my $together = '';
$together .= fetch("BODY.PEEK[]<$_.7>") =~ /\{\d+\}\r\n(.*)/s ? $1 : '?'
  for map { 7 * $_ } 0 .. length($wire) / 7;
is $together, $wire, 'partials join to the whole';

# ---- the older names ----
is fetch('RFC822.HEADER'), 'RFC822.HEADER ' . literal($header), 'RFC822.HEADER';
unlike fetch('FLAGS'), qr/Seen/, 'nothing so far has set \Seen';
is fetch('RFC822'), 'RFC822 ' . literal($wire) . ' FLAGS (\Seen \Recent)',
  'RFC822 sets \Seen and says so';
is fetch('RFC822'), 'RFC822 ' . literal($wire), '... the first time';
like fetch('(FLAGS RFC822.TEXT)', 'FETCH 2'), qr/^FLAGS \(\\Seen \\Recent\) RFC822\.TEXT \{9\}/,
  'FLAGS that were asked for are told with \Seen, once';
like fetch('BODY[1]', 'FETCH 3'), qr/ FLAGS \(\\Seen \\Recent\)$/, 'BODY[1] sets \Seen';
my @seen = glob "$home/Maildir/cur/*:2,S";
is scalar @seen, 3, 'and the file names show it';

# ---- several, and messages that are gone ----
deliver("$home/Maildir", "Subject: $_\n\nbody $_\n") for 4 .. 10;
$c->ok('NOOP');
$c->ok('FETCH 10,1:3,2:4 UID');
is_deeply [map { /^\* (\d+)/ } $c->untagged(qr/FETCH/)], [1, 2, 3, 4, 10], 'a set, each once';
$c->ok('FETCH *:9 UID');
is scalar($c->untagged(qr/FETCH/)), 2, 'a range in any order';
$c->ok('UID FETCH 9:4294967295,100:200 FLAGS');
is scalar($c->untagged(qr/FETCH/)), 2, 'UIDs that are none are ignored';
$c->ok('UID FETCH 4000:* FLAGS');
is scalar($c->untagged(qr/FETCH/)), 1, '* is the last UID, even behind a larger number';
my $other = imapd($home);
$other->ok('SELECT INBOX');
$other->ok('STORE 4 +FLAGS.SILENT (\Deleted)');
$other->ok('EXPUNGE');
like $c->command('FETCH 3:5 (UID BODY.PEEK[TEXT])'), qr/^(?:OK|NO \[EXPUNGEISSUED\]) /,
  'a message that another has expunged';
my @told = map { /^\* (\d+)/ } $c->untagged(qr/FETCH/);
ok "@told" eq '3 5' || "@told" eq '3 4 5', '... the others are told';
$other->logout;

# ---- a message that cannot be read ----
my ($file) = grep { slurp($_) =~ /^Subject: plain/ } glob "$home/Maildir/cur/*";
chmod 0, $file or die $!;
like $c->command('FETCH 1:3 BODY.PEEK[]'), qr/^NO \[NOPERM\] /, 'a file without permission: NO';
is_deeply [map { /^\* (\d+)/ } $c->untagged(qr/FETCH/)], [1, 3], '... but the others are told';
like slurp($c->{log}), qr/failed attempt=\S+ path=\S+ why="Permission denied" remedy=/,
  '... and the log names it';
$c->command('SEARCH OR BODY inner OR BODY MIME BODY ends');
is_deeply [$c->untagged(qr/SEARCH/)], ['* SEARCH 1 3'], '... and found';
chmod 0600, $file;

# ---- what no message should hold ----
deliver("$home/Maildir", "Subject: nul\n\na\0b\0\0\n");
$c->ok('NOOP');
is fetch('BODY.PEEK[TEXT]', 'FETCH *'), "BODY[TEXT] {7}\r\na\x80b\x80\x80\r\n",
  'NULs, which no literal may hold, become 0x80';
deliver("$home/Maildir", '');
$c->ok('NOOP');
is fetch('(RFC822.SIZE BODY.PEEK[])', 'FETCH *'), "RFC822.SIZE 0 BODY[] {0}\r\n", 'an empty file';
like fetch('(ENVELOPE BODYSTRUCTURE)', 'FETCH *'), qr/^ENVELOPE \(NIL/, '... has an envelope';
like $c->command('FETCH 1 (' . join(' ', ('BODY.PEEK[]') x 201) . ')'), qr/^BAD/,
  'a limit of items';
like $c->command('FETCH 1 BODY[' . join('.', (1) x 300) . ']'), qr/^BAD/, 'a limit of depth';
# ---- summer time ----

# Whatever the C library: by rules, and by those of the United States where there is no rule.
$c->ok('APPEND INBOX "17-Jul-1996 12:00:00 +0000" ', ["Subject: July\r\n\r\n"]);
for my $zone ([EST5EDT => '-0500', '-0400'], ['CET-1CEST,M3.5.0,M10.5.0/3' => '+0100', '+0200'],
    ['PST8PDT' => '-0800', '-0700'], [EST5 => '-0500', '-0500'])
{
    local $ENV{TZ} = $zone->[0];
    my $there = imapd($home);
    $there->ok('SELECT INBOX');
    $there->ok('FETCH 1,* INTERNALDATE');
    my @offsets = join('', $there->untagged(qr/FETCH/)) =~ /INTERNALDATE "[^"]* ([+-]\d{4})"/g;
    is "@offsets", "$zone->[1] $zone->[2]", "$zone->[0]: in January and in July";
    $there->logout;
}

is $c->logout, 0, 'ends well';
done_testing;
