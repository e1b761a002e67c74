#!/usr/bin/perl
# Which certificate files tlsd takes, and what it says of others.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Socket;
use Test::More;

certificate('ec', 'P-256');
certificate('p384', 'P-384');
certificate('rsa', 'rsa');
certificate('other', 'P-256');
certificate($_, "rsa$_") for 4096, 4104;
sh("cd $T; openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_pubexp:1208925819614629174706189 -out e.key;"
    . 'openssl req -new -x509 -key e.key -subj /CN=e -out e.crt; cat e.crt e.key >e.pem');
sh("cd $T; openssl pkey -in rsa.key -traditional -out rsa1.key; openssl pkey -in ec.key -traditional -out sec1.key;"
    . 'cat rsa.crt rsa1.key >pkcs1.pem; openssl ecparam -name prime256v1 >params; cat params sec1.key ec.crt >sec1.pem;'
    . 'openssl pkey -in ec.key -aes128 -passout pass:x -out enc.key; cat ec.crt enc.key >enc.pem;'
    . 'openssl rsa -in rsa.key -traditional -aes128 -passout pass:x -out enc1.key; cat rsa.crt enc1.key >enc1.pem;'
    . 'cat ec.crt other.key >mismatch.pem; cat ec.crt rsa.key >kinds.pem; cat other.crt ec.pem >order.pem;'
    . 'head -c 200 ec.crt >cut.pem; : >empty.pem; cat ec.key ec.pem >twice.pem; sed 4s/[A-Za-z]/@/g ec.pem >damaged.pem;'
    . 'tr -d "\n" <ec.pem >oneline.pem; openssl genpkey -algorithm ED25519 -out ed.key; cat ec.crt ed.key >ed.pem;'
    . 'head -c 70000 /dev/zero >huge.pem; sed s/$/\\\r/ ec.pem >crlf.pem; printf %s "$(cat ec.pem)" >nonewline.pem');
# Root, intermediate, leaf.
sh("cd $T; openssl req -new -newkey rsa:2048 -nodes -keyout mid.key -subj /CN=mid -out mid.csr;"
    . 'echo basicConstraints=critical,CA:TRUE >ca.ext;'
    . 'openssl x509 -req -in mid.csr -CA rsa.crt -CAkey rsa.key -CAcreateserial -extfile ca.ext -out mid.crt;'
    . 'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr;'
    . 'openssl x509 -req -in leaf.csr -CA mid.crt -CAkey mid.key -CAcreateserial -out leaf.crt;'
    . 'cat leaf.key leaf.crt mid.crt >chain.pem');

sub works {
  my ($name, $env, $re, @options) = @_;
  my ($port, $pid) = start(ENV => $env, ARGS => ['sh', '-c', 'read x; echo "cipher:$SSL_CIPHER"']);
  my $out = s_client_any($port, "x\n\0", '-tls1_2', @options);
  like($out, $re, $name) or diag log_text();
  stop($pid);
}
works('EC, PKCS#8', {TLS_CERTFILE => "$T/ec.pem"}, qr/cipher:ECDHE-ECDSA/);
works('EC, SEC1, parameters, key first', {TLS_CERTFILE => "$T/sec1.pem"}, qr/cipher:ECDHE-ECDSA/);
works('EC on P-384', {TLS_CERTFILE => "$T/p384.pem"}, qr/cipher:ECDHE-ECDSA/);
works('RSA, PKCS#8', {TLS_CERTFILE => "$T/rsa.pem"}, qr/cipher:ECDHE-RSA/);
works('RSA, PKCS#1', {TLS_CERTFILE => "$T/pkcs1.pem"}, qr/cipher:ECDHE-RSA/);
works('RSA of 4096 bits', {TLS_CERTFILE => "$T/4096.pem"}, qr/cipher:ECDHE-RSA/);
works('RSA with a large public exponent', {TLS_CERTFILE => "$T/e.pem"}, qr/cipher:ECDHE-RSA/);
works('key in a file of its own', {TLS_CERTFILE => "$T/ec.crt", TLS_PRIVATE_KEYFILE => "$T/ec.key"},
  qr/cipher:ECDHE-ECDSA/);
works('empty TLS_PRIVATE_KEYFILE is none', {TLS_CERTFILE => "$T/ec.pem", TLS_PRIVATE_KEYFILE => ''},
  qr/cipher:ECDHE-ECDSA/);
works('lines ending in CRLF', {TLS_CERTFILE => "$T/crlf.pem"}, qr/cipher:ECDHE-ECDSA/);
works('no newline at the end', {TLS_CERTFILE => "$T/nonewline.pem"}, qr/cipher:ECDHE-ECDSA/);
works('the chain is sent, and verifies', {TLS_CERTFILE => "$T/chain.pem"}, qr/cipher:ECDHE-ECDSA/,
  '-CAfile', "$T/rsa.crt", '-verify_return_error');

