#!/usr/bin/perl
# mbsync(1) through the whole chain: over TLS from the first byte and by STARTTLS, each suite with RSA
# and EC keys, and certificates of its own.  (It never resumes a session: it is one process and one
# connection each time.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Test::More;

plan skip_all => 'mbsync is not installed' unless grep { -x "$_/mbsync" } split /:/, $ENV{PATH};

people();
my ($words, $env) = chain('authuserdb');
my %name = (ECDSA => 'ec', RSA => 'rsa');
my $make = "$FindBin::Bin/../../scripts/mkimapdcert";
sh("$make $T/ec.pem localhost; $make -r $T/rsa.pem localhost");
spew("$T/home/Maildir/new/1.M1P1.test", "Subject: hello\n\nworld\n");
chown 65532, 65532, "$T/home/Maildir/new/1.M1P1.test" unless $>;

# Servers on both ways in: type => [port, pid].
sub serve {
  my ($kind, %more) = @_;
  my %all = (%$env, TLS_CERTFILE => "$T/$name{$kind}.pem", %more);
  return map { [start(ENV => \%all, ARGS => $_)] } $words, ['-n', @$words];
}

# Whether a copy of the mailbox is made, and what mbsync says.
my $copies = 0;
sub synchronize {
  my ($type, $kind, $port, @options) = @_;
  my $dir = "$T/copy." . ++$copies;
  mkdir $dir;
  my $options = join "\n", @options;
  spew("$dir/rc", <<"END");
IMAPAccount server
Host localhost
Port $port
User joe
Pass secret
SSLType $type
SSLVersions TLSv1.2
SystemCertificates no
CertificateFile $T/$name{$kind}.pem
AuthMechs LOGIN
$options

IMAPStore far
Account server

MaildirStore near
Inbox $dir/INBOX

Channel one
Far :far:
Near :near:
Create Near
Sync Pull
SyncState *
END
  my $said = `timeout 60 mbsync -c $dir/rc one 2>&1`;
  my @got = map { slurp($_) } glob "$dir/INBOX/new/* $dir/INBOX/cur/*";
  return (@got == 1 && $got[0] =~ /^Subject: hello\r?\n(?:X-TUID: .*\n)?\r?\nworld\r?\n\z/m, $said);
}

my @types = ('IMAPS', 'STARTTLS');
for my $kind (sort keys %name) {
  my @servers = serve($kind);
  for my $suite (map { "ECDHE-$kind-$_" } 'AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305') {
    for my $i (0, 1) {
      truncate "$T/log", 0;
      my ($good, $said) = synchronize($types[$i], $kind, $servers[$i][0], "CipherString $suite");
      ok($good, "$types[$i]: $suite") or diag $said;
      ok(log_like(qr/^\w+: \d+: tls ip=127\.0\.0\.1 protocol=TLSv1\.2 cipher=$suite /m), '... which the log has, too') or diag log_text();
    }
  }
  stop($_->[1]) for @servers;
}

my @servers = serve('ECDSA', TLS_VERIFYPEER => 'REQUIREPEER', TLS_TRUSTCERTS => "$T/ca.crt");
my @people = (
  [joe => ''],
  [expired => "client's certificate, or one it depends on, has expired or is not yet valid"],
  [stranger => "client's certificate is from no authority in TLS_TRUSTCERTS"],
  [nobody => 'client sent no certificate, which TLS_VERIFYPEER requires'],
);
for (@people) {
  my ($who, $reason) = @$_;
  my @own = -e "$T/$who.crt" ? ("ClientCertificate $T/$who.crt", "ClientKey $T/$who.key") : ();
  for my $i (0, 1) {
    truncate "$T/log", 0;
    my ($good, $said) = synchronize($types[$i], 'ECDSA', $servers[$i][0], @own);
    ok($good == !$reason, "$types[$i]: $who " . ($reason ? 'is refused' : 'is served')) or diag $said;
    my $event = $reason ? qr/tls-failed ip=127\.0\.0\.1 reason="\Q$reason\E"$/m : qr/: tls ip=127\.0\.0\.1 .* peer=joe$/m;
    ok(log_like($event), '... as the log says') or diag log_text();
  }
}
stop($_->[1]) for @servers;

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
