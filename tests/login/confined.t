#!/usr/bin/perl
# The parser's cage, seen from outside: whose process it is, what it can see and hold.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;

my $server = LoginServer->new(env => { DATABASE_PASSWORD => 'hidden' })->start;
my $c = $server->client;
$c->line;
my $keeper = $server->logged(qr/^imaplogin: (\d+): connect/m);

if (!$LoginServer::is_root) {
    ok $server->logged(qr/^imaplogin: $keeper: unconfined what=uid,root why=/m), 'an ordinary user: one line of log';
    is $c->command('a LOGIN authone.accept secret'), 'a OK LOGIN done', 'and a login';
    done_testing;
    exit;
}

my $socket = readlink "/proc/$keeper/fd/0";
my ($parser) = grep { readlink("/proc/$_/fd/0") eq $socket } $server->processes_named(qr/^imaplogin-parser\0$/);
ok $parser, 'there is a parser';
my $status = do { open my $f, '<', "/proc/$parser/status" or die; local $/; <$f> };
like $status, qr/^Uid:(?:\t$LoginServer::nobody){4}$/m, 'its uids are those of UID';
like $status, qr/^Gid:(?:\t$LoginServer::nobody){4}$/m, 'its gids those of GID';
like $status, qr/^Groups:\s*$/m, 'without other groups';
like $status, qr/^CapEff:\s*0+$/m, 'without capabilities';
like $status, qr/^NoNewPrivs:\s*1$/m, 'and cannot gain any';
SKIP: {
    skip 'sanitized, or a kernel without seccomp', 1 if $server->log_text =~ /unconfined what=syscalls/;
    like $status, qr/^Seccomp:\s*2$/m, 'its system calls are filtered';
}
isnt readlink("/proc/$parser/root"), '/', 'its root is another directory';
is_deeply [glob "/proc/$parser/root/*"], [], 'an empty one';
ok !-d readlink("/proc/$parser/root"), '... that nobody can reach any more';
is slurp("/proc/$parser/environ"), '', 'its environment is empty';
opendir my $d, "/proc/$parser/fd" or die;
is join(' ', sort { $a <=> $b } grep { /^\d+$/ } readdir $d), '0 1 3', 'it has the connection and its keeper, no log';
my ($ppid) = $status =~ /^PPid:\s*(\d+)$/m;
isnt $ppid, $keeper, 'it is no child of the session to be';
unlike $server->log_text, qr/unconfined what=uid/, 'the log has nothing to say';
is $c->command('a LOGIN authone.accept secret'), 'a OK LOGIN done', 'a login works from there';
like $c->command('pid'), qr/^pid $keeper$/, 'the session is the process that was the keeper';
ok gone($parser), 'and the parser has ended';
my @children = grep { ((split ' ', slurp("/proc/$_/stat") =~ s/.*\) //sr)[1] // 0) == $keeper } map { m{(\d+)} } glob '/proc/[0-9]*';
is scalar(@children), 0, 'the session has no child';
done_testing;

sub slurp { open my $f, '<', shift or return ''; local $/; return scalar <$f> // '' }

sub gone {
    for (1 .. 200) {
        return 1 unless -e "/proc/$_[0]";
        select undef, undef, undef, 0.02;
    }
    return 0;
}
