# A server for the tests of imaplogin: tcpserver on a free port of 127.0.0.1, imaplogin, fake
# modules and a fake session; and a client that speaks line by line.
package LoginServer;
use strict;
use warnings;
use Cwd ();
use File::Basename ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();

my $here = Cwd::abs_path(File::Basename::dirname(__FILE__));
our $bin = $ENV{CHAINMAIL_BIN} or die "run by make check, which sets CHAINMAIL_BIN\n";
our $is_root = $> == 0;
our $nobody = 65533;    # a uid that owns nothing

# What the modules are called is what they do.
sub new {
    my ($class, %o) = @_;
    my $dir = File::Temp->newdir('chainmail-test.XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    my $self = bless { dir => $dir, modules => ['authone', 'authtwo'], before => [], env => {}, %o },
      $class;
    symlink "$here/fake/authfake", "$dir/$_" for @{ $self->{modules} };
    return $self;
}

sub words {
    my $self = shift;
    return @{ $self->{words} } if $self->{words};
    return ("$bin/imaplogin", (map { "$self->{dir}/$_" } @{ $self->{modules} }), "$here/fake/session");
}

sub environment {
    my $self = shift;
    return (
        PATH => "$bin:$ENV{PATH}", FAKE_RECORD => "$self->{dir}/record", IMAP_LOGIN_DELAY => 0,
        ASAN_OPTIONS => 'detect_leaks=0',
        ($is_root ? (UID => $nobody, GID => $nobody) : ()), %{ $self->{env} },
    );
}

sub in_child {
    my ($self, $stdin, $stdout, @words) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    %ENV = $self->environment;
    delete $ENV{$_} for grep { !defined $ENV{$_} } keys %ENV;
    POSIX::dup2(fileno $stdin, 0) if $stdin;
    POSIX::dup2(fileno $stdout, 1) if $stdout;
    open my $log, '>>', "$self->{dir}/log" or die;
    POSIX::dup2(fileno $log, 2);
    exec @words or POSIX::_exit(127);
}

sub start {
    my $self = shift;
    pipe my $r, my $w or die;
    open my $null, '<', '/dev/null' or die;
    $self->{pid} = $self->in_child($null, $w, 'tcpserver', '-1', '-RHl0', '127.0.0.1', 0,
        @{ $self->{before} }, $self->words);
    close $w;
    defined($self->{port} = <$r>) or die "tcpserver does not run\n";
    chomp $self->{port};
    return $self;
}

# imaplogin without tcpserver, on what is given as 0 and 1.
sub run {
    my ($self, $in, $out) = @_;
    return $self->in_child($in, $out, $self->words);
}

sub client {
    my $self = shift;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port})
      or die "connect: $!";
    return LoginClient->new($socket);
}

sub in_file {
    my ($path, $content, $mode) = @_;
    open my $f, '>', $path or die "$path: $!";
    print $f $content;
    close $f or die "$path: $!";
    chmod $mode, $path;
}

sub slurp {
    my ($self, $name) = @_;
    open my $f, '<', "$self->{dir}/$name" or return '';
    local $/;
    return scalar <$f> // '';
}

sub log_text { return $_[0]->slurp('log') }

# Waits until the log has a line like this; returns what was captured, or the line.
sub logged {
    my ($self, $pattern) = @_;
    for (1 .. 400) {
        return $1 // $& if $self->log_text =~ $pattern;
        select undef, undef, undef, 0.025;
    }
    return;
}

# The calls of the modules, each a hash.
sub calls {
    my $self = shift;
    my @names = qw(module verdict pid user password stamp rest authzid mech tag command service);
    return map {
        my %call;
        @call{@names} = split /\t/;
        $call{$_} = pack 'H*', $call{$_} for qw(user password);
        \%call;
    } split /\n/, $self->slurp('record');
}

sub stop {
    my $self = shift;
    return unless $self->{pid};
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = 0;
}

sub DESTROY { local $?; $_[0]->stop }

# Processes named so that have this server's log open or are its parser: for "nothing is left".
sub processes_named {
    my ($self, $pattern) = @_;
    my @found;
    for my $dir (glob '/proc/[0-9]*') {
        open my $f, '<', "$dir/cmdline" or next;
        my $line = <$f> // next;
        push @found, $dir =~ s{/proc/}{}r if $line =~ $pattern;
    }
    return @found;
}

package LoginClient;
use strict;
use warnings;
use IO::Select;

sub new {
    my ($class, $in, $out) = @_;
    return bless { in => $in, out => $out // $in, buffer => '' }, $class;
}

sub say {
    my ($self, @text) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $text = join '', @text;
    while (length $text) {
        my $n = syswrite $self->{out}, $text or return 0;
        substr $text, 0, $n, '';
    }
    return 1;
}

# The next line without its end; undef at the end of the stream or when nothing has come for long.
sub line {
    my ($self, $seconds) = @_;
    my $select = IO::Select->new($self->{in});
    while (index($self->{buffer}, "\n") < 0) {
        return unless $select->can_read($seconds // 20);
        sysread $self->{in}, $self->{buffer}, 65536, length $self->{buffer} or return;
    }
    $self->{buffer} =~ s/^([^\n]*)\n//;
    return $1 =~ s/\r$//r;
}

# Lines up to the one that begins with the tag, joined by newlines.
sub until_tag {
    my ($self, $tag) = @_;
    my @lines;
    while (defined(my $line = $self->line)) {
        push @lines, $line;
        last if $line =~ /^\Q$tag\E /;
    }
    return join "\n", @lines;
}

sub command {
    my ($self, $command) = @_;
    $self->say("$command\r\n");
    my ($tag) = $command =~ /^(\S+)/;
    return $self->until_tag($tag);
}

# Whatever still comes.
sub rest {
    my $self = shift;
    my @lines;
    while (defined(my $line = $self->line)) { push @lines, $line }
    return join "\n", @lines;
}

sub close { my $self = shift; CORE::close $self->{out}; CORE::close $self->{in} }

1;
