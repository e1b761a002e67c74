#!/usr/bin/perl
# authuserdb: kinds of hashes, which password counts, and databases that are not what they should be.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

my $account = "uid=$UID|gid=$GID|home=/";
my $salt = 'saltsalt';
my %settings = (
    yescrypt => '$y$j75$' . "$salt\$",
    'bcrypt 2b' => '$2b$04$' . 'abcdefghijklmnopqrstuu',
    'bcrypt 2y' => '$2y$04$' . 'abcdefghijklmnopqrstuu',
    'SHA-512' => "\$6\$rounds=1000\$$salt\$",
    'SHA-256' => "\$5\$rounds=1000\$$salt\$",
    MD5 => "\$1\$$salt\$",
    DES => 'ab',
);
# verdict(user, password, env): accept, or the reason of the log line.
sub verdict {
    my ($user, $password, %env) = @_;
    my $r = run_module(["$BIN/authuserdb", "$T/program"], input => "$user\0$password\0x\0", env => \%env);
    return 'accept' if seen($r, 'name') eq 'program';
    return $r->{log} =~ /reason=(\S+)\n\z/ ? $1 : "no verdict: $r->{log}";
}

my ($text, $n) = ('', 0);
my %user = map { $_ => 'u' . $n++ } sort keys %settings;
$text .= "$user{$_}\t$account|systempw=" . hash("p\xc3\xa4ss word", $settings{$_}) . "\n" for sort keys %settings;
my ($imap, $system, $pop) = map { hash($_) } qw(imap system pop);
$text .= <<"END";
both\tsystempw=$system|$account|imappw=$imap
poponly\t$account|pop3pw=$pop
emptyimap\t$account|systempw=$system|imappw=
nothing\t$account
locked\t$account|systempw=!$system
starred\t$account|systempw=*
sha\t$account|systempw={SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
alias\talias=full
full\t$account|systempw=$system|mail=Mail|quota=1000S|options=a=1,b=2|gecos=Full
disabled\t$account|systempw=$system|disabled
enabled\t$account|systempw=$system|disabled=0
noimap\t$account|systempw=$system|options=disableimap=1
ann\@example.com\t$account|systempw=$system|hmac-md5pw=0123|gecos=Ann of Example|flag
END
userdb($text);

for (sort keys %settings) {
    is verdict($user{$_}, "p\xc3\xa4ss word"), 'accept', "$_: right";
    is verdict($user{$_}, "P\xc3\xa4ss word"), 'wrong-password', "$_: wrong";
}
is verdict('both', 'imap'), 'accept', 'imappw comes first';
is verdict('both', 'system'), 'wrong-password', 'and systempw does not count beside it';
is verdict('both', 'system', AUTHSERVICE => 'pop3'), 'accept', 'but it does for another service';
is verdict('poponly', 'pop', AUTHSERVICE => 'pop3'), 'accept', 'any service can have its own';
is verdict('poponly', 'pop'), 'no-password', 'which is no password for IMAP';
is verdict('emptyimap', 'system'), 'no-password', 'an empty imappw shuts IMAP off';
is verdict('emptyimap', ''), 'no-password', 'it is not the empty password';
is verdict('nothing', ''), 'no-password', 'no password at all';
is verdict('locked', 'system'), 'wrong-password', 'a locked hash';
is verdict('starred', '*'), 'wrong-password', 'a star';
is verdict('ann@example.com', 'system'), 'accept', 'fields of Courier that mean nothing here';
is verdict('ann', 'system'), 'unknown-user', 'the name is the whole name';
is verdict('ANN@example.com', 'system'), 'unknown-user', 'as it is written';
is verdict('x' x 3000, 'system'), 'unknown-user', 'a long name';
is verdict('both', 'x' x 600), 'wrong-password', 'a password longer than crypt takes';

is verdict('sha', 'secret'), 'accept', 'a hash of another scheme';
is verdict('disabled', 'system'), 'disabled', 'a disabled account';
is verdict('enabled', 'system'), 'accept', 'one that is not';
is verdict('noimap', 'system'), 'disabled', 'disabled for IMAP';
is verdict('noimap', 'system', AUTHSERVICE => 'pop3', IMAPLOGIN => undef), 'accept', 'only';
my $r = run_module(["$BIN/authuserdb", "$T/program"], input => "alias\0system\0x\0", env => { DEFAULTOPTIONS => 'b=3,c=4' });
is seen($r, 'env') =~ s/.*?((?:MAILDIR|MAILDIRQUOTA|OPTIONS|USER)=[^|]*)/$1|/gr =~ s/\|[^|]*\z//r,
    'MAILDIR=Mail|MAILDIRQUOTA=1000S|OPTIONS=a=1,b=2,c=4|USER=full', 'an alias: the account, its maildir, quota and options';

# Databases
is verdict('both', 'imap', USERDB => "$T/none"), 'userdb', 'no database: temporary';
write_file("$T/empty.cdb", '', 0600);
is verdict('both', 'imap', USERDB => "$T/empty.cdb"), 'userdb', 'an empty file';
write_file("$T/text.cdb", $text x 4, 0600);
like verdict('both', 'imap', USERDB => "$T/text.cdb"), qr/^(userdb|unknown-user)$/, 'a text';
my $whole = slurp("$T/userdb.cdb");
my %outcomes;
for my $size (map { $_ * 97 } 1 .. length($whole) / 97) {
    write_file("$T/cut.cdb", substr($whole, 0, $size), 0600);
    $outcomes{ verdict('ann@example.com', 'system', USERDB => "$T/cut.cdb") }++;
    last if $size > 3000;
}
ok !grep({ !/^(userdb|unknown-user|accept)$/ } keys %outcomes), 'a file cut off anywhere crashes nothing';
is verdict('both', 'imap', USERDB => '/dev/zero'), 'userdb', 'a device';
is verdict('both', 'imap', USERDB => "$T"), 'userdb', 'a directory';
chmod 0660, "$T/userdb.cdb";
is verdict('both', 'imap'), 'userdb', 'a database that a group can write to is not believed';
chmod 0600, "$T/userdb.cdb";

# What makeuserdb would not have written, by another program that makes cdb files.
sub raw_userdb {
    my ($name, $fields) = @_;
    my ($k, $d) = (length $name, length $fields);
    my $h = 5381;
    $h = (($h << 5) + $h & 0xffffffff) ^ ord for split //, $name;
    my $at = 2048 + 8 + $k + $d;
    my $slot = $h % 256;
    write_file("$T/raw.cdb", join('', map({ pack 'VV', $at, $_ == $slot ? 2 : 0 } 0 .. 255),
        pack('VV', $k, $d), $name, $fields,
        ($h >> 8) % 2 ? pack('VVVV', 0, 0, $h, 2048) : pack('VVVV', $h, 2048, 0, 0)), 0600);
}
sub raw_verdict { raw_userdb('joe', $_[0]); return verdict('joe', 'system', USERDB => "$T/raw.cdb") }
is raw_verdict("$account|systempw=$system"), 'accept', 'a cdb of another make';
is raw_verdict("uid=0|gid=$GID|home=/|systempw=$system"), 'uid-0', 'root never';
is raw_verdict("uid=00|gid=$GID|home=/|systempw=$system"), 'uid-0', 'however it is written';
is raw_verdict("uid=$UID|gid=0|home=/|systempw=$system"), 'gid-0', 'nor its group';
is raw_verdict("uid=4294967296|gid=$GID|home=/|systempw=$system"), 'userdb', 'uid 2^32';
is raw_verdict("uid=4294967295|gid=$GID|home=/|systempw=$system"), 'userdb', 'uid -1';
is raw_verdict("uid=-1|gid=$GID|home=/|systempw=$system"), 'userdb', 'a negative uid';
is raw_verdict("uid=$UID|home=/|systempw=$system"), 'userdb', 'no gid';
is raw_verdict("uid=$UID|gid=$GID|home=etc|systempw=$system"), 'userdb', 'a relative home';
is raw_verdict("uid=$UID|$account|systempw=$system"), 'userdb', 'a field twice';
is raw_verdict('alias=nobody'), 'userdb', 'an alias of nobody';
is raw_verdict('alias=joe'), 'userdb', 'an alias of an alias';
is raw_verdict("$account|systempw=$system|x=\n"), 'userdb', 'a control character';
is raw_verdict("$account|systempw=$system|" . 'x' x 5000), 'userdb', 'a record larger than any';
is raw_verdict(join '|', $account, map { "f$_=1" } 1 .. 100), 'userdb', 'more fields than any';

SKIP: {
    skip 'the sanitizer itself needs the memory', 2 if $ENV{SANITIZE};
    skip 'no prlimit(1)', 2 if system('command -v prlimit >/dev/null');
    userdb("joe\t$account|systempw=" . hash('system', '$y$j9T$saltsalt$') . "\n");
    my $r = run_module(['prlimit', '--data=5000000', "$BIN/authuserdb", "$T/program"], plain => 1,
        input => "joe\0system\0x\0");
    is $r->{code}, 111, 'not enough memory for yescrypt: temporary, no wrong password';
    like $r->{log}, qr/attempt=crypt hash=\$y\$ why="libcrypt lacks memory .*" limit-data=5000000 /,
        'the limit in force is logged';
}
done_testing;
