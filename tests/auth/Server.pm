# A server of a database for one test: on a private directory and a free port of 127.0.0.1, as an
# account that it agrees to run as, ended with the test.
package Server;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use POSIX ();
use Time::HiRes 'sleep';
use Module;

our @EXPORT = qw(as_account run_as start_server stop_server outlives free_port silent_port find_program);

my $owner = $$;
my %children;
END {
    if ($$ == $owner) {
        my $status = $?;
        stop_server($_) for keys %children;
        $? = $status;
    }
}
$SIG{INT} = $SIG{TERM} = sub { exit 130 };

# Who runs the server: the test's own account, or instead of root the first of these that is there.
my ($uid, $gid) = ($>, $) + 0);
sub as_account {
    for (@_) {
        my @account = getpwnam $_;
        next if $> || !@account;
        return ($uid, $gid) = @account[2, 3];
    }
}

sub become_it {
    return if $> || !$uid;
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
}

# Runs a program as that account; its output is in $T/server.log.
sub run_as {
    my (@command) = @_;
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>>', "$T/server.log";
        open STDERR, '>&', \*STDOUT;
        become_it();
        exec @command or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return $? == 0;
}

# A directory of the account's.
sub private {
    my ($path) = @_;
    mkdir $path or die "$path: $!\n";
    chown $uid, $gid, $path;
    return $path;
}

# Starts it and waits until `ready` says so; returns its number, undef if it ended or never was ready.
sub start_server {
    my ($ready, @command) = @_;
    my $pid = fork // die;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$T/server.log";
        open STDERR, '>&', \*STDOUT;
        POSIX::close($_) for 3 .. 255;
        become_it();
        exec @command or POSIX::_exit(127);
    }
    $children{$pid} = 1;
    for (1 .. 600) {
        return $pid if $ready->();
        last if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.1;
    }
    stop_server($pid);
    return;
}

sub stop_server {
    my ($pid, $signal) = @_;
    delete $children{$pid} or return;
    kill $signal // 'TERM', $pid;
    waitpid $pid, 0;
}

# An auth service with one worker keeps its connection to this server, and makes another one when the server
# has been away.  HOME, in the answers, is to name the connection if `kept` is wanted.  Returns the new server.
sub outlives {
    my ($module, $env, $server, $signal, $kept, @start) = @_;
    require AuthService;
    my $s = AuthService::start_service("outlives-$module", authmodulelist => $module, daemons => 1, %$env);
    my $ask = sub { return AuthService::auth($s, 'ann', 'secret') =~ /^HOME=(.*)$/m ? $1 : 'nothing' };
    my ($home, @workers) = ($ask->(), AuthService::workers($s));
    Test::More::like($home, qr{^/}, 'an auth service asks it');
    Test::More::is($ask->(), $home, '... over the same connection') if $kept;
    stop_server($server, $signal);
    Test::More::is($ask->(), 'nothing', '... cannot tell while it is down');
    $server = start_server(@start) or die 'no server again: ', slurp("$T/server.log");
    my $after;
    for (1 .. 100) { # it may need a moment more than its log says
        last if ($after = $ask->()) ne 'nothing';
        sleep 0.1;
    }
    Test::More::like($after, qr{^/}, '... and asks it again');
    Test::More::isnt($after, $home, '... over another connection') if $kept;
    Test::More::is_deeply([AuthService::workers($s)], \@workers, '... by the same process');
    Test::More::is(AuthService::stop_service($s), 0, '... which then ends as it should');
    return $server;
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "no free port: $!\n";
    return $s->sockport;
}

# A port that takes connections and never says a word; the socket is to be kept.
sub silent_port {
    my $s = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "no free port: $!\n";
    return ($s, $s->sockport);
}

# The first that is executable, of paths and patterns.
sub find_program {
    my ($found) = grep { -x } map { glob } @_;
    return $found;
}

1;
