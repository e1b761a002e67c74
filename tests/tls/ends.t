#!/usr/bin/perl
# How a connection through the whole chain ends, and what the log says of it: with close_notify from
# either side, without, and before the handshake is over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Socket::SSL;
use Test::More;

my $pem = certificate('ec', 'P-256');
my ($words, $env) = chain('authuserdb');
my %all = (%$env, TLS_CERTFILE => $pem, TLS_HANDSHAKE_TIMEOUT => 1);
my %server = (TLS => [start(ENV => \%all, ARGS => $words)], STARTTLS => [start(ENV => \%all, ARGS => ['-n', @$words])]);

# A connection on which TLS can begin.
sub dial {
  my $way = shift;
  truncate "$T/log", 0;
  my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server{$way}[0]) or die $!;
  return $socket if $way eq 'TLS';
  <$socket>;
  print $socket "s STARTTLS\r\n";
  like(scalar(<$socket>), qr/^s OK/, 'STARTTLS');
  return $socket;
}
sub login {
  my $socket = dial(shift);
  my $inside = IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => SSL_VERIFY_NONE, SSL_version => 'TLSv12') or die $SSL_ERROR;
  print $inside "a LOGIN joe secret\r\n";
  while (<$inside>) { return $inside if /^a OK/ }
  die "no login\n";
}
sub logged_out {
  my ($reason, $name) = @_;
  ok(log_like(qr/^imapd: \d+: logout user=joe ip=127\.0\.0\.1 .* reason=$reason$/m), $name) or diag log_text();
}

for my $way (sort keys %server) {
  my $c = login($way);
  print $c "z LOGOUT\r\n";
  my $last;
  while (<$c>) { $last = $_ }
  like($last, qr/^z OK/, "$way: LOGOUT");
  my $received = 2;    # SSL_RECEIVED_SHUTDOWN of OpenSSL
  is(Net::SSLeay::get_shutdown($c->_get_ssl_object) & $received, $received, '... and close_notify behind it');
  $c->close(SSL_no_shutdown => 1);
  logged_out('logout', '... in the log');

  login($way)->close;
  logged_out('client-closed', "$way: a client that says goodbye to TLS alone");
  login($way)->close(SSL_no_shutdown => 1, SSL_fast_shutdown => 1);
  logged_out('connection-lost', "$way: one that is cut off");

  close dial($way);
  ok(log_like(qr/tls-failed ip=127\.0\.0\.1 reason="client closed the connection"$/m), "$way: one that never begins");
  my $half = dial($way);
  syswrite $half, "\x16\x03\x01\x02\x00\x01";
  ok(log_like(qr/tls-failed ip=127\.0\.0\.1 reason="handshake timed out"$/m), "$way: one that begins and stops");
  $half = dial($way);
  syswrite $half, "\x16\x03\x01\x02\x00\x01";
  close $half;
  ok(log_like(qr/tls-failed ip=127\.0\.0\.1 reason="client closed the connection"$/m), "$way: ... and goes");
  my $other = dial($way);
  syswrite $other, "a LOGIN joe secret\r\n";
  ok(log_like(qr/tls-failed ip=127\.0\.0\.1 reason="client did not speak TLS"$/m), "$way: one that speaks IMAP in the clear");
  unlike(join('', <$other> // ''), qr/OK/, '... has not logged in');
}
stop($_->[1]) for values %server;

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
