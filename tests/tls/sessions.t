#!/usr/bin/perl
# Sessions that are resumed, by other processes than began them, and those that must not be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Fcntl ':mode';
use IO::Select;
use IO::Socket::INET;
use Test::More;

my $ec = certificate('ec', 'P-256');
my $rsa = certificate('rsa', 'rsa');
my $pem = "$T/now.pem";
sub install { sh("cp $_[0] $pem.new; mv $pem.new $pem") }
install($ec);
my $say = script('say', "#!/bin/sh\nread line\necho \"said:\$line:\$SSL_SERVER_END_POINT:\$SSL_TLS_SNI_SERVERNAME\"\n");
my $file = "$T/sessions";
my %env = (TLS_CERTFILE => $pem, TLS_CACHEFILE => $file);

# Whether the session kept under a name is resumed; a new one is kept under $keep.
sub resumes {
  my ($port, $session, $keep, @options) = @_;
  my @in = -e "$T/$session" ? ('-sess_in', "$T/$session") : ();
  my @name = grep(/servername/, @options) ? () : ('-servername', 'mail.example.org');
  my $out = s_client($port, "hello\n", @name, '-sess_out', "$T/$keep", @in, @options);
  return -1 unless $out =~ /^(New|Reused), TLSv1\.2, Cipher is ECDHE/m;
  return $1 eq 'Reused' ? 1 : 0;
}
# The same for one that keeps nothing, with the program's answer.
sub resumed_answer {
  my ($port, $session) = @_;
  return s_client($port, "hello\n\0", '-servername', 'mail.example.org', '-sess_in', "$T/$session");
}

my ($port, $pid) = start(ENV => \%env, ARGS => [$say]);
is(resumes($port, 'none', 'a'), 0, 'a first connection makes a full handshake');
is(S_IMODE((stat $file)[2]), 0600, 'the file is for its owner alone');
is(resumes($port, 'a', 'b'), 1, 'the second resumes its session');
is(resumes($port, 'a', 'b'), 1, 'and the third');
my ($first) = s_client($port, "hello\n\0", '-servername', 'mail.example.org') =~ /^(said:.*)/m;
like($first, qr/^said:hello:[0-9a-f]{64}:mail\.example\.org$/, 'the program is told the facts');
is((resumed_answer($port, 'a') =~ /^(said:.*)/m)[0], $first, 'the same ones of a resumed session');
stop($pid);
($port, $pid) = start(ENV => \%env, ARGS => [$say]);
is(resumes($port, 'a', 'b'), 1, 'a service that has started anew resumes it');
is(resumes($port, 'a', 'b', '-servername', 'other.example.org'), 0, 'not for another server name');
is(resumes($port, 'a', 'b', '-noservername'), 0, 'nor for none');
is(resumes($port, 'a', 'b', '-cipher', 'ECDHE-ECDSA-AES256-GCM-SHA384'), 0,
  'nor with another suite');
is(resumes($port, 'a', 'b'), 1, 'but it is still there');

# Of other certificates.
resumes($port, 'none', 'ec');
is(resumes($port, 'ec', 'b'), 1, 'before the certificate changes');
install($rsa);
is(resumes($port, 'ec', 'rsa'), 0, 'not after the certificate has changed');
is(resumes($port, 'rsa', 'b'), 1, 'the new one has sessions of its own');
sh("cd $T; openssl req -new -x509 -key ec.key -subj /CN=renewed -out renewed.crt; cat renewed.crt ec.key >renewed.pem");
install("$T/renewed.pem");
is(resumes($port, 'ec', 'b'), 0, 'nor after it was renewed for the same key');
install($ec);
is(resumes($port, 'ec', 'b'), 1, 'the old one back, its sessions are');

