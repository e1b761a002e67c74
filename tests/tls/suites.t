#!/usr/bin/perl
# TLS_CIPHER_LIST and TLS_PROTOCOL: what is offered, in which order, and what is refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Test::More;

certificate('ec', 'P-256');
certificate('rsa', 'rsa');
sh("cd $T; cp rsa.pem both.pem; cp ec.pem both.pem.ecdsa");
my $show = script('show', "#!/bin/sh\nread x\necho cipher:\$SSL_CIPHER\n");
my @all = map { my $k = $_; map { "ECDHE-$k-$_" } qw(AES128-GCM-SHA256 AES256-GCM-SHA384 CHACHA20-POLY1305
    AES128-SHA256 AES256-SHA384 AES128-SHA AES256-SHA) } qw(ECDSA RSA);

# What the server picks of all that a client can offer, one after another.
sub offered {
  my ($list, $certificate) = @_;
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/$certificate.pem", TLS_CIPHER_LIST => $list}, ARGS => [$show]);
  my (@left, @got) = reverse @all;
  while (@left) {
    s_client($port, "x\n\0", '-cipher', join(':', @left) . ':@SECLEVEL=0') =~ /^cipher:(\S+)$/m or last;
    push @got, $1;
    @left = grep { $_ ne $1 } @left;
  }
  stop($pid);
  return join ' ', map { s/^ECDHE-//r } @got;
}
my $aes = slurp('/proc/cpuinfo') =~ /^flags.*\baes\b/m;
my @default = ('AES128-GCM-SHA256', 'AES256-GCM-SHA384');
@default = $aes ? (@default, 'CHACHA20-POLY1305') : ('CHACHA20-POLY1305', @default);
is(offered('', 'both'), join(' ', map { ("ECDSA-$_", "RSA-$_") } @default), 'the default, in its order');
is(offered('TLSv1:HIGH:!LOW:!MEDIUM:!EXP:!NULL:!aNULL@STRENGTH', 'ec'),
  join(' ', map { "ECDSA-$_" } (grep { !/128/ } @default), 'AES128-GCM-SHA256'), "Courier's default");
is(offered('ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256', 'ec'),
  'ECDSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256', 'two suites, in their order');
is(offered('CHACHA20, AESGCM;!AES256', 'ec'), 'ECDSA-CHACHA20-POLY1305 ECDSA-AES128-GCM-SHA256', 'classes, other separators');
is(offered('ECDHE+AES256:aRSA+AES128:@SECLEVEL=2', 'both'),
  'ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384 RSA-AES128-GCM-SHA256', 'classes joined');
is(offered('AES128:CHACHA20:AES256:+AES128:-CHACHA20', 'ec'), 'ECDSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256',
  'moved to the end, taken away');
is(offered('ECDHE-ECDSA-AES128-SHA256:AES256:ECDHE-ECDSA-AES128-GCM-SHA256:!SHA1:!SHA256:!SHA384', 'ec'),
  'ECDSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256', 'hashes are those of MACs, which AEAD suites have none of');
is(offered('ECDHE-ECDSA-AES128-SHA:AES256:!CBC:!GOST94:!kGOST18:!aGOST12:!GOST12:!GOST89', 'ec'), 'ECDSA-AES256-GCM-SHA384', 'no CBC');
is(offered('FIPS', 'ec'), 'ECDSA-AES128-GCM-SHA256 ECDSA-AES256-GCM-SHA384', 'FIPS: no ChaCha20');
is(offered('AES128:!AES128:ECDHE-ECDSA-AES128-GCM-SHA256:AES256', 'ec'), 'ECDSA-AES256-GCM-SHA384', 'taken away for good');
is(offered('AES128:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256', 'ec'),
  'ECDSA-AES128-GCM-SHA256 ECDSA-AES256-SHA ECDSA-AES256-SHA384 ECDSA-AES128-SHA256', 'CBC by name');
is(offered('AES:ECDHE-RSA-AES128-SHA:!SHA1', 'rsa'), 'RSA-AES128-GCM-SHA256 RSA-AES256-GCM-SHA384', 'not by class');

sub refused {
  my ($name, $value, $word, $what) = @_;
  truncate "$T/log", 0;
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/ec.pem", $name => $value}, ARGS => ['-n', $show]);
  s_client($port, '');
  ok(log_like(qr/bad-setting name=$name value="?\Q$word\E"? why=.* remedy=/), $what) or diag log_text();
  stop($pid);
}
refused('TLS_CIPHER_LIST', 'HIGH:DHE-RSA-AES128-GCM-SHA256', 'DHE-RSA-AES128-GCM-SHA256', 'a suite that BearSSL lacks');
refused('TLS_CIPHER_LIST', 'HIGH:CAMELLIA', 'CAMELLIA', 'a class that it lacks');
refused('TLS_CIPHER_LIST', 'HIGH:!NONSENSE', '!NONSENSE', 'no word of the notation');
refused('TLS_CIPHER_LIST', 'HIGH:aRSA+SHA384', 'aRSA+SHA384', 'a class of one suite, with CBC');
refused('TLS_CIPHER_LIST', 'ECDHE+AES128+AES256', 'ECDHE+AES128+AES256', 'nothing in common');
refused('TLS_CIPHER_LIST', 'HIGH:@SECLEVEL=5', '@SECLEVEL=5', 'an unknown command');
refused('TLS_CIPHER_LIST', 'HIGH:' . 'x' x 300, 'x' x 300, 'a long word');
refused('TLS_CIPHER_LIST', 'HIGH:!ECDHE', 'HIGH:!ECDHE', 'nothing left');
refused('TLS_PROTOCOL', 'TLSv1.3', 'TLSv1.3', 'TLS 1.3');
refused('TLS_STARTTLS_PROTOCOL', 'SSL2', 'SSL2', 'SSL 2');
for ('TLSv1.2++', 'TLSv1') {
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => "$T/ec.pem", TLS_PROTOCOL => $_, TLS_STARTTLS_PROTOCOL => ''},
    ARGS => [$show]);
  like(s_client($port, "x\n\0"), qr/cipher:ECDHE/, $_);
  s_client_any($port, "x\n", '-tls1', '-cipher', 'ALL:@SECLEVEL=0');
  ok(log_like(qr/reason="client offered only TLS 1.0"/), '... which is TLS 1.2');
  truncate "$T/log", 0;
  stop($pid);
}
ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
