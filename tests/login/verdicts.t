#!/usr/bin/perl
# What becomes of a login: every verdict of the modules, the way through the chain and back, the
# limit on failures, the delays, the log, and what is left over.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;
use Time::HiRes 'time';

my $denied = 'NO [AUTHENTICATIONFAILED] Login failed';

{
    my $server = LoginServer->new(env => { IMAP_LOGIN_FAILURES => 5 })->start;
    my $c = $server->client;
    $c->line;
    is $c->command('a LOGIN nobody wrong'), "a $denied", 'unknown everywhere';
    is $c->command('b LOGIN authtwo.refuse secret'), "b $denied", 'refused: the same words';
    is $c->command('c LOGIN authone.accept wrong'), "c $denied", 'a wrong password: the same words';
    like $c->command('d LOGIN authone.temporary secret'), qr/^d NO \[UNAVAILABLE\] /, 'temporary';
    like $c->command('e LOGIN authone.temporary secret'), qr/^e NO \[UNAVAILABLE\] /, '... again';
    is $c->command('f LOGIN authtwo.accept secret'), 'f OK LOGIN done', 'and then the right one';
    is $c->command('fds'), 'fds 0 1 2', 'the session has 0, 1 and 2 and no other descriptor';
    is $c->command('got'), 'got got', 'and is a session';
    $c->say("quit\r\n");
    is_deeply [map { "$_->{module} $_->{verdict} $_->{tag}" } $server->calls],
      ['authone decline a', 'authtwo decline a', 'authone decline b', 'authtwo refuse b', 'authone decline c',
        'authtwo decline c', 'authone temporary d', 'authtwo decline d', 'authone temporary e',
        'authtwo decline e', 'authone decline f', 'authtwo accept f'],
      'the modules are asked in their order, afresh for each login';
    my %pids = map { $_->{pid} => 1 } $server->calls;
    is scalar(keys %pids), 1, 'all in one process';
    my ($pid) = keys %pids;
    my $log = $server->log_text;
    like $log, qr/^imaplogin: $pid: connect ip=127\.0\.0\.1 port=\d+ tls=none$/m, 'log: connect';
    like $log, qr/^imaplogin: $pid: login-failed user=nobody ip=127\.0\.0\.1 method=LOGIN failures=1 verdict=declined$/m,
      'log: the first failure';
    like $log, qr/ login-failed user=authtwo\.refuse .*failures=2 verdict=refused$/m, 'log: refused';
    is scalar(() = $log =~ / login-unavailable user=authone\.temporary ip=127\.0\.0\.1 /g), 2, 'log: unavailable';
    is scalar(() = $log =~ / login-failed /g), 3, 'which is no failure';
    unlike $log, qr/secret|wrong/, 'no password in the log';
}
{
    my $server = LoginServer->new(modules => ['authone'])->start;
    my $c = $server->client;
    $c->line;
    is $c->command("a LOGIN any.refuse $_"), "a $denied", "failure $_" for 1 .. 2;
    is $c->rest_after('a LOGIN any.refuse 3'), "a $denied\n* BYE Too many failed logins", 'the third is the last';
    ok $server->logged(qr/failures=3 .*\n.*disconnect .*reason=too-many-failures/), 'logged';

    $c = $server->client;
    $c->line;
    like $c->rest_after('b LOGIN any.die x'), qr/^b NO \[UNAVAILABLE\] .*\n\* BYE \[UNAVAILABLE\] /, 'a module that dies';
    $c = $server->client;
    $c->line;
    like $c->rest_after('b LOGIN any.half x'), qr/^b NO \[UNAVAILABLE\] .*\n\* BYE \[UNAVAILABLE\] /,
      'a module that takes its acceptance back';

    for (['LOGIN "" x', 'no user'], ['LOGIN any.accept ""', 'no password']) {
        my $before = $server->calls;
        $c = $server->client;
        $c->line;
        is $c->command("c $_->[0]"), "c $denied", "$_->[1]: denied";
        is scalar($server->calls), $before, '... without asking a module';
        $c->close;
    }
}
{
    my $server = LoginServer->new(modules => ['authone', 'authmissing'])->start;
    unlink "$server->{dir}/authmissing";
    my $c = $server->client;
    $c->line;
    like $c->rest_after('b LOGIN any.decline x'), qr/^b NO \[UNAVAILABLE\] /, 'a module that is not there';
    $server = LoginServer->new(modules => ['authmissing', 'authone'])->start;
    unlink "$server->{dir}/authmissing";
    $c = $server->client;
    $c->line;
    like $c->command('b LOGIN any.decline x'), qr/^b NO \[UNAVAILABLE\] /, 'nor the first one';
    is $c->command('c LOGIN any.accept secret'), 'c OK LOGIN done', '... and the next one is asked all the same';
    is $c->command('fds'), 'fds 0 1 2', '... with no descriptor left over';
    ok $server->logged(qr/failed attempt=execute path=\S*authmissing why="No such file or directory" remedy=/),
      '... and the log says which';
    $server = LoginServer->new(modules => ['authmissing'])->start;
    unlink "$server->{dir}/authmissing";
    $c = $server->client;
    $c->line;
    like $c->command("$_ LOGIN any.accept secret"), qr/^$_ NO \[UNAVAILABLE\] /, "none at all, command $_" for 'a', 'b';
    like $c->rest_after('c LOGOUT'), qr/\nc OK /, '... and the dialogue goes on';
    ok $server->logged(qr/login-unavailable user=any\.accept .*\n(?:.*\n)*?.*disconnect .*reason=logout/), '... and its end is logged';
}

