#!/usr/bin/perl
# authclient: against authd, and against services that answer what no honest one does.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../authd";
use Test::More;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Module;
use Chainmail ();
use AuthService;

my $top = "$Chainmail::T";
my $hash = hash('secret');
my (undef, $cram) = Chainmail::run_command('sh', '-c', 'echo secret | userdbpw -m');
$cram =~ s/\s+\z//;
mkdir "$T/home";
chown $UID, $GID, "$T/home" unless $>;
my $account = "uid=$UID|gid=$GID|home=$T/home|systempw=$hash";
database("ann\t$account|mail=/srv/ann|quota=9S|options=x=1|hmac-md5pw=$cram\n"
      . "carl\t$account|options=disableimap=1\nroot2\tuid=$UID|gid=$GID|home=/|systempw=$hash\n");

# The module's verdict: accept, or the reason of its log line.
sub verdict {
    my ($directory, $user, $password, %o) = @_;
    my %env = (authdaemonvar => $directory, TCPREMOTEIP => '192.0.2.3', %{ $o{env} // {} });
    my $input = join "\0", $user, $password, $o{response} // 'x', '';
    our $r = run_module(["$BIN/authclient", "$T/program"], input => $input, env => \%env);
    return 'accept' if seen($r, 'name') eq 'program';
    return $r->{log} =~ /reason=(\S+)\n\z/ ? $1 : "no verdict: $r->{log}";
}
our $r;

# ---- authd ----
my $s = start_service('service');
is verdict($s->{directory}, 'ann', 'secret'), 'accept', 'a password';
is seen($r, 'uid'), "$UID,$UID", 'the session is the user\'s';
like $r->{out}, qr/^env=$_$/m, $_ for 'USER=ann', "HOME=$T/home", 'MAILDIR=/srv/ann', 'MAILDIRQUOTA=9S', 'OPTIONS=x=1', 'AUTHMODULE=authclient';
unlike $r->{out}, qr/authdaemonvar/, 'and no more';
like $r->{log}, qr/^authclient: \d+: login user=ann ip=192\.0\.2\.3 /, 'its log line';
is verdict($s->{directory}, 'ann', 'wrong'), 'rejected', 'a wrong password';
is verdict($s->{directory}, 'nobody', 'secret'), 'rejected', 'an unknown user';
is verdict($s->{directory}, 'carl', 'secret'), 'rejected', 'a disabled account';
is verdict($s->{directory}, "ann\nsecret\n", 'secret'), 'control-character', 'a line feed in the name';
is verdict($s->{directory}, 'ann', "secret\nx"), 'control-character', 'a line feed in the password';
is verdict($s->{directory}, 'ann', 'x' x 3900), 'rejected', 'a long password';
like service_log($s), qr/: accepted user=ann ip=192\.0\.2\.3 service=imap /, 'authd knows the address';

# Who somebody is, for a certificate.
sub known {
    my ($directory, $user, %env) = @_;
    $r = run_module(["$BIN/authexternal", "$T/program"], input => "\0\0\0", env => { PATH => "$BIN:$ENV{PATH}", AUTHMECH => 'EXTERNAL',
        SSL_PROTOCOL => 'TLSv1.2', TLS_EXTERNAL => 'CN', SSL_PEER_CERT_SUBJECT_CN => $user, authmodulelist => 'authclient',
        authdaemonvar => $directory, TCPREMOTEIP => '192.0.2.3', %env });
    return 'accept' if seen($r, 'name') eq 'program';
    return $r->{log} =~ /^authexternal: .*reason=(\S+)\n\z/m ? $1 : "no verdict: $r->{log}";
}
is known($s->{directory}, 'ann'), 'accept', 'PRE: an account without its password';
is seen($r, 'uid'), "$UID,$UID", 'the session is the user\'s';
like $r->{out}, qr/^env=$_$/m, $_ for 'USER=ann', 'MAILDIR=/srv/ann', 'MAILDIRQUOTA=9S', 'OPTIONS=x=1', 'AUTHMODULE=authexternal';
is known($s->{directory}, 'nobody'), 'unknown-user', 'an unknown user';
is known($s->{directory}, 'carl'), 'disabled', 'a disabled account';
is known($s->{directory}, "ann\n."), 'unknown-user', 'a line feed in the name';
is known("$T/none", 'ann'), 'account-source', 'no service: temporary';

my $challenge = '<1896.697170952@postoffice.reston.mci.net>';
chomp(my $digest = `printf %s '$challenge' | openssl dgst -md5 -hmac secret -r | cut -c1-32`);
my %mechanism = (env => { AUTHMECH => 'CRAM-MD5' });
is verdict($s->{directory}, 'ann', $challenge, response => $digest, %mechanism), 'accept', 'CRAM-MD5';
like $r->{log}, qr/ method=CRAM-MD5 /, 'which the log names';
is verdict($s->{directory}, 'ann', $challenge, response => '0' x 32, %mechanism), 'rejected', 'another digest';
is verdict($s->{directory}, 'ann', 'x', env => { AUTHMECH => 'SCRAM-SHA-256' }), 'unknown-mechanism', 'no SCRAM in this protocol';

# ---- temporary failures of the service ----
stop_service($s);
my $none = verdict($s->{directory}, 'ann', 'secret', env => { TIMEOUT_SOCK => 1 });
is $none, 'auth-service', 'nobody listens: temporary';
like $r->{log}, qr{failed attempt="connect to the auth service" path=\S+/socket why="Connection refused" remedy=}, 'the log says it';
is verdict("$T/none", 'ann', 'secret'), 'auth-service', 'no socket';
like $r->{log}, qr/why="No such file or directory" remedy="start the auth service, or set authdaemonvar/, 'and what to do';

# ---- services that are not honest: what they answer, and then they close ----
mkdir "$top/fake";
my $listener = IO::Socket::UNIX->new(Local => "$top/fake/socket", Listen => 5) or die;
chmod 0666, "$top/fake/socket";
my $asked = '';

sub fake {
    my ($answer, %o) = @_;
    pipe my $read, my $write or die;
    my $pid = fork // die;
    if (!$pid) {
        my $c = $listener->accept;
        sysread $c, my $request, 8192;
        syswrite $write, $request;
        local $SIG{PIPE} = 'IGNORE';
        syswrite $c, $answer if length $answer;
        sysread $c, my $rest, 1 if $o{stall};
        POSIX::_exit(0);
    }
    close $write;
    my $verdict = verdict("$top/fake", 'ann', 'secret', %o);
    $asked = do { local $/; readline $read };
    waitpid $pid, 0;
    return $verdict;
}
my $good = "UID=$UID\nGID=$GID\nHOME=$T/home\nADDRESS=ann\n";
is fake("$good.\n"), 'accept', 'an answer';
is $asked, "TCPREMOTEIP=192.0.2.3\nAUTH 22\nimap\nlogin\nann\nsecret\n", 'to this request';
is fake("$good.\n", stall => 1), 'accept', 'the end is seen before the stream\'s';
is fake("PASSWD=x\nWHATEVER=y\n$good.\n"), 'accept', 'more than is wanted';
is fake("FAIL\n"), 'rejected', 'FAIL';
is fake(''), 'auth-service', 'no answer: temporary';
is fake('', stall => 1, env => { TIMEOUT_READ => 1 }), 'auth-service', 'none in time';
unlike $r->{out}, qr/^env=IMAPLOGIN_TRIED=/m, '... and nobody has judged it';
is fake("TRIED=1\n"), 'auth-service', 'no answer, but somebody has judged it';
like $r->{out}, qr/^env=IMAPLOGIN_TRIED=1$/m, '... as imaplogin hears';
like $r->{log}, qr/why="it has closed the connection without one"/, '... and the log does not';
is fake($good), 'auth-service', 'half an answer';
is fake("nonsense\n.\n"), 'auth-service', 'nonsense';
is fake('x' x 9000), 'auth-service', 'too much';
is fake("$good\x00.\n"), 'auth-service', 'NUL';
is fake("UID=0\nGID=0\nHOME=/\nADDRESS=ann\n.\n"), 'uid-0', 'uid 0 is never a session';
is fake("USERNAME=root\nGID=0\nHOME=/\nADDRESS=ann\n.\n"), 'uid-0', 'nor by name';
is fake("UID=$UID\nGID=0\nHOME=/\nADDRESS=ann\n.\n"), 'gid-0', 'nor gid 0';
is fake("UID=$_\nGID=$GID\nHOME=/\nADDRESS=ann\n.\n"), 'auth-service', "UID=$_" for '', '-1', '4294967295', '1x', ' 1';
is fake("UID=$UID\nHOME=/\nADDRESS=ann\n.\n"), 'auth-service', 'no GID';
is fake("GID=$GID\nHOME=/\nADDRESS=ann\n.\n"), 'auth-service', 'neither UID nor USERNAME';
is fake("UID=$UID\nGID=$GID\nADDRESS=ann\n.\n"), 'auth-service', 'no HOME';
is fake("UID=$UID\nGID=$GID\nHOME=home\nADDRESS=ann\n.\n"), 'auth-service', 'a relative one';
is fake("UID=$UID\nGID=$GID\nHOME=/\n.\n"), 'auth-service', 'no user';
is fake("USERNAME=no-such-user\nGID=$GID\nHOME=/\n.\n"), 'auth-service', 'a user that passwd does not have';
is fake("USERNAME=daemon\nUID=9\nGID=9\nHOME=/\n.\n"), 'auth-service', 'a uid that is not that user\'s';
is fake("${good}OPTIONS=disableimap=1\n.\n"), 'disabled', 'Courier leaves it to its clients: disableimap';
is fake("${good}OPTIONS=disablepop3=1\n.\n"), 'accept', 'another service\'s is not our matter';
SKIP: {
    skip 'only root can become a user of the system', 3 if $>;
    is fake("USERNAME=daemon\nGID=1\nHOME=/\n.\n"), 'accept', 'USERNAME without UID, as of Courier\'s authpwd';
    is seen($r, 'uid'), join(',', ((getpwnam 'daemon')[2]) x 2), 'passwd has the uid';
    like $r->{out}, qr/^env=USER=daemon$/m, 'and the name';
}
is run_module(["$BIN/authclient", "$T/program"], input => "ann\0secret\0x\0", env => { authdaemonvar => '/' . 'x' x 200 })->{code},
    100, 'a name too long for a socket: misconfigured';
done_testing;
