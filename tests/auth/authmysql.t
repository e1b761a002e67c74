#!/usr/bin/perl
# authmysql against a real MariaDB.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../authd", "$FindBin::Bin/../lib";
use Test::More;
use Module;
use SQL;
use Server;

plan skip_all => 'authmysql is not built: libmariadb is not here' unless -x "$BIN/authmysql";
my $install = find_program('/usr/bin/mariadb-install-db');
my $mariadbd = find_program('/usr/sbin/mariadbd');
plan skip_all => 'MariaDB is not installed' unless $install && $mariadbd;
as_account('mysql', 'nobody') or $> or plan skip_all => 'no account to run MariaDB as';

my ($directory, $port, $password) = (Server::private("$T/my"), free_port(), 'data base');
run_as($install, '--no-defaults', "--datadir=$directory/data", '--auth-root-authentication-method=normal', '--skip-test-db',
    '--skip-name-resolve')
    or die 'mariadb-install-db failed: ', slurp("$T/server.log");
my $socket = "$directory/socket";
my @start = (
    sub { -S $socket && slurp("$T/server.log") =~ /ready for connections/ },
    $mariadbd, '--no-defaults', "--datadir=$directory/data", "--socket=$socket", "--port=$port", '--bind-address=127.0.0.1',
    '--skip-name-resolve', '--innodb-buffer-pool-size=16M', '--innodb-flush-log-at-trx-commit=0', "--pid-file=$directory/pid",
    '--character-set-server=utf8mb4'
);
my $server = start_server(@start) or die 'MariaDB does not start: ', slurp("$T/server.log");
open my $client, '|-', 'mariadb', '--no-defaults', "--socket=$socket", '-uroot' or die;
print $client "CREATE DATABASE mail; USE mail;\n", accounts(), "GRANT SELECT ON mail.* TO 'admin'\@'%' IDENTIFIED BY '$password';\n";
close $client or die 'the client of MariaDB failed';

my %server = (
    MYSQL_SERVER => '127.0.0.1', MYSQL_PORT => $port, MYSQL_USERNAME => 'admin', MYSQL_PASSWORD => $password,
    MYSQL_DATABASE => 'mail'
);
questions('authmysql', 'MYSQL', "CONCAT(local_part, '\@', domain_name)", %server);

my %env = (%server, MYSQL_CRYPT_PWFIELD => 'crypt');
sub try_it { return verdict('authmysql', 'ann', 'secret', %env, @_) }
is +(try_it(MYSQL_SERVER => 'localhost', MYSQL_PORT => 0, MYSQL_SOCKET => $socket))[0], 'accept', 'by its socket';
my ($answer, $r) = verdict('authmysql', 'ANN', 'secret', %env);
is $answer, 'accept', 'the database compares without letter case';
like $r->{out}, qr/^env=USER=ann$/m, 'the name is what it says';
is +(try_it(MYSQL_SELECT_CLAUSE => "SELECT id, crypt, '', uid, gid, home FROM passwd WHERE id = \"\$(local_part)\""))[0], 'accept',
    'a string in double quotes';
is run_module(["$BIN/authmysql", "$T/program"], input => "ann\0secret\0x\0",
    env => { %env, MYSQL_SELECT_CLAUSE => "SELECT 1 WHERE id = '\\'\$(user)'" })->{code}, 100, 'a backslash before a variable';
my $files = run_module(["$BIN/authmysql", "$T/program"], input => "ann\0secret\0x\0", env => { %env, MYSQL_OPT => 128 + 2 });
is $files->{code}, 100, 'no MYSQL_OPT by which the server could read files here';
like $files->{log}, qr/misconfigured variable=MYSQL_OPT value=130 why=.*CLIENT_LOCAL_FILES.* remedy=/, '... in words';
is +(try_it(MYSQL_OPT => 2))[0], 'accept', 'another option';
($answer, $r) = try_it(MYSQL_PASSWORD => 'wrong');
is $answer, 'database', 'a wrong password of the database\'s: temporary';
like $r->{log}, qr/failed attempt=connect database=127\.0\.0\.1 why="Access denied/, 'logged';
is +(try_it(MYSQL_DATABASE => 'nowhere'))[0], 'database', 'no such database';
is +(try_it(MYSQL_SSL_CACERT => '/etc/ssl/certs/ca-certificates.crt'))[0], 'database', 'TLS required, and not there';
is +(try_it(MYSQL_SELECT_CLAUSE => "SELECT SLEEP(60), '', '', 1, 1, '/'", MYSQL_TIMEOUT => 1))[0], 'database',
    'a slow statement: temporary, in time';
is +(try_it(MYSQL_SELECT_CLAUSE => "SELECT REPEAT('x', 5000), '', '', 1, 1, '/'"))[0], 'database', 'a column that is too large';
my ($silent, $silent_port) = silent_port();
is +(try_it(MYSQL_PORT => $silent_port, MYSQL_TIMEOUT => 1))[0], 'database', 'a server that does not answer: temporary, in time';
# A new server counts its connections anew; this one has had many.
$server = outlives('authmysql', { %server, MYSQL_SELECT_CLAUSE =>
      "SELECT id, crypt, '', uid, gid, CONCAT('/', CONNECTION_ID()) FROM passwd WHERE id = '\$(user)'" }, $server, 'TERM', 1, @start);
stop_server($server);
($answer, $r) = try_it();
is $answer, 'database', 'the server is down: temporary';
like $r->{log}, qr/failed attempt=connect database=127\.0\.0\.1 why="Can't connect.*" remedy=/, 'logged';
like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'imaplogin knows';
done_testing;