# Hostile names in the log.
{
    my $server = LoginServer->new->start;
    my $c = $server->client;
    $c->line;
    my $name = "x\r\nimaplogin: 1: login user=root";
    $c->say("a LOGIN {@{[length $name]}+}\r\n$name wrong\r\n");
    is $c->line, "a $denied", 'a name with a line of log in it';
    ok $server->logged(qr/login-failed user="x\\x0d\\x0aimaplogin: 1: login user=root" /), 'is quoted';
    unlike $server->log_text, qr/^imaplogin: 1:/m, 'and forges nothing';
}

# Delays: at whole boundaries from receipt, and growing.
{
    my $server = LoginServer->new(env => { IMAP_LOGIN_DELAY => 1 })->start;
    my $c = $server->client;
    $c->line;
    for (['quick.x', 1], ['authone.decline-slow1', 2]) {
        my $began = time;
        is $c->command("a LOGIN $_->[0] x"), "a $denied", "$_->[0]";
        cmp_ok time - $began, '>=', $_->[1] - 0.05, "... not before $_->[1] s";
    }
    $c->say("a LOGIN quick.x x\r\n");
    ok $server->logged(qr/failures=3/), 'a third failure waits';
    $c->close;
    ok $server->logged(qr/disconnect .*reason=client-gone/), 'and a client that hangs up is not waited for';
}

