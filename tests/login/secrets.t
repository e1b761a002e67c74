#!/usr/bin/perl
# A password is nowhere any more once it has been used: not in the memory, environment or arguments of
# any process of the connection, nor in the log; and none of these processes leaves a core.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use MIME::Base64;
use Test::More;

plan skip_all => 'only root may look into other users\' processes' unless $LoginServer::is_root;
plan skip_all => 'the sanitizers keep copies of what was on the stack' if $ENV{SANITIZE};
plan skip_all => 'no IO::Socket::SSL here' unless eval { require IO::Socket::SSL; 1 };

my $user = 'ann';
# Long enough that nothing holds by chance.
my ($right, $wrong) = ('correct-Zq7vK2mW9x', 'mistaken-Xw3tB8nR5y');

my $server = LoginServer->new(modules => []);
my $dir = $server->{dir};
mkdir "$dir/home";
system "$LoginServer::bin/maildirmake", "$dir/home/Maildir" and die 'maildirmake';
system 'chown', '-R', "$LoginServer::nobody:$LoginServer::nobody", "$dir/home";
my $hash = crypt $right, '$6$rounds=1000$salt$';
sub database {
    LoginServer::in_file("$dir/userdb", "$user\tuid=$LoginServer::nobody|gid=$LoginServer::nobody|home=$dir/home|imappw=$_[0]\n", 0600);
    system "$LoginServer::bin/makeuserdb", "$dir/userdb", "$dir/userdb.cdb" and die 'makeuserdb';
}
database($hash);
my $pem = "$dir/pem";
system "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
  . "-keyout $pem.key -out $pem.crt >/dev/null 2>&1 && cat $pem.key $pem.crt > $pem" and die 'openssl';
$server->{env} = {
    USERDB => "$dir/userdb.cdb", IMAP_LOGIN_DELAY => 1, IMAP_LOGIN_FAILURES => 20, TLS_CERTFILE => $pem,
    IMAP_LOGIN_SLOWDOWN => "$dir/slowdown", IMAP_LOGIN_FREE => 1000,
};
symlink "$LoginServer::bin/tlsd", "$dir/tlsd";
$server->{before} = ["$dir/tlsd", '-n'];
$server->{words} = ["$LoginServer::bin/imaplogin", "$LoginServer::bin/authuserdb", "$LoginServer::bin/authpwd",
    "$LoginServer::bin/imapd", 'Maildir'];
$server->start;

# Where in a process one of these strings is.
sub places {
    my ($pid, @secrets) = @_;
    my $pattern = join '|', map { quotemeta } @secrets;
    my @found = grep { (LoginServer::slurp({ dir => "/proc/$pid" }, $_)) =~ $pattern } 'environ', 'cmdline';
    open my $maps, '<', "/proc/$pid/maps" or return @found, 'no process';
    open my $mem, '<:raw', "/proc/$pid/mem" or return @found, 'no memory';
    while (<$maps>) {
        my ($from, $to, $what) = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)/ or next;
        no warnings 'portable';
        next if $what =~ /^\[v/;
        sysseek $mem, hex $from, 0 or next;
        my ($left, $tail) = (hex($to) - hex $from, '');
        while ($left > 0 && sysread $mem, my $some, $left > 1 << 20 ? 1 << 20 : $left) {
            push @found, "memory $what" if "$tail$some" =~ $pattern;
            $tail = substr $some, -100;
            $left -= length $some;
        }
    }
    return @found;
}

my $keeper;

# The keeper, or what it has become; its parser; tlsd's engine, by the path it was run by.
sub processes {
    my $inside = readlink "/proc/$keeper/fd/0";
    my @parsers = grep { (readlink "/proc/$_/fd/0" // '') eq $inside } $server->processes_named(qr/^imaplogin-parser\0/);
    return ($keeper, @parsers, $server->processes_named(qr{^\Q$dir\E/tlsd\0}));
}

sub clean {
    my ($name, @secrets) = @_;
    my @found;
    for my $pid (processes()) {
        my $command = LoginServer::slurp({ dir => "/proc/$pid" }, 'cmdline') =~ tr/\0/ /r;
        next if $command eq '' || !-e "/proc/$pid"; # it has ended meanwhile
        push @found, map { "$command: $_" } places($pid, @secrets);
    }
    is_deeply \@found, [], $name;
}

# What each process may leave when it dies.
sub coreless {
    my ($name) = @_;
    my @bad = grep { LoginServer::slurp({ dir => "/proc/$_" }, 'limits') !~ /^Max core file size +0 +0 /m } processes();
    is_deeply \@bad, [], $name;
}

sub plain { return encode_base64("\0$user\0$_[0]", '') }

ok places($$, $right), 'a process that has the password is found';

# A connection inside TLS; one for each failure, as the answers come later and later.
my $tls;

sub begin {
    my $socket = $server->client;
    $socket->line;
    ($keeper) = ($server->log_text =~ /^imaplogin: (\d+): connect/mg)[-1];
    like $socket->command('s STARTTLS'), qr/^s OK/, 'STARTTLS';
    $tls = IO::Socket::SSL->start_SSL($socket->{in}, SSL_verify_mode => 0) or die IO::Socket::SSL::errstr();
}

begin();
print $tls "a LOGIN $user $wrong\r\n";
ok $server->logged(qr/login-failed /), 'a wrong password';
clean('... is nowhere while the answer waits', $wrong);
like scalar <$tls>, qr/^a NO \[AUTHENTICATIONFAILED\]/, '... and answered';
clean('... nor after it', $wrong);
is scalar(() = processes()), 3, 'keeper, parser and engine have been looked at';
coreless('and none of them leaves a core');

begin();
print $tls "b LOGIN $user {", length $wrong, "+}\r\n$wrong\r\n";
like scalar <$tls>, qr/^b NO/, 'one in a literal';
clean('... is nowhere', $wrong);
begin();
print $tls 'c AUTHENTICATE PLAIN ', plain($wrong), "\r\n";
like scalar <$tls>, qr/^c NO/, 'one in base64';
clean('... is nowhere, in neither form', $wrong, plain($wrong));
begin();
print $tls "d AUTHENTICATE PLAIN\r\n";
like scalar <$tls>, qr/^\+ /, 'one in a second line';
print $tls plain($wrong), "\r\n";
like scalar <$tls>, qr/^d NO/, '... is wrong, too';
clean('... and nowhere', $wrong, plain($wrong));

begin();
rename "$dir/userdb.cdb", "$dir/away";
mkdir "$dir/userdb.cdb";
print $tls "e LOGIN $user $right\r\n";
like scalar <$tls>, qr/^e NO \[UNAVAILABLE\]/, 'a right one, and a database that fails';
clean('... is nowhere', $right);
rmdir "$dir/userdb.cdb";
rename "$dir/away", "$dir/userdb.cdb";

print $tls 'f AUTHENTICATE PLAIN ', plain($right), "\r\n";
like scalar <$tls>, qr/^f OK/, 'the right one';
clean('... is nowhere in the session', $right, plain($right), $hash);
is scalar(() = processes()), 2, 'which is imapd and the engine';
coreless('and none of them leaves a core');
my $log = $server->log_text;
ok index($log, $_) < 0, 'the log has none of it' for $right, $wrong, plain($right), plain($wrong), $hash;
done_testing;
