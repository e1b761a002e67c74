#!/usr/bin/perl
# What passes through tlsd, how a connection ends, and what the engine can do meanwhile.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use Digest::SHA 'sha256_hex';
use IPC::Open2;
use Test::More;

my $pem = certificate('ec', 'P-256');
srand 7;
my $block = join '', map { chr int rand 256 } 1 .. 65521;
my $size = 5_000_000;
my $big = substr $block x (1 + $size / length $block), 0, $size;
spew("$T/big", $big);

sub serve {
  start(ENV => {TLS_CERTFILE => $pem, TLS_CACHEFILE => "$T/sessions"}, ARGS => [script('prog', "#!/bin/sh\n$_[0]\n")]);
}
# An s_client that stays: pid, what it prints, what it sends.
sub hold {
  my ($port, @options) = @_;
  my $client = open2(my $out, my $in, 'sh', '-c', 'exec 2>$0 "$@"', "$T/client-errors", 'openssl', 's_client',
    '-connect', "127.0.0.1:$port", '-tls1_2', @options);
  return ($client, $out, $in);
}
sub seen { my $path = shift; until_true(sub { slurp($path) }) }

my ($port, $pid) = serve("exec cat $T/big");
is(sha256_hex(s_client($port, "\0")), sha256_hex($big), 'megabytes to the client');
stop($pid);

($port, $pid) = serve("head -c $size | sha256sum");
like(s_client($port, "$big\0"), qr/@{[sha256_hex($big)]}/, 'megabytes from the client');
stop($pid);

($port, $pid) = serve("exec head -c $size");
is(sha256_hex(s_client($port, "$big\0")), sha256_hex($big), 'both ways at once');
stop($pid);

# Ends.  The program says what it has seen in a file.
($port, $pid) = serve("echo ready; cat >$T/got; echo ended >$T/ended; echo answer && echo yes >$T/whole");
s_client($port, "all of it\n");
ok(seen("$T/ended"), 'close_notify is end of file for the program');
is(slurp("$T/got"), "all of it\n", 'after everything that came before');
ok(seen("$T/whole"), 'and no broken pipe, though nobody reads it');
ok(until_true(sub { !engines() }), 'and the engine ends');
unlink "$T/ended";

my ($client, $out, $in) = hold($port, '-quiet');
is(scalar <$out>, "ready\n", 'a client is there');
kill KILL => $client;
waitpid $client, 0;
ok(seen("$T/ended"), 'a client that vanishes is end of file, too');
ok(until_true(sub { !engines() }), 'and the engine ends');
unlink "$T/ended";

# What the program can tell of an end (doc/chain.md).
my $witness = script('witness', <<'END');
#!/usr/bin/perl
use IO::Poll qw(POLLHUP POLLIN);
$| = 1;
print "ready\n";
my $n;
1 while $n = sysread STDIN, my $some, 4096;
my $poll = IO::Poll->new;
$poll->mask(\*STDIN => POLLIN);
$poll->poll(0);
open my $f, '>', "$ENV{TLS_SEEN}.new";
print $f !defined $n || $poll->events(\*STDIN) & POLLHUP ? 'cut off' : 'closed';
close $f;
rename "$ENV{TLS_SEEN}.new", $ENV{TLS_SEEN};
END
stop($pid);
($port, $pid) = start(ENV => {TLS_CERTFILE => $pem, TLS_SEEN => "$T/seen"}, ARGS => [$witness]);
s_client($port, "all of it\n");
ok(seen("$T/seen"), 'a client that says goodbye');
is(slurp("$T/seen"), 'closed', 'has closed');
unlink "$T/seen";
($client, $out, $in) = hold($port, '-quiet');
is(scalar <$out>, "ready\n", 'one that has logged in');
kill KILL => $client;
waitpid $client, 0;
ok(seen("$T/seen"), 'and vanishes');
is(slurp("$T/seen"), 'cut off', 'is cut off');
unlink "$T/seen";
($client, $out, $in) = hold($port, '-quiet');
<$out>;
kill KILL => engines();
ok(seen("$T/seen"), 'as is one whose engine dies');
is(slurp("$T/seen"), 'cut off', 'by what it sees');
waitpid $client, 0;
stop($pid);
($port, $pid) = serve("echo ready; cat >$T/got; echo ended >$T/ended");

