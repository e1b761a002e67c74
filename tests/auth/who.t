#!/usr/bin/perl
# Who somebody is, said by one module to another: what is asked, and answers that no honest module gives.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;
use SQL;

mkdir "$T/bin";
my $account = "UID=$UID\nGID=$GID\nHOME=/\nADDRESS=ann\n";

# The verdict about a user for whom the module `authldap`, a script, does this.
my $r;
sub told {
    my ($script, %env) = @_;
    write_file("$T/bin/authldap", "#!/bin/sh\n$script\n", 0755);
    (my $answer, $r) = proven('authldap', 'ann', PATH => "$T/bin:$ENV{PATH}", %env);
    return $answer;
}
sub says { my ($text) = @_; write_file("$T/answer", $text); return told("cat $T/answer") }

is told("cat >$T/asked <&3; env >$T/env; echo \$# >$T/words; readlink /proc/self/fd/0 >$T/input; ls /proc/self/fd | wc -l >$T/fds; printf '$account.\\n'",
    LDAP_URI => 'x', AUTHZID => 'ann'), 'accept', 'an account';
is slurp("$T/asked"), "ann\0\0\0", 'is asked for by name';
like slurp("$T/env"), qr/^AUTHMECH=PRE$/m, '... by its mechanism';
like slurp("$T/env"), qr/^LDAP_URI=x$/m, '... with the settings';
unlike slurp("$T/env"), qr/^(?:IMAPLOGIN|IMAPLOGIN_FD|AUTHZID)=/m, '... and without the connection\'s';
is slurp("$T/words"), "0\n", '... or a program to run';
is slurp("$T/input"), "/dev/null\n", '... or the client';
is slurp("$T/fds") + 0, 5, '... or any descriptor but these';
is seen($r, 'fds'), '0 1 2', 'the session has none either';

is says("$account.\nmore\n"), 'accept', 'what comes after the end does not count';
is told("printf '$account.\\n'; exit 111"), 'accept', 'nor does the exit code';
is says("FAIL\n"), 'unknown-user', 'FAIL';
is says("UID=0\nGID=$GID\nHOME=/\nADDRESS=ann\n.\n"), 'uid-0', 'uid 0 is never a session';
is says("UID=$UID\nGID=0\nHOME=/\nADDRESS=ann\n.\n"), 'gid-0', 'nor gid 0';
is says("${account}OPTIONS=disableimap=1\n.\n"), 'disabled', 'an option that disables';
is says("${account}USERNAME=root\n.\n"), 'account-source', 'a user of the system with another uid: temporary';
is says($_->[0]), 'account-source', "temporary: $_->[1]" for [$account, 'half an answer'], ["nonsense\n.\n", 'nonsense'], ['x' x 9000, 'too much'],
  ["$account\0.\n", 'NUL'], ["UID=$UID\nGID=$GID\nADDRESS=ann\n.\n", 'no home'], ["UID=$UID\nGID=$GID\nHOME=x\nADDRESS=ann\n.\n", 'a relative one'],
  ["HOME=/\nADDRESS=ann\n.\n", 'no ids'];
is told('exit 0'), 'account-source', 'nothing is no answer';
is told('kill -9 $$'), 'account-source', 'nor is a signal';
is told("exec >&-; exec sleep 600"), 'account-source', 'one that closes its output is not waited for';
like $r->{log}, qr/failed attempt="ask a module who somebody is" module=authldap user=ann why="it has ended without one" remedy=/, 'the log says so';
# Nor is one that has said something.  They write down who they are.
my $stay = "echo \$\$ >$T/pid; printf";
for (["$stay '$account.\\n'; exec sleep 600", 'accept', 'all'], ["$stay 'UID='; exec sleep 600 >&-", 'account-source', 'a part'],
  ["$stay '%9000s' x; exec sleep 600", 'account-source', 'too much']) {
    is told($_->[0]), $_->[1], "nor one that has said $_->[2]";
    ok !kill(0, slurp("$T/pid")), '... nor does it stay';
}

# Our own modules, asked for nobody, or by nobody who may.
userdb("ann\tuid=$UID|gid=$GID|home=/|systempw=" . hash('secret') . "\n");
my %question = (plain => 1, env => { AUTHMECH => 'PRE' });
$r = run_module(["$BIN/authuserdb"], input => "ann\0\0\0", %question);
is "$r->{code} $r->{out}", "0 UID=$UID\nGID=$GID\nHOME=/\nADDRESS=ann\n.\n", 'authuserdb can be asked, too';
$r = run_module(["$BIN/authuserdb", "$T/program"], input => "bob\0\0\0", %question);
is "$r->{code} $r->{out}", "1 FAIL\n", '... for somebody it does not know';
for (["\0\0\0", 'nobody'], ['ann', 'no credentials'], ["ann\0\0\0more", 'more than credentials']) {
    $r = run_module(["$BIN/authuserdb", "$T/program"], input => $_->[0], %question);
    is "$r->{code} $r->{out}", '111 ', "... for $_->[1]";
}
$r = run_module(["$BIN/authuserdb", "$T/program"], input => "ann\0secret\0x\0", env => { AUTHMECH => 'PRE' });
is seen($r, 'name'), 'imaplogin', 'a client has no such mechanism, whatever the password';
$r = run_module(["$BIN/authscram", "$T/program"], input => "ann\0\0\0", %question);
is "$r->{code} $r->{out}", '1 ', 'a module without accounts says nothing';
for (['authscram', 'has none'], ['authx', 'is none'], ['/bin/authldap', 'a path']) {
    $r = (proven($_->[0], 'ann'))[1];
    is $r->{code}, 100, "authmodulelist: a module that $_->[1]";
}
done_testing;
