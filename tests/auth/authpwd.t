#!/usr/bin/perl
# authpwd against this system's accounts, whatever they are; tests/auth/authpwd.c has all the sorts.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

# verdict(user): what the log says, and imaplogin's verdict if there is one.
sub verdict {
    my ($user) = @_;
    my $r = run_module(["$BIN/authpwd", "$T/program"], input => "$user\0secret\0x\0");
    my ($line) = $r->{log} =~ /\A.*: (.*)\n\z/s;
    return join '; ', $line // $r->{log}, $r->{out} =~ /^env=IMAPLOGIN_VERDICT=(.*)$/m;
}
is verdict('no-such-user-here'), 'declined user=no-such-user-here reason=unknown-user', 'unknown';
is verdict('root'), 'declined user=root reason=uid-0', 'root never';
is verdict('root:x'), 'declined user=root:x reason=unknown-user', 'no such name';
is verdict('../etc'), 'declined user=../etc reason=unknown-user', 'no such name';

SKIP: {
    my ($account) = grep { my @a = getpwnam $_; @a && $a[2] } qw(daemon bin mail);
    skip 'no system account to try', 1 unless $account;
    if ($>) {
        my $r = verdict($account);
        skip 'shadow can be read here', 1 if -r '/etc/shadow';
        like $r, qr/unavailable user=$account reason=account-database; temporary\z/, 'shadow cannot be read: temporary';
    } else {
        is verdict($account), "declined user=$account reason=no-password", 'an account without password';
    }
}
done_testing;
