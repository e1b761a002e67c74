#!/usr/bin/perl
# The keeper under a parser that somebody has taken over: whatever it says, no module is asked, and
# the log tells.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;

my $server = LoginServer->new(modules => ['authone', 'authtwo', 'authcram', 'authscram']);

# Runs imaplogin by a name that is the fake parser's; returns its exit code and what it logged.
sub under {
    my ($messages, %env) = @_;
    my $program = "$server->{dir}/x$messages";
    symlink "$FindBin::Bin/fake/parser", $program;
    local $server->{env} = { %env };
    my $before = length $server->log_text;
    my $pid = fork // die;
    if (!$pid) {
        my ($imaplogin, @words) = $server->words;
        %ENV = $server->environment;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>>', "$server->{dir}/log";
        exec {$imaplogin} $program, @words;
    }
    waitpid $pid, 0;
    return ($? >> 8, substr $server->log_text, $before);
}

my $ready = '5207';
my $hex = sub { join '', map { unpack 'H*', $_ } @_ };
my $login = $hex->("L\0a\0any.accept\0secret\0\0");
my @bad = (
    ['nothing before ready', $login],
    ['ready without its byte', '52'],
    ['ready twice', "$ready-$ready"],
    ['an unknown message', "$ready-5a"],
    ['a login without fields', "$ready-4c00"],
    ['a login cut short', "$ready-" . $hex->("L\0a\0any.accept\0secret\0")],
    ['a login with a field more', "$ready-" . $hex->("L\0a\0any.accept\0secret\0\0\0")],
    ['a login by an unknown method', "$ready-" . $hex->("L\x63a\0any.accept\0secret\0\0")],
    ['a tag with a line end', "$ready-" . $hex->("L\0a\r\nb\0any.accept\0secret\0\0")],
    ['a message too long', "$ready-4c*6000"],
    ['STARTTLS that is not there', "$ready-54"],
    ['an answer to no challenge', "$ready-" . $hex->("L\2a\0any.accept\0secret\0\0")],
    ['a user where the mechanism names one', "$ready-" . $hex->("L\5a\0any.accept\0secret\0\0")],
    ['a secret with EXTERNAL', "$ready-" . $hex->("L\7a\0\0secret\0\0")],
    ['a mechanism that is not offered', "$ready-" . $hex->("L\6a\0\0n,,n=x,r=y\0\0")],
    ['a challenge before ready', '4d'],
    ['a challenge with more', "$ready-4d00"],
    ['an unknown reason', "$ready-58ff"],
    ['a failure after ready', "$ready-460100000000"],
    ['a failure of an unknown step', '46ff00000000'],
);
push @bad, ['a parser that is not confined', '5200'] if $LoginServer::is_root;
for (@bad) {
    my ($name, $messages) = @$_;
    my ($code, $log) = under($messages);
    like $log, qr/^imaplogin: \d+: parser-violation .*\n.* disconnect reason=parser-violation /m, $name;
    is $code, 111, '... exit 111';
}
{
    my ($code, $log) = under("$ready-$login", IMAP_TLS_REQUIRED => 1);
    like $log, qr/parser-violation what="password without TLS"/, 'a password in the clear where that is forbidden';
}
is scalar($server->calls), 0, 'no module has been asked';
{
    my ($code, $log) = under('460200000000');
    like $log, qr/failed attempt="chroot the parser" .*remedy=/, 'a parser that cannot be confined: says why';
    is $code, 111, '... exit 111';
}
{
    my ($code, $log) = under("$ready-5802");
    like $log, qr/disconnect reason=timeout/, 'a reason that there is';
    is $code, 0, '... exit 0';
}
{
    under("$ready-$login");
    is(($server->calls)[0]{user}, 'any.accept', 'and a sound login is passed on');
}
done_testing;
