#!/usr/bin/perl
# The filter in conf/fail2ban, by fail2ban itself, on lines that imaplogin has written: it finds each
# failure with its address, and nothing that a client has made up.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;

chomp(my $regex = qx(command -v fail2ban-regex || echo));
plan skip_all => 'no fail2ban here' unless $regex;
my $filter = "$FindBin::Bin/../../conf/fail2ban/filter.d/chainmail.conf";

my $server = LoginServer->new->start;
my $ran;

# imaplogin itself, with an address of our own choosing; says the lines and returns what it logged.
sub logged_by {
    my ($ip, @said) = @_;
    local $server->{env} = { %{ $server->{env} }, TCPREMOTEIP => $ip, IMAP_LOGIN_FAILURES => 100 };
    my $before = length $server->log_text;
    pipe my $in, my $to or die;
    open my $null, '>', '/dev/null' or die;
    my $pid = $server->run($in, $null);
    close $in;
    syswrite $to, join '', @said, "z LOGOUT\r\n";
    waitpid $pid, 0;
    close $to;
    return grep { /\S/ } split /\n/, substr $server->log_text, $before;
}

# The addresses that fail2ban finds in these lines, each as often as it does.
sub found {
    my ($mode, @lines) = @_;
    my $file = "$server->{dir}/current" . ++$ran;
    LoginServer::in_file($file, join('', map { "$_\n" } @lines), 0600);
    open my $pipe, '-|', $regex, '-o', 'ip', $file, "$filter\[mode=$mode]"
      or die "$regex: $!";
    my @found = <$pipe>;
    close $pipe;
    chomp @found;
    return join ' ', grep { /\S/ } @found;
}

sub stamped { my $n = 0; return map { sprintf('@40000000%08x%08x ', 0x6920aaaa + $n++, 0) . $_ } @_ }
sub dated { return map { "2026-11-21 05:06:07.123456789  $_" } @_ }
sub literal { my $s = shift; return '{' . length($s) . "+}\r\n$s" }

my @one = logged_by('192.0.2.1', "a LOGIN joe x\r\n");
is found('normal', stamped(@one)), '192.0.2.1', 'a failure, in a log with TAI64N times';
is found('normal', dated(@one)), '192.0.2.1', '... or readable ones';
is found('normal', stamped(logged_by('192.0.2.1', "a LOGIN any.refuse x\r\n"))), '192.0.2.1', 'a refusal';
is found('normal', stamped(logged_by('192.0.2.1', "a LOGIN \"\" x\r\n"))), '192.0.2.1', 'an empty name';
is found('normal', stamped(logged_by('2001:db8::1', "a LOGIN joe x\r\n", "b LOGIN joe y\r\n"))),
  '2001:db8::1 2001:db8::1', 'IPv6, twice';
is found('normal', stamped(logged_by('192.0.2.1', "a LOGIN any.temporary x\r\n"))), '', 'a database that fails: nothing';
is found('normal', stamped(logged_by('192.0.2.1', "a NOOP\r\n"))), '', 'no login: nothing';

my $forged = 'imaplogin: 1: login-failed user=joe ip=198.51.100.9 method=LOGIN failures=1 verdict=declined';
my $tail = 'ip=198.51.100.9 method=LOGIN failures=1 verdict=declined';
for my $name (
    "x\r\n$forged", "x\n$forged\n", $forged, "x $tail", "x\" $tail", "x\\\" $tail", "\" $tail \"", "x\\", "\\\" $tail \\",
    "x\" ip=198.51.100.9 method=PLAIN failures=1 verdict=declined\n", "\x{85}$forged", "\xe2\x80\xa8$forged", "ip=198.51.100.9",
    "2026-11-21 05:06:07 $forged", "\@400000006920aaaa00000000 $forged", '<HOST>', "joe\tip=198.51.100.9",
  ) {
    my $shown = $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    my $found = found('normal', stamped(logged_by('192.0.2.1', 'a LOGIN ', literal($name), " x\r\n")));
    is $found, '192.0.2.1', "hostile name: $shown";
}
# The modules' lines have names, too, and are none of the filter's.
is found('normal', stamped("authuserdb: 7: declined user=\"$forged\" ip=192.0.2.1 reason=unknown-user",
        "imapd: 7: client name=\"$forged\" version=\"$tail\"", 'notimaplogin: 7: login-failed user=x ' . $tail)),
  '', 'lines of others: nothing';
my @junk = logged_by('192.0.2.1', map { "x JUNK\r\n" } 1 .. 200);
like join("\n", @junk), qr/reason=too-many-errors/, 'one who babbles';
is found('normal', stamped(@junk)), '', '... is found not';
is found('aggressive', stamped(@junk, @one)), '192.0.2.1 192.0.2.1', '... but in aggressive mode, beside failures';
SKIP: {
    skip 'no fail2ban-client here', 1 unless -x '/usr/bin/fail2ban-client' && -d '/etc/fail2ban';
    my $etc = "$server->{dir}/fail2ban";
    system 'cp', '-RL', '/etc/fail2ban', $etc;
    system 'cp', '-R', "$FindBin::Bin/../../conf/fail2ban/.", $etc;
    unlink "$etc/jail.d/defaults-debian.conf";
    my $jail = LoginServer::slurp({ dir => $etc }, 'jail.d/chainmail.conf');
    $jail =~ s/^(logpath\s*=).*\n\s.*\n/$1 $server->{dir}\/current1\n/m;
    LoginServer::in_file("$etc/jail.d/chainmail.conf", $jail, 0644);
    my $dump = qx(fail2ban-client -c $etc -d 2>&1);
    like $dump, qr/\['set', 'chainmail', 'maxretry', 30\].*'\s*chainmail'/s, 'and the jail is one';
}
done_testing;
