#!/usr/bin/perl
# Every command that there is before login, over a real socket, and every way to get one wrong.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use MIME::Base64 'encode_base64';
use Test::More;

my $server = LoginServer->new->start;
my $b64 = sub { encode_base64(shift, '') };

{
    my $c = $server->client;
    my $greeting = $c->line;
    like $greeting, qr/^\* OK \[CAPABILITY IMAP4rev1 [^]]*\] /, 'greeting with capabilities';
    like $greeting, qr/\bAUTH=PLAIN\b/, 'PLAIN is offered';
    like $greeting, qr/\bSASL-IR\b.*\bID\b|\bID\b.*\bSASL-IR\b/, 'SASL-IR and ID too';
    unlike $greeting, qr/STARTTLS|LOGINDISABLED/, 'no STARTTLS where there is none';
    my ($offered) = $greeting =~ /\[(CAPABILITY [^]]*)\]/;
    is $c->command('a1 CAPABILITY'), "* $offered\na1 OK CAPABILITY completed", 'CAPABILITY says the same';
    is $c->command('a2 noop'), 'a2 OK NOOP completed', 'NOOP, in small letters';
    like $c->command('a3 ID ("name" "x" "version" NIL)'), qr/^\* ID \("name" "chainmail"\)\na3 OK /, 'ID';
    like $c->command('a4 ID NIL'), qr/\na4 OK /, 'ID NIL';
    like $c->command('a5 ID ()'), qr/\na5 OK /, 'ID ()';
    like $c->command('a6 ID foo'), qr/^a6 BAD /, 'ID with anything else';
    like $c->command('a7 STARTTLS'), qr/^a7 BAD /, 'STARTTLS that is not offered';
    like $c->command('a8 SELECT INBOX'), qr/^a8 BAD .*before login/, 'SELECT before login';
    like $c->command('a9 NOOP x'), qr/^a9 BAD /, 'NOOP with an argument';
    is $c->command('aa LOGOUT'), "* BYE Until later\naa OK LOGOUT completed", 'LOGOUT';
    is $c->line, undef, 'and the connection closes';
    ok $server->logged(qr/disconnect ip=127\.0\.0\.1 reason=logout/), 'logged';
}

