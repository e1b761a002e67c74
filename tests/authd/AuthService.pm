# Runs authd for a test, on a socket in the private directory, and asks it as its clients do: raw.
package AuthService;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Socket;
use Time::HiRes qw(sleep time);
use Chainmail;

our @EXPORT = qw(start_service stop_service service_log request ask auth workers database
  connect_to PATIENT);
use constant PATIENT => 30;

my %running;
my $owner = $$;

END {
    if ($$ == $owner) {
        my $status = $?;
        kill 'TERM', keys %running;
        for my $pid (keys %running) {
            local $SIG{ALRM} = sub { kill 'KILL', $pid };
            alarm PATIENT;
            waitpid $pid, 0;
            alarm 0;
        }
        $? = $status;
    }
}

# A user database; $_[0] is its text.
sub database {
    my ($text, $name) = @_;
    $name //= 'userdb';
    Chainmail::spew("$T/$name", $text);
    chmod 0600, "$T/$name";
    system("$BIN/makeuserdb", "$T/$name", "$T/$name.cdb") == 0 or die "makeuserdb failed\n";
}

# Starts authd in a directory of its own; a hash: pid, socket, log (a path), directory; status if it
# has ended at once.
sub start_service {
    my ($name, %env) = @_;
    my %s = (directory => "$T/$name", socket => "$T/$name/socket", log => "$T/$name/log");
    mkdir $s{directory};
    my @command = @{ delete $env{command} // ['authd'] };
    $s{pid} = fork // die "fork: $!";
    if (!$s{pid}) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>>', $s{log} or POSIX::_exit(111);
        %ENV = (
            (map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(PATH ASAN_OPTIONS UBSAN_OPTIONS)),
            authmodulelist => 'authuserdb', authdaemonvar => $s{directory}, USERDB => "$T/userdb.cdb",
            daemons => 3, %env
        );
        delete @ENV{ grep { !defined $ENV{$_} } keys %ENV };
        exec @command or POSIX::_exit(127);
    }
    $running{ $s{pid} } = 1;
    # It may be one that refuses to start; its exit code is for stop_service.
    Chainmail::eventually {
        return 1 if waitpid($s{pid}, WNOHANG) > 0 && defined($s{status} = $?);
        return service_log(\%s) =~ /^authd: $s{pid}: started /m;
    } or die "authd has not come up\n";
    return \%s;
}

# The exit code, or the signal's name.
sub stop_service {
    my ($s, $signal) = @_;
    my $status = $s->{status};
    if (!defined $status) {
        kill $signal // 'TERM', $s->{pid};
        waitpid $s->{pid}, 0;
        $status = $?;
    }
    delete $running{ $s->{pid} };
    return $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
}

sub service_log { return -e $_[0]{log} ? Chainmail::slurp($_[0]{log}) : q() }

# Its workers' process numbers.
sub workers {
    my ($s) = @_;
    my $found = Chainmail::children_of($s->{pid});
    my @workers = sort { $a <=> $b } grep { $found->{$_} eq 'authd' } keys %$found;
    return @workers;
}

sub connect_to {
    my ($s) = @_;
    my $deadline = time + PATIENT;
    while (time < $deadline) {
        my $c = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => ref $s ? $s->{socket} : $s);
        return $c if $c;
        sleep 0.02;
    }
    die "connect: $!\n";
}

# Writes the bytes and reads to the end.
sub ask {
    my ($s, $bytes, %o) = @_;
    my $c = connect_to($s);
    local $SIG{PIPE} = 'IGNORE';
    for my $piece ($o{pieces} ? split(//, $bytes) : $bytes) { syswrite $c, $piece }
    shutdown $c, 1 if $o{half};
    my $answer = '';
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm PATIENT;
    1 while sysread $c, $answer, 65536, length $answer;
    alarm 0;
    return $answer;
}

sub request {
    my ($type, $data, %o) = @_;
    my $service = $o{service} // 'imap';
    my $body = "$service\n$type\n$data";
    return ($o{ip} ? "TCPREMOTEIP=$o{ip}\n" : '') . 'AUTH ' . length($body) . "\n$body";
}

# The answer to a login with a password.
sub auth {
    my ($s, $user, $password, %o) = @_;
    return ask($s, request('login', "$user\n$password\n", %o), %o);
}

1;
