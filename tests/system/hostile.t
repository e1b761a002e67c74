#!/usr/bin/perl
# Bad input over the wire, after login and before: BAD, NO or a clean close; the server goes on,
# does not grow, and loses nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use IO::Select;
use Time::HiRes qw(sleep);
use Chainmail;

my $sanitized = $ENV{SANITIZE};
my $home    = home('ann', 'keep');
my $maildir = "$home/Maildir";
my @texts   = map { "Subject: $_\n\n" . "body $_\n" x 2000 } 1 .. 20;
deliver($maildir, $_) for @texts;
my $session;

# What may grow while one command is refused, in KiB.
use constant GROWTH => 4096;

sub fresh { $session = imapd($home) }

# Sends bytes that end in a line end; the session must answer with BAD or NO, stay small and go on, or
# close cleanly where it may (close => 1).  accepted => 1: what is asked is only unusual.
sub refused {
    my ($name, $bytes, %may) = @_;
    $session->ok('SELECT INBOX');    # a SELECT that fails leaves nothing selected
    my $before = memory_kib($session->{pid});
    $session->send($bytes) or note("$name: closed while sending");
    my @seen;
    my $marker = $session->next_tag;
    $session->send("$marker NOOP\r\n");
    my $answered = 0;
    my $alive    = 0;
    while (defined(my $response = $session->response)) {
        push @seen, $response;
        $answered ||= $response =~ /^\S+ (?:BAD|NO|BYE)/;
        last if $alive = $response =~ /^\Q$marker\E OK/;
    }
    my $shown = join ' | ', map { substr $_, 0, 100 } @seen[ 0 .. ($#seen > 5 ? 5 : $#seen) ];
    ok($answered || $may{accepted}, "$name: refused in words") or diag($shown);
    if ($alive) {
        my $after = memory_kib($session->{pid}) // 0;
        ok($sanitized || $after - $before < GROWTH, "$name: and the session is no larger")
          or diag("$before KiB before, $after after");
    }
    else {
        my $status = $session->vanish;
        ok($may{close} && !($status & 127), "$name: closed, without a crash") or diag("$status: $shown");
        fresh();
    }
}

fresh();
refused('an overlong line',            'x NOOP ' . 'y' x 10_000_000 . "\r\n", close => 1);
refused('an overlong tag',             'x' x 1_000_000 . " NOOP\r\n", close => 1);
refused('an overlong quoted string',   'x SELECT "' . 'y' x 1_000_000 . "\"\r\n", close => 1);
refused('an overlong sequence set',    'x FETCH ' . '1,' x 5_000_000 . "1 UID\r\n", close => 1);
refused('an unbalanced (',             "x FETCH 1 (FLAGS\r\n");
refused('an unbalanced )',             "x FETCH 1 FLAGS)\r\n");
refused('an unbalanced ( in SEARCH',   "x SEARCH ((ALL)\r\n");
refused('an open quote',               "x SELECT \"INBOX\r\n");
refused('an open section',             "x FETCH 1 BODY[HEADER\r\n");
refused('10,000 open parentheses',     'x SEARCH ' . '(' x 10_000 . "\r\n");
refused('10,000 balanced parentheses', 'x SEARCH ' . '(' x 10_000 . 'ALL' . ')' x 10_000 . "\r\n");
refused('10,000 times NOT',            'x SEARCH ' . 'NOT ' x 10_000 . "ALL\r\n", accepted => 1);
refused('10,000 times OR',             'x SEARCH ' . 'OR ALL ' x 10_000 . "ALL\r\n", accepted => 1);
refused('10,000 parentheses in FETCH', 'x FETCH 1 ' . '(' x 10_000 . "FLAGS\r\n");
refused('a section 10,000 deep',       'x FETCH 1 BODY[1' . '.1' x 10_000 . "]\r\n", accepted => 1);
refused('a literal of 2^32',           "x LOGIN {4294967296}\r\n", close => 1);
refused('a literal of 2^64',           "x SELECT {18446744073709551616}\r\n", close => 1);
refused('a literal of 2^64 - 1',       "x SELECT {18446744073709551615}\r\n", close => 1);
refused('a mailbox literal of 2^31',   "x SELECT {2147483648}\r\n", close => 1);
refused('2^32, not to be waited for',  "x SELECT {4294967296+}\r\n", close => 1);
refused('2^64, not to be waited for',  "x SELECT {18446744073709551616+}\r\n", close => 1);
refused('an APPEND of 2^64',           "x APPEND INBOX {18446744073709551616}\r\n", close => 1);
refused('an APPEND of 2^64, sent',     "x APPEND INBOX {18446744073709551616+}\r\n", close => 1);
refused('an APPEND to nowhere',        "x APPEND INBOX.none {6+}\r\na: b\r\n\r\n");
refused('a negative literal',          "x SELECT {-1}\r\n");
refused('a literal with letters',      "x SELECT {1x}\r\n");
refused('a NUL in a line',             "x NO\0OP\r\n");
refused('a NUL in a quoted string',    "x SELECT \"IN\0BOX\"\r\n");
refused('a NUL in a literal',          "x SELECT {6+}\r\nIN\0BOX\r\n");
refused('a NUL as a line',             "\0\r\n");
refused('8-bit in a command',          "x \xff\xfe\r\n");
refused('8-bit in a tag',              "\xe4x NOOP\r\n");
refused('8-bit in a mailbox name',     "x SELECT \"Entw\xc3\xbcrfe\"\r\n");
refused('8-bit in an atom',            "x SELECT Entw\xc3\xbcrfe\r\n");
refused('8-bit in a flag',             "x STORE 1 +FLAGS (\xc3\xbc)\r\n");
refused('8-bit in SEARCH',             "x SEARCH SUBJECT \xc3\xbc\r\n");
refused('a bare CR',                   "x NOOP\rx NOOP\r\n");
refused('an empty line',               "\r\n", accepted => 1);
refused('a blank line',                " \r\n");
refused('a tag alone',                 "x\r\n");
refused('an unknown command',          "x FROBNICATE\r\n");
refused('LOGIN again',                 "x LOGIN a b\r\n");
refused('AUTHENTICATE again',          "x AUTHENTICATE PLAIN\r\n");
refused('STARTTLS now',                "x STARTTLS\r\n");
refused('DONE without IDLE',           "DONE\r\n");
refused('sequence number 0',           "x FETCH 0 FLAGS\r\n");
refused('a sequence number too high',  "x FETCH 999 FLAGS\r\n");
refused('a sequence number of 2^32',   "x FETCH 4294967296 FLAGS\r\n");
refused('a UID of 2^64',               "x UID FETCH 18446744073709551616 FLAGS\r\n");
refused('a partial of 2^64',           "x FETCH 1 BODY[]<0.18446744073709551616>\r\n");
refused('a partial of nothing',        "x FETCH 1 BODY[]<0.0>\r\n");
refused('a date that is none',         "x SEARCH BEFORE 31-Feb-2000\r\n");
refused('a charset that is none',      "x SEARCH CHARSET X-NONE ALL\r\n");
refused('a mailbox outside',           "x SELECT \"INBOX.../../../etc\"\r\n");
refused('a mailbox with /',            "x SELECT \"INBOX./etc/passwd\"\r\n");
refused('creating one outside',        "x CREATE \"INBOX.../../outside\"\r\n");
refused('renaming to the outside',     "x RENAME INBOX.keep \"INBOX./../../x\"\r\n");
refused('a name that is too long',     'x CREATE "INBOX.' . 'y' x 5000 . "\"\r\n");
refused('\Recent set by hand',         "x STORE 1 +FLAGS (\\Recent)\r\n", accepted => 1);
refused('300 keywords of 300 letters',
    'x STORE 1 +FLAGS (' . join(' ', map { "k$_" . 'x' x 300 } 1 .. 300) . ")\r\n", accepted => 1);

# A smuggled command: the literal of a refused command holds what looks like one.
$session->send("x NONSENSE {21+}\r\ny DELETE INBOX.keep\r\n\r\n");
like($session->until_tag('x') // 'end of file', qr/^BAD/, 'a literal in a refused command');
$session->ok('NOOP');
ok(!$session->untagged(qr/^y /) && -d "$maildir/.keep", 'is not executed');

# A bare LF ends a line.
$session->send("x NOOP\n");
like($session->until_tag('x') // 'end of file', qr/^(?:OK|BAD)/, 'a bare LF: an answer');

# Commands in the wrong state.
$session->ok('SELECT INBOX');
$session->ok('UNSELECT');
for my $command ('FETCH 1 FLAGS', 'STORE 1 +FLAGS (\Seen)', 'SEARCH ALL', 'COPY 1 INBOX', 'EXPUNGE',
    'CLOSE', 'CHECK', 'UID FETCH 1 FLAGS', 'UNSELECT', 'MOVE 1 INBOX', 'UID EXPUNGE 1') {
    like($session->command($command) // 'end of file', qr/^(?:BAD|NO)/,
        "$command with no mailbox selected");
}

# 100 bad commands in a row: an answer to each, or a close.
$session->send("x NONSENSE\r\n" x 100);
my $answers = 0;
while (defined(my $response = $session->response)) { last if $response !~ /^x BAD/ || ++$answers == 100 }
ok($answers == 100 || $session->{eof} || $answers > 2, 'a hundred bad commands');
is($session->vanish & 127, 0, 'the session ends without a crash');

# ---- clients that stop reading or vanish ----

fresh();
$session->ok('SELECT INBOX');
my $before = memory_kib($session->{pid});
$session->{socket}->blocking(0);
my $sent = 0;
my $command = "x FETCH 1:* BODY.PEEK[]\r\n" x 100;
while (IO::Select->new($session->{socket})->can_write(0.5) && $sent < 4_000_000) {
    my $n = syswrite $session->{socket}, $command;
    last unless $n;
    $sent += $n;
}
my $after = memory_kib($session->{pid}) // 0;
ok($after && ($sanitized || $after - $before < GROWTH), 'a client that stops reading: no growth')
  or diag("$before KiB before, $after after");
is($session->vanish & 127, 0, 'and when it is gone, no crash');

fresh();
$session->send("x APPEND INBOX {1000000+}\r\nSubject: half\r\n\r\n" . 'x' x 5000);
sleep 0.1;
is($session->vanish & 127, 0, 'a client that vanishes in a literal: no crash');
fresh();
$session->send("x APPEND INBOX {10}\r\n");
like($session->response // '', qr/^\+/, 'a literal is asked for');
is($session->vanish & 127, 0, 'a client that vanishes then: no crash');
fresh();
$session->send('x SELE');
is($session->vanish & 127, 0, 'a client that vanishes in a command: no crash');
fresh();
$session->ok('SELECT INBOX');
$session->idle;
is($session->vanish & 127, 0, 'a client that vanishes in IDLE: no crash');

same_mail($maildir, do {
    my $copy = home('copy');
    deliver("$copy/Maildir", $_) for @texts;
    "$copy/Maildir";
}, 'all messages are there, and nothing else');
is_deeply([ glob "'$maildir'/tmp/*" ], [], 'tmp is empty');
ok(!-e "$home/outside" && !-e "$T/x", 'nothing was made outside');

# ---- before login ----

my $demo = demo(users => [ [ 'ann', 'secret', $home ] ], conf => { IMAP_TLS_REQUIRED => 0 });

# A fresh connection for each; the server must answer or close, and still serve the next.
sub before_login {
    my ($name, $bytes, $pattern, %then) = @_;
    my $client = $demo->connect;
    $client->send($bytes);
    $client->send("z LOGOUT\r\n");
    shutdown $client->{socket}, 1 if $then{end};
    my $all = $client->drain;
    like($all, $pattern, "before login: $name");
}
my $bad = qr/^(?:x|\*) (?:BAD|NO|BYE)/m;
before_login('an overlong line',         'x NOOP ' . 'y' x 200_000 . "\r\n", qr/$bad|\A\z/m);
before_login('an endless line',          'y' x 300_000, qr/$bad|\A\z/m, end => 1);
before_login('a literal of 2^32',        "x LOGIN {4294967296}\r\n",             $bad);
before_login('a literal of 2^64',        "x LOGIN {18446744073709551616}\r\n",   $bad);
before_login('2^64 at once',             "x LOGIN {18446744073709551616+}\r\n",  $bad);
before_login('a large user name',        'x LOGIN {60000+}' . "\r\n" . 'u' x 60000 . " p\r\n", $bad);
before_login('a NUL in the user name',   "x LOGIN {3+}\r\na\0b secret\r\n",      $bad);
before_login('a NUL in a line',          "x LO\0GIN\r\n",                        $bad);
before_login('8-bit as a command',       "x \xff\r\n",                           $bad);
before_login('8-bit as user',            "x LOGIN \"\xff\xfe\" \"\xff\"\r\n",    $bad);
before_login('parentheses',              'x LOGIN ' . '(' x 10_000 . "\r\n",     $bad);
before_login('no tag',                   "\r\n",                                 qr/^\* (?:BAD|BYE)|^z OK/m);
before_login('an unknown command',       "x FROBNICATE\r\n",                     $bad);
before_login('SELECT',                   "x SELECT INBOX\r\n",                   $bad);
before_login('IDLE',                     "x IDLE\r\n",                           $bad);
before_login('base64 that is none',      "x AUTHENTICATE PLAIN !!!!\r\n",        $bad);
before_login('AUTHENTICATE, cancelled',  "x AUTHENTICATE PLAIN\r\n*\r\n",        $bad);
before_login('an unknown mechanism',     "x AUTHENTICATE FROB\r\n",              $bad);
before_login('a password of 60,000',     'x LOGIN ann "' . 'p' x 60_000 . "\"\r\n", $bad);

for my $half ("x LOGIN ann {6}\r\nsec", 'x LOG', "x LOGIN {5+}\r\nan", "x AUTHENTICATE PLAIN\r\n") {
    my $client = $demo->connect;
    $client->send($half);
    $client->vanish;
}
my $client = $demo->connect(tls => 1);
$client->send('x LOG');
close $client->{socket};
$client = $demo->login('ann', 'secret');
ok($client, 'after all of it an honest client logs in');
$client->logout;
ok(eventually {
    my $names = join ' ', values %{ children_of($demo->{pid}) };
    $names !~ /imapd|imaplogin|tlsd/;
}, 'and no process of any connection is left') or diag(explain(children_of($demo->{pid})));
done_testing;