# Each of these gets its answer, and the connection is of use afterwards.
my @wrong = (
    ["LOGIN\r\n", qr/^LOGIN BAD /, 'one word'],
    ["\r\n", qr/^\* BAD /, 'an empty line'],
    ["a+ NOOP\r\n", qr/^a BAD /, 'a tag with a plus'],
    ["x\r\n", qr/^x BAD /, 'no command'],
    ["x LOGIN\r\n", qr/^x BAD /, 'LOGIN alone'],
    ["x LOGIN u\r\n", qr/^x BAD /, 'LOGIN without a password'],
    ["x LOGIN u p q\r\n", qr/^x BAD /, 'LOGIN with a third argument'],
    ["x LOGIN \"u p\r\n", qr/^x BAD /, 'a quote not closed'],
    ["x LOGIN (u p\r\n", qr/^x BAD /, 'a parenthesis'],
    ['x ' . '(' x 5000 . "\r\n", qr/^x BAD /, 'many parentheses'],
    ["x NO\0OP\r\n", qr/^x BAD /, 'a NUL'],
    ["x LOGIN u {3+}\r\na\0b\r\n", qr/^x BAD /, 'a NUL in a literal'],
    ["x \xff\xfe\r\n", qr/^x BAD /, '8-bit'],
    ["\xff\xfe\r\n", qr/^\* BAD /, '8-bit for a tag'],
    ['x ' . 'y' x 200000 . "\r\n", qr/^x BAD /, 'a line of 200,000 bytes'],
    ['z' x 200000 . "\r\n", qr/^\* BAD /, 'a tag of 200,000 bytes'],
    ['t' x 101 . " NOOP\r\n", qr/^\* BAD /, 'a tag of 101 bytes'],
    ["x LOGIN {4294967296}\r\n", qr/^x BAD /, 'a literal of 2^32'],
    ["x LOGIN {18446744073709551616}\r\n", qr/^x BAD /, 'a literal of 2^64'],
    ["x LOGIN {99999999999999999999999}\r\n", qr/^x BAD /, 'and beyond'],
    ["x LOGIN {-1}\r\n", qr/^x BAD /, 'a literal of -1'],
    ["x LOGIN {20000+}\r\n" . 'y' x 20000 . " {3+}\r\nabc\r\n", qr/^x BAD /, 'a literal too large, which is skipped'],
    ["x FETCH 1 {5+}\r\na NOOP\r\n", qr/^x BAD /, 'a literal of a command that is not ours'],
    ['x LOGIN ' . 'u' x 600 . " p\r\n", qr/^x BAD .*too long/, 'a user name of 600 bytes'],
    ['x LOGIN u ' . 'p' x 3500 . "\r\n", qr/^x BAD .*too long/, 'a password of 3,500 bytes'],
    ["x AUTHENTICATE\r\n", qr/^x BAD /, 'AUTHENTICATE alone'],
    ["x AUTHENTICATE GSSAPI\r\n", qr/^x NO /, 'a mechanism that is not offered'],
    ["x AUTHENTICATE PLAIN !!!!\r\n", qr/^x BAD /, 'no base64'],
    ['x AUTHENTICATE PLAIN ' . $b64->("\0u") . "\r\n", qr/^x BAD /, 'PLAIN without a password part'],
    ['x AUTHENTICATE PLAIN ' . $b64->("\0u\0p\0q") . "\r\n", qr/^x BAD /, 'PLAIN with four parts'],
    ['x AUTHENTICATE PLAIN ' . $b64->("\0\0p") . "\r\n", qr/^x BAD /, 'PLAIN without a user'],
    ["x AUTHENTICATE PLAIN =\r\n", qr/^x BAD /, 'PLAIN with an empty response'],
    ["x AUTHENTICATE PLAIN\r\n*\r\n", qr/^\+ \r?\nx BAD /, 'PLAIN cancelled'],
    ["x AUTHENTICATE PLAIN\r\n\r\n", qr/^\+ \r?\nx BAD /, 'PLAIN answered with an empty line'],
);
for (@wrong) {
    my ($text, $want, $name) = @$_;
    my $c = $server->client;
    $c->line;
    $c->say($text, "end NOOP\r\n");
    my $answers = $c->until_tag('end');
    like $answers, $want, $name;
    like $answers, qr/^[^\n]*(?:\n[^\n]*)?\nend OK NOOP completed$/, "... and NOOP works behind it";
    $c->close;
}
is scalar($server->calls), 0, 'no module has been asked about any of these';

{
    my $c = $server->client;
    $c->line;
    $c->say("a NOOP\nb NOOP\r\n");
    is $c->line, 'a OK NOOP completed', 'a bare LF ends a line';
    is $c->line, 'b OK NOOP completed', '... and the next command is whole';
    $c->say("x LOGIN {99999999999+}\r\n");
    like $c->rest, qr/^x BAD .*\n\* BYE /, 'a literal that nobody can skip ends the connection';
    ok $server->logged(qr/disconnect .*reason=too-many-errors/), 'logged';
}
{
    my $c = $server->client;
    $c->line;
    $c->say("x FOO\r\n" x 50);
    my $answers = $c->rest;
    is scalar(() = $answers =~ /^x BAD/mg), 10, 'ten errors are answered';
    like $answers, qr/\n\* BYE [^\n]*$/, 'and then it is enough';
}
{
    my $c = $server->client;
    $c->line;
    $c->say("a LOGIN one ");
    $c->close;
    ok $server->logged(qr/disconnect .*reason=client-closed/), 'a client that goes in mid-command';
}

