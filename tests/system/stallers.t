#!/usr/bin/perl
# One address opens more connections than a service takes and says nothing, or nonsense: clients of
# other addresses log in all the same, on both ports of the services as they are shipped.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('ann');
my $demo = demo(users => [ [ 'ann', 'secret', $home ] ]);

my @said = ('', "\x16\x03\x01", "a LOGIN {5}\r\n", "\0\xff" x 20);
my @stallers;
for my $port ($demo->{port}, $demo->{sslport}) {
    for my $i (0 .. 59) {    # MAXDAEMONS is 40
        my $socket = IO::Socket::INET->new(
            PeerAddr  => '127.0.0.1',
            PeerPort  => $port,
            LocalAddr => '127.0.0.5'
        ) or die "connect: $!";
        syswrite $socket, $said[ $i % @said ];
        push @stallers, $socket;
    }
}
ok(eventually { $demo->log =~ / too-many-connections ip=127\.0\.0\.5 / }, 'too many for one address');
my $client = $demo->connect(tls => 1);
like($client->command('LOGIN ann secret'), qr/^OK/, 'another logs in inside TLS');
$client->logout;
$client = $demo->connect;
$client->ok('STARTTLS');
$client->tls;
like($client->command('LOGIN ann secret'), qr/^OK/, 'and by STARTTLS');
$client->logout;

close $_ for @stallers;
ok(eventually { !grep { /^(?:tlsd|imaplogin)/ } values %{ children_of($demo->{pid}) } }, 'no connection is left of them');
done_testing;
