#!/usr/bin/perl
# authpgsql against a real PostgreSQL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../authd", "$FindBin::Bin/../lib";
use Test::More;
use Module;
use SQL;
use Server;

plan skip_all => 'authpgsql is not built: libpq is not here' unless -x "$BIN/authpgsql";
my $initdb = find_program('/usr/lib/postgresql/*/bin/initdb', '/usr/bin/initdb');
my $postgres = find_program('/usr/lib/postgresql/*/bin/postgres', '/usr/bin/postgres');
plan skip_all => 'PostgreSQL is not installed' unless $initdb && $postgres;
as_account('postgres', 'nobody') or $> or plan skip_all => 'no account to run PostgreSQL as';

my ($data, $port, $password) = (Server::private("$T/pg") . '/data', free_port(), 'data base');
write_file("$T/password", "$password\n");
run_as($initdb, '-D', $data, '-U', 'admin', '-A', 'scram-sha-256', '--pwfile', "$T/password", '-N', '-E', 'UTF8',
    '--locale=C') or die 'initdb failed: ', slurp("$T/server.log");
my @start = (
    sub { -S "$T/pg/.s.PGSQL.$port" && slurp("$T/server.log") =~ /ready to accept connections/ },
    $postgres, '-D', $data, '-F', '-k', "$T/pg", '-p', $port, '-c', 'listen_addresses=127.0.0.1', '-c', 'shared_buffers=1MB',
    '-c', 'max_connections=10', '-c', 'autovacuum=off'
);
my $server = start_server(@start) or die 'PostgreSQL does not start: ', slurp("$T/server.log");
{
    local $ENV{PGPASSWORD} = $password;
    open my $psql, '|-', 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', $port, '-U', 'admin', 'postgres' or die;
    print $psql accounts();
    close $psql or die 'psql failed';
}
my %server = (PGSQL_CONNECTION => "host=127.0.0.1 port=$port user=admin password='$password'", PGSQL_DATABASE => 'postgres');
questions('authpgsql', 'PGSQL', "local_part || '\@' || domain_name", %server);

my %env = (%server, PGSQL_CRYPT_PWFIELD => 'crypt');
sub try_it { return verdict('authpgsql', 'ann', 'secret', %env, @_) }
is +(try_it(PGSQL_CONNECTION => "host=$T/pg port=$port user=admin password='$password'"))[0], 'accept', 'by its socket';
my ($answer, $r) = try_it(PGSQL_CONNECTION => "host=127.0.0.1 port=$port user=admin password=wrong");
is $answer, 'database', 'a wrong password of the database\'s: temporary';
like $r->{log}, qr/failed attempt=connect database=127\.0\.0\.1 why=".*password authentication failed/, 'logged';
unlike $r->{log}, qr/password=wrong/, 'without the password';
is +(try_it(PGSQL_DATABASE => 'nowhere'))[0], 'database', 'no such database';
is +(try_it(PGSQL_CONNECTION => "$server{PGSQL_CONNECTION} sslmode=require"))[0], 'database', 'TLS required, and not there';
is +(try_it(PGSQL_CONNECTION => 'nonsense'))[0], 'database', 'no connection string';
# Passwords that have not been quoted: no part of them may come into the log.
for ('host=127.0.0.1 user=admin password=se cretly', "host=127.0.0.1 password='secretly", 'postgresql://admin:se%zzcretly@127.0.0.1/x',
    'postgresql://admin:se/cretly@127.0.0.1/x', 'postgresql://admin:123456/cretly@127.0.0.1/x', 'postgresql://admin:se@cretly@127.0.0.1/x',
    'postgresql://admin:se@cretly@127.0.0.1,127.0.0.2/x', 'postgresql://admin:@secretly@127.0.0.1/x') {
    my $r = run_module(["$BIN/authpgsql", "$T/program"], input => "ann\0secret\0x\0", env => { %env, PGSQL_CONNECTION => $_ });
    is $r->{code}, 100, "misconfigured: $_";
    like $r->{log}, qr/misconfigured variable=PGSQL_CONNECTION why="libpq cannot read it" remedy=/, '... in words';
    unlike $r->{log}, qr/cret|"se|123456/, '... and without the password';
}
is +(try_it(PGSQL_CONNECTION => "postgresql://admin\@127.0.0.1:$port/postgres?password=" . $password =~ s/ /%20/gr))[0], 'accept', 'an address';
is +(try_it(PGSQL_SELECT_CLAUSE => "SELECT pg_sleep(60)::text, '', '', 1, 1, '/'", PGSQL_TIMEOUT => 1))[0], 'database',
    'a slow statement: temporary, in time';
my ($silent, $silent_port) = silent_port();
is +(try_it(PGSQL_CONNECTION => "host=127.0.0.1 port=$silent_port user=admin", PGSQL_TIMEOUT => 1))[0], 'database',
    'a server that does not answer: temporary, in time';
$server = outlives('authpgsql', { %server, PGSQL_SELECT_CLAUSE =>
      "SELECT id, crypt, '', uid, gid, '/' || pg_backend_pid() || extract(epoch from backend_start) FROM passwd, pg_stat_activity WHERE pid = pg_backend_pid() AND id = '\$(user)'" },
    $server, 'INT', 1, @start);
stop_server($server, 'INT');
($answer, $r) = try_it();
is $answer, 'database', 'the server is down: temporary';
like $r->{log}, qr/failed attempt=connect database=127\.0\.0\.1 why=".*refused.*" remedy=/, 'logged';
like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'imaplogin knows';
done_testing;
