# For tests of the whole system: private directories, users and Maildirs, imapd on a socket pair,
# the services of scripts/demo on free ports, and what is started is stopped at the end.  The client
# is Chainmail::Client.  What CHAINMAIL_BIN names is tested.
package Chainmail;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(F_SETFD);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);
use Chainmail::Client;

our @EXPORT = qw($BIN $TOP $T $UID PATIENCE
  run_command slurp spew own home deliver messages same_mail corpus corpus_archives unpacked generated
  imapd demo stop_demo free_port eventually memory_kib children_of);

my $owner = $$;
die "CHAINMAIL_BIN is not set: run by make check, which sets it\n" unless $ENV{CHAINMAIL_BIN};
our $BIN = $ENV{CHAINMAIL_BIN};
our $TOP = abs_path(dirname(__FILE__) . '/../..');
our $UID = $> || 64143;    # imapd does not run as root
our $T   = tempdir('chainmail-test.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $T;
$ENV{PATH} = "$BIN:$ENV{PATH}";

# Seconds until a test gives something up for lost; nothing should ever take so long.
use constant PATIENCE => Chainmail::Client::PATIENCE;

my %children;    # imapd processes
my @demos;

END {
    if ($$ == $owner) {
        my $status = $?;
        kill 'TERM', keys %children;
        waitpid $_, 0 for keys %children;
        stop_demo($_) for @demos;
        $? = $status;
    }
}
$SIG{INT} = $SIG{TERM} = sub { exit 130 };
$SIG{PIPE} = 'IGNORE';

# ---- small things ----

# Runs a program; returns its exit code and what it wrote to both outputs.
sub run_command {
    my (@command) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    local $/;
    my $text = <$out>;
    close $out;
    return ($? >> 8, $text // '');
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar <$file>;
}

sub spew {
    my ($path, $text) = @_;
    open my $file, '>:raw', $path or die "$path: $!";
    print $file $text;
    close $file or die "$path: $!";
}

# Calls the function until it is true; false if it never was.
sub eventually(&) {
    my ($condition) = @_;
    my $deadline = time + PATIENCE;
    until ($condition->()) {
        return 0 if time > $deadline;
        sleep 0.05;
    }
    return 1;
}

sub free_port {
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
}

# ---- Maildirs ----

# Gives files to the user whose mail they are.
sub own {
    my (@paths) = @_;
    return if $>;
    chown $UID, $UID, @paths;
}

# A home directory with an empty Maildir in it (or the folders named), owned by $UID.
sub home {
    my ($name, @folders) = @_;
    my $home = "$T/$name";
    make_path($home);
    for my $command (["$home/Maildir"], map { ['-f', $_, "$home/Maildir"] } @folders) {
        my ($code, $text) = run_command('maildirmake', @$command);
        die "maildirmake @$command: $text" if $code;
    }
    system('chown', '-R', "$UID:$UID", $home) unless $>;
    return $home;
}

my $delivered = 0;

# Delivers as any other program does: written to tmp, renamed to new.  Returns the name in new.
sub deliver {
    my ($maildir, $text) = @_;
    my $name = sprintf '%d.M%06dP%d.test', time, ++$delivered, $$;
    spew("$maildir/tmp/$name", $text);
    own("$maildir/tmp/$name");
    rename "$maildir/tmp/$name", "$maildir/new/$name" or die "$maildir/new/$name: $!";
    return $name;
}

# The messages of a folder by their content with CRLF as LF: content => [paths].
sub messages {
    my ($maildir) = @_;
    my %found;
    for my $path (glob "'$maildir'/cur/* '$maildir'/new/*") {
        (my $text = slurp($path)) =~ s/\r\n/\n/g;
        push @{ $found{$text} }, $path;
    }
    return \%found;
}

# Whether two folders hold the same messages, byte for byte but for line ends; `rest` is a function
# that removes from a text what may differ.
sub same_mail {
    my ($got, $want, $name, $rest) = @_;
    my ($a, $b) = map { messages($_) } $got, $want;
    my %count;
    $rest //= sub { $_[0] };
    for my $text (keys %$a) { $count{ $rest->($text) } += @{ $a->{$text} } }
    for my $text (keys %$b) { $count{ $rest->($text) } -= @{ $b->{$text} } }
    my @wrong = grep { $count{$_} } keys %count;
    ok(!@wrong, $name) or diag(scalar(@wrong) . " differ, one begins: " . substr($wrong[0], 0, 300));
}

# The archives of the test corpus; none where it is not.
sub corpus_archives {
    my $where = $ENV{CHAINMAIL_CORPUS} // "$TOP/../shared/corpus";
    my @archives = glob "'$where'/*.tar.xz";
    return @archives;
}

# The messages of an archive: [archive/number, text], in order.
sub unpacked {
    my ($archive) = @_;
    my $dir = tempdir(DIR => $T);
    system('tar', '-C', $dir, '-xJf', $archive) == 0 or die "tar: $archive\n";
    my ($name) = $archive =~ m{([^/]+)\.tar\.xz$};
    my @messages;
    for my $file (sort glob "'$dir'/*/*") {
        my ($number) = $file =~ m{/(\d+)\.[^/]*$} or next;
        (my $text = slurp($file)) =~ s/\AFrom [^\n]*\n//;
        push @messages, ["$name/$number", $text];
    }
    return @messages;
}

# Generated mail: [samplemail/number, text], in order.
sub generated {
    my ($n) = @_;
    my $home = home("generated.$n");
    my ($code, $text) = run_command("$TOP/scripts/samplemail", "$home/Maildir", $n);
    die "samplemail: $text" if $code;
    my $number = 0;
    return map { [sprintf('samplemail/%04d', ++$number), slurp($_)] }
      sort glob "'$home'/Maildir/{,.[!.]*/}{cur,new}/*";
}

# The test corpus where it is, else generated mail: [texts], at least $n.
sub corpus {
    my ($n) = @_;
    my (@texts, $from);
    for my $archive (corpus_archives()) {
        push @texts, map { $_->[1] } unpacked($archive);
        $from = 'the corpus';
        last if @texts >= $n;
    }
    if (!@texts) {
        @texts = map { $_->[1] } generated($n);
        $from  = 'scripts/samplemail';
    }
    die "corpus: only " . @texts . " messages\n" if @texts < $n;
    note("$n messages from $from");
    return [ @texts[0 .. $n - 1] ];
}

# ---- imapd by hand ----

# Runs `imapd Maildir` in the home directory, as its owner, on a socket pair: a client whose
# greeting has been read.  $client->{pid} is the process, $client->{log} its standard error.
my $sessions = 0;

sub imapd {
    my ($home, %environment) = @_;
    socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
    my $log = "$T/imapd." . ++$sessions . '.log';
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN,  '<&', $theirs or POSIX::_exit(111);
        open STDOUT, '>&', $theirs or POSIX::_exit(111);
        open STDERR, '>',  $log    or POSIX::_exit(111);
        close $ours;
        close $theirs;
        chdir $home or POSIX::_exit(111);
        %ENV = (
            PATH => $ENV{PATH},
            HOME => $home,
            USER => 'test',
            (map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(ASAN_OPTIONS UBSAN_OPTIONS TZ)),
            %environment
        );
        if (!$>) {
            $) = "$UID $UID";
            POSIX::setgid($UID);
            POSIX::setuid($UID);
        }
        exec 'imapd', 'Maildir' or POSIX::_exit(127);
    }
    close $theirs;
    $children{$pid} = 1;
    my $client = Chainmail::Client->over($ours);
    @$client{qw(pid log)} = ($pid, $log);
    $client->{reap} = sub { delete $children{$pid}; waitpid $pid, 0; return $? };
    $client->greeting;
    return $client;
}

