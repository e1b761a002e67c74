#!/usr/bin/perl
# authpam and authshadow with accounts and PAM services of the test's own, in a mount namespace where they
# stand in the place of the system's.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;
use SQL 'verdict', 'proven';

plan skip_all => 'only root can give a process another /etc' if $>;
plan skip_all => 'no mount namespaces here' if system 'unshare -m true 2>/dev/null';
my ($pam_unix) = grep { -e } glob '/lib/*/security/pam_unix.so /usr/lib/*/security/pam_unix.so /lib/security/pam_unix.so';

# Whoever runs this in the namespace finds these files.
my $hash = hash('secret');
my $today = int(time / 86400);
my @people = (
    ['ann', $hash, $today, '', ''], ['expired', $hash, $today, '', $today - 1], ['old', $hash, $today - 100, 90, ''],
    ['new', $hash, 0, '', ''], ['locked', "!$hash", $today, '', ''], ['star', '*', $today, '', ''],
    ['empty', '', $today, '', ''],
);
my $uid = $UID;
write_file("$T/passwd", join '', "root:x:0:0:root:/root:/bin/sh\n", map({ "$_->[0]:x:" . $uid++ . ":$GID:The $_->[0],room 1:/:/bin/sh\n" } @people),
    "inpasswd:$hash:${uid}:${GID}::/:/bin/sh\n");
write_file("$T/shadow", join('', "root:${hash}:${today}::::::\n", map { "$_->[0]:$_->[1]:$_->[2]::$_->[3]:::$_->[4]:\n" } @people), 0600);
write_file("$T/group", "root:x:0:\nstaff:x:777:ann\n");
write_file("$T/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n");
mkdir "$T/pam.d";
write_file("$T/pam.d/imap", "auth required $pam_unix\naccount required $pam_unix\n") if $pam_unix;
write_file("$T/pam.d/deny", "auth required pam_permit.so\naccount required pam_deny.so\n");
write_file("$T/pam.d/permit", "auth required pam_permit.so\naccount required pam_permit.so\n");
write_file("$T/pam.d/broken", "auth required pam_no_such_module.so\naccount required pam_permit.so\n");
write_file("$T/pam.d/torn", "auth required pam_permit.so\naccount required pam_no_such_module.so\n");
write_file("$T/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n");
write_file("$T/script", "#!/bin/sh\ntr -d '\\0' >$T/password\nenv >$T/environment\n", 0755);
write_file("$T/pam.d/exec", "auth required pam_exec.so quiet expose_authtok $T/script\naccount required pam_permit.so\n");
my @files = map { "mount --bind $T/$_ /etc/$_" } qw(passwd shadow group nsswitch.conf), -d '/etc/pam.d' ? 'pam.d' : ();
my $namespace = join ' && ', @files, 'exec "$@"';
sub ask {
    my ($module, @rest) = @_;
    return verdict(['unshare', '-m', 'sh', '-c', $namespace, 'sh', "$BIN/$module"], @rest);
}
sub try_it { return (ask(@_))[0] }
my ($answer, $r) = ask('authshadow', 'ann', 'secret');
is $answer, 'accept', 'shadow: the right password';
is join(' ', sort split / /, seen($r, 'groups')), "$GID 777", 'with all groups';
is try_it('authshadow', 'ann', 'Secret'), 'wrong-password', 'a wrong one';
is try_it('authshadow', 'nobody-here', 'secret'), 'unknown-user', 'an unknown user';
is try_it('authshadow', 'root', 'secret'), 'uid-0', 'never root';
is try_it('authshadow', 'expired', 'wrong'), 'account-expired', 'an account that has expired';
is try_it('authshadow', $_, 'secret'), 'password-expired', "a password that has expired: $_" for qw(old new);
is try_it('authshadow', 'old', 'wrong'), 'wrong-password', 'which only its owner learns';
is try_it('authshadow', 'locked', 'secret'), 'locked', 'a locked account';
is try_it('authshadow', $_, ''), 'no-password', "no password: $_" for qw(star empty);
is try_it('authshadow', 'inpasswd', 'secret'), 'no-password', 'a hash in passwd does not count';
is try_it('authpwd', 'inpasswd', 'secret'), 'accept', 'but for authpwd';
is try_it('authpwd', 'ann', 'secret', DEFAULTOPTIONS => 'disableimap=1'), 'disabled', 'DEFAULTOPTIONS';

