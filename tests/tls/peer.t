#!/usr/bin/perl
# Certificates of clients: who is asked, who gets in, and what the next program is told of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Test::More;

my $pem = certificate('ec', 'P-256');
my $show = script('show', "#!/bin/sh\nread line\necho \"line:\$line\"\nenv | grep ^SSL_PEER | sort | sed s/^/env:/\necho end\n");

# ---- authorities and their certificates ----

spew("$T/ca.conf", <<"END");
[ca]
default_ca = x
[x]
database = $T/index
serial = $T/serial
new_certs_dir = $T
default_md = sha256
policy = any
unique_subject = no
email_in_dn = yes
[any]
CN = optional
C = optional
ST = optional
L = optional
O = optional
OU = optional
UID = optional
emailAddress = optional
[req]
distinguished_name = none
string_mask = utf8only
utf8 = yes
[none]
[plain]
basicConstraints = CA:false
[client]
extendedKeyUsage = clientAuth
[any_purpose]
extendedKeyUsage = serverAuth, anyExtendedKeyUsage
[server]
extendedKeyUsage = serverAuth
[encipher]
keyUsage = keyEncipherment
[critical]
1.2.3.4 = critical,ASN1:NULL
[authority]
basicConstraints = critical,CA:true
END
spew("$T/index", '');
spew("$T/serial", "01\n");
my $ec_key = 'ec -pkeyopt ec_paramgen_curve:P-256';
sub request {
  my ($name, $subject, $key) = @_;
  sh("cd $T; openssl genpkey -algorithm @{[$key // $ec_key]} -out $name.key 2>&1; "
      . "openssl req -config ca.conf -utf8 -new -key $name.key -subj '$subject' -out $name.csr");
}
sub authority {
  my ($name, $subject) = @_;
  request($name, $subject);
  sh("cd $T; openssl req -config ca.conf -utf8 -x509 -in $name.csr -key $name.key -days 10 -extensions authority -out $name.crt");
}
# issue(NAME, SUBJECT, CA, options of openssl ca): NAME.pem has certificate and key.
sub issue {
  my ($name, $subject, $ca, %o) = @_;
  request($name, $subject, $o{key});
  my ($begin, $end) = ($o{begin} // '20200101000000Z', $o{end} // '20991231235959Z');
  sh("cd $T; openssl ca -config ca.conf -utf8 -batch -notext -preserveDN -cert $ca.crt -keyfile $ca.key -in $name.csr "
      . "-startdate $begin -enddate $end -md @{[$o{md} // 'sha256']} -extensions @{[$o{extensions} // 'plain']} -out $name.crt; "
      . "cat $name.crt $name.key >$name.pem");
  sh("cp $T/$o{chain}.crt $T/$name.chain") if $o{chain};
}
authority('ca', '/O=Example/CN=Example Clients');
authority('impostor', '/O=Example/CN=Example Clients');
authority('other', '/CN=Other');
issue('middle', '/CN=Middle', 'ca', extensions => 'authority');
issue('old', '/CN=Old authority', 'ca', extensions => 'authority', end => '20210101000000Z');
my $all = '/C=CH/ST=Zurich/L=Winterthur/O=Example Ltd/OU=Mail/UID=u123/CN=joe/emailAddress=joe@example.org';
issue('good', $all, 'ca');
issue('rsa', '/CN=rsa', 'ca', key => 'RSA -pkeyopt rsa_keygen_bits:2048');
issue('below', '/CN=below', 'middle', chain => 'middle');
issue('alone', '/CN=alone', 'middle');
issue('clients', '/CN=clients', 'ca', extensions => 'client');
issue('any', '/CN=any', 'ca', extensions => 'any_purpose');
issue('expired', '/CN=expired', 'ca', end => '20210101000000Z');
issue('future', '/CN=future', 'ca', begin => '20980101000000Z');
issue('of_other', '/CN=joe', 'other');
issue('of_impostor', '/CN=joe', 'impostor');
issue('of_client', '/CN=root', 'good', chain => 'good');
issue('server', '/CN=server', 'ca', extensions => 'server');
issue('encipher', '/CN=encipher', 'ca', extensions => 'encipher');
issue('critical', '/CN=critical', 'ca', extensions => 'critical');
issue('short', '/CN=short', 'ca', key => 'RSA -pkeyopt rsa_keygen_bits:1024');
issue('sha1', '/CN=sha1', 'ca', md => 'sha1');
issue('utf8', "/CN=jos\xC3\xA9/OU=Mail", 'ca');
issue('long', '/CN=' . 'x' x 64 . '/OU=' . 'y' x 64, 'ca');
sh("cd $T; cat impostor.crt ca.crt >same.crt; mkdir rolled; cp impostor.crt ca.crt rolled; openssl rehash rolled");
sh("cd $T; cat ca.crt other.crt >two.crt; mkdir hashed; cp ca.crt hashed/; openssl rehash hashed");

# ---- servers ----

my %server;
sub serve {
  my ($verify, $trust) = @_;
  return $server{"$verify $trust"} //=
    [start(ENV => {TLS_CERTFILE => $pem, TLS_VERIFYPEER => $verify, TLS_TRUSTCERTS => "$T/$trust", TLS_CACHEFILE => "$T/$verify.sessions"}, ARGS => [$show])];
}
sub answer {
  my ($server, $certificate, @options) = @_;
  my @own = $certificate ? ('-cert', "$T/$certificate.pem") : ();
  push @own, '-cert_chain', "$T/$certificate.chain" if -e "$T/$certificate.chain";
  truncate "$T/log", 0;
  return s_client($server->[0], "hello\n\0", @own, '-cipher', 'DEFAULT:@SECLEVEL=0', @options);
}
sub admitted {
  my ($server, $certificate, $name) = @_;
  my $out = answer($server, $certificate);
  like($out, qr/^line:hello\r?$/m, $name);
  return join "\n", $out =~ /^env:(\S.*)$/mg;
}
sub refused {
  my ($server, $certificate, $reason, $alert) = @_;
  my $name = $certificate || 'none';
  unlike(answer($server, $certificate), qr/line:/, "$name: no connection");
  ok(log_like(qr/tls-failed ip=127\.0\.0\.1 reason="\Q$reason\E"$/m), "... because: $reason") or diag log_text();
  like(client_errors(), qr/alert $alert/i, '... and the client is told, too') if $alert;
}

my $none = serve('NONE', 'ca.crt');
is(admitted($none, 'good', 'NONE: a certificate nobody asks for'), '', 'is not spoken of');

for my $verify ('PEER', 'REQUIREPEER') {
  my $s = serve($verify, 'ca.crt');
  is(admitted($s, 'good', "$verify: a good certificate"), <<'END' =~ s/\n\z//r, 'and its subject') if $verify eq 'PEER';
SSL_PEER_CERT_SUBJECT_C=CH
SSL_PEER_CERT_SUBJECT_CN=joe
SSL_PEER_CERT_SUBJECT_EMAILADDRESS=joe@example.org
SSL_PEER_CERT_SUBJECT_L=Winterthur
SSL_PEER_CERT_SUBJECT_O=Example Ltd
SSL_PEER_CERT_SUBJECT_OU=Mail
SSL_PEER_CERT_SUBJECT_ST=Zurich
SSL_PEER_CERT_SUBJECT_UID=u123
END
  admitted($s, 'good', 'a good certificate') if $verify ne 'PEER';
  ok(log_like(qr/^tlsd: \d+: tls ip=127.0.0.1 protocol=\S+ cipher=\S+ peer=joe$/m), 'the log names it');
  refused($s, 'expired', "client's certificate, or one it depends on, has expired or is not yet valid", 'certificate expired');
  refused($s, 'of_other', "client's certificate is from no authority in TLS_TRUSTCERTS", 'unknown ca');
}
my $s = serve('PEER', 'ca.crt');
is(admitted($s, '', 'PEER: no certificate'), '', 'and nothing said of one');
refused(serve('REQUIREPEER', 'ca.crt'), '', 'client sent no certificate, which TLS_VERIFYPEER requires', 'handshake failure');

like(admitted($s, 'rsa', 'RSA'), qr/CN=rsa$/, 'by name');
like(admitted($s, 'below', 'by way of another authority'), qr/CN=below$/, 'whose certificate the client sends');
refused($s, 'alone', "client's certificate is from no authority in TLS_TRUSTCERTS");
like(admitted($s, 'clients', 'a certificate for clients'), qr/CN=clients$/, 'is one');
like(admitted($s, 'any', 'one for any purpose'), qr/CN=any$/, 'too');
refused($s, 'server', "client's certificate is not for clients (key usage)", 'unsupported certificate');
refused($s, 'encipher', "client's certificate is not for signatures (key usage)");
refused($s, 'future', "client's certificate, or one it depends on, has expired or is not yet valid");
refused($s, 'of_impostor', "client's certificate is from no authority in TLS_TRUSTCERTS", 'unknown ca');
refused($s, 'of_client', "client's certificate is signed by one that is no authority");
refused($s, 'critical', "client's certificate has a critical extension unknown to us");
refused($s, 'short', "client's certificate has a key that is too short");
refused($s, 'sha1', "client's certificate uses an algorithm unknown to us");
is(admitted($s, 'utf8', 'a name that is not ASCII'), 'SSL_PEER_CERT_SUBJECT_OU=Mail', 'is left out');
like(admitted($s, 'long', 'the longest names'), qr/CN=x{64}\nSSL_PEER_CERT_SUBJECT_OU=y{64}$/, 'are whole');

# What an earlier program has set is nobody's certificate.
{
  local $ENV{SSL_PEER_CERT_SUBJECT_CN} = 'root';
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, TLS_VERIFYPEER => 'PEER', TLS_TRUSTCERTS => "$T/ca.crt"}, ARGS => [$show]);
  is(admitted([$port], '', 'with a variable inherited'), '', 'it is gone');
  stop($pid);
}

