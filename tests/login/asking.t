#!/usr/bin/perl
# A module that asks the client, through the parser: each frame of doc/chain.md, and modules that die or
# babble meanwhile.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use MIME::Base64 'encode_base64', 'decode_base64';
use Test::More;

my $denied = 'NO [AUTHENTICATIONFAILED] Login failed';
my $server = LoginServer->new(modules => ['authoauth'], env => { IMAP_LOGIN_FAILURES => 100 })->start;
my $b64 = sub { encode_base64(shift, '') };
sub message { return $b64->("user=any.$_[0]\x01auth=Bearer t\x01\x01") }
sub frames { return split /\n/, $server->slurp('record.frames') }
my $question = '+ ' . $b64->('question');

my $c = $server->client;
like $c->line, qr/ LOGINDISABLED AUTH=OAUTHBEARER AUTH=XOAUTH2\]/, 'what authoauth stands for is offered';
is $c->command('a AUTHENTICATE XOAUTH2 ' . message('decline')), "a $denied", 'declined at once';
my ($call) = $server->calls;
is $call->{mech}, 'XOAUTH2', 'the module knows the mechanism';
is $call->{user}, 'any.decline', '... and has the message, its 0x01 bytes too';
ok $server->logged(qr/login-failed user=any\.decline .*method=XOAUTH2/), 'the log has the user whom the module has found';

for (['=answer', $b64->('answer'), 'b OK AUTHENTICATE done', 'the answer'],
    ['=no', $b64->('no'), "b $denied", 'another'],
    ['=', '', "b $denied", 'an empty one'],
    ['*', '*', 'b BAD Cancelled', 'cancelled'],
    ['*', 'x!', 'b BAD Not base64', 'no base64'],
    ['*', $b64->("a\0b"), 'b BAD Response too long', 'a NUL'],
    ['*', 'AAAA' x 1200, 'b BAD Response too long', 'too much'],
    ['*', 'AAAA' x 5000, undef, 'far too much'],
    ['=' . 'x' x 3400, $b64->('x' x 3400), "b $denied", 'the longest'])
{
    my ($frame, $text, $answer, $name) = @$_;
    my $d = $server->client;
    $d->line;
    my $before = frames();
    $d->say('b AUTHENTICATE OAUTHBEARER ' . message('ask'), "\r\n");
    is $d->line, $question, "$name: asked";
    $d->say("$text\r\n");
    defined $answer ? is $d->line, $answer, '... answered' : like $d->line, qr/^b BAD /, '... answered';
    is +(frames())[$before], $frame, '... and the module has its frame';
    $d->close;
}
for (['askdie', 1], ['asktwice', 2]) {
    my ($how, $questions) = @$_;
    my $d = $server->client;
    $d->line;
    $d->say('c AUTHENTICATE XOAUTH2 ' . message($how), "\r\n");
    for (1 .. $questions) {
        like $d->line, qr/^\+ /, "$how: asked";
        $d->say("eA==\r\n");
    }
    like $d->rest, qr/^c NO \[UNAVAILABLE\] .*\n\* BYE /, '... and a module that dies then is unavailable';
}
{
    my $d = $server->client;
    $d->line;
    $d->say('d AUTHENTICATE XOAUTH2 ' . message('askmuch'), "\r\n");
    like $d->rest, qr/^d NO \[UNAVAILABLE\] .*\n\* BYE /, 'a question that is too long';
}
{
    my $d = $server->client;
    $d->line;
    $d->say('e AUTHENTICATE XOAUTH2 ' . message('ask'), "\r\n");
    $d->line;
    my $before = frames();
    $d->close;
    for (1 .. 400) { last if frames() > $before; select undef, undef, undef, 0.025 }
    is +(frames())[$before], 'e', 'the module is told of a client that goes';
}
is $c->command('f AUTHENTICATE XOAUTH2 ' . $b64->('x' x 3401)), 'f BAD User name or password too long', 'a token that is too long';
is $c->command('g AUTHENTICATE XOAUTH2 ='), "g $denied", 'no token';
SKIP: {
    skip 'no curl', 1 unless grep { -x "$_/curl" } split /:/, $ENV{PATH};
    my $said = `timeout 20 curl -sv --noproxy '*' -m 2 -X NOOP --login-options AUTH=OAUTHBEARER -u any.accept: --oauth2-bearer t imap://127.0.0.1:$server->{port}/ 2>&1`;
    like $said, qr/^< A\d+ OK AUTHENTICATE done/m, 'curl: OAUTHBEARER';
}
done_testing;
