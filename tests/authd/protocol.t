#!/usr/bin/perl
# authd: Courier's protocol, word for word, and what is none of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Digest::MD5 qw(md5);
use Digest::SHA qw(hmac_sha1_hex hmac_sha256_hex);
use MIME::Base64;
use Chainmail;
use AuthService;

my ($uid, $gid) = (12321, 12322);
my $account = "uid=$uid|gid=$gid";
my $hash = crypt('secret', '$6$rounds=1000$salt$');

sub hmac_md5_hex {
    my ($text, $key) = @_;
    $key = md5($key) if length $key > 64;
    $key .= "\0" x (64 - length $key);
    return unpack 'H*', md5(($key ^ ("\x5c" x 64)) . md5(($key ^ ("\x36" x 64)) . $text));
}
my (undef, $cram) = run_command('sh', '-c', 'echo tanstaaf | userdbpw -m');
$cram =~ s/\s+\z//;

database(<<"END");
ann\t$account|home=/home/ann|mail=/srv/ann/Maildir|quota=1000S|options=sharedgroup=x|gecos=Ann of Example|systempw=$hash|hmac-md5pw=$cram
bob\@example.com\t$account|home=/home/bob|systempw=$hash|pop3pw=!
carl\t$account|home=/home/carl|systempw=$hash|disabled=1
dora\talias=ann
END
my $ann = "UID=$uid\nGID=$gid\nHOME=/home/ann\nADDRESS=ann\nNAME=Ann of Example\n"
  . "MAILDIR=/srv/ann/Maildir\nQUOTA=1000S\nOPTIONS=sharedgroup=x\n.\n";
my $bob = "UID=$uid\nGID=$gid\nHOME=/home/bob\nADDRESS=bob\@example.com\n.\n";

my $s = start_service('service');

# ---- AUTH ----
is auth($s, 'ann', 'secret'), $ann, 'AUTH login';
is auth($s, 'ann', 'Secret'), "FAIL\n", 'a wrong password';
is auth($s, 'nobody', 'secret'), "FAIL\n", 'an unknown user';
is auth($s, 'carl', 'secret'), "FAIL\n", 'a disabled account';
is auth($s, 'dora', 'secret'), $ann, 'an alias';
is auth($s, 'bob@example.com', 'secret'), $bob, 'an address';
is auth($s, 'bob@example.com', 'secret', service => 'pop3'), "FAIL\n", 'the service counts';
is auth($s, 'ann', ''), "FAIL\n", 'no password';
is auth($s, '', 'secret'), "FAIL\n", 'no user';
is auth($s, 'ann', 'secret', pieces => 1), $ann, 'a byte at a time';
is auth($s, 'ann', 'secret', half => 1), $ann, 'a client that closes its half first, as Exim does';
is ask($s, request('login', "ann\nsecret")), $ann, 'no line feed after the password';
is ask($s, request('login', "ann\nsecret\n") . "\n\nmore"), $ann, 'more than has been counted';
is auth($s, 'ann', 'secret', ip => '192.0.2.7'), $ann, 'TCPREMOTEIP, as of Courier 0.71';
is ask($s, "WHATEVER=else\n" . request('login', "ann\nsecret\n")), $ann, 'other settings before it';
is ask($s, 'AUTH   ' . length("imap\nlogin\nann\nsecret\n") . "\nimap\nlogin\nann\nsecret\n"), $ann, 'blanks';
my $longest = 'x' x (8191 - length(request('login', "ann\n")) - 3);
is auth($s, 'ann', $longest), "FAIL\n", 'the longest request';
is auth($s, 'ann', $longest . 'xxx'), '', 'a longer one is cut off';

# ---- challenges ----
my $challenge = '<1896.697170952@postoffice.reston.mci.net>';
sub cram {
    my ($type, $user, $digest) = @_;
    return request($type, encode_base64($challenge, '') . "\n" . encode_base64("$user $digest", '') . "\n");
}
is ask($s, cram('cram-md5', 'ann', hmac_md5_hex($challenge, 'tanstaaf'))), $ann, 'AUTH cram-md5';
is ask($s, cram('cram-md5', 'ann', hmac_md5_hex($challenge, 'other'))), "FAIL\n", 'another secret';
is ask($s, cram('cram-md5', 'bob@example.com', hmac_md5_hex($challenge, 'secret'))), "FAIL\n", 'a user without secret';
is ask($s, cram('cram-sha256', 'ann', hmac_sha256_hex($challenge, 'tanstaaf'))), "FAIL\n", 'a secret is for MD5 only';
is ask($s, cram('cram-md4', 'ann', 'x')), "FAIL\n", 'another type';
is ask($s, request('cram-md5', "!!\n!!\n")), "FAIL\n", 'no base64';