# Timeouts.
{
    my $server = LoginServer->new(env => { IMAP_LOGIN_TIMEOUT => 1 })->start;
    my $c = $server->client;
    $c->line;
    like $c->rest, qr/^\* BYE /, 'a silent client is told to go';
    ok $server->logged(qr/disconnect .*reason=timeout/), 'logged';
    $c = $server->client;
    $c->line;
    my $noops = 0;
    while ($c->say("a NOOP\r\n") and ($c->line // '* BYE') =~ /^a OK/) {
        $noops++;
        select undef, undef, undef, 0.1;
    }
    cmp_ok $noops, '>', 0, 'commands without a login';
    cmp_ok $noops, '<', 200, '... do not hold a connection';
    $c = $server->client;
    $c->line;
    $c->say("a LOGIN {20}\r\n");
    like $c->line, qr/^\+ /, 'a literal is asked for';
    like $c->rest, qr/^\* BYE /, 'and not waited for without end';
}

# A partial line costs no processor time.
{
    my $server = LoginServer->new->start;
    my $c = $server->client;
    $c->line;
    $c->say('a LOGIN authone.acc');
    my ($parser) = parser_of($server);
    ok $parser, 'the parser runs';
    select undef, undef, undef, 1;
    my $switches = sub { slurp("/proc/$parser/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m; $1 };
    my ($before, $ticks) = ($switches->(), ticks($parser));
    select undef, undef, undef, 1;
    cmp_ok $switches->() - $before, '<=', 3, 'a partial line wakes nobody up';
    cmp_ok ticks($parser) - $ticks, '<=', 2, 'nor spins';
    $c->say("ept secret\r\nb\r\n");
    is $c->line, 'a OK LOGIN done', 'and goes on where it stopped';
    is $c->line, 'got b', '... with nothing lost';
    ok gone($parser), 'and the parser has ended with the login';
}

# A keeper that is killed leaves no parser behind.
{
    my $server = LoginServer->new->start;
    my $c = $server->client;
    $c->line;
    my ($parser) = parser_of($server);
    my $keeper = $server->logged(qr/^imaplogin: (\d+): connect/m);
    kill KILL => $keeper;
    is $c->rest, '', 'the connection closes';
    ok gone($parser), 'and the parser has gone';
}

# Places for each address.
{
    my $server = LoginServer->new;
    @{ $server->{env} }{qw(IMAP_LOGIN_SLOTS IMAP_LOGIN_PERIP)} = ("$server->{dir}/slots", 2);
    $server->start;
    my @c = map { my $c = $server->client; $c->line; $c } 1 .. 2;
    my $third = $server->client;
    like $third->rest, qr/^\* BYE \[UNAVAILABLE\] Too many connections/, 'a third connection is refused';
    ok $server->logged(qr/too-many-connections ip=127\.0\.0\.1/), 'logged';
    is $c[0]->command('a LOGIN authone.accept secret'), 'a OK LOGIN done', 'one logs in';
    is $c[0]->command('fds'), 'fds 0 1 2', 'and holds no descriptor of the count';
    my $greeting = '';
    for (1 .. 200) {    # its parser may take a moment to end
        last if ($greeting = $server->client->line) =~ /^\* OK /;
        select undef, undef, undef, 0.02;
    }
    like $greeting, qr/^\* OK /, 'and has given its place to the next';
    is -s "$server->{dir}/slots", 0, 'the file stays empty';
}

# What must not start.
{
    my $server = LoginServer->new;
    my $bin = $LoginServer::bin;
    my $run = sub {
        my ($env, @words) = @_;
        local $server->{env} = $env;
        my $before = length $server->log_text;
        pipe my $in, my $to or die;
        pipe my $from, my $out or die;
        my $pid = $server->in_child($in, $out, @words);
        close $_ for $in, $out, $to;
        my $said = do { local $/; <$from> };
        waitpid $pid, 0;
        return ($? >> 8, $said // '', substr $server->log_text, $before);
    };
    for (
        ['no words'],
        ['only modules', 'authone', 'authtwo'],
        ['no module', 'imapd'],
        ['no module first', 'imapd', 'authone'],
        ['an empty program', 'authone', '']
      ) {
        my ($name, @words) = @$_;
        my ($code, $said, $log) = $run->({}, "$bin/imaplogin", @words);
        is "$code $said", '100 ', "$name: 100, and no greeting";
        like $log, qr/usage synopsis="imaplogin authmodule/, '... and words';
    }
    my @bad = (
        ['IMAP_LOGIN_TIMEOUT', 'soon'], ['IMAP_TLS_REQUIRED', 'perhaps'], ['SSLCTLFD', '77'], ['SSLCTLFD', 'x'],
        ['IMAPLOGIN_STATE', ''], ['IMAPLOGIN_STATE', '1 2 3 4 5 0 0 joe'],
    );
    for (@bad) {
        my ($code, $said, $log) = $run->({ $_->[0] => $_->[1] }, $server->words);
        is "$code $said", '100 ', "$_->[0]=$_->[1]: 100, and no greeting";
        like $log, qr/name=\Q$_->[0]\E /, '... and words';
    }
  SKIP: {
        skip 'only root can become another user', 6 unless $LoginServer::is_root;
        for (['UID', undef], ['GID', undef], ['UID', '0']) {
            my ($code, $said, $log) = $run->({ $_->[0] => $_->[1] }, $server->words);
            is "$code $said", '100 ', "root with $_->[0]=@{[$_->[1] // '(unset)']}: 100, and no greeting";
            like $log, qr/bad-setting name=$_->[0] /, '... and words';
        }
    }
}
done_testing;

sub LoginClient::rest_after { my ($c, $command) = @_; $c->say("$command\r\n"); return $c->rest }

sub slurp { open my $f, '<', shift or return ''; local $/; return scalar <$f> // '' }

sub gone {
    for (1 .. 400) {
        return 1 unless -e "/proc/$_[0]";
        select undef, undef, undef, 0.02;
    }
    return 0;
}

sub ticks { my @f = split ' ', slurp("/proc/$_[0]/stat") =~ s/.*\) //sr; return $f[11] + $f[12] }

# The parser of the server's newest connection: started after the keeper, with the same socket.
sub parser_of {
    my ($server) = @_;
    my $keeper = $server->logged(qr/^imaplogin: (\d+): connect/m);
    my $socket = sub { readlink("/proc/$_[0]/fd/0") // '' };
    my $wanted = $socket->($keeper);
    if ($LoginServer::is_root) {
        return grep { $socket->($_) eq $wanted } $server->processes_named(qr/^imaplogin-parser\0$/);
    }
    my @found = sort { $a <=> $b } $server->processes_named(qr/^imaplogin-parser\0$/);
    return grep { $_ > $keeper } @found;
}
