#!/usr/bin/perl
# tlsd -n: TLS on request, by UCSPI-TLS.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Socket::INET;
use Test::More;

my $pem = certificate('ec', 'P-256');
# Just enough IMAP for openssl s_client -starttls imap.
my $imap = script('imap', <<'END');
#!/usr/bin/perl
$| = 1;
my $out = \*STDOUT;
sub say { syswrite $out, "$_[0]\r\n" }
sub line { my ($l, $c) = ''; while (sysread(STDIN, $c, 1)) { $l .= $c; last if $c eq "\n" } $l =~ s/\r?\n//; $l }
say("* OK ready " . join ' ', map { defined $ENV{$_} ? "$_=$ENV{$_}" : () } qw(SSLCTLFD SSLREADFD SSLWRITEFD SSL_PROTOCOL SSL_PEER_CN));
while (my $l = line()) {
  my ($tag, $command) = $l =~ /^(\S+) (\S+)/;
  if ($command eq 'CAPABILITY') { say('* CAPABILITY IMAP4rev1 STARTTLS'); say("$tag OK") }
  elsif ($command eq 'ALONE') {
    # As a module does that accepts a login in the clear.
    for (qw(SSLCTLFD SSLREADFD SSLWRITEFD)) { open my $fd, '+<&=', $ENV{$_} or die $!; close $fd }
    say("$tag OK alone");
  }
  elsif ($command eq 'ZOMBIES') { say("$tag OK " . grep(/^Z/, split /\n/, `ps -o stat= --ppid $$`)) }
  elsif ($command eq 'LOGOUT') { say("$tag OK bye"); exit }
  elsif ($command eq 'STARTTLS') {
    say("$tag OK begin");
    open my $control, '+<&=', $ENV{SSLCTLFD} or die $!;
    syswrite $control, $ENV{COMMAND} // 'Y';
    my $facts = '';
    if (($ENV{COMMAND} // 'Y') eq 'Y') {
      while (sysread $control, my $some, 1) { $facts .= $some; last if $facts =~ /^\0|\0\0$/ }
    }
    close $control;
    print STDERR "facts: ", join('|', split /\0/, $facts), $facts =~ /\0\0$/ ? " complete" : " incomplete", "\n";
    open STDIN, '<&=', $ENV{SSLREADFD} or die $!;
    open $out, '>&=', $ENV{SSLWRITEFD} or die $!;
  }
  else { say("$tag OK $l") }
}
END

my ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, SSL_PROTOCOL => 'x', SSL_PEER_CN => 'y', DB_PASSWORD => 'secret'}, ARGS => ['-n', $imap]);
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
my $greeting = <$s>;
like($greeting, qr/ SSLCTLFD=\d\d+ SSLREADFD=\d\d+ SSLWRITEFD=\d\d+\r$/, 'the descriptors are 10 or above; nothing inherited');
my %fds = $greeting =~ /SSL(\w+)FD=(\d+)/g;
is(keys %{ {reverse %fds} }, 3, 'and three');
SKIP: {
  skip "only root can look at a process that is not dumpable", 1 if $>;
  my ($engine) = engines();
  # The greeting may come before the engine has got so far.
  ok(until_true(sub { slurp("/proc/$engine/environ") !~ /[^\0]/ }), 'the engine has nothing of the environment');
}
print $s "a ALONE\r\n";
is(scalar <$s>, "a OK alone\r\n", 'plain text for whoever wants it');
ok(until_true(sub { engines() == 0 }), 'the engine that nobody will ask goes');
print $s "a ZOMBIES\r\n";
is(scalar <$s>, "a OK 0\r\n", 'and is no zombie');
print $s "a LOGOUT\r\n";
is(scalar <$s>, "a OK bye\r\n", 'the program goes on');
is(scalar <$s>, undef, 'and its end');

my $out = s_client($port, "b HELLO\nc LOGOUT\n\0", '-starttls', 'imap', '-servername', 'imap.example.org');
like($out, qr/^b OK b HELLO/m, 'STARTTLS');
like($out, qr/^c OK bye/m, 'to the end');
unlike(client_errors(), qr/unexpected eof/, 'close_notify ends it');
ok(log_like(qr/^facts: SSL_PROTOCOL=TLSv1.2\|SSL_CIPHER=ECDHE-ECDSA-\S+\|SSL_TLS_SNI_SERVERNAME=imap.example.org\|SSL_SERVER_END_POINT=[0-9a-f]{64} complete$/m),
  'the program is told the facts');

s_client_any($port, '', '-starttls', 'imap', '-tls1', '-cipher', 'ALL:@SECLEVEL=0');
ok(log_like(qr/^facts: SSL_ERROR=client offered only TLS 1.0 incomplete$/m), 'or the reason of a failure');
$s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
<$s>;
print $s "a STARTTLS\r\n";
<$s>;
close $s;
ok(log_like(qr/^facts: SSL_ERROR=client closed the connection incomplete$/m), 'as that it has gone');
stop($pid);

($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, COMMAND => 'y'}, ARGS => ['-n', $imap]);
$out = s_client($port, "b HELLO\nc LOGOUT\n\0", '-starttls', 'imap');
like($out, qr/^b OK b HELLO.*^c OK bye/ms, '`y` asks for TLS without facts');
stop($pid);
($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, COMMAND => 'Z'}, ARGS => ['-n', $imap]);
$out = s_client($port, "b HELLO\nc LOGOUT\n\0", '-starttls', 'imap');
unlike($out, qr/HELLO/, 'any other command gets no TLS');
stop($pid);

my $bare = script('bare', "#!/bin/sh\nread x\necho plain:\$x\n");
($port, $pid) = start(ENV => {TLS_CERTFILE => $pem}, ARGS => ['-n', $bare]);
$s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
print $s "hello\n";
is(join('', <$s>), "plain:hello\n", 'a program that knows nothing of it');
stop($pid);

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
