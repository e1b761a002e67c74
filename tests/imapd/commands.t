#!/usr/bin/perl
# Every command: in the wrong state, with too few, too many and wrong arguments (RFC 3501 section
# 6); what belongs to no mailbox works.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user');
deliver("$home/Maildir", "Subject: one\n\nbody\n");
my $c = imapd($home);

sub bad {
    my ($command, $name) = @_;
    like $c->command($command), qr/^BAD /, $name // "BAD: $command";
}

# ---- what belongs to no mailbox ----
$c->ok('CAPABILITY');
my ($capability) = $c->untagged(qr/^\* CAPABILITY /);
for my $word (
    qw(IMAP4rev1 BINARY CHILDREN ENABLE ESEARCH ESORT I18NLEVEL=1 ID IDLE LITERAL+ MOVE NAMESPACE PARTIAL PREVIEW
    SAVEDATE SEARCHRES SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS UIDPLUS UNSELECT
    WITHIN)) {
    like $capability, qr/ \Q$word\E( |$)/, "offers $word";
}
is_deeply [$c->ok('NOOP')], [], 'NOOP has nothing to tell';
$c->ok('ID NIL');
is_deeply [$c->untagged(qr/ID/)], ['* ID ("name" "chainmail")'], 'ID answers';
$c->ok('ID ("name" "test" "version" NIL "os" "x")');
like slurp($c->{log}), qr/: client name=test/, 'and notes the client';
$c->ok('id ()');
$c->ok('ENABLE CONDSTORE X-OTHER');
is_deeply [$c->untagged(qr/ENABLED/)], ['* ENABLED'], 'ENABLE enables nothing yet';
$c->ok('NAMESPACE');
is_deeply [$c->untagged(qr/NAMESPACE/)], ['* NAMESPACE (("INBOX." ".")) NIL NIL'], 'NAMESPACE';

# ---- states ----
bad($_)
  for 'LOGIN a b', 'AUTHENTICATE PLAIN', 'STARTTLS', 'CHECK', 'CLOSE', 'EXPUNGE', 'UNSELECT',
  'FETCH 1 FLAGS', 'STORE 1 FLAGS ()', 'COPY 1 INBOX', 'MOVE 1 INBOX', 'SEARCH ALL',
  'UID FETCH 1 FLAGS', 'UID STORE 1 FLAGS ()', 'UID COPY 1 INBOX', 'UID MOVE 1 INBOX',
  'UID SEARCH ALL', 'UID EXPUNGE 1';

# ---- arguments ----
bad($_)
  for 'CAPABILITY x', 'NOOP x', 'LOGOUT x', 'NAMESPACE x', 'IDLE x', 'ID', 'ID x', 'ID ("a")',
  'ID ("a" "b" )', 'ID (a b)', 'ID "a"', 'ENABLE', 'ENABLE ', 'ENABLE (x)', 'SELECT', 'SELECT ',
  'SELECT  INBOX', 'SELECT INBOX x', 'SELECT (x)', 'EXAMINE', 'CREATE', 'CREATE a b', 'DELETE',
  'RENAME a', 'RENAME a b c', 'SUBSCRIBE', 'UNSUBSCRIBE', 'LIST ""', 'LIST', 'LIST "" "" x',
  'LSUB ""', 'STATUS INBOX', 'STATUS INBOX ()', 'STATUS INBOX (MESSAGES', 'STATUS INBOX MESSAGES',
  'STATUS INBOX (MESSAGES NOTHING)', 'STATUS INBOX (MESSAGES )', 'APPEND INBOX', 'APPEND',
  'APPEND INBOX (\Seen', 'APPEND INBOX (\Nonsense) {1}', 'APPEND INBOX (\Recent) {1}',
  'APPEND INBOX "32-Jan-2000 00:00:00 +0000" {1}', 'APPEND INBOX "nothing" {1}',
  'APPEND INBOX x', 'UID', 'UID ', 'UID NOOP', 'UID SELECT INBOX', 'UID UID FETCH 1 FLAGS',
  'NOSUCHCOMMAND', 'NOSUCHCOMMANDWITHANAMELONGERTHANANY x', '', ' ';
bad('ID (' . join(' ', map { qq("k$_" "v") } 1 .. 31) . ')', 'BAD: an ID of 31 fields');
bad('ID ("' . 'k' x 31 . '" "v")', 'BAD: an ID field of 31 bytes');
bad('ID ("k" "' . 'v' x 1025 . '")', 'BAD: an ID value of 1,025 bytes');