# Runs tlsd on a socket: exit code and log.
sub run {
  my ($env, @args) = @_;
  socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die $!;
  my $pid = fork // die $!;
  if (!$pid) {
    open STDIN, '<&', $b;
    open STDOUT, '>&', $b;
    open STDERR, '>', "$T/err";
    close $a;
    $ENV{$_} = $$env{$_} for keys %$env;
    defined $$env{$_} or delete $ENV{$_} for keys %$env;
    no warnings 'exec';
    exec $TLSD, @args ? @args : ('-n', 'true');
    POSIX::_exit(127);
  }
  close $b;
  waitpid $pid, 0;
  return ($? >> 8, slurp("$T/err"));
}
sub fails {
  my ($name, $env, @re) = @_;
  my ($code, $log) = run($env, 'true');
  is($code, 100, $name);
  like($log, $_, '  says so') for @re;
  is(() = $log =~ /\n/g, 1, '  in one line');
}
is((run({TLS_CERTFILE => "$T/ec.pem"}))[0], 0, 'this way of running it works');
fails('no TLS_CERTFILE', {TLS_CERTFILE => undef}, qr/TLS_CERTFILE why="not set" remedy=".*mkimapdcert/);
fails('missing file', {TLS_CERTFILE => "$T/none"}, qr{attempt=read path=$T/none why="No such file}, qr/remedy=/);
fails('directory', {TLS_CERTFILE => $T}, qr/Is a directory/);
fails('empty file', {TLS_CERTFILE => "$T/empty.pem"}, qr/no certificate in it/);
fails('file too large', {TLS_CERTFILE => "$T/huge.pem"}, qr/File too large/);
fails('no key', {TLS_CERTFILE => "$T/ec.crt"}, qr/no private key in it/, qr/TLS_PRIVATE_KEYFILE/);
fails('no certificate', {TLS_CERTFILE => "$T/ec.key"}, qr/no certificate in it/);
fails('key of another', {TLS_CERTFILE => "$T/mismatch.pem"}, qr/does not belong/);
fails('key of another kind', {TLS_CERTFILE => "$T/kinds.pem"}, qr/does not belong/);
fails('own certificate not first', {TLS_CERTFILE => "$T/order.pem"}, qr/does not belong to the first certificate/);
fails('two keys', {TLS_CERTFILE => "$T/twice.pem"}, qr/more than one private key/);
fails('encrypted key', {TLS_CERTFILE => "$T/enc.pem"}, qr/is encrypted/, qr/openssl pkey/);
fails('encrypted key of old', {TLS_CERTFILE => "$T/enc1.pem"}, qr/is encrypted/);
fails('cut off', {TLS_CERTFILE => "$T/cut.pem"}, qr/damaged PEM/);
fails('damaged', {TLS_CERTFILE => "$T/damaged.pem"}, qr/damaged PEM/);
fails('no lines', {TLS_CERTFILE => "$T/oneline.pem"}, qr/bad-certificate/);
fails('Ed25519', {TLS_CERTFILE => "$T/ed.pem"}, qr/none that tlsd can use/);
fails('RSA of more than 4096 bits', {TLS_CERTFILE => "$T/4104.pem"}, qr/none that tlsd can use/);
fails('bad timeout', {TLS_CERTFILE => "$T/ec.pem", TLS_HANDSHAKE_TIMEOUT => 'soon'}, qr/TLS_HANDSHAKE_TIMEOUT/);

my $good = {TLS_CERTFILE => "$T/ec.pem"};
SKIP: {
  skip 'root: reads everything', 2 unless $>;
  chmod 0, "$T/ec.pem";
  my ($code, $log) = run($good, 'true');
  is($code, 100, 'unreadable');
  like($log, qr/Permission denied/, '  says so');
  chmod 0644, "$T/ec.pem";
}
SKIP: {
  skip 'not root: nobody else to become', 6 if $>;
  my %nobody = (%$good, TLS_UID => undef, TLS_GID => undef);
  fails('root without TLS_UID', \%nobody, qr/TLS_UID/);
  fails('TLS_UID 0', {%nobody, TLS_UID => 0, TLS_GID => 1}, qr/TLS_UID/);
  is((run({%nobody, UID => 65534, GID => 65534}))[0], 0, "envuidgid's variables do");
}
my ($code, $log) = run($good, '-n');
is($code, 100, 'no program: usage');
($code, $log) = run($good, '-x', 'true');
is($code, 100, 'unknown option: usage');
($code, $log) = run($good, '-n', '/nonexistent');
is($code, 100, 'no such program');
like($log, qr{attempt=exec path=/nonexistent}, '  says so');
is(system("TLS_CERTFILE=$T/ec.pem $TLSD -n true </dev/null >/dev/null 2>$T/err") >> 8, 100, 'no connection');
like(slurp("$T/err"), qr/tcpserver/, '  says what to do');
ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