# The engine, while it serves.
($client, $out, $in) = hold($port, '-quiet');
<$out>;
ok(until_true(sub { engines() == 1 }), 'one engine beside the session');
my ($engine) = engines();
my $status = slurp("/proc/$engine/status");
like($status, qr/^Seccomp:\s+2$/m, 'under a seccomp filter');
like($status, qr/^NoNewPrivs:\s+1$/m, 'without new privileges');
my ($session) = map { /^PPid:\s+(\d+)/m } $status;
isnt(slurp("/proc/$session/cmdline"), slurp("/proc/$engine/cmdline"), 'nobody\'s child');
SKIP: {
  skip 'not root: no uid to drop to, no root directory to leave', 5 if $>;
  like($status, qr/^Uid:\s+65534\s+65534\s+65534\s+65534$/m, 'as a user of its own');
  like($status, qr/^Groups:\s*$/m, 'in no other group');
  like(readlink "/proc/$engine/root", qr{^/(?:dev/shm|run|tmp|var/tmp)/tlsd\.\w+ \(deleted\)$},
    'its root is a directory that is nowhere');
  my @fds = sort map { m{(\d+)$} } glob "/proc/$engine/fd/*";
  @fds = grep { $_ != 2 } @fds if $ENV{SANITIZE};
  is("@fds", '0 4', 'it holds the connection and the chain and nothing else');
  ok(-s "$T/sessions", 'the file of sessions has been open, too');
}
my ($pss) = slurp("/proc/$engine/smaps_rollup") =~ /^Pss:\s+(\d+)/m;
diag("engine: $pss KiB PSS") if $pss;

# What has passed through stays nowhere: all that either process could write are sockets and the log.
print $in "the quick brown fox\n";
$in->flush;
ok(until_true(sub { slurp("$T/got") =~ /quick brown fox/ }), 'a line goes through');
SKIP: {
  skip 'only root can look at a process that is not dumpable', 1 if $>;
  my @files = grep { !/^(?:socket|pipe|anon_inode):/ } map { readlink } glob "/proc/$engine/fd/*";
  @files = grep { $_ ne "$T/log" } @files if $ENV{SANITIZE};
  is("@files", '', 'the engine has no file');
}
unlike(log_text(), qr/fox/, 'the log has nothing of it');
my @leaks = split /\n/, `grep -lr 'brown fox' $T /dev/shm /run 2>/dev/null`;
is("@leaks", "$T/got", 'nor has any file but the program\'s own');

kill KILL => $engine;
ok(seen("$T/ended"), 'an engine that dies is end of file for the program');
waitpid $client, 0;
stop($pid);

# A program that has written everything and gone while the client has hardly begun to read.
($port, $pid) = serve("exec head -c 3000000 $T/big");
($client, $out, $in) = hold($port, '-quiet');
my $received = sysread $out, my $some, 1000;
while (my $n = sysread $out, $some, 65536) { $received += $n }
is($received, 3_000_000, 'a program that ends first takes nothing with it');
waitpid $client, 0;
stop($pid);

# `R` at the beginning of a line makes s_client ask for a new handshake.
($port, $pid) = serve("cat >$T/got; echo ended >$T/renegotiated");
($client, $out, $in) = hold($port);
$_ = <$out> until !defined || /Extended master secret/;
print $in "R\n";
$in->flush;
1 while <$out>;
like(client_errors(), qr/RENEGOTIATING.*no renegotiation/s, 'a client asks for a new handshake and gets none');
ok(seen("$T/renegotiated"), 'so it leaves');
is(slurp("$T/got"), '', 'and the program nothing of that');
waitpid $client, 0;
stop($pid);

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