# Nothing is resumed: a session begun without a certificate would do where one is required.
s_client($s->[0], "hello\n", '-sess_out', "$T/session");
like(s_client($s->[0], "hello\n", '-sess_in', "$T/session"), qr/^New, /m, 'no session is resumed');
ok(!-e "$T/PEER.sessions", 'and none is kept');

# Where authorities are looked for.
my $two = serve('REQUIREPEER', 'two.crt');
admitted($two, $_, "a file of two authorities: $_") for 'good', 'of_other';
my $hashed = serve('REQUIREPEER', 'hashed');
admitted($hashed, 'good', 'a directory of hashes');
refused($hashed, 'of_other', "client's certificate is from no authority in TLS_TRUSTCERTS");
sh("cp $T/other.crt $T/hashed/; openssl rehash $T/hashed");
admitted($hashed, 'of_other', 'a new authority needs no restart');

for my $trust ('same.crt', 'rolled') {
  my $same = serve('REQUIREPEER', $trust);
  admitted($same, $_, "two authorities of one name, in $trust: $_") for 'good', 'of_impostor';
}

sub misconfigured {
  my ($name, $env, $want) = @_;
  truncate "$T/log", 0;
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, %$env}, ARGS => [$show]);
  unlike(s_client($port, "hello\n\0"), qr/line:/, "$name: no connection");
  ok(log_like($want), '... and why') or diag log_text();
  stop($pid);
}
misconfigured('an unknown word', {TLS_VERIFYPEER => 'MAYBE'}, qr/bad-setting name=TLS_VERIFYPEER value=MAYBE wanted="NONE, PEER or REQUIREPEER"/);
misconfigured('no authorities', {TLS_VERIFYPEER => 'PEER'}, qr/bad-setting name=TLS_TRUSTCERTS .*why="not set/);
misconfigured('none there', {TLS_VERIFYPEER => 'PEER', TLS_TRUSTCERTS => "$T/nothing"}, qr/failed attempt=read path=\S+nothing why="No such file/);
misconfigured('an expired one', {TLS_VERIFYPEER => 'PEER', TLS_TRUSTCERTS => "$T/old.crt"}, qr/bad-setting name=TLS_TRUSTCERTS .*why="no valid authority in it"/);
misconfigured('none that is one', {TLS_VERIFYPEER => 'PEER', TLS_TRUSTCERTS => "$T/good.crt"}, qr/why="no valid authority in it"/);
misconfigured('a directory without hashes', {TLS_VERIFYPEER => 'PEER', TLS_TRUSTCERTS => $T}, qr/why="no valid authority in it" remedy="[^"]*rehash"/);

stop($_->[1]) for values %server;
ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