# ---- the services ----

# Starts scripts/demo; users: [name, password, home], more configuration: conf => {KEY => value}.
sub demo {
    my (%options) = @_;
    my $demo = {
        dir     => tempdir(DIR => $T),
        port    => free_port(),
        sslport => free_port(),
    };
    chmod 0755, $demo->{dir};
    # The configuration as it is shipped, where the demo would loosen some limits.
    system('cp', '-R', "$TOP/conf", "$demo->{dir}/conf") == 0 or die "cp\n";
    if ($options{conf}) {
        open my $file, '>>', "$demo->{dir}/conf/imapd-ssl" or die $!;
        print $file "$_=$options{conf}{$_}\n" for sort keys %{ $options{conf} };
        close $file;
    }
    my ($code, $text) = run_command(
        "$TOP/scripts/demo", '-b', '-d', $demo->{dir}, '-p', $demo->{port}, '-s', $demo->{sslport},
        map { ('-u', join ':', @$_) } @{ $options{users} || [] }
    );
    die "demo: $text" if $code;
    chomp($demo->{pid} = slurp("$demo->{dir}/pid"));
    $demo->{ca} = "$demo->{dir}/conf/imapd.pem";
    push @demos, $demo;
    return bless $demo, 'Chainmail::Demo';
}

sub stop_demo {
    my ($demo) = @_;
    my $pid = delete $demo->{pid} or return;
    kill 'TERM', $pid;
    my $deadline = time + PATIENCE;
    sleep 0.05 while kill(0, $pid) && time < $deadline;
    kill 'KILL', $pid;
}

# ---- processes ----

# Resident memory of a process in KiB; undef if it is gone.
sub memory_kib {
    my ($pid) = @_;
    open my $status, '<', "/proc/$pid/status" or return undef;
    while (<$status>) { return $1 if /^VmRSS:\s+(\d+)/ }
    return undef;
}

# The processes, at any depth, below one: pid => command name.
sub children_of {
    my ($top) = @_;
    my (%parent, %name);
    for my $path (glob '/proc/[0-9]*/stat') {
        open my $stat, '<', $path or next;
        my $line = <$stat> // next;
        $line =~ /^(\d+) \((.*)\) \S (\d+)/ or next;
        ($parent{$1}, $name{$1}) = ($3, $2);
    }
    my (%found, @left);
    @left = ($top);
    while (defined(my $pid = shift @left)) {
        for my $child (grep { $parent{$_} == $pid } keys %parent) {
            $found{$child} = $name{$child};
            push @left, $child;
        }
    }
    return \%found;
}

package Chainmail::Demo;
use Time::HiRes qw(sleep);

# A client on one of the two ports: connect(tls => 1) inside TLS, else in the clear.
sub connect {
    my ($demo, %options) = @_;
    return Chainmail::Client->dial($options{tls} ? $demo->{sslport} : $demo->{port}, %options);
}

# One that has logged in inside TLS.
sub login {
    my ($demo, $user, $password) = @_;
    my $client = $demo->connect(tls => 1);
    $client->ok(qq(LOGIN "$user" "$password"));
    return $client;
}

# The lines both services have logged so far.
sub log {
    my ($demo) = @_;
    my $text = '';
    for my $file (map { glob "$demo->{dir}/service/$_/log/main/*" } 'imapd', 'imapd-ssl') {
        $text .= Chainmail::slurp($file) if $file =~ m{/(?:current|\@[^/]*)$};
    }
    return $text;
}

sub stop { Chainmail::stop_demo(@_) }

1;
