#!/usr/bin/perl
# Login by certificate from end to end: a client with one, tlsd, imaplogin, authexternal and imapd, on
# both ways in.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Socket::SSL;
use MIME::Base64 'encode_base64';
use Test::More;

people();
my $pem = certificate('ec', 'P-256');
my ($words, $env) = chain('authexternal', 'authuserdb');
my %verified = (%$env, TLS_CERTFILE => $pem, TLS_TRUSTCERTS => "$T/ca.crt", TLS_VERIFYPEER => 'PEER');
my $denied = qr/^a NO \[AUTHENTICATIONFAILED\]/;
my $admitted = qr/^a OK \[CAPABILITY IMAP4rev1.*\] AUTHENTICATE /;

# A server on each way in, as whose user a certificate counts.
sub serve {
  my (%more) = @_;
  my %all = (%verified, %more);
  return map { [start(ENV => \%all, ARGS => $_)] } $words, ['-n', @$words];
}

# A connection inside TLS: [socket, what is offered], or nothing.
sub enter {
  my ($port, $starttls, $who) = @_;
  my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
  if ($starttls) {
    unlike(scalar(<$socket>), qr/EXTERNAL/, 'in the clear EXTERNAL is not offered');
    print $socket "s STARTTLS\r\n";
    <$socket> =~ /^s OK/ or die;
  }
  my @own = $who ? (SSL_cert_file => "$T/$who.crt", SSL_key_file => "$T/$who.key") : ();
  my $inside = IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => SSL_VERIFY_NONE, SSL_version => 'TLSv12', @own)
    or return;
  print $inside "c CAPABILITY\r\n";
  my $offered;
  while (my $line = <$inside>) {
    $offered = $line if $line =~ /^\* CAPABILITY/;
    return [$inside, $offered] if $line =~ /^c OK/;
  }
  return;
}

# The answer to a line, or to AUTHENTICATE EXTERNAL for somebody.
sub say {
  my ($c, $line) = @_;
  my ($tag) = $line =~ /^(\S+)/;
  print { $c->[0] } "$line\r\n";
  while (defined(my $answer = readline $c->[0])) { return $answer if $answer =~ /^\Q$tag\E / }
  return '(closed)';
}
sub authenticate {
  my ($c, $for) = @_;
  return say($c, 'a AUTHENTICATE EXTERNAL ' . (length $for ? encode_base64($for, '') : '='));
}

my @servers = serve(TLS_EXTERNAL => 'emailaddress');
for my $starttls (0, 1) {
  my ($port, $way) = ($servers[$starttls][0], $starttls ? 'STARTTLS' : 'TLS');
  my $c = enter($port, $starttls, 'joe');
  like($c->[1], qr/ AUTH=EXTERNAL\b/, "$way: a certificate, and EXTERNAL is offered");
  truncate "$T/log", 0;
  like(authenticate($c, ''), $admitted, '... and lets in');
  ok(log_like(qr/^authexternal: \d+: login user=joe\@example\.org /m), '... whom it names');
  like(say($c, 'b SELECT INBOX'), qr/^b OK/, '... to the mail');
  say($c, 'z LOGOUT');

  $c = enter($port, $starttls, 'joe');
  truncate "$T/log", 0;
  like(authenticate($c, 'ann'), $denied, "$way: joe's certificate is not for ann");
  ok(log_like(qr/^authexternal: \d+: refused user=joe\@example\.org .*reason=authorization-identity/m), '... logged');
  like(authenticate($c, 'joe'), $denied, '... nor for a joe of another name');
  like(authenticate($c, 'joe@example.org'), $admitted, '... but for joe');

  $c = enter($port, $starttls, 'ann');
  truncate "$T/log", 0;
  like($c->[1], qr/ AUTH=EXTERNAL\b/, "$way: a certificate of nobody who has an account");
  like(authenticate($c, ''), $denied, '... is good for nothing');
  ok(log_like(qr/^authexternal: \d+: declined user=ann\@example\.org .*reason=unknown-user/m), '... logged');
  like(say($c, 'a LOGIN ann secret'), qr/^a OK .* LOGIN /, '... its owner has a password');

  $c = enter($port, $starttls, '');
  unlike($c->[1], qr/EXTERNAL/, "$way: no certificate, no EXTERNAL");
  like($c->[1], qr/ AUTH=PLAIN\b/, '... passwords as ever');
  like(say($c, 'a AUTHENTICATE EXTERNAL ' . encode_base64('joe@example.org', '')), qr/^a NO /, '... not even for who asks');

  for ([expired => 'has expired'], [stranger => 'is from no authority']) {
    my ($who, $why) = @$_;
    truncate "$T/log", 0;
    ok(!enter($port, $starttls, $who), "$way: one that $why");
    ok(log_like(qr/tls-failed ip=127\.0\.0\.1 reason="client's certificate.* $why/m), '... logged');
  }
}
stop($_->[1]) for @servers;

# Other settings: by another attribute, by none, and with certificates that are not asked for.
@servers = serve(TLS_EXTERNAL => 'CN');
like(authenticate(enter($servers[0][0], 0, 'joe'), 'joe'), $admitted, 'TLS_EXTERNAL=CN');
stop($_->[1]) for @servers;
for ([{}, 'without TLS_EXTERNAL'], [{TLS_EXTERNAL => 'ou'}, 'by an attribute that is not there'],
  [{TLS_EXTERNAL => 'CN', TLS_VERIFYPEER => 'NONE'}, 'with a certificate that nobody looks at']) {
  my ($more, $name) = @$_;
  @servers = serve(%$more);
  unlike(enter($servers[0][0], 0, 'joe')->[1], qr/EXTERNAL/, "$name, EXTERNAL is not offered");
  stop($_->[1]) for @servers;
}

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
