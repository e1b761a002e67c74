#!/usr/bin/perl
# Unknown user, wrong password and disabled account are one answer, at the same boundaries: from when
# it comes nobody can tell which it was, nor how the password is hashed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;
use Time::HiRes qw(time sleep);

use constant { SAMPLES => 14, STEP => 1, APART => 0.04 };

my $server = LoginServer->new(modules => []);
my $dir = $server->{dir};
my ($uid, $gid) = $LoginServer::is_root ? ($LoginServer::nobody) x 2 : ($>, $) + 0);
# Hashes whose costs are far apart: a connection's own part is a few milliseconds.
my %hash = (
    cheap => crypt('secret', '$5$rounds=1000$salt$'),
    dear => crypt('secret', '$6$rounds=150000$salt$'),
);
my @kinds = qw(unknown cheap dear disabled);
LoginServer::in_file("$dir/userdb", join('', map { "$_\tuid=$uid|gid=$gid|home=$dir|imappw=$hash{$_}\n" } keys %hash)
      . "disabled\tdisabled|uid=$uid|gid=$gid|home=$dir|imappw=$hash{dear}\n", 0600);
system "$LoginServer::bin/makeuserdb", "$dir/userdb", "$dir/userdb.cdb" and die 'makeuserdb';

sub begin {
    my (%env) = @_;
    $server->stop;
    $server->{env} = { USERDB => "$dir/userdb.cdb", IMAP_LOGIN_TIMEOUT => 600, %env };
    $server->{words} = ["$LoginServer::bin/imaplogin", "$LoginServer::bin/authuserdb", '/bin/true'];
    $server->start;
}

my (%seconds, %words);

# One failure of each kind, in an order that changes; all wait at once, each on its own connection.
sub sample {
    my ($count, $apart) = @_;
    (%seconds, %words) = ();
    my (%began, %client, $answered);
    my @order = map { my $n = $_; map { $kinds[($n + $_) % @kinds] } 0 .. $#kinds } 1 .. $count;
    my $select = IO::Select->new;
    my $total = @order;
    my $next = time;
    while (my $kind = shift @order or $select->count) {
        if ($kind) {
            my $c = $server->client;
            $c->line;
            $began{ fileno $c->{in} } = [$kind, time, $c];
            $c->say("a LOGIN $kind wrong\r\n");
            $select->add($c->{in});
            $next = time + $apart;
        }
        do {
            for my $socket ($select->can_read(@order ? ($next > time ? $next - time : 0) : 30)) {
                my ($which, $when, $c) = @{ delete $began{ fileno $socket } };
                $words{$which}{ $c->line // 'nothing' }++;
                push @{ $seconds{$which} }, time - $when;
                $select->remove($socket);
                $c->close; # tcpserver takes 40 at once
                $answered++;
            }
        } while @order && time < $next;
    }
    return $answered == $total;
}

# The chance that an answer of the one kind comes later in its step than one of the other: a half if the
# kinds cannot be told apart, 0 or 1 if they always can.
sub later {
    my ($one, $other, $step) = @_;
    my $wins = 0;
    my @phases = map { [map { $step ? $_ - $step * int($_ / $step) : $_ } @{ $seconds{$_} }] } $one, $other;
    for my $x (@{ $phases[0] }) { $wins += $x > $_ ? 1 : $x == $_ ? 0.5 : 0 for @{ $phases[1] } }
    return $wins / (@{ $phases[0] } * @{ $phases[1] });
}

begin(IMAP_LOGIN_DELAY => 0);
ok sample(6, 0), 'without a delay: all are answered';
cmp_ok later('dear', 'unknown'), '>', 0.9, '... and the time tells a hash from an unknown user';

begin(IMAP_LOGIN_DELAY => STEP);
ok sample(SAMPLES, APART), 'with a delay: all are answered';
is_deeply [map { join '|', sort keys %{ $words{$_} } } @kinds], [('a NO [AUTHENTICATIONFAILED] Login failed') x @kinds],
  'in the same words';
is_deeply [grep { grep { $_ < STEP - 0.01 } @{ $seconds{$_} } } @kinds], [], 'and none before the boundary';
for my $i (0 .. $#kinds) {
    for my $j ($i + 1 .. $#kinds) {
        my $chance = later($kinds[$i], $kinds[$j], STEP);
        # The standard deviation is 0.11: this fails by chance once in more than 10,000 times.
        ok $chance > 0.05 && $chance < 0.95, "$kinds[$i] and $kinds[$j] cannot be told apart" or diag $chance;
    }
}
like $server->log_text, qr/reason=$_/, "the log can: $_" for 'unknown-user', 'wrong-password', 'disabled';

# A database that fails: another answer, at the same boundaries, and no failure of the client's.
rename "$dir/userdb.cdb", "$dir/away";
mkdir "$dir/userdb.cdb";
ok sample(1, 0), 'without a database: all are answered';
is_deeply [map { keys %{ $words{$_} } } @kinds],
  [('a NO [UNAVAILABLE] Login is not possible at the moment, try again later') x @kinds], '... by UNAVAILABLE';
is_deeply [grep { $seconds{$_}[0] < STEP - 0.01 } @kinds], [], '... not before the boundary';
my $failed = () = $server->log_text =~ /: login-failed /g;
is $failed, SAMPLES * @kinds + 6 * @kinds, 'and the log counts no failure of theirs';
done_testing;