# Logins that succeed, in every form.
my $ok = 'authone.accept';
my @right = (
    ['LOGIN atoms', "LOGIN $ok secret\r\n"],
    ['LOGIN quoted', "LOGIN \"$ok\" \"sec\\\"r\\\\et\"\r\n", 'sec"r\\et'],
    ['LOGIN with literals', "LOGIN {14}\r\n$ok {6}\r\nsecret\r\n", undef, 2],
    ['LOGIN with LITERAL+', "LOGIN {14+}\r\n$ok {6+}\r\nsecret\r\n"],
    ['LOGIN with an 8-bit literal', "LOGIN $ok {4+}\r\n\xc3\xa4\xff\x01\r\n", "\xc3\xa4\xff\x01"],
    ['AUTHENTICATE PLAIN', "AUTHENTICATE PLAIN\r\n" . $b64->("\0$ok\0secret") . "\r\n", undef, 1],
    ['AUTHENTICATE PLAIN at once', 'AUTHENTICATE plain ' . $b64->("\0$ok\0secret") . "\r\n"],
    ['PLAIN for somebody else', 'AUTHENTICATE PLAIN ' . $b64->("other\0$ok\0secret") . "\r\n"],
    ['a password of 3,400 bytes', "LOGIN $ok " . 'p' x 3400 . "\r\n", 'p' x 3400],
);
for (@right) {
    my ($name, $text, $password, $continuations) = @$_;
    my $c = $server->client;
    $c->line;
    my $before = $server->calls;
    $c->say("t1 $text");
    is substr($c->line, 0, 1), '+', "$name: continuation" for 1 .. $continuations // 0;
    my ($command) = $text =~ /^(\w+)/;
    my $answer = $c->line;
    if (defined $password) { is $answer, 't1 NO [AUTHENTICATIONFAILED] Login failed', "$name: answered" }
    else                   { is $answer, "t1 OK $command done", "$name: the session answers" }
    my $call = ($server->calls)[$before];
    is_deeply [@$call{qw(user password mech tag command service rest)}],
      [$ok, $password // 'secret', '-', 't1', $command, 'imap', 0], "$name: what the module got";
    is $call->{authzid}, $name =~ /else/ ? 'other' : '-', "$name: AUTHZID";
    cmp_ok abs($call->{stamp} - time), '<', 600, "$name: the time of receipt";
    $c->close;
}

# What is behind a login is the session's, to the byte.
for my $form ("a LOGIN $ok secret\r\n", "a LOGIN {14+}\r\n$ok {6+}\r\nsecret\r\n",
    'a AUTHENTICATE PLAIN ' . $b64->("\0$ok\0secret") . "\r\n") {
    my $c = $server->client;
    $c->line;
    $c->say("n NOOP\r\n${form}b SELECT INBOX\r\nfds\r\nquit\r\n");
    is $c->line, 'n OK NOOP completed', 'a command before the login';
    like $c->line, qr/^a OK \w+ done$/, 'the login in the same packet';
    is $c->line, 'got b SELECT INBOX', 'the command behind it is untouched';
    is $c->line, 'fds 0 1 2', 'the session has 0, 1 and 2 and no other descriptor';
}

# The same over pipes, where one cannot peek.
{
    pipe my $in, my $to or die;
    pipe my $from, my $out or die;
    my $pid = $server->run($in, $out);
    close $in;
    close $out;
    my $c = LoginClient->new($from, $to);
    like $c->line, qr/^\* OK /, 'pipes: greeting';
    $c->say("n NOOP\r\na LOGIN {14+}\r\n$ok secret\r\nb SELECT INBOX\r\nquit\r\n");
    is $c->line, 'n OK NOOP completed', 'pipes: NOOP';
    is $c->line, 'a OK LOGIN done', 'pipes: LOGIN';
    is $c->line, 'got b SELECT INBOX', 'pipes: the command behind it is untouched';
    waitpid $pid, 0;
    is $?, 0, 'pipes: the session ends';
}

unlike $server->log_text, qr/secret|pppp|sec\\"/, 'no password in the log';
$server->stop;
done_testing;
