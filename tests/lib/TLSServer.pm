# A tcpserver with tlsd on a free port of 127.0.0.1, and openssl s_client against it, for tests.
package TLSServer;
use strict;
use warnings;
use Exporter 'import';
use File::Temp 'tempdir';
use FindBin;
use POSIX ();
use Time::HiRes 'sleep';
our @EXPORT = qw($T $TLSD start stop s_client s_client_any client_errors log_text log_like until_true slurp spew sh
  certificate people chain engines script);

our $T = tempdir('/tmp/chainmail-tls.XXXXXX', CLEANUP => 1);
chmod 0755, $T;    # tests as root run programs as others
our $TLSD = ($ENV{CHAINMAIL_BIN} or die "run by make check, which sets CHAINMAIL_BIN\n") . '/tlsd';
my %servers;
$ENV{TLS_UID} = $ENV{TLS_GID} = 65534 unless $>;
delete @ENV{grep /^SSL_|^TCP|^TLS_(?![UG]ID)/, keys %ENV};

sub slurp { local $/; open my $f, '<', shift or return ''; my $s = <$f>; $s // '' }
sub spew { my ($path, $text) = @_; open my $f, '>', $path or die $!; print $f $text; close $f; $path }
sub sh { system('/bin/sh', '-ec', "exec >>$T/sh.log 2>&1; @_") == 0 or die slurp("$T/sh.log") }

# An executable script; returns its path.
sub script {
  my ($name, $text) = @_;
  spew("$T/$name", $text);
  chmod 0755, "$T/$name";
  return "$T/$name";
}

# certificate(NAME, KIND) makes NAME.crt, NAME.key (PKCS#8) and NAME.pem (both).  KIND is a curve, or
# `rsa` with a number of bits, 2048 if none.
sub certificate {
  my ($name, $kind) = @_;
  my $alg = $kind =~ /^rsa(\d*)$/ ? 'RSA -pkeyopt rsa_keygen_bits:' . ($1 || 2048)
    : "EC -pkeyopt ec_paramgen_curve:$kind -pkeyopt ec_param_enc:named_curve";
  sh("cd $T; openssl genpkey -algorithm $alg -out $name.key; openssl req -new -x509 -key $name.key "
      . "-subj /CN=$name -out $name.crt; cat $name.crt $name.key >$name.pem");
  return "$T/$name.pem";
}

# Certificates of clients, NAME.crt and NAME.key: joe's and ann's by the authority in ca.crt, joe's
# that has expired, and joe's by nobody.
sub people {
  my $key = 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out';
  my %days = (joe => 9, ann => 9, expired => -1);
  sh("cd $T; $key ca.key; openssl req -new -x509 -key ca.key -subj /CN=ca -days 9 -out ca.crt");
  for (sort keys %days) {
    my $who = s/expired/joe/r;
    sh("cd $T; $key $_.key; openssl req -new -key $_.key -subj /CN=$who/emailAddress=$who\@example.org -out $_.csr; "
        . "openssl x509 -req -in $_.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days $days{$_} -out $_.crt");
  }
  sh("cd $T; cp joe.key stranger.key; openssl req -new -x509 -key joe.key -subj /CN=joe/emailAddress=joe\@example.org "
      . "-days 9 -out stranger.crt");
}

# The words after tlsd of the whole chain, with these modules, and the environment that it needs:
# joe and joe@example.org have the password `secret` and the Maildir $T/home/Maildir, and so has ann.
sub chain {
  my @modules = @_;
  my $bin = $TLSD =~ s{/tlsd$}{}r;
  my ($uid, $gid) = $> ? ($>, $) + 0) : (65532, 65532);
  my $account = "uid=$uid|gid=$gid|home=$T/home|imappw=" . `printf 'secret\\n' | $bin/userdbpw`;
  chomp $account;
  spew("$T/userdb", join '', map { "$_\t$account\n" } 'joe', 'joe@example.org', 'ann');
  chmod 0600, "$T/userdb";
  sh("$bin/makeuserdb $T/userdb $T/userdb.cdb; mkdir -p $T/home; [ -d $T/home/Maildir ] || $bin/maildirmake $T/home/Maildir; "
      . ($> ? ':' : "chown -R $uid:$gid $T/home"));
  return (["$bin/imaplogin", (map { "$bin/$_" } @modules), "$bin/imapd", 'Maildir'],
    {USERDB => "$T/userdb.cdb", IMAP_LOGIN_DELAY => 0, $> ? () : (UID => 65533, GID => 65533)});
}

# start(ENV => {...}, ARGS => [words after tlsd]) -> port
sub start {
  my %o = @_;
  pipe my $r, my $w or die $!;
  my $pid = fork // die $!;
  if (!$pid) {
    close $r;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>&', $w;
    open STDERR, '>>', "$T/log";
    POSIX::close($_) for 3 .. 1023;    # what this test itself has inherited
    $ENV{$_} = $o{ENV}{$_} for keys %{ $o{ENV} };
    no warnings 'exec';
    exec 'tcpserver', '-1', '-RHl0', '127.0.0.1', '0', $TLSD, @{ $o{ARGS} };
    POSIX::_exit(127);
  }
  close $w;
  my $port = <$r> // die "tcpserver: " . slurp("$T/log");
  chomp $port;
  $servers{$pid} = 1;
  return ($port, $pid);
}

sub stop {
  my $pid = shift;
  kill TERM => $pid;
  waitpid $pid, 0;
  delete $servers{$pid};
}
END { my $status = $?; stop($_) for keys %servers; $? = $status }

# s_client(PORT, INPUT, options...) -> what it printed; client_errors() is the rest.  INPUT
# ending in \0 keeps the connection open until the server ends it.
sub s_client { my ($port, $input, @options) = @_; s_client_any($port, $input, '-tls1_2', @options) }

# Of any version.
sub s_client_any {
  my ($port, $input, @options) = @_;
  my $hold = $input =~ s/\0\z//;
  spew("$T/in", $input);
  my $pid = fork // die $!;
  if (!$pid) {
    open STDIN, '<', "$T/in";
    open STDOUT, '>', "$T/out";
    open STDERR, '>', "$T/client-errors";
    no warnings 'exec';
    exec 'timeout', '60', 'openssl', 's_client', '-connect', "127.0.0.1:$port",
      ($hold ? '-quiet' : ()), @options;
    POSIX::_exit(127);
  }
  waitpid $pid, 0;
  return slurp("$T/out");
}
sub client_errors { slurp("$T/client-errors") }

sub until_true {
  my $check = shift;
  for (1 .. 500) { return 1 if $check->(); sleep 0.02 }
  return 0;
}
sub log_text { slurp("$T/log") }
sub log_like { my $re = shift; until_true(sub { log_text() =~ $re }) }

# Engines of this test's servers: processes whose command line names $T, not children of a
# tcpserver or another program of the chain.
sub engines {
  my @pids;
  for my $dir (glob '/proc/[0-9]*') {
    my $line = slurp("$dir/cmdline");
    next unless $line =~ /^\Q$TLSD\E\0/ && $line =~ /\Q$T\E/;
    next if slurp("$dir/status") =~ /^State:\s+Z/m;
    push @pids, $dir =~ /(\d+)/;
  }
  return @pids;
}
1;
