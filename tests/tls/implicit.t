#!/usr/bin/perl
# tlsd speaking TLS from the first byte: what the next program gets, and who gets none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Select;
use IO::Socket::INET;
use Test::More;

my $pem = certificate('ec', 'P-256');
my $show = script('show', <<'END');
#!/usr/bin/perl
# Descriptors above 2 are the script itself and what lists them.
my @fds = sort grep { /\d/ && readlink("/proc/$$/fd/$_") =~ /^(socket|pipe)/ } map { m{(\d+)$} } glob "/proc/$$/fd/*";
$| = 1;
print "fds:@fds\n";
print "env:$_=$ENV{$_}\n" for grep /^(SSL|TLS|TCP)/, sort keys %ENV;
print "line:" . <STDIN>;
print "zombies:" . grep(/^Z/, split /\n/, `ps -o stat= --ppid $$`) . "\n";
END
my ($port, $pid) = start(
  ENV  => {TLS_CERTFILE => $pem, SSL_PEER_CN => 'root', SSL_PROTOCOL => 'x', SSLCTLFD => 7},
  ARGS => [$show]);

my $out = s_client($port, "hello\n\0", '-servername', 'mail.example.org');
# Descriptor 2 is a file here.
like($out, qr/^fds:0 1$/m, 'the connection on 0 and 1 and no other');
like($out, qr/^env:SSL_PROTOCOL=TLSv1.2$/m, 'SSL_PROTOCOL');
like($out, qr/^env:SSL_CIPHER=ECDHE-ECDSA-/m, 'SSL_CIPHER');
like($out, qr/^env:SSL_TLS_SNI_SERVERNAME=mail.example.org$/m, 'SSL_TLS_SNI_SERVERNAME');
unlike($out, qr/SSL_PEER|SSLCTLFD/, 'inherited variables of such names are gone');
like($out, qr/^env:TLS_CERTFILE=/m, 'others stay');
like($out, qr/^line:hello$/m, 'the client is heard');
like($out, qr/^zombies:0$/m, 'no zombie stays with the session');
unlike(client_errors(), qr/unexpected eof/, 'close_notify ends it');
ok(log_like(qr/^tlsd: \d+: tls ip=127.0.0.1 protocol=TLSv1.2 cipher=ECDHE-ECDSA\S+ sni=mail.example.org$/m),
  'one log line');
$out = s_client($port, "x\n\0", '-servername', 'a b=c');
unlike($out, qr/SSL_TLS_SNI/, 'a server name that is none is not passed on');
like($out, qr/^line:x$/m, 'and harms nothing');

for my $suite ('ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305') {
  like(s_client($port, "x\n\0", '-cipher', $suite), qr/^env:SSL_CIPHER=$suite$/m, $suite);
}
SKIP: {
  skip 'no gnutls-cli', 1 unless grep { -x "$_/gnutls-cli" } split /:/, $ENV{PATH};
  like(`(echo gnutls; sleep 1) | timeout 20 gnutls-cli --no-ca-verification -p $port 127.0.0.1 2>&1`,
    qr/^line:gnutls$/m, 'GnuTLS');
}

# The channel binding: the certificate's hash by the function of its signature (RFC 5929 section 4.1).
certificate('rsa', 'rsa');
for (['sha256', 'sha256'], ['sha384', 'sha384'], ['sha512', 'sha512'], ['sha224', 'sha224'], ['sha1', 'sha256'],
  ['md5', 'sha256', 'rsa']) {
  my ($signature, $hash, $key) = (@$_, 'ec');
  sh("cd $T; openssl req -new -x509 -key $key.key -$signature -subj /CN=$signature -out $signature.crt; "
      . "cat $signature.crt $key.key >$signature.pem; openssl x509 -in $signature.crt -outform DER -out $signature.der");
  my ($want) = `openssl dgst -$hash $T/$signature.der` =~ /= (\S+)/;
  my ($own_port, $own) = start(ENV => {TLS_CERTFILE => "$T/$signature.pem"}, ARGS => [$show]);
  like(s_client($own_port, "x\n\0"), qr/^env:SSL_SERVER_END_POINT=$want$/m, "a certificate signed with $signature");
  stop($own);
}
sh("cd $T; openssl req -new -x509 -key rsa.key -sigopt rsa_padding_mode:pss -subj /CN=pss -out pss.crt; cat pss.crt rsa.key >pss.pem");
my ($pss_port, $pss) = start(ENV => {TLS_CERTFILE => "$T/pss.pem"}, ARGS => [$show]);
unlike(s_client($pss_port, "x\n\0"), qr/END_POINT/, 'RSA-PSS: no binding');
stop($pss);

