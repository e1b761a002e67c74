#!/usr/bin/perl
# authcheckpassword: foreign checkpassword programs, good ones and bad ones.  (Debian has none; those
# here keep to the interface as its author describes it, and our own modules are some, too.)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

my $home = "$T/home";
mkdir $home or die;
mkdir "$home/inner" or die;
chown $UID, $GID, $home, "$home/inner" unless $>;

# A checkpassword program of the classic kind: at most 512 bytes, until the end of file.
write_file("$T/classic", <<"END", 0755);
#!/usr/bin/perl
use POSIX;
open my \$in, '<&=', 3 or exit 2;
my \$up = '';
1 while sysread \$in, \$up, 513 - length \$up, length \$up;
close \$in;
exit 1 if length \$up > 512;
my (\$user, \$password, \$stamp) = \$up =~ /\\A([^\\0]*)\\0([^\\0]*)\\0([^\\0]*)\\0/ or exit 2;
exit 2 unless \@ARGV;
open my \$seen, '>', '$T/seen';
print \$seen "stamp=\$stamp\\n", map { "\$_=\$ENV{\$_}\\n" } sort keys %ENV;
opendir my \$d, '/proc/self/fd';
print \$seen 'fds=', join(' ', sort grep { /^[0-9]+\$/ && readlink("/proc/self/fd/\$_") !~ m{/proc/|/seen\$|/classic\$} } readdir \$d), "\n";
close \$seen;
exit 1 if \$user ne 'joe' or \$password ne 'secret';
if (!\$>) { \$) = '$GID $GID 4711 4712'; POSIX::setgid($GID); POSIX::setuid($UID) }
chdir '$home/inner' or exit 111;
\@ENV{qw(USER HOME SHELL MAILDIR OPTIONS)} = ('joe\@example.com', '$home', '/bin/zsh', 'Mail', 'x=y');
exec { \$ARGV[0] } \@ARGV;
exit 111;
END
sub program {
    my ($name, $text) = @_;
    write_file("$T/$name", "#!/bin/sh\n$text\n", 0755);
    return "$T/$name";
}
sub run {
    my ($input, $setting, %o) = @_;
    return run_module(["$BIN/authcheckpassword", "$T/authnext", "$T/program", 'word'], input => $input,
        %o, env => { CHECKPASSWORD => $setting, %{ $o{env} // {} } });
}
sub reason {
    my $r = run(@_);
    return 'accept' if $r->{log} =~ /^authcheckpassword: \d+: login /m;
    return $r->{log} =~ /^authcheckpassword: \d+: (\w+) user=.* reason=(\S+)$/m ? "$1 $2" : "no verdict: $r->{log}";
}
write_file("$T/authnext", slurp("$T/program"), 0755);
my $right = "joe\0secret\0" . "1700000000\0";

my $r = run($right, "$T/classic", env => { MAILDIR => '/theirs', LOGNAME => 'theirs', PGSQL_PASSWORD => 'x' });
is seen($r, 'name'), 'program', 'the program is run';
is seen($r, 'arg'), 'word', '... with its word';
is seen($r, 'uid'), "$UID,$UID", '... as the user';
is seen($r, 'cwd'), "$home/inner", '... where it was left';
is seen($r, 'fds'), '0 1 2', '... with these descriptors only';
is $r->{socket}, 'A', 'and accepted';
like $r->{out}, qr/^env=$_$/m, "... $_" for 'USER=joe@example.com', "HOME=$home", 'SHELL=/bin/zsh', 'MAILDIR=Mail', 'OPTIONS=x=y',
  'AUTHMODULE=authcheckpassword', 'AUTHENTICATED=joe@example.com';
unlike $r->{out}, qr/PGSQL/, '... and no more';
SKIP: {
    skip 'needs root', 2 if $>;
    is seen($r, 'gid'), $GID, '... in the group';
    is join(' ', sort split / /, seen($r, 'groups')), join(' ', sort { $a cmp $b } $GID, 4711, 4712), '... in all of them';
}
my $seen = slurp("$T/seen");
like $seen, qr/^stamp=1700000000$/m, 'the program has the time';
unlike $seen, qr/^(?:IMAPLOGIN|MAILDIR=|LOGNAME=)/m, '... and nothing that is of ours';
like $seen, qr/^fds=0 1 2$/m, '... nor a descriptor';
unlike $seen . $r->{log}, qr/secret/, '... and the password is nowhere';

is reason("joe\0wrong\0x\0", "$T/classic"), 'declined wrong-password', 'wrong';
$r = run("joe\0wrong\0x\0", "$T/classic");
is seen($r, 'name'), 'authnext', '... the next module is asked';
is reason("joe\0" . 'x' x 600 . "\0x\0", "$T/classic"), 'declined too-long-for-checkpassword', 'more than it can read';
is reason("joe\0" . 'x' x (512 - 7) . "\0x\0", "$T/classic"), 'declined wrong-password', '... and all it can';
is reason($right, "$T/classic", env => { DEFDOMAIN => '@x' }), 'declined wrong-password', 'it gets the whole name';
is reason($right, "$T/classic", env => { OPTIONS => 'disableimap=1' }), 'accept', 'only what the program says';
is reason($right, "$T/classic", env => { DEFAULTOPTIONS => 'disableimap=1' }), 'refused disabled', '... and DEFAULTOPTIONS';
like run($right, "$T/classic", env => { DEFAULTOPTIONS => 'a=b' })->{out}, qr/^env=OPTIONS=x=y,a=b$/m, '... besides its own';
is reason($right, "$T/classic", env => { DEFAULTOPTIONS => 'a=' . 'b' x 4000 }), 'unavailable checkpassword', '... and not too many';

is reason($right, program('three', 'exit 3')), 'declined wrong-password', 'exit 3, vchkpw\'s word';
is reason($right, program('temp', 'exit 111')), 'unavailable checkpassword', 'exit 111: temporary';
is reason($right, program('misuse', 'exit 2')), 'unavailable checkpassword', 'exit 2: temporary';
is reason($right, program('killed', 'kill -SEGV $$')), 'unavailable checkpassword', 'a signal: temporary';
like run($right, program('killed', 'kill -SEGV $$'))->{log}, qr/why="a signal" number=11/, '... logged';
is reason($right, program('silent', 'exit 0')), 'unavailable checkpassword', 'nothing is no report';
is reason($right, program('talker', 'echo hello; exec "$@"')), 'unavailable checkpassword', 'nor what somebody else prints';
is reason($right, program('forger', q(printf 'chainmail-report-1\0%s\0' 1000 1000))), 'unavailable checkpassword', 'nor half of one';
is reason($right, program('flood', 'cat /dev/zero')), 'unavailable checkpassword', 'nor a flood';
is reason($right, "$T/none"), 'unavailable checkpassword', 'no program';
is reason($right, program('hangs', 'sleep 600'), env => { CHECKPASSWORD_TIMEOUT => 1 }), 'unavailable checkpassword', 'no end';
is reason($right, program('deaf', 'exec >/dev/null; sleep 600'), env => { CHECKPASSWORD_TIMEOUT => 1 }),
  'unavailable checkpassword', '... with its output closed';
my $become = sub { return if $>; $) = "$GID $GID"; POSIX::setgid($GID); POSIX::setuid($UID) };
is reason($right, program('homeless', 'unset HOME; cd /; exec "$@"'), prepare => $become),
  'accept', 'no HOME: where it is';
is reason($right, program('relative', 'HOME=there; export HOME; exec "$@"'), prepare => $become),
  'unavailable checkpassword', 'a home that is relative';
SKIP: {
    skip 'needs root', 3 if $>;
    is reason($right, program('root', 'HOME=/; export HOME; exec "$@"')), 'declined uid-0', 'still root';
    my $as = sub { return program($_[0], "HOME=/; export HOME; exec perl -MPOSIX -e '$_[1]; POSIX::setuid($UID); exec \@ARGV' \"\$@\"") };
    is reason($right, $as->('group', "\$) = \"0 $GID\"")), 'declined gid-0', 'its group still root\'s';
    my $r = run($right, $as->('more', "\$) = \"$GID 0 7\"; POSIX::setgid($GID)"));
    is seen($r, 'groups'), 7, 'group 0 among others is left out';
}
is run($right, undef)->{code}, 100, 'no CHECKPASSWORD';
is run($right, '  ')->{code}, 100, '... nor a word in it';

# Our own modules are such programs, and take words.
userdb("joe\tuid=$UID|gid=$GID|home=$home|systempw=" . hash('secret') . "|options=disableimap=1\n"
    . "ann\tuid=$UID|gid=$GID|home=$home|systempw=" . hash('secret') . "\n");
is reason("ann\0secret\0x\0", "env X=1 $BIN/authuserdb"), 'accept', 'authuserdb as one, behind env';
is reason("ann\0wrong\0x\0", "$BIN/authuserdb"), 'declined wrong-password', '... wrong';
is reason("joe\0secret\0x\0", "$BIN/authuserdb", env => { AUTHSERVICE => 'pop3' }), 'refused disabled', 'its options count';
is reason("ann\0secret\0x\0", "$BIN/authuserdb", env => { USERDB => "$T/lost" }), 'unavailable checkpassword', '... temporary';
is run_module(["$BIN/authcheckpassword", "$T/program"], input => "ann\0secret\0x\0", plain => 1,
    env => { CHECKPASSWORD => "$BIN/authuserdb" })->{code}, 0, 'and it is one itself';
done_testing;
