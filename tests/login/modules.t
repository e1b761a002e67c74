#!/usr/bin/perl
# imaplogin with the real authuserdb: both sides of doc/chain.md meet.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;

my $bin = $LoginServer::bin;
-x "$bin/$_" or plan skip_all => "no $_ here" for qw(authuserdb makeuserdb userdbpw);

my $server = LoginServer->new(modules => []);
my $dir = $server->{dir};
my $hash = `printf '%s\\n' secret | $bin/userdbpw`;
chomp $hash;
like $hash, qr/^\$/, 'a hash';
my ($uid, $gid) = $LoginServer::is_root ? (65532, 65532) : ($>, $) + 0);
mkdir "$dir/home";
open my $text, '>', "$dir/userdb" or die;
print $text "joe\tuid=$uid|gid=$gid|home=$dir/home|imappw=$hash\n",
  "lost\tuid=$uid|gid=$gid|home=$dir/nowhere|imappw=$hash\n";
close $text;
chmod 0600, "$dir/userdb";
system("$bin/makeuserdb $dir/userdb $dir/userdb.cdb") == 0 or die 'makeuserdb';
$server->{env}{USERDB} = "$dir/userdb.cdb";
$server->{words} = ["$bin/imaplogin", "$bin/authuserdb", "$FindBin::Bin/fake/session"];
$server->start;

my $c = $server->client;
$c->line;
is $c->command('a LOGIN nobody secret'), 'a NO [AUTHENTICATIONFAILED] Login failed', 'an unknown user';
is $c->command('b LOGIN joe wrong'), 'b NO [AUTHENTICATIONFAILED] Login failed', 'a wrong password';
is $c->command('c LOGIN joe secret'), 'c OK LOGIN done', 'the right one';
is $c->command('fds'), 'fds 0 1 2', 'the session has 0, 1 and 2 and no other descriptor';
is $c->command('env HOME'), "env $dir/home", 'the home of the account';
is $c->command("env $_"), 'env (unset)', "no $_" for qw(USERDB IMAPLOGIN_STATE IMAPLOGIN_FD FAKE_RECORD);
like $server->log_text, qr/^authuserdb: (\d+): declined user=nobody .*\nimaplogin: \1: login-failed user=nobody /m,
  'the module says why, imaplogin how often';
like $server->log_text, qr/^authuserdb: \d+: login user=joe ip=127\.0\.0\.1 /m, 'the login is logged';

$c = $server->client;
$c->line;
$c->say("d LOGIN lost secret\r\n");
like $c->rest, qr/^d NO \[UNAVAILABLE\] .*\n\* BYE \[UNAVAILABLE\] /, 'a home that is not there';
unlink "$dir/userdb.cdb";
$c = $server->client;
$c->line;
like $c->command('e LOGIN joe secret'), qr/^e NO \[UNAVAILABLE\] /, 'a database that is not there';
like $c->command('f NOOP'), qr/^f OK /, '... is no reason to hang up';
ok !grep(/secret|wrong\b/, map { s/reason=wrong-password//r } split /\n/, $server->log_text), 'no password in the log';
done_testing;