# Who gets none.
sub refused {
  my ($name, $reason) = @_;
  ok(log_like(qr/tls-failed ip=127.0.0.1 reason="?\Q$reason\E"?$/m), $name) or diag log_text();
  truncate "$T/log", 0;
}
my @weak = ('-cipher', 'ALL:@SECLEVEL=0');
s_client_any($port, '', '-tls1', @weak);
refused('TLS 1.0', 'client offered only TLS 1.0');
s_client_any($port, '', '-tls1_1', @weak);
refused('TLS 1.1', 'client offered only TLS 1.1');
s_client_any($port, '', '-tls1_3');
refused('TLS 1.3 alone', 'client offered only TLS 1.3');
s_client_any($port, '', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256');
refused('TLS 1.3, and 1.2 with other suites', 'no shared cipher suite');
s_client($port, '', '-cipher', 'AES128-SHA:ECDHE-ECDSA-AES128-SHA');
refused('no CBC, no RSA key exchange', 'no shared cipher suite');
s_client($port, '', '-verify_return_error');
refused("client's alert", 'client refused our certificate (unknown CA)');

sub raw { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $! }
my $s = raw();
print $s "a1 LOGIN joe secret\r\n";
my $answer = join '', <$s>;
unlike($answer, qr/fds:/, 'plain text reaches no program');
refused('plain text', 'client did not speak TLS');
$s = raw();
close $s;
refused('nothing at all', 'client closed the connection');
$s = raw();
print $s pack('H*', '1603010200' . '010001fc0303') . 'x' x 32;
shutdown $s, 1;
<$s>;
refused('half a handshake', 'client closed the connection');
$s = raw();
print $s pack('H*', '1603010040') . pack('C*', map { $_ * 37 % 256 } 1 .. 64);
<$s>;
ok(log_like(qr/tls-failed ip=127.0.0.1 reason="client sent/), 'garbage in a record') or diag log_text();
stop($pid);

($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, TLS_HANDSHAKE_TIMEOUT => 1}, ARGS => [$show]);
$s = raw();
print $s "\26\3\1";
is(join('', <$s>), '', 'a client that stalls');
refused('is let go', 'handshake timed out');
# Warnings that mean nothing (RFC 5246 section 7.2.2), faster than they are read.
$s = raw();
local $SIG{PIPE} = 'IGNORE';
my $let_go = 0;
my $giving_up = time + 30;
$let_go = !defined syswrite $s, "\x15\3\3\0\2\1\x5a" x 2000 until $let_go || time > $giving_up;
ok($let_go, 'a client that never stops');
refused('is let go, too', 'handshake timed out');
close $s;
ok(until_true(sub { !engines() }), '... by the engine as well');
stop($pid);

($port, $pid) = start(
  ENV => {TLS_CERTFILE => $pem, IMAP_LOGIN_SLOTS => "$T/slots", IMAP_LOGIN_PERIP => 2},
  ARGS => [$show]);
my $stalled = IO::Select->new(map { raw() } 1 .. 3);
my @refused = $stalled->can_read(20);
is(scalar(@refused), 1, 'of three clients of one address that stall, one is refused');
is(join('', readline $refused[0]), '', 'without a word');
ok(log_like(qr/^tlsd: \d+: too-many-connections ip=127\.0\.0\.1 /m), 'the log says so');
my ($gone, $stays) = grep { $_ != $refused[0] } $stalled->handles;
unlike(s_client($port, "x\n\0"), qr/fds:/, 'nobody else gets in');
close $gone;
ok(until_true(sub { s_client($port, "x\n\0") =~ /fds:/ }), 'until one of them has gone');
close $stays;
stop($pid);

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
