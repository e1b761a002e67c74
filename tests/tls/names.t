#!/usr/bin/perl
# Which certificate whom: server names, addresses, RSA beside EC, chains completed, files that change.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Socket::INET;
use IO::Socket::SSL;
use Test::More;

certificate('default', 'P-256');
certificate('rsa', 'rsa');
certificate('p384', 'P-384');
certificate($_, 'P-256') for 'one', 'star', 'local', 'second';
mkdir "$T/c";
my $base = "$T/c/imapd.pem";
sub put { my ($from, $suffix) = @_; sh("cp $T/$from '$base$suffix.tmp'; mv '$base$suffix.tmp' '$base$suffix'") }
put('default.pem', '');

my $show = script('show', "#!/bin/sh\nread x\nenv | sed 's/^/env:/'\n");
my ($port, $pid) = start(ENV => {TLS_CERTFILE => $base, TLS_PRIVATE_KEYFILE => "$T/c/key"}, ARGS => ['false']);
s_client($port, '');
ok(log_like(qr{attempt=read path=$T/c/key why="No such file.*run tlscheck $T/c/key}), 'the key file that is set must be there');
stop($pid);

($port, $pid) = start(ENV => {TLS_CERTFILE => $base}, ARGS => [$show]);
# The common name of the certificate that is sent to who asks for a name.
sub sent {
  my ($name, @options) = @_;
  my $out = s_client($port, "x\n\0", defined $name ? ('-servername', $name) : '-noservername', @options, '-showcerts');
  return client_errors() =~ /^depth=0 CN = (\S+)/m ? $1 : 'none';
}
is(sent('one.example.org'), 'default', 'no file for a name: the default');

# Without names: the process of the chain and the engine; with names the loader, too.
sub processes {
  my $want = shift;
  my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
  my $ok = until_true(sub { engines() == $want });
  close $s;
  return $ok && until_true(sub { !engines() });
}
ok(processes(2), 'no loader where there are no files of names');
put('default.pem', '.dist');
put('default.pem', '.127.0.0.9');
ok(processes(2), 'nor for files that are of no name');

put('one.pem', '.one.example.org');
ok(processes(3), 'a loader where there are, which goes with the handshake');
is(sent('one.example.org'), 'one', 'a new file is used at once');
is(sent('ONE.Example.ORG'), 'one', 'names have no case');
is(sent('two.example.org'), 'default', 'another name: the default');
is(sent(undef), 'default', 'no name: the default');
put('star.pem', '.*.example.org');
is(sent('two.example.org'), 'star', 'a wildcard');
is(sent('one.example.org'), 'one', 'the name itself comes first');
is(sent('a.two.example.org'), 'default', 'a wildcard is for one label');
is(sent('example.org'), 'default', 'and not for none');
put('second.pem', '.one.example.org');
is(sent('one.example.org'), 'second', 'a changed file is used at once');
my $out = s_client($port, "x\n\0", '-servername', 'one.example.org');
like($out, qr/^env:SSL_TLS_SNI_SERVERNAME=one.example.org$/m, 'the program is told the name');
my ($hash) = `openssl x509 -in $T/second.crt -outform DER | openssl dgst -sha256` =~ /= (\S+)/;
like($out, qr/^env:SSL_SERVER_END_POINT=$hash$/m, 'and the binding is that of the certificate sent');

SKIP: {
  skip 'no gnutls-cli', 1 if system('gnutls-cli --version >/dev/null 2>&1');
  like(`echo x | gnutls-cli --no-ca-verification --print-cert --sni-hostname two.example.org -p $port 127.0.0.1 2>/dev/null`,
    qr/subject `CN=star'/, 'GnuTLS');
}
like(`curl -skv --max-time 20 --resolve two.example.org:$port:127.0.0.1 https://two.example.org:$port/ 2>&1 </dev/null`,
  qr/subject: CN=star/, 'curl');

# A loader that is killed, by a kernel that is out of memory, say.  It is one of the two processes beside
# the session's; without the other there is no connection.
my @got;
for my $which (0, 1) {
  local $SIG{PIPE} = 'IGNORE';
  my @beside;
  my $held = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
  until_true(sub { @beside = grep { slurp("/proc/$_/stat") !~ /\) \S $pid / } engines(); @beside == 2 });
  kill KILL => (sort { $a <=> $b } @beside)[$which];
  my $inside = IO::Socket::SSL->start_SSL($held, SSL_verify_mode => SSL_VERIFY_NONE, SSL_version => 'TLSv12', SSL_hostname => 'one.example.org');
  push @got, $inside ? $inside->peer_certificate('cn') : 'none';
  close $held;
}
is(join(' ', sort @got), 'default none', 'a name whose loader is killed: the default');
ok(log_like(qr/^tlsd: \d+: tls-warning ip=127\.0\.0\.1 why="no answer from the loader/m), 'and the log says why') or diag log_text();

# What strangers send.
sh("mkdir '$base.'; cp $T/one.pem '$base./x.org'; cp $T/one.pem '$base.x'; cp $T/one.pem '$base.one.example.org.ecdsa.bak'");
for (['a path', '../imapd.pem.one.example.org'], ['a slash', '/x.org'], ['no dot', 'x'], ['an address', '127.0.0.9'],
  ['a long name', join('.', ('a' x 50) x 5)], ['an empty label', 'one..org'], ['a hyphen first', '-one.example.org'],
  ['a star', '*.example.org'], ['the second kind of a name', 'one.example.org.ecdsa'], ['a blank', 'one.example.org ']) {
  is(sent($$_[1]), 'default', "hostile: $$_[0]");
}
# s_client sends no such names: a client hello by hand.
sub hello {
  my ($name) = @_;
  my $sni = pack('n/a*', pack('Cn/a*', 0, $name));
  my $extensions = pack('nn/a*', 0, $sni) . pack('nn/a*', 10, pack('n/a*', pack('n', 23)))
    . pack('nn/a*', 13, pack('n/a*', pack('n', 0x0403)));
  my $body = pack('n', 0x0303) . 'r' x 32 . "\0" . pack('n/a*', pack('n', 0xC02B)) . "\1\0" . pack('n/a*', $extensions);
  my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
  print $s pack('Cnn/a*', 22, 0x0301, "\1\0" . pack('n/a*', $body));
  $s->flush;
  my $answer = '';
  while ($answer !~ /CN|default|one|star|second/ && sysread $s, my $some, 4096) { $answer .= $some }
  return $answer =~ /(default|one|star|second)/ ? $1 : 'none';
}
is(hello('one.example.org'), 'second', 'a hello by hand');
is(hello("one.example.org\0/../x"), 'second', 'hostile: a NUL ends the name');
is(hello("two.example.org/../../x"), 'default', 'hostile: slashes');
is(hello('a' x 300 . '.example.org'), 'default', 'hostile: 300 bytes');
is(hello(''), 'default', 'hostile: nothing');

# Files that cannot be used.
truncate "$T/log", 0;
sh("cat $T/one.crt $T/second.key >'$base.bad.example.net'");
is(sent('bad.example.net'), 'default', 'a file that cannot be used: the default');
ok(log_like(qr{bad-certificate ip=127\.0\.0\.1 path=$T/c/imapd.pem.bad.example.net key=\S+ why=".*does not belong.*run tlscheck}), 'and the log says why');
put('star.pem', '.*.example.net');
is(sent('bad.example.net'), 'star', 'or what it would be without');
sh("rm '$base.*.example.net'");

# Two kinds for one name.
put('rsa.pem', '.both.example.net');
put('p384.pem', '.both.example.net.ecdsa');
is(sent('both.example.net'), 'p384', 'RSA and EC: EC for who knows it');
is(sent('both.example.net', '-cipher', 'aRSA'), 'rsa', 'RSA for who knows no ECDSA');
is(sent('both.example.net', '-curves', 'P-256'), 'rsa', "or not the certificate's curve");
is(sent('both.example.net', '-sigalgs', 'RSA+SHA256'), 'rsa', 'or signs with RSA only');
is(sent('both.example.net', '-sigalgs', 'RSA+SHA512:ECDSA+SHA384'), 'p384', 'other hashes');
sh("rm '$base.both.example.net'");
is(sent('both.example.net'), 'p384', 'the second kind alone');
put('rsa.pem', '.ecdsa');
is(sent(undef, '-cipher', 'aRSA'), 'rsa', 'the default has two kinds, too');
sh("echo >'$base.ecdsa'");
is(sent(undef), 'default', 'of which one may be damaged');
sh("rm '$base.ecdsa'");
stop($pid);

# Keys in files of their own.
sh("cp $T/one.crt $base; cp $T/one.key $T/c/key; cp $T/rsa.crt $base.apart.example.net; cp $T/rsa.key $T/c/key.apart.example.net");
($port, $pid) = start(ENV => {TLS_CERTFILE => $base, TLS_PRIVATE_KEYFILE => "$T/c/key"}, ARGS => [$show]);
is(sent(undef), 'one', 'TLS_PRIVATE_KEYFILE');
is(sent('apart.example.net'), 'rsa', 'TLS_PRIVATE_KEYFILE and a name');
is(sent('one.example.org'), 'second', 'the key in the file of the name');
stop($pid);

# By local address, before any name is known.
put('local.pem', '.127.0.0.1');
for my $address ('TCPLOCALIP=127.0.0.1', 'TCPLOCALIP=::ffff:127.0.0.1', 'unset TCPLOCALIP;', 'TCPLOCALIP=') {
  my $set = script('set', "#!/bin/sh\n$address exec $TLSD $show\n");
  local $TLSServer::TLSD = $set;
  ($port, $pid) = start(ENV => {TLS_CERTFILE => $base}, ARGS => []);
  is(sent(undef), 'local', "by the local address: $address");
  is(sent('one.example.org'), 'second', 'a name comes first');
  stop($pid);
}

truncate "$T/log", 0;
spew("$base.127.0.0.1", "no certificate\n");
($port, $pid) = start(ENV => {TLS_CERTFILE => $base, TLS_PRIVATE_KEYFILE => "$T/c/key"}, ARGS => [$show]);
is(sent(undef), 'one', 'a file of an address that cannot be used: the default');
ok(log_like(qr{bad-certificate ip=127\.0\.0\.1 path=\Q$base\E\.127\.0\.0\.1 why="no certificate in it"}), 'and the log says why');
stop($pid);
unlink "$base.127.0.0.1";

# A chain that the file does not hold.
sh("cd $T; openssl req -new -newkey rsa:2048 -nodes -keyout mid.key -multivalue-rdn -subj '/C=XX/O= Mixed  Case  Ltd+OU=Two Things/CN=Mid\xc3\xa9' -utf8 -out mid.csr;"
    . 'echo basicConstraints=critical,CA:TRUE >ca.ext; mkdir hashed;'
    . 'openssl x509 -req -in mid.csr -CA rsa.crt -CAkey rsa.key -CAcreateserial -extfile ca.ext -out mid.crt;'
    . 'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr;'
    . 'openssl x509 -req -in leaf.csr -CA mid.crt -CAkey mid.key -CAcreateserial -out leaf.crt;'
    . 'cat leaf.crt leaf.key >leaf.pem; cp one.pem several.pem; cp leaf.pem several.pem.leaf.example.org; cp mid.crt rsa.crt hashed; openssl rehash hashed; cat one.crt mid.crt >bundle');
for (['nothing', undef, 1], ['a file', "$T/bundle", 2], ['a directory', "$T/hashed", 2], ['one without it', "$T/c", 1],
  ['nowhere', "$T/none", 1]) {
  my ($what, $trust, $want) = @$_;
  ($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/leaf.pem", defined $trust ? (TLS_TRUSTCERTS => $trust) : ()}, ARGS => [$show]);
  my $got = s_client($port, "x\n", '-showcerts');
  is(() = $got =~ /BEGIN CERTIFICATE/g, $want, "TLS_TRUSTCERTS: $what");
  stop($pid);
  ($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/several.pem", defined $trust ? (TLS_TRUSTCERTS => $trust) : ()}, ARGS => [$show]);
  is(sent('leaf.example.org'), 'leaf', '... for a name');
  is(() = s_client($port, "x\n", '-showcerts', '-servername', 'leaf.example.org') =~ /BEGIN CERTIFICATE/g, $want, '... the same chain');
  stop($pid);
}
sh("cd $T; openssl req -new -x509 -newkey rsa:2048 -nodes -keyout /dev/null -multivalue-rdn -subj '/C=XX/O= Mixed  Case  Ltd+OU=Two Things/CN=Mid\xc3\xa9' -utf8 -out forged.crt; cp forged.crt bundle");
sh("cd $T; openssl x509 -req -in mid.csr -CA rsa.crt -CAkey rsa.key -CAcreateserial -extfile ca.ext -days -1 -out old.crt; cat old.crt >>bundle");
($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/leaf.pem", TLS_TRUSTCERTS => "$T/bundle"}, ARGS => [$show]);
is(() = s_client($port, "x\n", '-showcerts') =~ /BEGIN CERTIFICATE/g, 1, "neither an expired certificate of the issuer nor a namesake of the issuer with another key is it");
stop($pid);
sh("cd $T; hash=\$(openssl x509 -hash -noout -in mid.crt); mkdir namesakes; ln -s ../forged.crt namesakes/\$hash.0; ln -s ../mid.crt namesakes/\$hash.1");
($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/leaf.pem", TLS_TRUSTCERTS => "$T/namesakes"}, ARGS => [$show]);
is(() = s_client($port, "x\n", '-showcerts') =~ /BEGIN CERTIFICATE/g, 2, '... and does not hide it in a directory of hashes');
stop($pid);

# Without a certificate port 143 goes on.
truncate "$T/log", 0;
my $plain = script('plain', "#!/bin/sh\necho \"control:\$SSLCTLFD\"\n");
($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/one.crt", SSLCTLFD => 7}, ARGS => ['-n', $plain]);
for (1, 2) {
  my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
  is(scalar <$s>, "control:\n", 'tlsd -n with a bad certificate: the program runs and has no STARTTLS');
}
is(() = log_text() =~ /bad-certificate ip=127\.0\.0\.1 path=\S+one.crt why="no private key in it"/g, 2, 'the log says why each time');
stop($pid);
(my $bin = $TLSD) =~ s{/tlsd$}{};
($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/one.crt", PATH => "$bin:$ENV{PATH}", UID => 65534, GID => 65534},
  ARGS => ['-n', 'imaplogin', 'authpwd', 'true']);
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
my $greeting = <$s>;
like($greeting, qr/^\* OK \[CAPABILITY /, 'imaplogin greets') or diag log_text();
unlike($greeting, qr/STARTTLS/, 'without STARTTLS');
close $s;
stop($pid);
ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
