#!/usr/bin/perl
# openssl(1), gnutls-cli(1) and curl(1) as clients: every suite with RSA and EC keys, sessions that are
# resumed (openssl's: sessions.t), certificates of their own.  mbsync.t has one more.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Test::More;

sub have { my $program = shift; grep { -x "$_/$program" } split /:/, $ENV{PATH} }
# IMAP enough for curl's LIST, in whose answer it says what it knows of the connection.
my $imap = script('imap', <<'END');
#!/usr/bin/perl
$| = 1;
my $facts = join ' ', map { $ENV{$_} // '-' } qw(SSL_CIPHER SSL_PEER_CERT_SUBJECT_CN);
print "* OK ready $facts\r\n";
while (my $line = <STDIN>) {
  my ($tag, $command) = $line =~ /^(\S+) (\w+)/ or last;
  print "* CAPABILITY IMAP4rev1\r\n" if $command eq 'CAPABILITY';
  print "* LIST () \".\" \"$facts\"\r\n" if $command eq 'LIST';
  print "$tag OK $command $facts\r\n";
  last if $command eq ($ENV{LAST} // 'LOGOUT');
}
END
my %pem = (ECDSA => certificate('ec', 'P-256'), RSA => certificate('rsa', 'rsa'));
people();

my %openssl = (
  'CHACHA20-POLY1305' => ['CHACHA20-POLY1305', '+CHACHA20-POLY1305'],
  'AES128-GCM-SHA256' => ['AES128-GCM-SHA256', '+AES-128-GCM'],
  'AES256-GCM-SHA384' => ['AES256-GCM-SHA384', '+AES-256-GCM'],
);
sub gnutls {
  my ($port, $priority, $input, @options) = @_;
  spew("$T/gnutls-in", $input);
  my $options = join ' ', map { "'$_'" } @options;
  return `timeout 30 gnutls-cli --no-ca-verification --priority='$priority' $options -p $port 127.0.0.1 <$T/gnutls-in 2>&1`;
}
sub curl {
  my ($port, @options) = @_;
  my $options = join ' ', map { "'$_'" } @options;
  return `curl -skS --tls-max 1.2 --user joe:x $options 'imaps://127.0.0.1:$port/' 2>&1`;
}

for my $kind ('ECDSA', 'RSA') {
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem{$kind}, TLS_CACHEFILE => "$T/sessions.$kind"}, ARGS => [$imap]);
  for (sort keys %openssl) {
    my $suite = "ECDHE-$kind-$_";
    like(s_client($port, "a LOGOUT\n\0", '-cipher', $suite), qr/^\* OK ready $suite -\r?$/m, "openssl: $suite");
  SKIP: {
      skip 'no gnutls-cli', 1 unless have('gnutls-cli');
      my $priority = "NONE:+VERS-TLS1.2:+ECDHE-$kind:$openssl{$_}[1]:+AEAD:+SIGN-ALL:+GROUP-ALL:+COMP-NULL:+CTYPE-ALL";
      like(gnutls($port, $priority, "a LOGOUT\n"), qr/^\* OK ready $suite -\r?$/m, "gnutls-cli: $suite");
    }
  SKIP: {
      skip 'no curl', 1 unless have('curl');
      like(curl($port, '--ciphers', $suite), qr/^\* LIST \(\) "\." "?$suite -"?\r?$/m, "curl: $suite");
    }
  }
SKIP: {
    skip 'no gnutls-cli', 1 unless have('gnutls-cli');
    like(gnutls($port, 'NORMAL:-VERS-ALL:+VERS-TLS1.2', "a LOGOUT\n", '--resume'),
      qr/^\*\*\* This is a resumed session$/m, "gnutls-cli resumes its session ($kind)");
  }
  stop($pid);
SKIP: {
    skip 'no curl', 1 unless have('curl');
    ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem{$kind}, TLS_CACHEFILE => "$T/sessions.$kind", LAST => 'LIST'}, ARGS => [$imap]);
    # The second finds the connection closed, the third makes a new one.
    like(curl($port, "-v", ("imaps://127.0.0.1:$port/") x 2), qr/^\* SSL re-using session ID$/m, "curl resumes its session ($kind)");
    stop($pid);
  }
}

my ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem{ECDSA}, TLS_VERIFYPEER => 'REQUIREPEER', TLS_TRUSTCERTS => "$T/ca.crt"}, ARGS => [$imap]);
my @reasons = (
  [joe => ''],
  [expired => "client's certificate, or one it depends on, has expired or is not yet valid"],
  [stranger => "client's certificate is from no authority in TLS_TRUSTCERTS"],
  [nobody => 'client sent no certificate, which TLS_VERIFYPEER requires'],
);
# A client's options for certificate and key, which nobody has not.
sub files { my ($name, $certificate, $key) = @_; return -e "$T/$name.crt" ? ("$certificate$T/$name.crt", "$key$T/$name.key") : () }
my %say = (
  'gnutls-cli' => sub { gnutls($port, 'NORMAL:-VERS-ALL:+VERS-TLS1.2', "a LOGOUT\n", files(@_, '--x509certfile=', '--x509keyfile=')) },
  curl => sub { curl($port, map { split /=/ } files(@_, '--cert=', '--key=')) },
  openssl => sub { s_client($port, "a LOGOUT\n\0", map { split /=/ } files(@_, '-cert=', '-key=')) },
);
for (@reasons) {
  my ($name, $reason) = @$_;
  for my $client (sort keys %say) {
  SKIP: {
      skip "no $client", 1 unless have($client);
      truncate "$T/log", 0;
      my $got = $say{$client}($name);
      if ($reason) { ok(log_like(qr/reason="\Q$reason\E"/), "$client: $name is refused") or diag $got }
      else { like($got, qr/ECDHE-ECDSA-\S+ $name\b/, "$client: $name is known by name") }
    }
  }
}
stop($pid);

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