# ---- PRE ----
is ask($s, "PRE . imap ann\n"), $ann, 'PRE';
is ask($s, "PRE authuserdb imap ann\n"), $ann, 'PRE with a module';
is ask($s, "PRE authpwd imap ann\n"), "FAIL\n", 'PRE with another';
is ask($s, "PRE . imap nobody\n"), "FAIL\n", 'PRE of nobody';
like ask($s, "PRE . imap carl\n"), qr/^HOME=.*^OPTIONS=disableimap=1\n\.\n/ms, 'PRE finds who may not log in, and says so';

# ---- ENUMERATE ----
my $list = ask($s, "ENUMERATE\n");
like $list, qr/\A# authuserdb\n\n/, 'ENUMERATE';
is join('', sort grep { /\t/ } split /^/, $list),
    "ann\t$uid\t$gid\t/home/ann\t/srv/ann/Maildir\tsharedgroup=x\n"
  . "bob\@example.com\t$uid\t$gid\t/home/bob\t\t\n", 'its lines';
like $list, qr/^\.\n\z/m, 'its end';

# ---- PASSWD ----
is ask($s, "PASSWD imap\tann\tsecret\tother\n"), "FAIL\n", 'PASSWD, where the source cannot';
is ask($s, "PASSWD imap\tann\twrong\tother\n"), "FAIL\n", 'PASSWD with a wrong password';

# ---- what is none ----
for (["\n", 'an empty line'], ["HELO x\n", 'another command'], ["AUTH\n", 'no size'], ["PRE . imap\n", 'no user'],
    ["PRE . ../x ann\n", 'a service that is none'], ["PASSWD imap\tann\n", 'no passwords'],
    ["AUTH 3\nabc", 'no lines'], [request('login', "an\x01n\nsecret\n"), 'a control character'],
    ["PRE . imap a\0b\n", 'NUL'], ["TCPREMOTEIP=1\n\n", 'nothing after the address']) {
    my $answer = ask($s, $_->[0], half => 1);
    ok $answer eq "FAIL\n" || $answer eq '', "$_->[1]: refused";
}
is ask($s, "AUTH $_\n" . 'x' x 100), '', "AUTH $_: cut off" for '-1', '99999', '8190', '99999999999999999999', 'x';
is ask($s, 'x' x 9000), '', 'no line feed';
is auth($s, 'ann', 'secret'), $ann, 'and all is well';

# ---- the log ----
auth($s, "x\x7f\"authd: 1: accepted user=root", 'pass-phrase', ip => '192.0.2.9');
auth($s, 'ann', 'secret', ip => "nonsense");
my $log = service_log($s);
like $log, qr/^authd: \d+: accepted user=ann ip=192\.0\.2\.7 service=imap source=authuserdb$/m, 'accepted, in the log';
like $log, qr/: declined user=ann service=imap source=authuserdb reason=wrong-password$/m, 'declined';
like $log, qr/: declined user=nobody .* reason=unknown-user$/m, 'and why';
like $log, qr/: refused user=carl .* reason=disabled$/m, 'refused';
like $log, qr/: declined user="x\\x7f\\"authd: 1: accepted user=root" ip=192\.0\.2\.9 /, 'a name that would forge lines';
unlike $log, qr/ip=nonsense/, 'an address that is none';
unlike $log, qr/secret|pass-phrase|\Q$hash\E|Secret/, 'no password';
is scalar(grep { !/^authd: \d+: [a-z-]+/ } split /\n/, $log), 0, 'nothing but lines';

# ---- the socket ----
is((stat $s->{socket})[2] & 07777, 0600, 'nobody else may connect');
is stop_service($s), 0, 'SIGTERM ends it';
$s = start_service('moded', AUTHD_MODE => '0660', AUTHD_GROUP => (split / /, $))[0]);
is((stat $s->{socket})[2] & 07777, 0660, 'AUTHD_MODE');
is((stat $s->{socket})[5], (split / /, $))[0], 'AUTHD_GROUP');
my $second = start_service('moded', daemons => 1);
is auth($second, 'ann', 'secret'), $ann, 'a second one takes the socket over';
stop_service($_) for $s, $second;