SKIP: {
    skip 'authpam is not built: libpam is not here', 1 unless -x "$BIN/authpam";
    skip 'pam_unix is not installed', 1 unless $pam_unix;
    ($answer, $r) = ask('authpam', 'ann', 'secret');
    is $answer, 'accept', 'pam: the right password';
    is join(' ', sort split / /, seen($r, 'groups')), "$GID 777", 'with all groups';
    is try_it('authpam', 'ann', 'Secret'), 'wrong-password', 'a wrong one';
    is try_it('authpam', 'empty', ''), 'wrong-password', 'an empty one never';
    is try_it('authpam', 'nobody-here', 'secret'), 'unknown-user', 'an unknown user';
    is try_it('authpam', 'root', 'secret'), 'uid-0', 'never root';
    is try_it('authpam', 'expired', 'secret'), 'account-expired', 'the account phase: expired';
    is try_it('authpam', $_, 'secret'), 'password-expired', "a password to be changed: $_" for qw(old new);
    is try_it('authpam', 'locked', 'secret'), 'wrong-password', 'a locked account';
    is try_it('authpam', "ann\n", 'secret'), 'unknown-user', 'a strange name';
    is try_it('authpam', 'ann', 'x', AUTHSERVICE => 'permit'), 'accept', 'AUTHSERVICE is the service';
    is try_it('authpam', 'ann', 'x', AUTHSERVICE => 'deny'), 'not-permitted', 'that denies the account';
    is try_it('authpam', 'ann', 'x', AUTHSERVICE => 'no-such-service'), 'wrong-password', 'a service without a file: other';
    is try_it('authpam', 'inpasswd', 'x', AUTHSERVICE => 'permit'), 'accept', 'whom PAM admits';
    is try_it('authpam', 'nobody-here', 'x', AUTHSERVICE => 'permit'), 'unknown-user', 'still needs an account';
    is try_it('authpam', 'ann', 'pass word', AUTHSERVICE => 'exec', TCPREMOTEIP => '192.0.2.1'), 'accept', 'a program asked by PAM';
    is slurp("$T/password"), 'pass word', 'gets the password';
    like slurp("$T/environment"), qr/^PAM_RHOST=192\.0\.2\.1$/m, 'and the client\'s address';
    unlink "$T/password";
    is try_it('authpam', $_, 'x', AUTHSERVICE => 'exec'), 'unknown-user', 'no name: ' . s/[^ -~]/./gr
        for '../ann', '/etc/passwd', "ann\nroot", 'ann bob', '-h', 'x' x 300;
    ok !-e "$T/password", 'PAM does not see what is no name';
    # For a certificate: PAM's account phase is asked, its password is not.
    my $known = sub { return (proven(['authpam', 'unshare', '-m', 'sh', '-c', $namespace, 'sh'], @_))[0] };
    is $known->('ann'), 'accept', 'an account without its password';
    is $known->('nobody-here'), 'unknown-user', 'an unknown user';
    is $known->('root'), 'unknown-user', 'never root';
    is $known->($_), 'disabled', "the account phase: $_" for qw(expired old new);
    is $known->('ann', AUTHSERVICE => 'deny'), 'disabled', 'a service that denies the account';
    is $known->('ann', AUTHSERVICE => 'torn'), 'account-source', 'a module that is not there: temporary';
    ($answer, $r) = ask('authpam', 'ann', 'secret', AUTHSERVICE => 'broken');
    is $answer, 'pam', 'a module that is not there: temporary';
    like $r->{log}, qr/failed attempt=pam_authenticate service=broken why="[^"]+" remedy=/, 'logged';
}
done_testing;
