# Runs an authentication module as imaplogin would, or as any caller of checkpassword, and says what
# became of it.  The last program and imaplogin are played by one script that writes down what it
# was given.
package Module;
use strict;
use warnings;
use Exporter 'import';
use File::Temp ();
use POSIX ();
use Socket;

our @EXPORT = qw($BIN $T $UID $GID run_module userdb hash write_file slurp seen);

our $BIN = $ENV{CHAINMAIL_BIN} or die "run by make check, which sets CHAINMAIL_BIN\n";
our $T = File::Temp->newdir('chainmail-test.XXXXXX', TMPDIR => 1);
chmod 0755, "$T" or die; # the user's home and programs are below
# Whom sessions belong to: somebody without an account, or whoever runs the test.
our ($UID, $GID) = $> ? ($>, $) + 0) : (12321, 12322);
my $socket = 17; # any number from 10

sub write_file {
    my ($path, $content, $mode) = @_;
    open my $f, '>', $path or die "$path: $!\n";
    print $f $content;
    close $f or die "$path: $!\n";
    chmod $mode // 0644, $path;
}

sub slurp {
    my ($path) = @_;
    open my $f, '<', $path or return '';
    local $/;
    return scalar(<$f>) // '';
}

# A cheap hash, unless a whole setting is given.
sub hash {
    my ($password, $setting) = @_;
    return crypt($password, $setting // '$6$rounds=1000$salt$');
}

# Writes and compiles a user database.
sub userdb {
    my ($text) = @_;
    write_file("$T/userdb", $text, 0600);
    system("$BIN/makeuserdb", "$T/userdb", "$T/userdb.cdb") == 0 or die "makeuserdb failed\n";
}

# The shell keeps no descriptor of its own over exec; perl looks at all that it was given.
my $report = <<'SCRIPT';
#!/bin/sh
exec perl -MPOSIX -MCwd -e '
  my @fds = grep { my $d = POSIX::dup($_); POSIX::close($d) if defined $d; defined $d } 0 .. 255;
  print "name=$ARGV[0]\n", map { "arg=$_\n" } @ARGV[1 .. $#ARGV];
  print "env=$_=$ENV{$_}\n" for sort keys %ENV;
  print "uid=$<,$>\ngid=", $( + 0, "\ngroups=", join(" ", (split / /, $))[1 .. split(/ /, $)) - 1]), "\n";
  print "cwd=", getcwd(), "\nfds=@fds\n";
  my $s = POSIX::SigSet->new; POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new, $s);
  print "pipe=", ($SIG{PIPE} // "DEFAULT"), " blocked=", $s->ismember(SIGUSR1), "\n";
' "${0##*/}" "$@"
SCRIPT
write_file("$T/$_", $report, 0755) for qw(imaplogin program);

# words: the module and what follows.  Options: input (descriptor 3's bytes, undef: none), env,
# plain (not under imaplogin), prepare (a sub for the child to call).
# Returns a hash: code, out, log, socket (the bytes the parser got).
sub run_module {
    my ($words, %o) = @_;
    my @words = @$words;
    pipe my $read, my $write or die;
    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>', "$T/out" or die;
        open STDERR, '>', "$T/log" or die;
        my %keep = map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(PATH ASAN_OPTIONS);
        my @whole = ("$T/imaplogin", @words);
        %ENV = (%keep, USERDB => "$T/userdb.cdb");
        %ENV = (
            %ENV,
            IMAPLOGIN       => "$T/imaplogin",
            IMAPLOGIN_ARGV  => join('', map { length($_) . ":$_," } @whole),
            IMAPLOGIN_FD    => $socket,
            IMAPLOGIN_STATE => 'opaque state',
            AUTHSERVICE     => 'imap',
        ) unless $o{plain};
        %ENV = (%ENV, %{ $o{env} // {} });
        delete @ENV{ grep { !defined $ENV{$_} } keys %ENV };
        my ($parser, $input) = (200, 201);
        POSIX::dup2(fileno $theirs, $parser);
        POSIX::dup2(fileno $read, $input);
        POSIX::close($_) for 3 .. 199;
        POSIX::dup2($parser, $socket) unless $o{plain};
        POSIX::dup2($input, 3) if defined $o{input};
        POSIX::close($_) for 200 .. 300; # and what the harness left open
        $o{prepare}->() if $o{prepare};
        exec { $words[0] } @words or POSIX::_exit(99);
    }
    close $read;
    close $theirs;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $write, $o{input} if defined $o{input};
    close $write;
    my $told = '';
    1 while sysread $ours, $told, 100, length $told;
    waitpid $pid, 0;
    return {
        code => $? & 127 ? 'signal ' . ($? & 127) : $? >> 8,
        out => slurp("$T/out"), log => slurp("$T/log"), socket => $told,
    };
}

# The values of one key of the report, e.g. seen($r, 'arg').
sub seen {
    my ($result, $key) = @_;
    return join '|', $result->{out} =~ /^\Q$key\E=(.*)$/mg;
}

1;