# Of certificates for one name, and of two kinds side by side.
sub end_point { my ($answer) = s_client($port, "hello\n\0", '-servername', 'mail.example.org', @_) =~ /^said:hello:(\w+)/m; $answer }
sh("cp $T/renewed.pem $pem.mail.example.org");
is(resumes($port, 'ec', 'named'), 0, 'nor when the name has got a certificate of its own');
is(resumes($port, 'named', 'b'), 1, 'which has sessions of its own');
is(end_point('-sess_in', "$T/named"), end_point(), 'with the channel binding of that certificate');
sh("cp $ec $pem.mail.example.org.ecdsa; cp $rsa $pem.mail.example.org");
is(resumes($port, 'named', 'b'), 0, 'nor when it has another');
for my $kind ('ECDSA', 'RSA') {
  my @suite = ('-cipher', "ECDHE-$kind-AES128-GCM-SHA256");
  is(resumes($port, 'none', "kind$kind", @suite), 0, "$kind: a session");
  is(resumes($port, "kind$kind", 'b', @suite), 1, '... is resumed');
  is(end_point('-sess_in', "$T/kind$kind", @suite), end_point(@suite), '... with the right channel binding');
}
isnt(end_point('-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), end_point(), 'which is another for each kind');
sh("rm $pem.mail.example.org $pem.mail.example.org.ecdsa");
is(resumes($port, 'ec', 'b'), 1, 'without them, all is as it was');

# Nothing in the file helps who reads it.
my ($id) = slurp("$T/ec") ? `openssl sess_id -in $T/ec -noout -text` =~ /Session-ID: (\w+)/ : ();
my ($master) = `openssl sess_id -in $T/ec -noout -text` =~ /Master-Key: (\w+)/;
is(length($id) + length($master), 64 + 96, 'a client\'s session');
my $bytes = slurp($file);
for ([$id, 'id'], [$master, 'master secret']) {
  my ($what, $name) = (pack('H*', $_->[0]), $_->[1]);
  is(index($bytes, substr($what, 0, 8)), -1, "its $name is not in the file");
}
is(index($bytes, 'example'), -1, 'nor the server name');

# Files that are not as they should be.
sub damaged {
  my ($name, $bytes) = @_;
  spew($file, $bytes);
  is(resumes($port, 'ec', 'b'), 0, "$name: a full handshake");
  is(resumes($port, 'b', 'c'), 1, '... which can be resumed');
}
damaged('empty', '');
damaged('cut short', substr $bytes, 0, 100);
damaged('changed in every entry', $bytes ^ "\xff" x length $bytes);
my @entries = unpack '(a96)*', $bytes;
damaged('with one bit changed in what is encrypted', join '', map { $_ ^ "\0" x 40 . "\1" } @entries);
damaged('with entries in others\' places', join '', reverse @entries);
damaged('of zeros', "\0" x 524288);
damaged('much too long', 'x' x 1_000_000);
spew($file, $bytes);
is(resumes($port, 'ec', 'b'), 1, 'and undamaged, resumed again');

# It never grows beyond its size, however many sessions there are.
stop($pid);
unlink $file;
$env{TLS_CACHESIZE} = 4096;
($port, $pid) = start(ENV => \%env, ARGS => [$say]);
resumes($port, 'none', "many$_") for 1 .. 30;
cmp_ok(-s $file, '<=', 4096, 'the file keeps to its size');
is(resumes($port, 'many30', 'b'), 1, 'and the last session is in it');

stop($pid);

# Many at once.
delete $env{TLS_CACHESIZE};
($port, $pid) = start(ENV => \%env, ARGS => [$say]);
my @clients = map {
  my $n = $_;
  my $client = fork // die $!;
  if (!$client) {
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$T/together$n";
    open STDERR, '>&', \*STDOUT;
    no warnings 'exec';
    exec 'timeout', '60', 'openssl', 's_client', '-connect', "127.0.0.1:$port", '-tls1_2', '-reconnect';
    POSIX::_exit(127);
  }
  $client;
} 1 .. 4;
waitpid $_, 0 for @clients;
my @lines = map { slurp("$T/together$_") =~ /^((?:New|Reused), TLSv1\.2, Cipher is ECDHE)/mg } 1 .. 4;
is(scalar(@lines), 24, 'four clients at once, with six connections each');
is(scalar(grep /^Reused/, @lines), 20, 'resume their sessions, which do not disturb each other')
  or diag(map { slurp("$T/together$_") } 1 .. 4);
stop($pid);

# A ClientHello that comes in two packets, as those with large keys do.
($port, $pid) = start(ENV => \%env, ARGS => [$say]);
my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die $!;
my $between = fork // die $!;
if (!$between) {
  for (1, 2) {
    my $client = $listener->accept or last;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or last;
    sysread $client, my $hello, 65536;
    syswrite $server, substr $hello, 0, 100;
    select undef, undef, undef, 0.3;
    syswrite $server, substr $hello, 100;
    my $both = IO::Select->new($client, $server);
    COPY: while (1) {
      for ($both->can_read) {
        sysread $_, my $some, 65536 or last COPY;
        syswrite $_ == $client ? $server : $client, $some;
      }
    }
  }
  POSIX::_exit(0);
}
resumes($listener->sockport, 'none', 'cut');
is(resumes($listener->sockport, 'cut', 'b'), 1, 'a ClientHello in two packets resumes its session, too');
waitpid $between, 0;
stop($pid);

# None at all.
($port, $pid) = start(ENV => {TLS_CERTFILE => $pem}, ARGS => [$say]);
resumes($port, 'none', 'x');
is(resumes($port, 'x', 'y'), 0, 'without TLS_CACHEFILE nothing is resumed');
stop($pid);

# Files that are refused.
sub refused {
  my ($name, $why) = @_;
  truncate "$T/log", 0;
  my ($p, $server) = start(ENV => \%env, ARGS => [$say]);
  resumes($p, 'none', 'x');
  is(resumes($p, 'x', 'y'), 0, "$name: full handshakes");
  ok(log_like(qr/^tlsd: \d+: failed attempt=open path=\Q$file\E why="$why" remedy=/m), 'and a log line')
    or diag log_text();
  stop($server);
  system 'rm', '-rf', $file;
}
chmod 0640, $file;
refused('a file that others may read', 'Operation not permitted');
symlink "$T/elsewhere", $file;
refused('a symbolic link', '[^"]*[Ss]ymbolic link[^"]*');
sh("mkfifo -m 600 $file");
refused('a pipe', 'Operation not permitted');
mkdir $file;
refused('a directory', 'Is a directory');

for (['TLS_CACHESIZE', 'much'], ['TLS_CACHESIZE', 10]) {
  my ($name, $value) = @$_;
  truncate "$T/log", 0;
  my ($p, $server) = start(ENV => {%env, $name => $value}, ARGS => [$say]);
  s_client($p, "x\n");
  ok(log_like(qr/bad-setting name=$name value=$value wanted="a number from 4096 /), "$name=$value is refused");
  stop($server);
}

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
