#!/usr/bin/perl
# What is in the engine's memory, and for how long: the private key until the handshake is over, what
# passes through until the connection is quiet.
use strict;
use warnings;
no warnings 'portable';    # addresses
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Socket::INET;
use IPC::Open2;
use Test::More;

plan skip_all => 'only root can look into the engine' if $>;
plan skip_all => 'sanitizers keep copies of their own' if $ENV{SANITIZE};
plan skip_all => 'no /proc/PID/mem here' unless -e '/proc/self/mem';

# Whether some memory of the process that it can write to holds these bytes.
sub holds {
  my ($pid, $bytes) = @_;
  open my $maps, '<', "/proc/$pid/maps" or return;
  open my $mem, '<:raw', "/proc/$pid/mem" or return;
  while (<$maps>) {
    my ($start, $end) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
    sysseek $mem, hex $start, 0;
    my $size = hex($end) - hex $start;
    my $content;
    next unless sysread $mem, $content, $size;
    return 1 if index($content, $bytes) >= 0;
  }
  return 0;
}

# The secret number of a key, as the engine has it.
sub secret_of {
  my $pem = shift;
  my ($hex) = `openssl pkey -in $pem -text -noout` =~ /(?:priv|prime1):\s+([0-9a-f:\s]+)/ or die;
  $hex =~ s/[:\s]//g;
  $hex =~ s/^00//;
  return pack 'H*', $hex;
}

my $marker = 'what-nobody-else-shall-read';
my $prog = script('prog', "#!/bin/sh\nread name\nexec 3>&1\necho \"$marker \$name\"\nexec cat\n");

sub engine {
  my @found;
  until_true(sub { @found = engines(); @found == 1 });
  return $found[0];
}

for my $kind ('P-256', 'rsa') {
  my $pem = certificate("memory-$kind", $kind);
  my $secret = secret_of($pem);
  my ($port, $pid) = start(ENV => {TLS_CERTFILE => $pem}, ARGS => [$prog]);
  my $tcp = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
  # tlsd and the engine, and for a moment who was between.
  ok(until_true(sub { grep { holds($_, $secret) } engines() }), "$kind: the engine has the key when a client comes");
  close $tcp;
  until_true(sub { !engines() });

  my $client = open2(my $out, my $in, 'sh', '-c', 'exec 2>/dev/null "$@"', 'sh', 'openssl', 's_client', '-quiet', '-connect', "127.0.0.1:$port", '-tls1_2');
  print $in "joe-$kind\n";
  is(scalar <$out>, "$marker joe-$kind\n", "$kind: a client is served");
  my $engine = engine();
  ok(defined holds($engine, 'x'), "$kind: its engine can be looked into");
  ok(!holds($engine, $secret), "$kind: the engine has no key any more");
  ok(until_true(sub { !holds($engine, "joe-$kind") }), "$kind: and soon nothing of what was said");
  print $in "again\n";
  is(scalar <$out>, "again\n", "$kind: the connection goes on");
  kill TERM => $client;
  waitpid $client, 0;
  stop($pid);
}
done_testing;