# ---- a socket that is handed over ----
SKIP: {
    skip 's6 is not installed', 2 if system 'command -v s6-ipcserver-socketbinder >/dev/null';
    my $handed = start_service('handed', command => ['s6-ipcserver-socketbinder', '-a', '0600', "$T/handed/socket", 'authd'],
        authdaemonvar => '/nowhere');
    is auth($handed, 'ann', 'secret'), $ann, 'on descriptor 0';
    is stop_service($handed), 0, 'which ends as well';
}

# ---- temporary failures, several sources, passwords in answers ----
database("zoe\t$account|home=/|systempw=$hash\n", 'later');
chmod 0666, "$T/later.cdb";
$s = start_service('broken', USERDB => "$T/later.cdb");
is auth($s, 'zoe', 'secret'), '', 'a database that cannot be used: closed without an answer';
is ask($s, "PRE . imap zoe\n"), '', 'PRE, too';
unlike ask($s, "ENUMERATE\n"), qr/^\.\n/m, 'ENUMERATE without its end';
like service_log($s), qr/: unavailable user=zoe service=imap source=authuserdb reason=userdb$/m, 'the log says so';
stop_service($s);

SKIP: {
    skip 'sqlite3 is not installed, or authsqlite not built', 8
      if !-x "$BIN/authsqlite" || system 'command -v sqlite3 >/dev/null';
    open my $sqlite, '|-', 'sqlite3', "$T/users.db" or die;
    print $sqlite "CREATE TABLE passwd (id, crypt, clear, uid, gid, home, name);\n",
      "INSERT INTO passwd VALUES ('eve', '$hash', 'clear', $uid, $gid, '/home/eve', 'Eve');\n",
      "INSERT INTO passwd VALUES ('tab', '', 'clear', $uid, $gid, '/home/' || char(10) || 'UID=0', '');\n";
    close $sqlite or die;
    $s = start_service('several', USERDB => "$T/later.cdb", authmodulelist => 'authuserdb authsqlite',
        SQLITE_DATABASE => "$T/users.db", SQLITE_CRYPT_PWFIELD => 'crypt', SQLITE_CLEAR_PWFIELD => 'clear',
        AUTHD_PASSWORDS => 1);
    my $eve = "UID=$uid\nGID=$gid\nHOME=/home/eve\nADDRESS=eve\nNAME=Eve\nPASSWD=$hash\nPASSWD2=clear\n.\n";
    is auth($s, 'eve', 'secret'), $eve, 'a later source admits; AUTHD_PASSWORDS';
    is auth($s, 'eve', $_), "TRIED=1\n", 'else the earlier one cannot tell: no answer, but that one has looked' for 'wrong', '';
    is auth($s, 'nobody', 'x'), "TRIED=1\n", '... alike for whom nobody knows';
    is ask($s, cram('cram-sha1', 'eve', hmac_sha1_hex($challenge, 'clear'))), $eve, 'cram-sha1';
    is ask($s, cram('cram-sha256', 'eve', hmac_sha256_hex($challenge, 'clear'))), $eve, 'cram-sha256';
    is ask($s, cram('cram-md5', 'eve', hmac_md5_hex($challenge, 'clear'))), $eve, 'cram-md5 with a password in clear';
    is auth($s, 'tab', 'clear'), '', 'an account that would forge an answer';
    is ask($s, "PASSWD imap\teve\tsecret\tnew one\n"), "OK\n", 'PASSWD';
    like auth($s, 'eve', 'new one'), qr/^HOME=/m, 'the new password';
    stop_service($s);
}

# ---- misconfiguration ----
my $n = 0;
for (['authmodulelist', ''], ['authmodulelist', 'authuserdb authcustom'], ['authmodulelist', 'authuserdb authuserdb'],
    ['daemons', '0'], ['daemons', 'x'], ['AUTHD_MODE', 'rw'], ['AUTHD_GROUP', 'no-such-group'], ['AUTHD_TIMEOUT', '0'],
    ['authdaemonvar', 'relative'], ['authdaemonvar', '/' . 'x' x 200]) {
    my ($name, $value) = @$_;
    my $bad = start_service('bad' . $n++, $name => $value);
    is stop_service($bad), 100, "$name=$value: misconfigured";
    like service_log($bad), qr/$name/, 'which the log names';
}
my $lost = start_service('lost', authdaemonvar => "$T/none");
is stop_service($lost), 111, 'no directory for the socket';
like service_log($lost), qr/path=\S+ why="No such file or directory" remedy=/, 'and what to do';

done_testing;
