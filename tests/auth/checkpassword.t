#!/usr/bin/perl
# A module under any other caller than imaplogin: an ordinary checkpassword program.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

my $home = "$T/home";
mkdir $home or die;
chown $UID, $GID, $home unless $>;
my $hash = hash('secret');
userdb(<<"END");
joe\tuid=$UID|gid=$GID|home=$home|systempw=$hash
homeless\tuid=$UID|gid=$GID|home=$T/nowhere|systempw=$hash
broken\tuid=$UID|gid=$GID|home=$home|systempw=\$y\$nonsense\$
END
my @words = ("$BIN/authuserdb", "$T/program", 'an argument');

my $r = run_module(\@words, plain => 1, input => "joe\0secret\0" . "1700000000\0and more data",
    env => { PGSQL_PASSWORD => 'x' }, prepare => sub { POSIX::dup2(2, 4) });
is $r->{code}, 0, 'right';
is seen($r, 'name'), 'program', 'the program runs';
is seen($r, 'arg'), 'an argument', 'with its arguments';
is seen($r, 'uid'), "$UID,$UID", 'as the user';
is seen($r, 'cwd'), $home, 'at home';
like $r->{out}, qr/^env=USER=joe$/m, 'USER';
unlike $r->{out}, qr/PGSQL/, 'no database password in the environment';
is seen($r, 'fds'), '0 1 2 4', 'descriptor 3 is closed, the caller\'s others are the caller\'s';
is $r->{socket}, '', 'nobody is told';

my @answers = (
    [1, 'wrong password', "joe\0wrong\0x\0"],
    [1, 'unknown user', "jane\0secret\0x\0"],
    [1, 'unknown mechanism', "joe\0secret\0x\0", AUTHMECH => 'CRAM-MD5'],
    [111, 'crypt fails', "broken\0secret\0x\0"],
    [111, 'no database', "joe\0secret\0x\0", USERDB => "$T/none"],
    [111, 'no home directory', "homeless\0secret\0x\0"],
    [2, 'malformed', "joe\0secret"],
    [2, 'too much', 'x' x 5000],
    [2, 'no descriptor 3', undef],
);
for (@answers) {
    my ($code, $what, $input, %env) = @$_;
    my $got = run_module(["$BIN/authuserdb", "$T/authnext", "$T/program"], plain => 1, input => $input, env => \%env);
    is $got->{code}, $code, "$what: $code";
    is $got->{out}, '', "$what: nothing is executed";
}
is run_module(["$BIN/authuserdb"], plain => 1, input => "joe\0secret\0x\0")->{code}, 2, 'no program: 2';
is run_module(["$BIN/authuserdb", "$T/missing"], plain => 1, input => "joe\0secret\0x\0")->{code}, 111,
    'a program that is not there: 111';
done_testing;
