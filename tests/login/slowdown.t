#!/usr/bin/perl
# An address that guesses waits, over all its connections; nobody else does, nor who is exempt.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;
use Time::HiRes qw(time);

my $denied = 'NO [AUTHENTICATIONFAILED] Login failed';

sub server {
    my (%env) = @_;
    my $server = LoginServer->new;
    $server->{env} = { IMAP_LOGIN_SLOWDOWN => "$server->{dir}/slowdown", IMAP_LOGIN_FREE => 2, %env };
    return $server->start;
}

sub from {
    my ($server, $address) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}, LocalAddr => $address)
      or die "connect: $!";
    my $c = LoginClient->new($socket);
    $c->line;
    return $c;
}

# One login on a connection of its own.
sub try { my ($server, $address, $user, $password) = @_; return from($server, $address)->command("a LOGIN $user $password") }
sub slowed { my @lines = $_[0]->log_text =~ /: slowed /g; return scalar @lines }

{
    my $server = server();
    like try($server, '127.0.0.2', 'nobody', 'x'), qr/^a \Q$denied\E/, "failure $_" for 1, 2;
    is slowed($server), 0, 'two failures cost nothing';
    my $began = time;
    like try($server, '127.0.0.2', 'nobody', 'x'), qr/^a \Q$denied\E/, 'a third login is judged as ever';
    cmp_ok time - $began, '>=', 0.95, '... after a wait';
    ok $server->logged(qr/^imaplogin: \d+: slowed ip=127\.0\.0\.2 failures=2 seconds=1$/m), '... which the log has';
    is try($server, '127.0.0.3', 'authone.accept', 'secret'), 'a OK LOGIN done', 'another address logs in';
    like try($server, '127.0.0.3', 'nobody', 'x'), qr/^a \Q$denied\E/, '... or fails';
    is slowed($server), 1, '... and has not waited';
    is try($server, '127.0.0.2', 'authone.accept', 'secret'), 'a OK LOGIN done', 'the right password is still right';
    ok $server->logged(qr/slowed ip=127\.0\.0\.2 failures=3 seconds=2$/m), '... and waits as a wrong one does';

    # Who hangs up during the wait has not tried.
    my $calls = scalar $server->calls;
    my $c = from($server, '127.0.0.2');
    $c->say("a LOGIN authone.accept secret\r\n");
    ok $server->logged(qr/(?:: slowed [^\0]*){3}/), 'a login waits';
    $c->close;
    ok $server->logged(qr/disconnect ip=127\.0\.0\.2 reason=client-gone/), 'and its client leaves';
    is scalar($server->calls), $calls, '... and no module has been asked';
}
{
    my $server = server();
    like try($server, '127.0.0.2', 'any.temporary', 'x'), qr/^a NO \[UNAVAILABLE\]/, 'a database that fails' for 1 .. 4;
    is slowed($server), 0, '... is no failure of the client';
    ok $server->log_text !~ /login-failed/, '... nor a line for those who shut addresses out';
}
# One source fails and another one looks: eight guesses are a failure, whoever they are for.
{
    my $server = server();
    $server->stop;
    my $dir = $server->{dir};
    my $hash = qx(printf 'secret\\n' | $LoginServer::bin/userdbpw);
    LoginServer::in_file("$dir/userdb", "ann\tuid=1001|gid=1001|home=/|imappw=$hash", 0600);
    system "$LoginServer::bin/makeuserdb", "$dir/userdb", "$dir/userdb.cdb" and die 'makeuserdb';
    $server->{env}{USERDB} = "$dir/userdb.cdb";
    $server->{env}{IMAP_LOGIN_FAILURES} = 100;
    $server->{words} = ["$LoginServer::bin/imaplogin", "$LoginServer::bin/authuserdb", "$dir/authdown", '/bin/echo', 'in'];
    LoginServer::in_file("$dir/authdown", "#!/bin/sh\nIMAPLOGIN_VERDICT=temporary exec perl -e 'exec map { s/^[0-9]+://r } split /,/, shift' \"\$IMAPLOGIN_ARGV\"\n", 0755);
    $server->start;
    my $guesses = sub {
        my ($address, $user, $count) = @_;
        my $c = from($server, $address);
        my @answers = map { $c->command("a LOGIN $user wrong") } 1 .. $count;
        return scalar grep { /^a NO \[UNAVAILABLE\]/ } @answers;
    };
    is $guesses->('127.0.0.2', 'ann', 16), 16, 'guesses at a user of the source that works';
    is slowed($server), 0, '... sixteen of them cost nothing';
    is $guesses->('127.0.0.2', 'ann', 1), 1, '... the next one';
    ok $server->logged(qr/slowed ip=127\.0\.0\.2 failures=2 seconds=1$/m), '... waits';
    is $guesses->('127.0.0.3', 'nobody', 17), 17, 'guesses at nobody';
    ok $server->logged(qr/slowed ip=127\.0\.0\.3 failures=2 seconds=1$/m), '... wait just so';
    ok $server->log_text !~ /login-failed/, 'no line for those who shut addresses out';
}
{
    my $server = server(IMAP_LOGIN_EXEMPT => '10.0.0.0/8 127.0.0.2');
    try($server, $_, 'nobody', 'x') for ('127.0.0.2') x 4, ('127.0.0.3') x 3;
    is slowed($server), 1, 'an address that is exempt does not wait';
    like $server->log_text, qr/slowed ip=127\.0\.0\.3 /, '... others do';
}
{
    my $server = server();
    unlink "$server->{dir}/slowdown";
    mkdir "$server->{dir}/slowdown";
    is try($server, '127.0.0.2', 'authone.accept', 'secret'), 'a OK LOGIN done', 'a file that cannot be used shuts nobody out';
    ok $server->logged(qr/failed attempt="count failed logins in" path=\S+ why=.* remedy=/), '... and the log says so';
}
{
    my $server = server(IMAP_LOGIN_EXEMPT => 'localhost');
    is $server->client->rest, '', 'a list that is wrong: no greeting';
    ok $server->logged(qr/bad-setting name=IMAP_LOGIN_EXEMPT value=localhost why=/), '... but words';
}
# A real module takes a failure back.
{
    my $server = LoginServer->new(modules => ['authone']);
    my ($uid, $gid) = $LoginServer::is_root ? ($LoginServer::nobody, $LoginServer::nobody) : ($>, $) + 0);
    mkdir "$server->{dir}/home";
    chown $uid, $gid, "$server->{dir}/home";
    my $hash = qx(printf 'secret\\n' | $LoginServer::bin/userdbpw);
    LoginServer::in_file("$server->{dir}/userdb", "ann\tuid=$uid|gid=$gid|home=$server->{dir}/home|imappw=$hash", 0600);
    system "$LoginServer::bin/makeuserdb", "$server->{dir}/userdb", "$server->{dir}/userdb.cdb" and die 'makeuserdb';
    $server->{env} = {
        IMAP_LOGIN_SLOWDOWN => "$server->{dir}/slowdown", IMAP_LOGIN_FREE => 2, USERDB => "$server->{dir}/userdb.cdb"
    };
    $server->{words} = ["$LoginServer::bin/imaplogin", "$LoginServer::bin/authuserdb", '/bin/echo', 'in'];
    $server->start;
    try($server, '127.0.0.2', 'ann', 'wrong') for 1, 2;
    for (1, 2) {
        my $c = from($server, '127.0.0.2');
        $c->say("a LOGIN ann secret\r\n");
        is $c->line, 'in', "login $_";
    }
    is slowed($server), 1, 'a login takes a failure back: the second has not waited';
}
done_testing;
