#!/usr/bin/perl
# The service directories as they stand under daemontools' svscan(8), without s6, and what the
# log says of logins, failures, TLS and logouts: who, from where, how, and no password.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use POSIX ();
use Time::HiRes qw(sleep);
use Chainmail;

my ($svscan) = grep { -x } map { "$_/svscan" } split(/:/, $ENV{PATH}), '/usr/sbin';
plan skip_all => 'daemontools is not installed' unless $svscan;

my $home = home('ann');
deliver("$home/Maildir", "Subject: one\n\nx\n");

# The demo makes a directory with configuration, certificate and user database; its own supervisor
# is stopped, and svscan takes its place.
my $demo = demo(users => [ [ 'ann', 'S3cret-Passw0rd', $home ] ]);
$demo->stop;
system('rm', '-rf', map { glob "'$demo->{dir}'/service/*/$_" } 'supervise', 'log/supervise', 'log/main');

# Daemontools and nothing of s6: a PATH in which its programs are not to be found.
mkdir "$T/path" or die $!;
for my $program (map { glob "$_/*" } split /:/, $ENV{PATH}) {
    my ($name) = $program =~ m{([^/]+)$};
    symlink $program, "$T/path/$name" unless $name =~ /^s6-/ or -l "$T/path/$name";
}

my $pid = fork // die "fork: $!";
if (!$pid) {
    $ENV{PATH} = "$T/path";
    POSIX::setsid();
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', "$T/svscan.log";
    open STDERR, '>&', \*STDOUT;
    exec $svscan, "$demo->{dir}/scan" or POSIX::_exit(127);
}

# svscan does not take its services along when it ends.
sub stop_svscan {
    return unless $pid;
    my $below = children_of($pid);
    kill 'TERM', $pid;
    waitpid $pid, 0;
    undef $pid;
    for my $service (map { ($_, "$_/log") } glob "'$demo->{dir}'/scan/*") {
        system('svc', '-dx', $service);
    }
    my @left = sort keys %$below;
    eventually { !(@left = grep { kill 0, $_ } @left) };
    is(join(' ', map { $below->{$_} } @left), '', 'after the end no process is left');
    kill 'KILL', @left;
}

END {
    if ($pid) {
        my $status = $?;
        stop_svscan();
        $? = $status;
    }
}

sub answers {
    my ($port) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) ? 1 : 0;
}
ok(eventually { answers($demo->{port}) && answers($demo->{sslport}) }, 'both ports answer')
  or diag(slurp("$T/svscan.log"), $demo->log);

# ---- the events ----

my $client = $demo->connect(tls => 1);
like($client->command('LOGIN ann wrong-guess-1') // '', qr/^NO/, 'a wrong password');
like($client->command('LOGIN nobody-here wrong-guess-2') // '', qr/^NO/, 'an unknown user');
$client->ok('LOGIN ann S3cret-Passw0rd');
$client->ok('SELECT INBOX');
$client->logout;

$client = $demo->connect;
like($client->{greeting}, qr/STARTTLS/, 'STARTTLS is offered on the other port');
like($client->{greeting}, qr/LOGINDISABLED/, 'and login is not');
like($client->command('LOGIN ann S3cret-Passw0rd') // '', qr/^NO/, 'no login in the clear');
$client->ok('STARTTLS');
$client->tls;
require MIME::Base64;
$client->ok('AUTHENTICATE PLAIN ' . MIME::Base64::encode_base64("\0ann\0S3cret-Passw0rd", ''));
$client->logout;

my $log;
ok(eventually { $log = $demo->log; 2 <= (() = $log =~ / logout /g) }, 'both logouts are logged')
  or diag($log);
my $address = qr/(?:ip|address|peer)="?(?:::ffff:)?127\.0\.0\.1/;
like($log, qr/^\S+ tcpserver: /m, 'lines have a time stamp; connections are logged');
like($log, qr/ tlsd: \d+: .*TLSv1\.2/, 'the version of TLS');
like($log, qr/ tlsd: \d+: .*cipher=\S+/, 'and the cipher');
my @logins = grep { / login / } split /\n/, $log;
is(scalar @logins, 2, 'two logins');
like($_, qr/ authuserdb: \d+: login .*user=ann/, 'a login names the user') for @logins;
like($_, $address, 'and the address') for @logins;
is(scalar(grep { /method=LOGIN/ } @logins), 1, 'and the method, LOGIN');
is(scalar(grep { /method=PLAIN/ } @logins), 1, 'or the SASL mechanism');
my @failures = grep { / login-failed / } split /\n/, $log;
is(scalar(grep { /user=ann/ } @failures), 1, 'one failure of this user') or diag($log);
is(scalar(grep { /user=nobody-here/ } @failures), 1, 'one of the unknown one');
like($_, $address, 'a failure names the address') for @failures;
like($log, qr/ declined .*reason=wrong-password/, 'a reason: wrong password');
like($log, qr/ declined .*reason=unknown-user/,   'a reason: unknown user');
my @logouts = grep { / logout / } split /\n/, $log;
like($_, qr/ imapd: \d+: logout .*user=ann/, 'a logout names the user') for @logouts;
like($_, qr/seconds=\d+ .*in=\d+ .*out=[1-9]\d*/, 'and time and bytes') for @logouts;
like($_, $address, 'and the address') for @logouts;
unlike($log, qr/S3cret|wrong-guess|[A-Za-z0-9+\/]*UzNjcmV0/, 'no password anywhere');

# ---- refusals ----

my $maildir = "$home/Maildir";
rename $maildir, "$home/elsewhere" or die $!;
$client = $demo->connect(tls => 1);
my $answer = $client->command('LOGIN ann S3cret-Passw0rd');
my $text = ($answer // '') . $client->drain;
like($text, qr/^NO|\* (?:NO|BYE)/m, 'no Maildir: the client is told');
ok(eventually { $demo->log =~ m{Maildir} }, 'and the log names the path')
  or diag(substr $demo->log, -1000);
rename "$home/elsewhere", $maildir or die $!;

$client = $demo->login('ann', 'S3cret-Passw0rd');
ok($client->ok('SELECT INBOX'), 'mended, it works again');
$client->logout;
stop_svscan();
done_testing;
