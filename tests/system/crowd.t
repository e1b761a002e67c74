#!/usr/bin/perl
# A crowd that logs in wrongly, says nothing, stops halfway, babbles or breaks off TLS, from many addresses, and honest
# clients beside it: those log in, and of the crowd nothing is left.  LONG=1: 10,000 of them and 100 honest
# ones, and the times are printed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use IO::Select;
use IO::Socket::INET;
use List::Util qw(sum);
use Time::HiRes qw(time sleep);
use Chainmail;

my ($crowd, $at_once, $honest) = $ENV{LONG} ? (10_000, 800, 100) : (180, 90, 8);
my $senders = $ENV{LONG} ? 16 : 1;    # a connection that the kernel puts off for a second holds up one of them only
my @addresses = map { "127.0.1.$_" } 1 .. ($ENV{LONG} ? 80 : 20);

my $home = home('ann');
my $demo = demo(users => [ [ 'ann', 'secret', $home ] ], conf => {
    MAXDAEMONS => $at_once * 2 + 50, IMAP_LOGIN_TIMEOUT => 3, IMAP_LOGIN_DELAY => 1, IMAP_TLS_REQUIRED => 0,
    TLS_HANDSHAKE_TIMEOUT => 3,
});

# What one of the crowd says, to which port, and whether it then waits for the server to close.
my @kinds = (
    [wrong => 'port', "a LOGIN ann wrong\r\n", 0],
    [unknown => 'port', "a LOGIN nobody x\r\n", 1],
    [silent => 'port', '', 1],
    [halfway => 'port', "a LOGIN {5}\r\nan", 1],
    [babble => 'port', "\0\xff{[(\r\n" x 60, 1],
    [vanish => 'port', "a LOGIN ann ", 0],
    [handshake => 'sslport', "\x16\x03\x01\x02\x00\x01", 1],
    [nonsense => 'sslport', "a LOGIN ann wrong\r\n" x 5, 1],
    [starttls => 'port', "a STARTTLS\r\nb LOGIN ann secret\r\n", 1],
);

sub one_of_the_crowd {
    my ($n) = @_;
    my ($kind, $port, $text) = @{ $kinds[ $n % @kinds ] };
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $demo->{$port},
        LocalAddr => $addresses[ $n % @addresses ], Timeout => 60) or return;
    $socket->blocking(0);
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, $text;
    return $socket;
}

# In a process of its own: a sender's share of as many as may be there at once, until all have been.
sub send_crowd {
    my ($next) = @_;
    my %since;
    my $select = IO::Select->new;
    while ($next < $crowd || $select->count) {
        while ($next < $crowd && $select->count < $at_once / $senders) {
            my $n = $next;
            $next += $senders;
            my $socket = one_of_the_crowd($n) or next;
            $since{$socket} = [$n, 0];
            $select->add($socket);
        }
        for my $socket ($select->can_read(0.2)) {
            my $n = sysread $socket, my $answer, 65536;
            my $kind = $kinds[ $since{$socket}[0] % @kinds ];
            # The greeting is the first thing to come; what does not wait goes after that.
            next if $n && ($kind->[3] || $answer !~ /^a /m && $kind->[0] eq 'wrong');
            $select->remove($socket);
            delete $since{$socket};
            close $socket;
        }
    }
}

# Logins one after the other, each from another address than the crowd's; the times in ms, and how many failed.
sub honest_logins {
    my (@ms, $bad);
    for my $n (1 .. $honest) {
        my $began = time;
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $demo->{port},
            LocalAddr => "127.0.2.$n", Timeout => 60);
        my $text = '';
        if ($socket) {
            syswrite $socket, "a LOGIN ann secret\r\nb LOGOUT\r\n";
            my $select = IO::Select->new($socket);
            while ($text !~ /^a /m && $select->can_read(60)) { sysread $socket, $text, 65536, length $text or last }
            push @ms, 1000 * (time - $began);
            while ($text !~ /^b OK/m && $select->can_read(60)) { sysread $socket, $text, 65536, length $text or last }
        }
        $bad++ unless $text =~ /^a OK/m && $text =~ /^b OK/m;
        sleep 0.05;
    }
    @ms = sort { $a <=> $b } @ms;
    return ($bad // 0, @ms);
}

sub shown { my @ms = @_; return sprintf 'median %.1f ms, nine in ten %.1f ms, slowest %.1f ms', @ms[ @ms / 2, @ms * 0.9, -1 ] }

# Of each process that there is: name and session.
sub stats {
    my %stat;
    for my $path (glob '/proc/[0-9]*/stat') {
        open my $file, '<', $path or next;
        my $line = <$file> // next;
        $stat{$1} = [$2, $3] if $line =~ /^(\d+) \((.*)\) \S \d+ \d+ (\d+)/;
    }
    return \%stat;
}

# The engines and parsers are nobody's children, but they stay in the session of their service.
sub processes {
    my ($below, $stat) = (children_of($demo->{pid}), stats());
    my %session = map { $_->[1] => 1 } grep { $_ && $_->[0] eq 'tcpserver' } map { $stat->{$_} } keys %$below;
    return grep { $_ ne 'tcpserver' } map { $_->[0] } grep { $session{ $_->[1] } } values %$stat;
}

my ($bad, @usual) = honest_logins();
is $bad, 0, 'honest clients log in';
is_deeply [processes()], [], 'and leave no process' if eventually { !processes() };

my $began = time;
my @pids = map {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        send_crowd($_);
        POSIX::_exit(0);
    }
    $pid;
} 0 .. $senders - 1;
ok(eventually { processes() > $at_once / 3 }, 'a crowd has come');
my $came = processes();
($bad, my @beside) = honest_logins();
is $bad, 0, 'honest clients log in beside it';
is kill(0, @pids), $senders, '... which was there all the time' if $ENV{LONG};
my $failed = grep { waitpid $_, 0; $? } @pids;
is $failed, 0, 'the crowd has gone';
my $gone = time - $began;
ok(eventually { !processes() }, 'and no process is left of it') or diag join ' ', processes();
my $times = sprintf "usual:  %s\nbeside: %s, %d processes\nthe crowd: gone after %.0f s, its processes after %.0f s",
  shown(@usual), shown(@beside), $came, $gone, time - $began;
$ENV{LONG} ? diag $times : note $times;
my $log = $demo->log;
ok $log =~ /$_/, "the log has $_"
  for 'login-failed user=ann ip=127\.0\.1\.', 'reason=timeout', 'reason=too-many-errors', 'reason=starttls-injection', 'tls-failed';
is_deeply [$log =~ /^.* login user=ann ip=127\.0\.1\..*$/mg], [], 'and of the crowd nobody has logged in';
is_deeply [$log =~ /^.*(?:parser-violation|parser-died|failed attempt).*$/mg], [], 'nothing broke';
done_testing;