$c->ok('SELECT INBOX');
bad($_)
  for 'CHECK x', 'CLOSE x', 'UNSELECT x', 'EXPUNGE x', 'UID EXPUNGE', 'UID EXPUNGE x',
  'UID EXPUNGE 0', 'FETCH', 'FETCH 1', 'FETCH 1 ', 'FETCH 1 ()', 'FETCH 1 (FLAGS', 'FETCH x FLAGS',
  'FETCH 0 FLAGS', 'FETCH 1: FLAGS', 'FETCH 1,, FLAGS', 'FETCH 1,2 FLAGS', 'FETCH 2 FLAGS',
  'FETCH 1:2 FLAGS', 'FETCH 4294967296 FLAGS', 'FETCH $,1 FLAGS', 'FETCH 1 NOTHING',
  'FETCH 1 (FLAGS  UID)', 'FETCH 1 (ALL)', 'FETCH 1 ALL UID', 'FETCH 1 BODY[',
  'FETCH 1 BODY[X]', 'FETCH 1 BODY[0]', 'FETCH 1 BODY[1.0]', 'FETCH 1 BODY[1..2]', 'FETCH 1 BODY[.]',
  'FETCH 1 BODY[MIME]', 'FETCH 1 BODY[1.X]', 'FETCH 1 BODY[1.]', 'FETCH 1 BODY[4294967296]',
  'FETCH 1 BODY[HEADER.FIELDS]', 'FETCH 1 BODY[HEADER.FIELDS ()]',
  'FETCH 1 BODY[HEADER.FIELDS (A)', 'FETCH 1 BODY[TEXT X]', 'FETCH 1 BODY[]<0>',
  'FETCH 1 BODY[]<0.0>', 'FETCH 1 BODY[]<.1>', 'FETCH 1 BODY[]<-1.1>', 'FETCH 1 BODY[]<0.1',
  'FETCH 1 BODY.PEEK', 'FETCH 1 BODY.PICK[]', 'FETCH 1 RFC822[]', 'FETCH 1 RFC822.BODY',
  'STORE', 'STORE 1', 'STORE 1 FLAGS', 'STORE 1 FLAGS (', 'STORE 1 FLAG ()', 'STORE 1 *FLAGS ()',
  'STORE 1 FLAGS.LOUD ()', 'STORE 1 FLAGS (\Recent)', 'STORE 1 FLAGS (\Nonsense)',
  'STORE 1 FLAGS (a  b)', 'STORE 1 FLAGS ("a")', 'STORE 2 FLAGS ()', 'COPY', 'COPY 1',
  'COPY 1 INBOX x', 'COPY 2 INBOX', 'MOVE 1', 'MOVE 2 INBOX', 'SEARCH', 'SEARCH ', 'SEARCH NOTHING',
  'SEARCH FROM', 'SEARCH NOT', 'SEARCH OR ALL', 'SEARCH ()', 'SEARCH (ALL', 'SEARCH ALL)',
  'SEARCH SINCE 32-Jan-2000', 'SEARCH SINCE 1-Foo-2000', 'SEARCH SINCE yesterday', 'SEARCH LARGER x',
  'SEARCH LARGER 4294967296', 'SEARCH KEYWORD', 'SEARCH KEYWORD \Seen', 'SEARCH HEADER Subject',
  'SEARCH UID', 'SEARCH UID x', 'SEARCH 2', 'SEARCH 0', 'SEARCH CHARSET', 'SEARCH CHARSET UTF-8',
  'SEARCH CHARSET UTF-8 ', 'SEARCH ALL CHARSET UTF-8', 'SEARCH $,1';
is_deeply [$c->ok('NOOP')], [], 'and nothing has happened';

# ---- lines ----
$c->send("a1 noop\n");
like $c->until_tag('a1'), qr/^OK/, 'names in any case, and a bare LF ends a line';
$c->send("\r\na2 NOOP\r\n");
like $c->until_tag('a2'), qr/^OK/, 'an empty line is nothing';
for my $tag ('', '+', 'a+b', '(', '{', '"', '%', '*', '\\', "\x{80}") {
    $c->send("$tag NOOP\r\n");
    like $c->response, qr/^\* BAD /, "BAD: the tag '" . join(' ', map ord, split //, $tag) . "'";
}
$c->send("a3\r\n");
like $c->response, qr/^\* BAD /, 'BAD: a tag alone';
$c->send("a]3 NOOP\r\n");
like $c->until_tag('a]3'), qr/^OK/, 'a tag may hold ]';

# ---- many at once ----
$c->send(join '', map { "p$_ NOOP\r\n" } 1 .. 200);
my @answers = map { $c->response } 1 .. 200;
is_deeply \@answers, [map { "p$_ OK NOOP completed" } 1 .. 200], 'pipelined commands, in order';
$c->send("q1 CAPABILITY\r\nq2 LOGOUT\r\nq3 NOOP\r\n");
my $rest = $c->drain;
like $rest, qr/^q1 OK.*^q2 OK/ms, 'what is before LOGOUT is answered';
unlike $rest, qr/q3/, 'what is after is not';
done_testing;
