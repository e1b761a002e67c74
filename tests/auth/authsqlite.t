#!/usr/bin/perl
# authsqlite against a real file of SQLite.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;
use SQL;
use IO::Handle;

plan skip_all => 'authsqlite is not built: libsqlite3 is not here' unless -x "$BIN/authsqlite";
plan skip_all => 'sqlite3 is not installed' if system 'command -v sqlite3 >/dev/null';

my $file = "$T/users.db";
open my $sqlite, '|-', 'sqlite3', $file or die;
print $sqlite accounts();
close $sqlite or die "sqlite3 failed\n";

my %server = (SQLITE_DATABASE => $file);
questions('authsqlite', 'SQLITE', "local_part || '\@' || domain_name", %server);

my %env = (%server, SQLITE_CRYPT_PWFIELD => 'crypt');
sub try_it { return (verdict('authsqlite', 'ann', 'secret', %env, @_))[0] }
is try_it(SQLITE_DATABASE => "$T/none.db"), 'database', 'no file: temporary';
ok !-e "$T/none.db", 'none is made';
write_file("$T/text.db", 'no database' x 1000);
is try_it(SQLITE_DATABASE => "$T/text.db"), 'database', 'another kind of file';
is try_it(SQLITE_DATABASE => "$T"), 'database', 'a directory';
is run_module(["$BIN/authsqlite", "$T/program"], input => "ann\0secret\0x\0", env => { %env, SQLITE_DATABASE => 'x.db' })->{code},
    100, 'a relative path';
for ([0666, 'everybody'], [0660, 'its group']) {
    chmod $_->[0], $file;
    my ($answer, $r) = verdict('authsqlite', 'ann', 'secret', %env);
    is $answer, 'database', "a file that $_->[1] can write to";
    like $r->{log}, qr/failed attempt=open path=\S+ why="its group, or everybody, can write to it" remedy=/, '... in words';
}
chmod 0600, $file;
is try_it(), 'accept', 'one that is the owner\'s';
mkdir "$T/open";
system 'cp', '-p', $file, "$T/open/users.db";
symlink "$T/open/users.db", "$T/link.db";
for my $mode (0777, 01777, 0775) {
    chmod $mode, "$T/open";
    my ($answer, $r) = verdict('authsqlite', 'ann', 'secret', %env, SQLITE_DATABASE => "$T/link.db");
    is $answer, 'database', sprintf 'a directory where others can put a journal: %o', $mode;
    like $r->{log}, qr/why="the group of its directory, or everybody, can write there"/, '... in words';
}
chmod 0755, "$T/open";
is try_it(SQLITE_DATABASE => "$T/link.db"), 'accept', 'one where they cannot, by a link';

# Somebody holds the file.
open my $holder, '|-', 'sqlite3', $file or die;
$holder->autoflush(1);
print $holder "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;\n.shell touch $T/held\n";
select undef, undef, undef, 0.05 while !-e "$T/held";
is try_it(SQLITE_TIMEOUT => 1), 'database', 'a locked file: temporary, in time';
print $holder "ROLLBACK;\n.quit\n";
close $holder;
is try_it(), 'accept', 'afterwards all is well';
done_testing;
